import numpy as np

from curation.stages.expect import UNIT, expect
from tests.stages.conftest import matches


def test_adds_up_keep_probabilities_for_each_candidate(same_rows):
    table = matches(["a", "b", "c"], [[0], [0, 1], [1]])
    probabilities = np.array([[0.5, 0.25], [1.0, 0.125]])
    rows = same_rows(table, lambda df: expect(df, probabilities=probabilities))
    sizes = {row["candidate"]: float(row["expected"]) / UNIT for row in rows}
    assert sizes == {0: 0.5 + (1 - 0.5 * 0.75) + 0.25, 1: 1 + 1 + 0.125}
