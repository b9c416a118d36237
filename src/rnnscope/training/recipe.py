"""`Recipe`: every choice that makes a run what it is."""

from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args

from rnnscope.exceptions import RecipeError
from rnnscope.models.architecture import Architecture

Precision = Literal["auto", "float32", "bfloat16"]


@dataclass(frozen=True)
class Recipe:
    """How a network is made and trained. The defaults learn a few megabytes of text in a few minutes on one core.

    architecture: what the network is made of
    epochs: passes over the training text
    updates: at most so many updates, the learning rate planned for them; None leaves it to `epochs`
    batch, length: streams side by side, and symbols of each between two updates (the state is carried along);
        fewer and shorter ones are taken where the text is short
    learning_rate: at its highest; it rises over `warmup` updates and falls to 0 along a cosine (Adam)
    gradient_norm: a gradient longer than this is scaled down to it
    chrono: gate biases are drawn so that units begin with memories of up to so many symbols, spread evenly over
        orders of magnitude (Tallec & Ollivier 2018); 0 leaves them as the other weights
    precision: of the matrix products in training; `auto` takes bfloat16 where the processor computes in it.
        Weights and their averages are float32
    seed: of the first weights
    threads: that torch computes on
    """

    architecture: Architecture = field(default_factory=Architecture)
    epochs: int = 12
    updates: int | None = None
    batch: int = 32
    length: int = 100
    learning_rate: float = 1e-2
    warmup: int = 100
    gradient_norm: float = 1.0
    chrono: int = 100
    precision: Precision = "auto"
    seed: int = 0
    threads: int = 1

    def __post_init__(self) -> None:
        for name, least in {
            "epochs": 1, "updates": 1, "batch": 1, "length": 1, "warmup": 0, "chrono": 0, "seed": 0, "threads": 1
        }.items():  # fmt: skip
            value = getattr(self, name)
            if name == "updates" and value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise RecipeError(f"{name} is a whole number of at least {least}, not {value!r}")
        if 0 < self.chrono < 3 or self.chrono > 10**6:
            raise RecipeError(f"chrono is 0 or from 3 to 1,000,000 symbols, not {self.chrono}")
        if self.seed >= 2**32 or self.threads > 1024:
            raise RecipeError(f"a seed is below 2**32 and there are at most 1,024 threads, not {self.seed} and {self.threads}")
        for name in ("learning_rate", "gradient_norm"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
                raise RecipeError(f"{name} is a number above 0, not {value!r}")
        if self.precision not in get_args(Precision):
            raise RecipeError(f"precision is one of {', '.join(get_args(Precision))}, not {self.precision!r}")

    def to_json(self) -> dict[str, Any]:
        """As plain data; what is None is left out, so that it can be written as TOML."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Recipe":
        """The recipe that `to_json` described. Raises `RecipeError` for a field that no recipe has."""
        values = dict(data)
        inner = values.pop("architecture", {})
        for known, given, place in ((cls, values, "recipe"), (Architecture, inner, "architecture")):
            names = [f.name for f in fields(known)]
            for name in given:
                if name not in names:
                    raise RecipeError(f"no field of a {place} is called {name!r}; there are: {', '.join(names)}")
        return cls(architecture=Architecture(**inner), **values)
