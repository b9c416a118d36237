"""What a prediction rests on, as plain data and as a picture."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D

from rnnscope.views import canvas, shading

TABLE = pd.DataFrame(
    {"position": [7, 6, 5, 4, 3], "symbol": ["b", "\n", "a", "\r", ""], "part": [0.5, -1.0, 0.25, 0.0, 2.0]},
)


def test_the_text_is_in_reading_order_and_its_largest_part_has_the_full_colour() -> None:
    found = shading.shaded(TABLE, "part", "characters")
    assert (found.start, found.text) == (4, "←a\nb")
    assert found.values.tolist() == [0.0, 0.25, -1.0, 0.5]
    assert found.marks is None
    nothing = shading.shaded(TABLE.assign(part=0.0), "part", "bytes")
    assert nothing.values.tolist() == [0.0] * 4


def test_parts_by_distance_and_their_sum() -> None:
    for figure, axes in ((f := shading.resting(TABLE, "part", "characters", "it", "of it"), f.axes[1]),
                         (g := shading.by_distance(TABLE, "part", "of it"), g.axes[0])):  # fmt: skip
        [stems] = [each for each in axes.collections if isinstance(each, LineCollection)]
        assert [segment[1].tolist() for segment in stems.get_segments()] == [[k + 1, v] for k, v in enumerate(TABLE["part"])]
        [so_far] = [line for line in axes.lines if isinstance(line, Line2D)]
        assert np.asarray(so_far.get_ydata()) == pytest.approx([0.5, -0.5, -0.25, -0.25, 1.75])
        assert "of it" in canvas.written(figure)
        assert canvas.to_svg(figure).startswith("<svg")


def test_the_legend_hides_no_label() -> None:
    figure = shading.resting(TABLE, "part", "characters", "it", "of it")
    figure.draw_without_rendering()
    curve = figure.axes[1]
    key = curve.get_legend()
    assert key is not None
    assert not key.get_window_extent().overlaps(curve.xaxis.label.get_window_extent())
    assert not key.get_window_extent().overlaps(curve.get_window_extent().padded(-1))
