"""Rank statistics against scikit-learn and SciPy."""

import numpy as np
import pytest
from scipy.stats import rankdata, spearmanr
from sklearn.metrics import roc_auc_score

from rnnscope.analysis import ranks

GENERATOR = np.random.default_rng(0)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("digits", [0, 1, 6])  # few digits: many ties
def test_ranks_auroc_and_correlation(dtype: type, digits: int) -> None:
    values: np.ndarray = np.round(GENERATOR.normal(size=(500, 6)), digits).astype(dtype)
    values[:, 5] = -0.0
    values[::2, 5] = 0.0
    places = ranks.midranks(ranks.dense(values))
    np.testing.assert_array_equal(places, rankdata(values, axis=0))
    labels = GENERATOR.random((500, 3)) < [0.5, 0.1, 0.9]
    area = ranks.auroc(places, labels)
    graded = GENERATOR.integers(0, 9, (500, 2)).astype(np.float32)
    correlation = ranks.correlation(places, ranks.midranks(ranks.dense(graded)))
    for unit in range(5):
        for k in range(3):
            assert area[unit, k] == pytest.approx(roc_auc_score(labels[:, k], values[:, unit]), abs=1e-12)
        for k in range(2):
            assert correlation[unit, k] == pytest.approx(spearmanr(values[:, unit], graded[:, k]).statistic, abs=1e-12)
    assert np.isnan(correlation[5]).all()
    assert (area[5] == 0.5).all()


def test_ranks_within_a_part_of_the_rows() -> None:
    values = GENERATOR.normal(size=(300, 4)).round(1).astype(np.float16)
    part = GENERATOR.random(300) < 0.3
    np.testing.assert_array_equal(ranks.midranks(ranks.dense(values)[part]), rankdata(values[part], axis=0))
