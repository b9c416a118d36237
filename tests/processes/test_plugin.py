"""A package of somebody's brings a hypothesis: the example is installed, found, and labels."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "rnnscope-vowels"

LABEL = """
import rnnscope as rs
from rnnscope.analysis.hypotheses.base import label
print(label(rs.hypotheses("vowel"), rs.Corpus.from_text("a bee"))["vowel"].tolist())
"""


def test_a_package_brings_a_hypothesis(tmp_path: Path) -> None:
    source = shutil.copytree(EXAMPLE, tmp_path / "source")  # building leaves files beside it
    place = tmp_path / "place"
    pip = ["pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(place), str(source)]
    subprocess.run([sys.executable, "-m", *pip], check=True, timeout=300)
    path = os.pathsep.join(filter(None, [str(place), os.environ.get("PYTHONPATH")]))

    def output(*arguments: str) -> str:
        environment = {**os.environ, "PYTHONPATH": path}
        return subprocess.check_output([sys.executable, *arguments], text=True, env=environment, timeout=300)

    known = {row["name"]: row for row in json.loads(output("-m", "rnnscope", "hypotheses", "--json"))}
    assert known["vowel"]["sentence"] == "whether the last symbol was a vowel"
    assert known["vowel"]["kind"] == "binary"
    assert len(known) > 50
    assert json.loads(output("-c", LABEL)) == [1, 0, 0, 1, 1]
