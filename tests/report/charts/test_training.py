from curation.report.arms import Comparison, Difference, Measured
from curation.report.charts.training import differences, differences_table, scores, scores_table
from tests.report.charts.drawn import labels, points, svg, words


def measured(arm, value, **others):
    rest = {"low": value - 0.01, "high": value + 0.01, "head": None, "tail": None} | others
    return Measured(arm=arm, dataset="cats", metric="accuracy", value=value, **rest)


def difference(arm, value, verdict, part="all"):
    return Difference(arm=arm, baseline="all of it", dataset="cats", part=part, value=value, low=value - 0.1,
                      high=value + 0.1, verdict=verdict)  # fmt: skip


COMPARISON = Comparison(
    {"all of it": 10, "balanced": 5, "random": None},
    3,
    [measured("all of it", 0.3), measured("balanced", 0.5, head=0.4, tail=0.6), measured("random", 0.2)],
    [difference("balanced", 0.2, "better"), difference("random", -0.05, "within the noise"),
     difference("balanced", 0.4, "better", "tail")],
    [],
)  # fmt: skip


def test_every_arm_has_a_dot_and_a_line():
    drawn = points(scores(COMPARISON))
    assert {row["arm"]: row["value"] for row in drawn} == {"all of it": 0.3, "balanced": 0.5, "random": 0.2}
    assert "Means over 3 seeds" in words(scores(COMPARISON))
    assert "accuracy" in svg(scores(COMPARISON))
    assert scores_table(COMPARISON).to_pylist()[1]["tail"] == 0.6


def test_one_seed_tells_no_noise():
    single = Comparison({"a": None}, 1, [measured("a", 0.3, low=None, high=None)], [], [])
    assert "One seed" in words(scores(single))
    svg(scores(single))
    assert "No differences" in svg(differences(single))
    assert "Nothing was measured" in svg(scores(Comparison({}, 0, [], [], [])))


def test_differences_are_of_one_part_and_the_baseline_has_none():
    drawn = labels(differences(COMPARISON))
    assert "balanced" in drawn
    assert "tail" not in drawn
    assert "Held against all of it. 1 of 2 differences are clear" in words(differences(COMPARISON))
    assert {row["value"] for row in points(differences(COMPARISON, "tail"))} == {0, 0.4}
    assert len(differences_table(COMPARISON)) == 3
    svg(differences(COMPARISON))
