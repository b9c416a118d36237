# Two commands on a fresh machine: make study, make test.
VENV := .venv
PYTHON ?= python3

.PHONY: study test install clean

study: install
	$(VENV)/bin/rnnscope study

test: install $(VENV)/.dev
	$(VENV)/bin/python -m pytest

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "rnnscope needs Python 3.11 or later, this is " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV) || { echo "expected Python with its venv module; on Debian: apt-get install python3-venv"; exit 1; }
	$(VENV)/bin/python -m pip install --quiet -c constraints.txt -e .
	touch $@

$(VENV)/.dev: $(VENV)/.installed
	$(VENV)/bin/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@

clean:
	rm -rf $(VENV)
