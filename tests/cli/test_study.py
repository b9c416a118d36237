"""A study from end to end, stopped at any moment, run again, and shown."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from markupsafe import escape

import rnnscope as rs
from rnnscope.comparison.distances import distances
from rnnscope.comparison.dynamics import nearest
from rnnscope.exceptions import OccupiedError
from rnnscope.studies.study import default_recipe

STEPS = [
    "train",
    "record",
    "score",
    "cards",
    "saturation",
    "timescales",
    "compare",
    "contexts",
    "resting",
    "errors",
    "sample",
    "figures",
    "report",
]
SMALL = ["--units", "16", "--layers", "2", "--updates", "150"]


def command(path: Path, out: Path) -> list[str]:
    return [sys.executable, "-m", "rnnscope", "study", str(path), "--out", str(out), *SMALL, "--json"]


@pytest.fixture(scope="module")
def source(text: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("texts") / "small one.py"
    path.write_text(text * 3 + "# </script><script>alert('corpus')</script> &amp; <b>\n" * 40)
    return path


@pytest.fixture(scope="module")
def whole(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study that was never stopped."""
    out = tmp_path_factory.mktemp("studies") / "a whole one"
    done = subprocess.run(command(source, out), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)
    return out


def results(out: Path) -> dict[str, object]:
    """Everything in a study but the times."""
    report = re.sub(r"\d+\.\d</td></tr>|\d+:\d\d min", "", (out / "report.html").read_text())
    return {
        "weights": (out / "run" / "model.safetensors").read_bytes(),
        "units": pd.read_parquet(out / "tables" / "units.parquet").to_json(),
        "saturation": pd.read_parquet(out / "tables" / "saturation.parquet").to_json(),
        "sample": (out / "sample.json").read_text(),
        "picture": (out / "figures" / "units.png").read_bytes(),
        "report": report,
    }


def test_a_study_holds_everything(whole: Path) -> None:
    for name in ("run/model.safetensors", "traces/trained/zarr.json", "tables/scores.parquet", "figures/units.svg", "report.html"):
        assert (whole / name).exists(), name
    page = (whole / "report.html").read_text()
    for section in ("beside", "distances", "contexts", "resting", "errors", "memory"):
        assert f'<section id="{section}">' in page
    sources = json.loads(re.findall(r'<script type="application/json" id="sources">(.*?)</script>', page, re.S)[0])
    asked = set(re.findall(r'data-source="([^"]+)"', page))
    assert asked == set(sources)
    assert {"resting-0", "resting-1"} <= asked
    found = rs.Study(whole).contexts
    assert set(found["model"]) == {"network", "20-gram"}
    assert (found.loc[found["context"] == found["context"].max(), "rise"] == 0).all()
    resting = pd.read_parquet(whole / "tables" / "resting.parquet")
    assert resting["part"].notna().all()
    assert not list(whole.rglob(".rnnscope-partial-*"))


def section(page: str, name: str) -> str:
    return page.split(f'<section id="{name}">')[1].split("</section>")[0]


def test_the_network_and_the_20_gram_close_and_fail_side_by_side(source: Path, whole: Path) -> None:
    study, page = rs.Study(whole), (whole / "report.html").read_text()
    found = rs.compare({"network": study.trace, "20-gram": rs.NGramLM.fit(rs.Corpus.from_file(source).split("train"), 20)})
    for pair, part in study.distances.groupby("pair"):
        pd.testing.assert_frame_equal(part.reset_index(drop=True), distances(found.readings, str(pair)))
    pairs = study.distances.query("model == 'network'").groupby("pair")["count"].sum()
    shown = section(page, "distances")
    assert f"{pairs.max():,} pairs" in shown
    assert f'<code class="tag">{escape(pairs.idxmax())}</code> is where it comes' in shown
    assert shown.count("<tr>") == 1 + len(study.distances.query(f"model == 'network' and pair == {pairs.idxmax()!r}"))

    wrong = found.readings.errors().sum(axis=1)
    gained = study.gained
    assert (gained["network"].sum(), gained["other"].sum()) == tuple(wrong)
    assert (gained["gained"] == gained["other"] - gained["network"]).all()
    less = int(wrong[1] - wrong[0])
    shown = section(page, "errors")
    assert f"the network {wrong[0]:,}: {abs(less):,} {'fewer' if less > 0 else 'more'}" in shown
    assert shown.count("<svg") == 3


def test_how_long_units_keep(whole: Path) -> None:
    study = rs.Study(whole)
    assert len(study.timescales) == 2 * 16
    shown = section((whole / "report.html").read_text(), "memory")
    for _, part in study.timescales.groupby("layer"):
        middle = part["memory"].median()
        assert f">{middle:,.0f}<" in shown if middle >= 10 else f">{middle:.1f}<" in shown
    assert (whole / "figures" / "timescales.svg").exists()


def test_pictures_stand_alone(whole: Path) -> None:
    """The page's style sheet is not beside them, and other programs than browsers know no variables."""
    pictures = {path.name: path.read_text() for path in (whole / "figures").glob("*.svg")}
    assert {"learning.svg", "saturation.svg", "timescales.svg", "units.svg"} <= set(pictures)
    assert not [name for name, svg in pictures.items() if "var(" in svg]


def test_a_text_without_pairs_says_so(tmp_path: Path) -> None:
    text = "".join(f"word {k * 7919 % 5003} and more of it\n" for k in range(400))
    study = rs.study(rs.Corpus.from_text(text), tmp_path / "s", recipe=default_recipe(rs.Architecture("rnn", units=8), updates=10))
    page = study.report.read_text()
    assert "has no pair of brackets or quotes" in section(page, "distances")
    assert "<svg" not in section(page, "distances")
    assert len(study.distances) == len(study.timescales) == 0
    assert '<section id="memory">' not in page  # no gate keeps a state


def test_a_second_time_nothing_is_repeated(source: Path, whole: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in whole.rglob("*") if p.is_file()}
    seen: list[tuple[str, bool]] = []

    def watch(name: str, done: bool):  # type: ignore[no-untyped-def]
        seen.append((name, done))
        return lambda done, total, note="": None

    rs.study(source, whole, recipe=default_recipe(rs.Architecture("lstm", 2, 16), updates=150), watch=watch)
    assert seen == [(name, True) for name in STEPS]
    assert {p: p.stat().st_mtime_ns for p in whole.rglob("*") if p.is_file()} == before


KILLER = """
import os, signal, sys
from rnnscope.cli import main
from rnnscope.studies.study import _Work

step, arguments = sys.argv[1], sys.argv[2:]
work = getattr(_Work, step)

def killed(self, progress):
    def half_way(done, total, note=""):
        if 2 * done >= total:
            os.kill(os.getpid(), signal.SIGKILL)
    work(self, half_way)
    os.kill(os.getpid(), signal.SIGKILL)  # done, but not written down as done

setattr(_Work, step, killed)
main(arguments)
"""


def test_a_study_killed_in_every_step_goes_on_to_the_same_result(source: Path, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "killed"
    arguments = command(source, out)[3:]
    for k, name in enumerate(STEPS):
        done = subprocess.run([sys.executable, "-c", KILLER, name, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == -9, done.stderr
        finished = {p.stem for p in (out / "steps").glob("*.json") if json.loads(p.read_text())["finished"]}
        assert finished == set(STEPS[:k])
    done = subprocess.run(command(source, out), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert results(out) == results(whole)
    assert not list(out.rglob(".rnnscope-partial-*"))


@pytest.mark.parametrize("lost", ["tables/units.parquet", "figures/learning.svg", "report.html"])
@pytest.mark.parametrize("cut", [False, True])
def test_what_was_lost_or_cut_is_made_again(lost: str, cut: bool, source: Path, whole: Path) -> None:
    before = (whole / lost).read_bytes()
    if cut:
        (whole / lost).write_bytes(before[:100])
    else:
        (whole / lost).unlink()
    rs.study(source, whole, recipe=default_recipe(rs.Architecture("lstm", 2, 16), updates=150))
    assert len((whole / lost).read_bytes()) == pytest.approx(len(before), abs=20)  # times in the report may be longer or shorter


def test_a_study_of_another_text_is_refused(whole: Path, corpus: rs.Corpus) -> None:
    with pytest.raises(OccupiedError, match="holds a study of another text"):
        rs.study(corpus, whole)


def test_the_text_is_data(whole: Path) -> None:
    page = (whole / "report.html").read_text()
    assert page.count("<script") == 2
    assert page.count("</script") == 2
    assert "<script>alert" not in page
    assert not re.search(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", page)


def test_a_study_with_snapshots_says_what_was_learned_when(source: Path, whole: Path, tmp_path: Path) -> None:
    assert "What it learned when" not in (whole / "report.html").read_text()
    out = tmp_path / "study"
    done = subprocess.run([*command(source, out), "--snapshots", "1"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    study = rs.Study(out)
    assert (study.run.path / "model.safetensors").stat().st_size == (whole / "run" / "model.safetensors").stat().st_size
    assert set(study.dynamics["update"]) == {each.update for each in study.run.snapshots}
    followed = set(study.units.loc[study.units["finding"], "hypothesis"]) - set(study.emergence.attrs["left_out"])
    assert set(study.emergence["hypothesis"]) == followed
    page = (out / "report.html").read_text()
    assert "What it learned when" in page
    assert f"nearest to the {nearest(study.dynamics)['reference'][0]}" in page
    assert "nan" not in page[page.index("What it learned when") :].split("</section>")[0].lower()


@pytest.mark.parametrize("cell", ["gru", "gru-paper", "rnn"])
def test_other_cells(cell: str, text: str, tmp_path: Path) -> None:
    finished = rs.study(rs.Corpus.from_text(text), tmp_path / "s", recipe=default_recipe(rs.Architecture(cell, 1, 8), updates=20))
    assert finished.report.exists()
    assert len(finished.saturation) == (0 if cell == "rnn" else 16)


def test_a_window(text: str, tmp_path: Path) -> None:
    (tmp_path / "small.py").write_text(text)
    words = ["--cell", "window", "--context", "4", "--units", "8", "--updates", "20", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "rnnscope", "study", str(tmp_path / "small.py"), "--out", str(tmp_path / "s"), *words],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert {row["signal"] for row in json.loads(done.stdout)} == {"layer0/hidden"}
    assert "4-NN 8" in (tmp_path / "s" / "report.html").read_text()


@pytest.mark.parametrize("symbols", [1000, 5000])
def test_a_short_text_gets_an_honest_report(symbols: int, text: str, tmp_path: Path) -> None:
    finished = rs.study(
        rs.Corpus.from_text(text[:symbols]), tmp_path / "s", recipe=default_recipe(rs.Architecture(units=8), updates=20)
    )
    assert "<h2>A sample</h2>" in finished.report.read_text()


def test_odd_texts(tmp_path: Path) -> None:
    for name, content in {
        "nul": "a\0b\r\nc\rd\ufeffe " * 200,
        "chinese": "".join(chr(0x4E00 + (k * 7919) % 5000) + ("。\n" if k % 20 == 0 else "") for k in range(6000)),
    }.items():
        finished = rs.study(
            rs.Corpus.from_text(content, name=name), tmp_path / name, recipe=default_recipe(rs.Architecture(units=8), updates=10)
        )
        assert finished.report.exists()
    data = bytes(range(256)) * 20
    assert rs.study(
        rs.Corpus.from_text(data), tmp_path / "bytes", recipe=default_recipe(rs.Architecture(units=8), updates=10)
    ).report.exists()
