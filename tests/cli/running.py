"""Commands as tests run them: real processes, or this one."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from rnnscope.cli import main


def command(*arguments: object, given: bytes | None = None, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "rnnscope", *map(str, arguments)],
        input=given,
        capture_output=True,
        cwd=cwd,
        check=False,
        timeout=300,
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def fails(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    """Exit status and the one line of an error, in this process."""
    with pytest.raises(SystemExit) as left:
        main([str(a) for a in arguments])
    error = capsys.readouterr().err.strip()
    assert "\n" not in error, error
    assert error.startswith("rnnscope: ")
    return int(left.value.code or 0), error


def rows(capsys: pytest.CaptureFixture[str], *arguments: object) -> list[dict[str, object]]:
    with pytest.raises(SystemExit) as left:
        main([*map(str, arguments), "--json"])
    assert not left.value.code
    return list(json.loads(capsys.readouterr().out))
