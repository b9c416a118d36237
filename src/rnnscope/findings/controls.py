"""What networks can stand beside one as its controls."""

from collections.abc import Sequence

from rnnscope.analysis.sources import FromModel, FromTrace, with_units
from rnnscope.exceptions import UsageError, expect, so_many
from rnnscope.protocol import LanguageModel, check_readable
from rnnscope.traces import Trace

_EXPECTED = "a list of traces or models of the same network with other first weights, at least three"


def check_controls(given: Sequence[Trace | LanguageModel], trace: Trace, signal: str | Sequence[str] | None) -> None:
    """Raises `UsageError` for untrained networks that are no controls of a trace's; see `examine`."""
    expect(given, Sequence, _EXPECTED)
    expected = _units(FromTrace(trace), signal)
    known = {trace.model["fingerprint"]: "the network that was recorded"}
    for each in given:
        expect(each, Trace | LanguageModel, _EXPECTED)
        if isinstance(each, Trace):
            if each.corpus.fingerprint != trace.corpus.fingerprint:
                raise UsageError(f"{each!r} is of another text than {trace!r}; record the untrained network on the same text")
            source: FromTrace | FromModel = FromTrace(each)
            network = each.model["fingerprint"]
        else:
            check_readable(each, trace.corpus)
            source, network = FromModel(each, trace.corpus), each.fingerprint
        if network in known:
            raise UsageError(f"{source.name} is of {known[network]}, and no control; expected {_EXPECTED}")
        if (found := _units(source, signal)) != expected:
            raise UsageError(f"{source.name} has {_told(found)}, {trace!r} has {_told(expected)}; expected {_EXPECTED}")
        known[network] = "an untrained network that was given already"


def _units(source: FromTrace | FromModel, signal: str | Sequence[str] | None) -> dict[str, int]:
    return {s.name: s.size for s in with_units(source, signal)}


def _told(units: dict[str, int]) -> str:
    return ", ".join(f"{so_many(size, 'units')} in {name}" for name, size in units.items())
