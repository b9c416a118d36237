"""`Recipe`: every choice that makes a run what it is; and the recipes that have a name."""

import tomllib
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

from rnnscope.exceptions import RecipeError, UnknownNameError
from rnnscope.models.architecture import Architecture
from rnnscope.training.snapshots import MOST

Precision = Literal["auto", "float32", "bfloat16"]
_CHOICES: dict[str, tuple[str, ...]] = {
    "split": ("corpus", "streams"),
    "optimiser": ("adam", "rmsprop"),
    "schedule": ("cosine", "exponential"),
    "precision": get_args(Precision),
    "device": ("auto", "cpu", "cuda"),
}
_LEAST = {
    "epochs": 1, "updates": 1, "patience": 0, "batch": 1, "length": 1, "warmup": 0, "decay_after": 0, "chrono": 0, "seed": 0,
    "threads": 1, "snapshots": 0,
}  # fmt: skip
_INF = float("inf")
# Bounds of each number, and whether the lower one is itself allowed; the upper one never is.
_BOUNDS: dict[str, tuple[float, float, bool]] = {
    "learning_rate": (0.0, _INF, False),
    "smoothing": (0.0, 1.0, True),
    "decay": (0.0, 1.0 + 1e-12, False),
    "gradient_norm": (0.0, _INF, True),
    "gradient_clamp": (0.0, _INF, True),
    "initial_range": (0.0, _INF, True),
    "forget_bias": (-_INF, _INF, False),
    "dropout": (0.0, 1.0, True),
}


@dataclass(frozen=True)
class Recipe:
    """How a network is made and trained. The defaults learn a few megabytes of text in a few minutes on one core.

    architecture: what the network is made of
    split: `corpus` keeps the corpus's own; `streams` cuts a text as char-rnn's loader does (80 % / 10 % / 10 % of each
        of `batch` streams in columns of `length`), unless its own split is by streams already
    epochs: passes over the training text
    updates: at most so many updates, the cosine planned for them; None leaves it to `epochs`
    patience: stop after so many epochs without a better validation loss; 0 goes on to the end. The weights that are
        kept are always those of the best epoch
    batch, length: streams side by side, and symbols of each between two updates (the state is carried along);
        fewer and shorter ones are taken where the text is short
    optimiser: `adam` or `rmsprop`; smoothing: the decay of its average of squared gradients (β₂ or α)
    learning_rate: at its highest; it rises over `warmup` updates
    schedule: `cosine` falls to 0 along a cosine; `exponential` multiplies by `decay` after every epoch, from the end of
        epoch `decay_after` on
    gradient_norm: a gradient longer than this is scaled down to it; 0 leaves it
    gradient_clamp: each element of a gradient is clamped to ± this; 0 leaves it
    initial_range: all weights and biases are drawn from ± this; 0 takes ±1/√units, as torch does, and ±1 for the rows of a window
    forget_bias: added to the bias of the gate that keeps the state, towards keeping (an RNN has none)
    chrono: gate biases are drawn so that units begin with memories of up to so many symbols, spread evenly over
        orders of magnitude (Tallec & Ollivier 2018); 0 leaves them as the other weights
    dropout: share of the inputs of the layers above the first, and of the top layer's output, that is set to 0
    precision: of the matrix products in training; `auto` takes bfloat16 where the hardware computes in it.
        Weights and their averages are float32
    device: `auto` takes a GPU where there is one
    seed: of the first weights and of dropout
    threads: to compute on; streams of a batch are shared between them
    snapshots: so many of the weights are kept while the number of updates doubles, and at ends of epochs so many while theirs
        does (`Run.snapshots`); 0 keeps none
    """

    architecture: Architecture = field(default_factory=Architecture)
    split: str = "corpus"
    epochs: int = 12
    updates: int | None = None
    patience: int = 0
    batch: int = 32
    length: int = 100
    optimiser: str = "adam"
    smoothing: float = 0.99
    learning_rate: float = 1e-2
    warmup: int = 100
    schedule: str = "cosine"
    decay: float = 0.95
    decay_after: int = 10
    gradient_norm: float = 1.0
    gradient_clamp: float = 0.0
    initial_range: float = 0.0
    forget_bias: float = 0.0
    chrono: int = 100
    dropout: float = 0.0
    precision: Precision = "auto"
    device: str = "auto"
    seed: int = 0
    threads: int = 1
    snapshots: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.architecture, Architecture):
            raise RecipeError(
                f"the architecture is an Architecture, such as Architecture('lstm', 2, 128), not {self.architecture!r}"
            )
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if name == "updates" and value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise RecipeError(f"{name} is a whole number of at least {least}, not {value!r}")
        for name, (low, high, including) in _BOUNDS.items():
            value = getattr(self, name)
            number = not isinstance(value, bool) and isinstance(value, int | float)
            if not number or not (low < value < high or (including and value == low)):
                raise RecipeError(f"{name} is a number {_between(low, high, including)}, not {value!r}")
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                raise RecipeError(f"{name} is one of {', '.join(known)}, not {getattr(self, name)!r}")
        if 0 < self.chrono < 3 or self.chrono > 10**6:
            raise RecipeError(f"chrono is 0 or from 3 to 1,000,000 symbols, not {self.chrono}")
        if self.chrono and self.forget_bias:
            raise RecipeError(f"chrono ({self.chrono}) and forget_bias ({self.forget_bias}) both set the same biases; choose one")
        if self.snapshots > MOST:
            raise RecipeError(f"snapshots are at most {MOST:,} while the number of updates doubles, not {self.snapshots:,}")
        if self.seed >= 2**32 or self.threads > 1024:
            raise RecipeError(f"a seed is below 2**32 and there are at most 1,024 threads, not {self.seed} and {self.threads}")

    def to_json(self) -> dict[str, Any]:
        """As plain data; what is None is left out, so that it can be written as TOML.

        So are snapshots where none are kept: runs and studies that were made before a recipe had them stay what they are.
        """
        known = asdict(self) | {"architecture": self.architecture.to_json(), "snapshots": self.snapshots or None}
        return {name: value for name, value in known.items() if value is not None}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Recipe":
        """The recipe that `to_json` described. Raises `RecipeError` for a field that no recipe has."""
        return cls().changed(data)

    def changed(self, data: dict[str, Any]) -> "Recipe":
        """The same recipe with the fields that `data` names, `architecture` a table of its own, set to other values."""
        values = dict(data)
        inner = values.pop("architecture", {})
        if not isinstance(inner, dict):
            raise RecipeError(f"the architecture is a table with cell, layers and units, not {inner!r}")
        for known, given, place in ((Recipe, values, "recipe"), (Architecture, inner, "architecture")):
            names = [f.name for f in fields(known)]
            for name in given:
                if name not in names:
                    raise RecipeError(f"no field of a {place} is called {name!r}; there are: {', '.join(names)}")
        return replace(self, architecture=replace(self.architecture, **inner), **values)


def _between(low: float, high: float, including: bool) -> str:
    if low == -_INF:
        return "that is finite"
    begin = f"of at least {low:g}" if including else f"above {low:g}"
    return begin if high == _INF else f"{begin} and {'below' if including else 'at most'} {high:g}"


_NAMED = {
    "default": Recipe(),
    # PAPER section 3. The forget gate's bias is not raised and dropout is off: the paper gives no values for either.
    "karpathy2015": Recipe(
        architecture=Architecture("lstm", 1, 128),
        split="streams",
        epochs=50,
        patience=10,
        batch=100,
        length=100,
        optimiser="rmsprop",
        smoothing=0.95,
        learning_rate=2e-3,
        warmup=0,
        schedule="exponential",
        decay=0.95,
        decay_after=10,
        gradient_norm=0.0,
        gradient_clamp=5.0,
        initial_range=0.08,
        chrono=0,
    ),
}


def recipes() -> dict[str, Recipe]:
    """Every recipe that has a name: `default`, and `karpathy2015`, the protocol of the paper."""
    return dict(_NAMED)


def recipe(name: str, **changes: Any) -> Recipe:
    """A named recipe, with other values for some of its fields.

    >>> recipe("karpathy2015", epochs=3).learning_rate
    0.002

    Raises `UnknownNameError` for a name that no recipe has and `RecipeError` for a value that none can have.
    """
    if not isinstance(name, str):
        raise RecipeError(f"a recipe is named by a word, one of {', '.join(_NAMED)}, not by {name!r}")
    if name not in _NAMED:
        raise UnknownNameError("recipe", name, _NAMED)
    try:
        return replace(_NAMED[name], **changes)
    except TypeError:
        known = [f.name for f in fields(Recipe)]
        unknown = next((name for name in changes if name not in known), "")
        raise RecipeError(f"no field of a recipe is called {unknown!r}; a recipe has: {', '.join(known)}") from None


def find_recipe(named: str | Path) -> Recipe:
    """What a user means by a recipe: a name, or a TOML file with a recipe's fields.

    In a file, `recipe` names the recipe that the fields change, and what a run's `recipe.toml` tells of its text is
    passed over, so that a run can be trained again on another one.
    """
    if str(named) in _NAMED and not Path(named).exists():
        return recipe(str(named))
    data = read_toml(Path(named), f"a recipe in TOML, or the name of one: {', '.join(_NAMED)}")
    for told in ("corpus", "computed"):
        data.pop(told, None)
    return recipe(data.pop("recipe", "default")).changed(data)


def read_toml(path: Path, expected: str) -> dict[str, Any]:
    """Raises `RecipeError` for a file that is missing or that isn't TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RecipeError(f"there is no file {path}; expected {expected}") from None
    except OSError as error:
        raise RecipeError(f"{path} can't be read ({error.strerror}); expected {expected}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} is not TOML ({error}); expected {expected}") from None
