"""What several tests need: a small text, a trained run on it, the real texts where they are at hand."""

import os
from pathlib import Path

import pytest

import rnnscope as rs

BESIDE = Path(__file__).parents[2] / "shared" / "data"
if BESIDE.is_dir():  # where named corpora are looked for, too
    os.environ.setdefault("RNNSCOPE_DATA", str(BESIDE))

SENTENCES = (
    "def first(a, b):\n    # add two numbers\n    return {'sum': a + b}\n\n\n"
    'class Thing:\n    """A thing with a name, said in many words."""\n\n    def name(self, x=1):\n'
    "        if x > 10 and self.y[0]:\n            return \"Thing number 42\"\n        return 'no'\n\n\n"
)


@pytest.fixture(scope="session")
def text() -> str:
    """About 12,000 symbols of Python."""
    return "".join(SENTENCES.replace("first", f"f{k}").replace("Thing", f"Thing{k % 7}") for k in range(40))


@pytest.fixture(scope="session")
def corpus(text: str) -> rs.Corpus:
    return rs.Corpus.from_text(text, name="small", language="python")


@pytest.fixture(scope="session")
def recipe() -> rs.Recipe:
    return rs.Recipe(architecture=rs.Architecture("lstm", 2, 12), epochs=2, batch=4, length=50, warmup=2)


@pytest.fixture(scope="session")
def run(corpus: rs.Corpus, recipe: rs.Recipe, tmp_path_factory: pytest.TempPathFactory) -> rs.Run:
    return rs.train(recipe, corpus, tmp_path_factory.mktemp("runs") / "small")


@pytest.fixture(scope="session")
def model(run: rs.Run) -> rs.RecurrentLM:
    loaded = rs.load(run.path)
    assert isinstance(loaded, rs.RecurrentLM)
    return loaded


@pytest.fixture(scope="session")
def trace(model: rs.RecurrentLM, corpus: rs.Corpus, tmp_path_factory: pytest.TempPathFactory) -> rs.Trace:
    text = corpus.split("all").head(6000)
    return rs.record(model, text, tmp_path_factory.mktemp("traces") / "small", ["layer*/*", "log_prob"])


def real(filename: str) -> Path:
    """A real text, or skip: these texts are not part of the repository."""
    folder = os.environ.get("RNNSCOPE_DATA")
    if folder and (Path(folder) / filename).is_file():
        return Path(folder) / filename
    pytest.skip(f"{filename} is not at hand; set RNNSCOPE_DATA to the folder that holds it")
