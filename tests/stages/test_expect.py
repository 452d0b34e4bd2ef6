import numpy as np
import pytest

from curation.core.expectation import UNIT
from curation.core.lists import Lists
from curation.stages.expect import expect
from tests.stages.conftest import matches


def test_adds_up_over_all_partitions(same_rows):
    table = matches(["a", "b", "c"], [[0], [0, 1], [1]])
    lists = Lists(np.array([2, 4]), np.array(["en", "en"], object))
    settings = lists.with_t([1.0, 2.0])
    rows = same_rows(table, lambda df: expect(df, lists=lists, settings=settings))
    sizes = {row["setting"]: float(row["expected"]) / UNIT for row in rows}
    assert sizes == pytest.approx({0: 0.5 + (1 - 0.5 * 0.75) + 0.25, 1: 1 + 1 + 0.5}, abs=1e-8)
    variances = {row["setting"]: float(row["variance"]) / UNIT for row in rows}
    assert variances == pytest.approx({0: 0.25 + 0.625 * 0.375 + 0.25 * 0.75, 1: 0.25}, abs=1e-8)
