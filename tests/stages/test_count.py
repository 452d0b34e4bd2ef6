from collections.abc import Iterator

from curation.stages.count import count
from tests.stages.conftest import matches


def test_counts_pairs_by_entry(same_rows):
    table = matches(["a", "b", "c"], [[0, 2], [2], [2, 5]])
    rows = same_rows(table, count)
    assert rows == [{"entry_id": 0, "count": 1}, {"entry_id": 2, "count": 3}, {"entry_id": 5, "count": 1}]


def test_no_rows(same_rows):
    assert same_rows(matches([], []), count) == []


def test_each_task_adds_up_before_anything_crosses_the_network(spark):
    ids = spark.range(0, 400, 1, 4).selectExpr("array(0, cast(id % 3 + 1 as int)) as entry_ids")
    counted = count(ids)
    assert len(counted.collect()) == 4
    plan = counted._jdf.queryExecution().executedPlan()
    written = [node.metrics().apply("shuffleRecordsWritten").value() for node in exchanges(plan)]
    assert written == [4 * 4]  # entries x tasks, of 800 matches


def exchanges(node) -> Iterator:
    """The shuffles of a plan that has run, those that adaptive execution wraps included."""
    if node.nodeName() == "Exchange":
        yield node
    inner = {"AdaptiveSparkPlan": "executedPlan", "ShuffleQueryStage": "plan", "ResultQueryStage": "plan"}
    if node.nodeName() in inner:
        yield from exchanges(getattr(node, inner[node.nodeName()])())
    children = node.children()
    for number in range(children.size()):
        yield from exchanges(children.apply(number))
