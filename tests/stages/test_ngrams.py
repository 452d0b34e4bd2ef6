import math
from decimal import Decimal, localcontext
from fractions import Fraction

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.runs.wikipedia import percentile
from curation.stages.ngrams import MICROBITS, add_up, inform, spread, weigh
from tests.stages.conftest import frame

NGRAMS = pa.schema([("first", pa.string()), ("second", pa.string()), ("count", pa.int64())])


def ngrams(*rows: tuple[str, str | None, int]) -> pa.Table:
    first, second, count = zip(*rows, strict=True)
    return pa.table([first, pa.array(second, pa.string()), count], schema=NGRAMS)


def test_counts_are_added_above_the_floor_on_any_partitioning(same_rows) -> None:
    rows = [(word, other, n % 5 + 1) for n, word in enumerate("abcde" * 9) for other in (None, "a", "b")]
    found = same_rows(ngrams(*rows), lambda parts: add_up(parts, floor=27))
    expected: dict = {}
    for word, other, count in rows:
        expected[word, other] = expected.get((word, other), 0) + count
    assert {(row["first"], row["second"]): row["count"] for row in found} == {
        key: count for key, count in expected.items() if count >= 27
    }


def exact_bits(ratio: Fraction) -> float:
    with localcontext() as context:
        context.prec = 50
        value = Decimal(ratio.numerator) / Decimal(ratio.denominator)
        return float(value.ln() / Decimal(2).ln())


COUNTS = st.tuples(st.integers(1, 10**9), st.integers(0, 10**9), st.integers(0, 10**9))


@settings(max_examples=12)
@given(st.lists(COUNTS, min_size=1, max_size=20), st.integers(0, 10**10))
def test_information_is_the_logarithm_of_the_exact_ratio(spark, triples, more) -> None:
    rows: list = []
    for number, (n, a, b) in enumerate(triples):
        rows += [(f"a{number}", None, n + a), (f"b{number}", None, n + b), (f"a{number}", f"b{number}", n)]
    total = max(n + a + n + b for n, a, b in triples) + more
    found = inform(frame(spark, ngrams(*rows)), words=total).collect()
    assert len(found) == len(triples)
    for row in found:
        n, a, b = triples[int(row["first"][1:])]
        exact = exact_bits(Fraction(n * total, (n + a) * (n + b)))
        assert abs(row["information"] / MICROBITS - exact) < 1e-6
        assert row["information"] / MICROBITS <= math.log2(total / n) + 1e-6


def test_a_pair_of_independent_words_tells_nothing(spark) -> None:
    rows = ngrams(("a", None, 10), ("b", None, 10), ("a", "b", 1))
    assert [row["information"] for row in inform(frame(spark, rows), words=100).collect()] == [0]


def test_the_score_lets_usual_pairs_beat_rare_ones(spark) -> None:
    rows = ngrams(
        *(("x", None, 2), ("y", None, 2), ("x", "y", 2)),  # seen twice, always together
        *(("New", None, 1100), ("York", None, 1000), ("New", "York", 900)),
        *(("of", None, 50_000), ("the", None, 60_000), ("of", "the", 9000)),
    )
    informed = inform(frame(spark, rows), words=1_000_000)
    least = percentile(spread(informed).collect(), 0.3)
    bits = {row["first"]: row["information"] for row in informed.collect()}
    assert bits["x"] > bits["New"] > bits["of"] >= least > bits["of"] - 1000
    scored = {row["first"]: row["score"] for row in weigh(informed, least=least).collect()}
    assert scored["New"] > scored["x"]
    assert abs(scored["New"] - 901**0.7 * (bits["New"] - least)) < 1


@given(st.lists(st.integers(-3, 12), min_size=1, max_size=40), st.floats(0.01, 1))
def test_percentile_is_the_nearest_rank(values, share) -> None:
    steps = [{"information": value * 1000, "pairs": values.count(value)} for value in set(values)]
    rank = max(1, math.ceil(share * len(values)))
    assert percentile(steps, share) == sorted(values)[rank - 1] * 1000
