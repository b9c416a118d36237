"""How a trace lies on disk.

A trace is a Zarr v3 group that xarray opens as it is. The group's arrays, each with named dimensions:

    layer0.forget       (time, unit)    one per kept signal; the slash of a name becomes a dot, as Zarr nests on slashes
    log_prob            (time,)         a signal without units
    symbol              (time,)         the symbol's number at each position
    bound               (edge,)         segment k covers positions bound[k] to bound[k + 1]
    origin, following   (segment,)      where the segment began in the whole text; the symbol that came after it, or −1
    text                (text,)         the whole text that the segments were cut from, by which they are labelled
    mark                (mark,)         positions before which the model's states are kept, ascending
    state.layer0.cell   (mark, …)       one per state, whatever its shape: from them every signal can be computed again

The attribute `rnnscope` holds the format's version, the model's and the corpus's names and fingerprints, the
vocabulary, each kept signal with its equation and range (`signals`), those that can be computed again (`others`), how the
text was cut into streams, and the states' types. Chunks are cut both ways, since people read a stretch of text over all
units and one unit over the whole text. They are not compressed (activations hardly shrink), but each carries a checksum.
"""

from collections import Counter
from collections.abc import Sequence

from rnnscope.signal import Signal

FORMAT = 2
MARKER = "zarr.json"
TIME_CHUNK = 2048
UNIT_CHUNK = 64


def variable(signal: str) -> str:
    """The array's name for a signal's name."""
    return signal.replace("/", ".")


def state_variable(state: str) -> str:
    """The array's name for a state's name."""
    return f"state.{variable(state)}"


def unit_dimensions(signals: Sequence[Signal]) -> dict[str, str]:
    """The name of the unit axis, by signal: `unit` for the layers' common width, the signal's own otherwise."""
    sizes = Counter(s.size for s in signals if s.layer is not None)
    common = sizes.most_common(1)[0][0] if sizes else None
    return {s.name: "unit" if s.layer is not None and s.size == common else f"{variable(s.name)}.unit" for s in signals if s.size}
