"""`examine`: one call from a trace to its findings. Networks, and torch, are only needed for controls and ablations."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from rnnscope.analysis import best_units, score
from rnnscope.analysis.hypotheses.base import Hypothesis
from rnnscope.analysis.hypotheses.catalogue import chosen
from rnnscope.analysis.labels import Labels
from rnnscope.exceptions import UsageError, expect
from rnnscope.findings.controls import check_controls
from rnnscope.progress import Progress, silent
from rnnscope.protocol import LanguageModel
from rnnscope.traces import TRACE, Trace

if TYPE_CHECKING:
    from rnnscope.models import Recurrent
    from rnnscope.training import Run


def examine(
    trace: Trace,
    hypotheses: str | Iterable[str | Hypothesis] | None = None,
    signal: str | Sequence[str] | None = None,
    *,
    model: "Recurrent | None" = None,
    run: "Run | None" = None,
    untrained: Sequence[Trace | LanguageModel] | None = None,
    ablated: bool = False,
    cluster: str | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> pd.DataFrame:
    """The best unit for each hypothesis, with every control; see `best_units`.

    `untrained` are untrained networks, or traces of them on the same text: at least three for p-values against them. Left out,
    they are five draws of the first weights of the run that was recorded: `run`, or the one that lies where it lay. With
    `ablated`, significant units are taken out of the network, which is the run's or `model`, and the table has the columns of
    `findings.causal`, too.
    `cluster` is a Dask cluster that counts (see `score`). `attrs["scores"]` is the table of every unit, `attrs["untrained"]` has
    those of untrained networks.

    Raises `UsageError` where units shall be ablated and there is no recurrent network to do it in, and for `untrained` networks
    that are no controls: of another size, on another text, the same twice, or the network that was recorded.
    """
    expect(trace, Trace, TRACE)
    labels = Labels(chosen(hypotheses), trace.corpus, trace)
    run = run or _run(trace)
    network = _network(trace, run, model) if ablated else None
    if untrained is not None:
        check_controls(untrained, trace, signal)
    table = score(trace, signal=signal, labels=labels, cluster=cluster, seed=seed, progress=progress)
    controls = _controls(trace, run, untrained, labels, signal, progress) if labels.claims else []
    best = best_units(table, controls)
    if network is not None:
        from rnnscope.findings.causal import causal

        sure = best[best["significant"]]
        best = best.join(causal(network, trace.corpus, sure, labels.hypotheses, seed=seed, progress=progress))
    best.attrs = {"left_out": labels.left_out, "scores": table, "untrained": controls}
    return best


def _run(trace: Trace) -> "Run | None":
    """The run whose network was recorded, if it is one and lies where it lay."""
    if trace.origin is None or not trace.at_hand or trace.model["origin"]["loader"] != "run":
        return None
    from rnnscope.training import Run

    return Run.open(trace.origin)


def _network(trace: Trace, run: "Run | None", model: "Recurrent | None") -> "Recurrent":
    from rnnscope.models import Recurrent

    found: Any = model or (run and run.model())
    if not isinstance(found, Recurrent):
        raise UsageError(
            f"{trace!r} has no recurrent network at hand that units could be taken out of; give the one that was recorded: "
            "model=model, or --run on the command line"
        )
    return found


def _controls(
    trace: Trace, run: "Run | None", given: Sequence[Trace | LanguageModel] | None, labels: Labels, signal: Any, progress: Progress
) -> list[pd.DataFrame]:
    traces = [each for each in given or () if isinstance(each, Trace)]
    found = [score(other, signal=signal, labels=labels, chance=False, controls=False, progress=progress) for other in traces]
    models = [each for each in given or () if not isinstance(each, Trace)]
    if models or (given is None and run is not None):
        from rnnscope.findings.untrained import first_models, scored

        found += scored(models or first_models(run), labels, trace, signal, progress=progress)  # type: ignore[arg-type]
    return found
