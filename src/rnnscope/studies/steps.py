"""Steps: pieces of work that are done once.

A step's fingerprint covers what it is asked to do and the fingerprints of the steps it builds on. When it has
finished, the fingerprint and the time it took are written down; while they still match, it isn't done again.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rnnscope.files import fingerprint, read_json, write_json
from rnnscope.progress import Progress, silent

Watch = Callable[[str, bool], Progress]
"""Told the name of each step that begins, and whether it was done already; returns the progress to report to."""


def nobody(name: str, done: bool) -> Progress:
    return silent


@dataclass(frozen=True)
class Step:
    """`work` makes `outputs` (paths below the study's folder) and reports progress; `asked` is all that shapes the result."""

    name: str
    work: Callable[[Progress], None]
    outputs: tuple[str, ...]
    asked: Any
    needs: tuple[str, ...] = ()


class Steps:
    """The steps of one folder and what is known of those that are done."""

    def __init__(self, folder: Path, steps: Sequence[Step]) -> None:
        self.folder = folder
        self.steps = steps
        self._prints: dict[str, str] = {}
        for step in steps:
            self._prints[step.name] = fingerprint(step.name, step.asked, [self._prints[name] for name in step.needs])

    def record(self, name: str) -> Path:
        return self.folder / "steps" / f"{name}.json"

    def seconds(self) -> dict[str, float]:
        """How long each finished step took, over all the times it was begun."""
        done = {step.name: self._known(step.name) for step in self.steps}
        return {name: known["seconds"] for name, known in done.items() if known.get("finished")}

    def is_done(self, step: Step) -> bool:
        """Whether it has finished, and its outputs are there, each as long as it was then."""
        known = self._known(step.name)
        sizes = self._sizes(step)
        return bool(known.get("finished")) and len(sizes) == len(step.outputs) and known.get("outputs") == sizes

    def _sizes(self, step: Step) -> dict[str, int | None]:
        """Bytes of each output that is there; None for a folder, which looks after its own."""
        places = {output: self.folder / output for output in step.outputs}
        return {name: place.stat().st_size if place.is_file() else None for name, place in places.items() if place.exists()}

    def _known(self, name: str) -> dict[str, Any]:
        path = self.record(name)
        known = read_json(path, "a step of a study") if path.exists() else {}
        return known if known.get("fingerprint") == self._prints[name] else {}

    def run(self, watch: Watch = nobody) -> None:
        for step in self.steps:
            done = self.is_done(step)
            progress = watch(step.name, done)
            if done:
                continue
            before, started = self._known(step.name).get("seconds", 0.0), time.monotonic()
            try:
                step.work(progress)
            except KeyboardInterrupt:  # to be gone on with; a refusal, on the other hand, leaves no trace
                self._write(step, before + time.monotonic() - started, finished=False)
                raise
            self._write(step, before + time.monotonic() - started, finished=True)

    def _write(self, step: Step, seconds: float, *, finished: bool) -> None:
        known = {"fingerprint": self._prints[step.name], "finished": finished, "seconds": round(seconds, 3)}
        write_json(self.record(step.name), known | {"outputs": self._sizes(step)})
