"""The report of a study: one HTML file that needs nothing else.

`ReportData` is what the study hands over; `describe` turns it into plain data; the template draws that. Text of the
corpus only ever travels as data: escaped where it stands in the page, and set as text where the front end shows it.
"""

import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from rnnscope.analysis.hypotheses.base import Hypothesis, label
from rnnscope.analysis.hypotheses.language import language_of
from rnnscope.analysis.significance import RATE, STRONG
from rnnscope.breakdown.breakdown import by_category
from rnnscope.comparison.agreement import layout, tree
from rnnscope.comparison.distances import WIDTH, frequencies, of_commonest
from rnnscope.comparison.dynamics import nearest
from rnnscope.comparison.venn import venn
from rnnscope.corpora import Corpus
from rnnscope.exceptions import so_many
from rnnscope.files import write_bytes, write_text
from rnnscope.findings.causal import needed
from rnnscope.findings.emergence import appearances
from rnnscope.traces import Trace
from rnnscope.views import canvas, comparisons, dynamics, figures, shading
from rnnscope.views.palette import BLUE, RED
from rnnscope.views.signs import glyphs, in_line
from rnnscope.views.stretch import LENGTH, Stretch, stretch

_NEEDED = ("yes", "unclear", "", "no")
"""Of findings: what ablations say, the most convincing first."""
_PICTURED, _PICTURE = 5, 230  # stretches in the picture of units, and symbols of each


@dataclass(frozen=True)
class ReportData:
    """Everything that a report is made of. `run` is the training's folder (see `training.Run`)."""

    corpus: Corpus
    run: Any
    parameters: int
    trace: Trace
    units: pd.DataFrame
    saturation: pd.DataFrame
    hypotheses: dict[str, Hypothesis]
    left_out: dict[str, str]
    tables: dict[str, pd.DataFrame]
    errors: dict[str, Any]
    cards: list[dict[str, Any]]
    sample: dict[str, Any]
    seconds: dict[str, float]
    machine: str


def stretches(data: ReportData, rows: list[dict[str, Any]], length: int = LENGTH) -> list[Stretch]:
    """For each row of the table of units a stretch of text coloured by that unit."""
    chosen = [data.hypotheses[row["hypothesis"]] for row in rows]
    labels = label(chosen, data.trace.corpus, data.trace)
    return [
        stretch(data.trace, row["signal"], row["unit"], labels[h.name], binary=h.kind == "binary", length=length)
        for row, h in zip(rows, chosen, strict=True)
    ]


def describe(data: ReportData) -> dict[str, Any]:
    """The report as plain data."""
    cards, evidence = [], {card["hypothesis"]: card for card in data.cards}
    rows: Any = in_order(data.units).to_dict("records")
    for row, shown in zip(rows, stretches(data, rows), strict=True):
        hypothesis = data.hypotheses[row["hypothesis"]]
        chance = 0.5 if row["measure"] == "auroc" else 0.0
        known = evidence.get(row["hypothesis"])
        cards.append(
            {
                **row,
                "sentence": hypothesis.sentence,
                "family": hypothesis.family,
                "bar": _share(row["score"], chance),
                "control_bar": _share(max(row["untrained"], row["last_symbol"]), chance),
                "colour": "blue" if row["polarity"] > 0 else "red",
                "sign": {"auroc": "", "correlation": " ρ", "information": " I"}[row["measure"]],
                "words": {"auroc": "AUROC", "correlation": "rank correlation", "information": "share of the information"}[
                    row["measure"]
                ],
                "found": row["finding"],
                "source": shown.to_json(),
                "evidence": known and _evidence(known, data),
            }
        )
    history = data.run.history
    best = min(history, key=lambda entry: entry["validation_nats"])
    recipe = {name: value for name, value in data.run.recipe.to_json().items() if name != "architecture"}
    log_prob = data.trace["log_prob"][:]
    losses = -log_prob[log_prob == log_prob].astype(float)
    return {
        "corpus": data.corpus.name,
        "symbols": so_many(len(data.corpus), data.corpus.vocabulary.kind),
        "language": language_of(data.trace.corpus),
        "distinct": len(data.corpus.vocabulary),
        "recorded": f"{len(data.trace):,}",
        "signals": len(data.trace.signals),
        "model": str(data.run.recipe.architecture),
        "parameters": f"{data.parameters:,}",
        "test_nats": float(losses.mean()),
        "cards": cards,
        "found": [card for card in cards if card["found"]],
        "needed": {word: [card for card in cards if card["found"] and card["needed"] == word] for word in _NEEDED},
        "weak": [card for card in cards if card["significant"] and not card["found"]],
        "easy": [card for card in cards if card["score"] >= STRONG[card["kind"]] and not card["significant"]],
        "strong": STRONG,
        "rate": RATE,
        "left_out": data.left_out,
        "best": best,
        "curve": canvas.written(figures.learning_curve(history)),
        "saturation": [canvas.written(figures.saturation_scatter(part)) for _, part in data.saturation.groupby("gate", sort=False)],
        "memory": _memory(data),
        "gates": [{"name": s.kind, "equation": s.equation} for s in data.trace.signals if s.gate and s.layer == 0],
        "dynamics": _dynamics(data),
        "beside": _beside(data),
        "distances": _distances(data),
        "contexts": _contexts(data),
        "resting": _resting(data),
        "errors": _errors(data),
        "sample": {**data.sample, "text": glyphs(data.sample["text"], "characters")},
        "recipe": recipe,
        "steps": [{"name": name, "seconds": seconds} for name, seconds in data.seconds.items()],
        "total": sum(data.seconds.values()),
        "fingerprints": {"corpus": data.corpus.fingerprint, "model": data.trace.model["fingerprint"]},
        "machine": data.machine,
        "red": RED,
        "blue": BLUE,
    }


def in_order(units: pd.DataFrame) -> pd.DataFrame:
    """Findings first, of these the ones that the network is seen to need, and last those that it is seen not to need."""
    units = units.assign(needed=needed(units))
    place = units["needed"].map(_NEEDED.index).where(units["finding"], len(_NEEDED))
    return units.iloc[place.argsort(kind="stable")]


def _beside(data: ReportData) -> dict[str, Any] | None:
    """The network beside an n-gram model of the same text."""
    if "overlap" not in data.tables:
        return None
    models, gained = data.tables["models"], data.tables["gains"]
    names = tuple(models["model"])
    return {
        "other": names[1],
        "models": models.to_dict("records"),
        "venn": Markup(canvas.written(comparisons.venn(venn(data.tables["overlap"], names)))),
        "gains": Markup(canvas.written(comparisons.gains(gained, *names))),
        **_kinship(data),
    }


def _dynamics(data: ReportData) -> dict[str, Any] | None:
    """What the network was like on the way, where weights were kept."""
    if "dynamics" not in data.tables:
        return None
    table, units = data.tables["dynamics"], data.tables["emergence"]
    nearer = nearest(table)
    order = list(dict.fromkeys(nearer["reference"]))
    return {
        "snapshots": len(nearer),
        "symbols": f"{int(table['symbols'].iloc[0]):,}",
        "order": order,
        "kl": Markup(canvas.written(dynamics.divergence(table))),
        "difference": Markup(canvas.written(dynamics.differences(table))),
        "units": Markup(canvas.written(dynamics.units(units))) if len(units) else "",
        "appearances": appearances(units).to_dict("records") if len(units) else [],
    }


def _kinship(data: ReportData) -> dict[str, Any]:
    """The network among n-grams, by how often they hold the same symbol for likeliest."""
    table = data.tables["agreement"].set_index("model")
    places = layout(table)
    places["kind"] = ["network" if name == "network" else "n-gram" for name in places["model"]]
    return {
        "map": Markup(canvas.written(comparisons.model_map(places))),
        "tree": Markup(canvas.written(comparisons.model_tree(tree(table), list(table.index)))),
    }


def _distances(data: ReportData) -> dict[str, Any] | None:
    """How likely a closing symbol is by how long it has been open, for the pair that the text closes most often."""
    table = data.tables.get("distances")
    if table is None:
        return None
    if not len(table):
        return {"pairs": []}
    shown = of_commonest(table)
    models = list(dict.fromkeys(shown["model"]))
    rows = [
        {"distance": distance, "count": part["count"].iloc[0], "models": part.to_dict("records")}
        for distance, part in shown.groupby("distance")
    ]
    return {
        "pairs": [{"pair": pair, "count": count} for pair, count in frequencies(table).items()],
        "models": models,
        "rows": rows,
        "width": WIDTH,
        "figure": Markup(canvas.written(comparisons.distances(shown))),
    }


def _memory(data: ReportData) -> dict[str, Any] | None:
    """How long units keep their state, layer by layer."""
    table = data.tables.get("timescales")
    if table is None or not len(table):
        return None
    layers = [
        {
            "layer": layer,
            "gate": part["gate"].iloc[0],
            "units": len(part),
            **{name: part["memory"].quantile(share) for name, share in (("low", 0.1), ("middle", 0.5), ("high", 0.9))},
            **{kind: int((part["kind"] == kind).sum()) for kind in ("dead", "latch", "counter")},
        }
        for layer, part in table.groupby("layer")
    ]
    return {"layers": layers, "figure": Markup(canvas.written(figures.memories(table)))}


def _contexts(data: ReportData) -> dict[str, Any] | None:
    """How far back the network looks, and what is lost with 20 symbols of context."""
    table = data.tables.get("contexts")
    if table is None or not len(table):
        return None
    cut = table[(table["way"] == "cut") & (table["context"] == min(20, int(table["context"].max())))]
    return {
        "figure": Markup(canvas.written(comparisons.contexts(table))),
        "places": int(table["places"].iloc[0]),
        "longest": int(table["context"].max()),
        "left": int(cut["context"].iloc[0]),
        "rises": cut[["model", "rise", "low", "high"]].to_dict("records"),
    }


def _resting(data: ReportData) -> list[dict[str, Any]]:
    """Examples of what predictions and a unit rest on."""
    table = data.tables.get("resting", pd.DataFrame(columns=["target"]))
    return [
        {
            "key": f"resting-{k}",
            "target": target,
            "source": shading.shaded(part, "part", data.trace.corpus.vocabulary.kind).to_json(),
            "curve": Markup(canvas.written(shading.by_distance(part, "part", part["measure"].iloc[0]))),
        }
        for k, (target, part) in enumerate(table.groupby("target", sort=False))
    ]


def _errors(data: ReportData) -> dict[str, Any] | None:
    """What kind the network's errors are, with stretches of text in which those of a category are marked."""
    if "errors" not in data.tables or not data.errors["errors"]:
        return None
    categories = by_category(data.tables["errors"])
    kind = data.trace.corpus.vocabulary.kind
    seen = [
        {
            "category": each["category"],
            "excerpts": [
                [(in_line(c, kind), k in set(excerpt["marks"])) for k, c in enumerate(excerpt["text"])]
                for excerpt in each["excerpts"]
            ],
        }
        for each in data.errors["seen"]
    ]
    return {
        "errors": data.errors["errors"],
        "rate": data.errors["errors"] / data.errors["symbols"],
        "categories": categories.to_dict("records"),
        "waterfall": Markup(canvas.written(comparisons.waterfall(categories))),
        "beside": _others_errors(data, categories),
        "seen": seen,
    }


def _others_errors(data: ReportData, categories: pd.DataFrame) -> dict[str, Any] | None:
    """The n-gram's errors beside the network's, by category, and how many fewer the network makes."""
    if "gained" not in data.tables:
        return None
    gained, others = data.tables["gained"], by_category(data.tables["others_errors"])
    other = gained.attrs["other"]
    return {
        "other": other,
        "gained": gained.to_dict("records"),
        "total": {name: int(gained[name].sum()) for name in ("other", "network", "gained")},
        "pie": Markup(canvas.written(comparisons.pie([("network", categories), (other, others)]))),
        "bars": Markup(canvas.written(comparisons.gained(gained, other, "network"))),
    }


def _evidence(card: dict[str, Any], data: ReportData) -> dict[str, Any]:
    """A card of a finding with its figures drawn, and with something to see for each symbol of its excerpts."""
    kind = data.trace.corpus.vocabulary.kind
    for excerpt in (*card["strongest"], *card["wrong"]):
        excerpt |= {name: in_line(excerpt[name], kind) for name in ("before", "symbol", "after")}
    return {
        **card,
        "histogram": Markup(figures.value_histogram(card["histogram"])),
        "around": card["event"] and Markup(figures.around_event(card["event"])),
    }


def write_report(data: ReportData) -> str:
    """The page, as HTML."""
    assets = files("rnnscope.views") / "assets"
    loader = jinja2.FunctionLoader(lambda name: (assets / name).read_text(encoding="utf-8"))
    environment = jinja2.Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["so_many"] = so_many
    page = describe(data)
    sources = {card["hypothesis"]: card.pop("source") for card in page["cards"]}
    sources |= {example["key"]: example.pop("source") for example in page["resting"]}
    return environment.get_template("report.html.j2").render(
        **page,
        style=Markup((assets / "report.css").read_text(encoding="utf-8")),
        module=Markup((assets / "heatmap.js").read_text(encoding="utf-8")),
        sources=Markup(_script_safe(sources)),
        curve_svg=Markup(page["curve"]),
        saturation_svgs=[Markup(panel) for panel in page["saturation"]],
    )


def write_figures(data: ReportData, folder: Path) -> None:
    """`units.png` and `.svg` (text coloured by the units that gain most over their controls), `learning.svg`, `saturation.svg`,
    `timescales.svg`."""
    shown = data.units[data.units["measure"] == "auroc"]
    gain = shown["score"] - shown[["untrained", "last_symbol"]].max(axis=1)
    shown = shown.assign(gain=gain).sort_values(["finding", "gain"], ascending=False)
    rows = []
    best: Any = shown.head(_PICTURED).to_dict("records")
    for row, piece in zip(best, stretches(data, best, _PICTURE), strict=True):
        score = f"{row['signal']}[{row['unit']}]   AUROC {row['score']:.3f}   last symbol {row['last_symbol']:.3f}"
        rows.append((data.hypotheses[row["hypothesis"]].sentence.removeprefix("whether "), score, piece))
    picture = figures.units_picture(rows)
    write_bytes(folder / "units.png", canvas.to_png(picture))
    write_text(folder / "units.svg", canvas.to_svg(picture))
    write_text(folder / "learning.svg", canvas.to_svg(figures.learning_curve(data.run.history)))
    if len(data.saturation):
        write_text(folder / "saturation.svg", canvas.to_svg(figures.saturation_scatter(data.saturation)))
    kept = data.tables.get("timescales")
    if kept is not None and len(kept):
        write_text(folder / "timescales.svg", canvas.to_svg(figures.memories(kept)))


def _share(score: float, chance: float) -> float:
    """How far a score is from chance to perfect, in per cent."""
    return round(100 * max(0.0, (score - chance) / (1 - chance)), 1)


def _script_safe(data: Any) -> str:
    """JSON that can stand in a script element: no text in it can end the element or begin a comment."""
    return json.dumps(data, ensure_ascii=True).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
