"""The sides of `score.py`, each a fresh process: `python score_sides.py SIDE '{"trace": …}'` → a line of JSON."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

SIGNAL = "cell"


def prepare(given: dict[str, Any]) -> dict[str, Any]:
    """A trace of an LSTM 3×512 with random weights on program text: what is timed doesn't depend on what units mean."""
    import torch

    import rnnscope as rs

    text = rs.corpus(given["text"]).split("train").head(given["symbols"])  # many segments, which are read side by side
    torch.manual_seed(0)
    model = rs.RecurrentLM(rs.Architecture("lstm", 3, 512), text.vocabulary)
    with torch.no_grad():  # livelier than first weights are: states that differ all over the text
        for layer in model.stack:
            layer.bias_ih.view(4, 512)[1] += 1.0
            layer.weight_ih.mul_(2.0)
            layer.weight_hh.mul_(2.0)
    trace = rs.record(model, text, given["trace"], ["layer*/cell", "log_prob", "entropy"], overwrite=True)
    return {"text": repr(trace.corpus), "symbols": len(trace)}


def rnnscope(given: dict[str, Any]) -> dict[str, Any]:
    """The whole table; with `tests` false scores alone, without p-values, lags, intervals and controls."""
    import rnnscope as rs

    trace = rs.open_trace(given["trace"])
    started, worked = time.perf_counter(), time.process_time()
    table = rs.score(trace, signal=SIGNAL, chance=given["tests"], controls=given["tests"])
    seconds, worked = time.perf_counter() - started, time.process_time() - worked
    units = len(table[["signal", "unit"]].drop_duplicates())
    return {
        "seconds": seconds,
        "cpu": worked,
        "units": units,
        "hypotheses": table["hypothesis"].nunique(),
        "left_out": len(table.attrs["left_out"]),
    }


def exact(given: dict[str, Any]) -> dict[str, Any]:
    """AUROC and rank correlation by sorting, of some units: how far the bins are from it, on the second half of the text."""
    import rnnscope as rs
    from rnnscope.analysis import ranks
    from rnnscope.analysis.hypotheses.base import label
    from rnnscope.analysis.labels import middle

    trace, hypotheses = rs.open_trace(given["trace"]), rs.hypotheses()
    table = rs.score(trace, signal=SIGNAL, chance=False, controls=False)
    labels = label(hypotheses, trace.corpus, trace)
    start, far = middle(len(trace)), {"auroc": 0.0, "correlation": 0.0}
    generator = np.random.default_rng(0)
    picked = [(f"layer{k}/cell", int(u)) for k in range(3) for u in generator.choice(512, given["units"], replace=False)]
    started = time.perf_counter()
    for signal, unit in picked:
        values = trace[signal][start:, unit].astype(np.float32)
        rows = table[(table["signal"] == signal) & (table["unit"] == unit)]
        for row in rows.itertuples():
            if row.kind == "categorical":
                continue
            truth = labels[row.hypothesis][start:]
            known = ~np.isnan(truth)
            places = ranks.midranks(ranks.dense(values[known][:, None]))
            other = ranks.midranks(ranks.dense(truth[known][:, None]))
            found = {"correlation": float(ranks.correlation(places, other)[0, 0])}
            if row.kind == "binary":
                found["auroc"] = float(ranks.auroc(places, truth[known][:, None] > 0)[0, 0])
                found["auroc"] = found["auroc"] if row.polarity > 0 else 1 - found["auroc"]
            found["correlation"] *= row.polarity
            for name, value in found.items():
                far[name] = max(far[name], abs(value - getattr(row, name)))
    return {"pairs": len(picked) * table["hypothesis"].nunique(), "seconds": time.perf_counter() - started, "largest_error": far}


def _binary(given: dict[str, Any]) -> Iterator[tuple[Any, Any]]:
    """The yes-or-no labels that apply everywhere, one after the other, with the trace."""
    import rnnscope as rs
    from rnnscope.analysis.hypotheses.base import label

    trace = rs.open_trace(given["trace"])
    for h in rs.hypotheses(["double_quotes", "comment", "round_brackets", "in_word"]):
        yield trace, label([h], trace.corpus)[h.name] > 0


def scikit_learn(given: dict[str, Any]) -> dict[str, Any]:
    """`roc_auc_score` of some pairs over the whole text; values and labels are in memory already. Seconds a pair."""
    from sklearn.metrics import roc_auc_score

    seconds = []
    for k, (trace, truth) in enumerate(_binary(given)):
        values = trace["layer1/cell"][:, 8 * k : 8 * k + given["units"]].astype(np.float32)
        for column in values.T:
            column = np.ascontiguousarray(column)
            started = time.perf_counter()
            roc_auc_score(truth, column)
            seconds.append(time.perf_counter() - started)
    return {"seconds_a_pair": seconds}


def neurox(given: dict[str, Any]) -> dict[str, Any]:
    """Probeless ranking of 512 units for some labels, on a stretch of the text (it holds it all in memory, several times over)."""
    from importlib.util import module_from_spec, spec_from_file_location
    from pathlib import Path

    # the package's own __init__ asks for more than its ranking needs
    spec = spec_from_file_location("probeless", Path(given["neurox"]) / "interpretation" / "probeless.py")
    assert spec
    assert spec.loader
    probeless = module_from_spec(spec)
    spec.loader.exec_module(probeless)
    seconds = []
    for trace, truth in _binary(given):
        values = trace["layer1/cell"][: given["rows"]].astype(np.float32)
        started = time.perf_counter()
        probeless.get_neuron_ordering(values, truth[: given["rows"]].astype(np.int64))
        seconds.append((time.perf_counter() - started) / values.size)
    return {"seconds_a_value": seconds}


def scale(given: dict[str, Any]) -> dict[str, Any]:
    """Score a made-up signal over a text of any length, without a trace: what grows with the text?"""
    import rnnscope as rs
    from rnnscope.analysis.sources import FromModel

    text = rs.corpus("warpeace")
    ids = np.resize(text.ids, given["symbols"])
    corpus = rs.Corpus("repeated", text.vocabulary, ids)
    started = time.perf_counter()
    table = rs.score(FromModel(_Echo(text.vocabulary, given["units"]), corpus))  # type: ignore[arg-type]
    return {"seconds": time.perf_counter() - started, "hypotheses": table["hypothesis"].nunique()}


class _Echo:
    """A model whose units fade at different rates from what a random table says of each symbol."""

    name, fingerprint = "echo", "0"

    def __init__(self, vocabulary: Any, units: int) -> None:
        import rnnscope as rs

        generator = np.random.default_rng(0)
        self.vocabulary, self._table = vocabulary, generator.normal(size=(len(vocabulary), units)).astype(np.float32)
        self._keep = generator.uniform(0.5, 0.99, units).astype(np.float32)
        self.signals = [rs.Signal("layer0/hidden", units, "h = a h₋₁ + table[x]", state=True)]

    def read(self, corpus: Any, signals: Any, *, block: int = 4096) -> Iterator[Any]:
        from scipy.signal import lfilter

        import rnnscope as rs

        carried = np.zeros_like(self._keep)
        for start in range(0, len(corpus), block):
            x = self._table[corpus.ids[start : start + block]]
            h = np.empty_like(x)
            for u, a in enumerate(self._keep):
                h[:, u], _ = lfilter([1.0], [1.0, -a], x[:, u], zi=[a * carried[u]])
            carried = h[-1]
            yield rs.Block(start, {"layer0/hidden": h})


SIDES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    side.__name__: side for side in (prepare, rnnscope, exact, scikit_learn, neurox, scale)
}


if __name__ == "__main__":
    print(json.dumps(SIDES[sys.argv[1]](json.loads(sys.argv[2]))))
