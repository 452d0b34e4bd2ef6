import random
import re

import pyarrow as pa

from curation.core.near import block_groups, blocks_to_agree
from curation.schemas import DUPLICATES
from curation.stages.duplicates import duplicates
from tests.stages.conftest import frame

FLAT = "0" * 16
IMAGES = pa.schema([(name, pa.string()) for name in ("key", "image_id", "sha256", "perceptual_hash")])


def images(*rows):
    """Images with the keys 00, 01, … of (bytes, perceptual hash as a number or None)."""
    return pa.table(
        {
            "key": [f"{number:04d}" for number in range(len(rows))],
            "image_id": [f"id{number}" for number in range(len(rows))],
            "sha256": [name for name, _ in rows],
            "perceptual_hash": [None if value is None else f"{value:016x}" for _, value in rows],
        },
        IMAGES,
    )


def slow(table, distance):
    """What the stage gives, by a look at every pair of images."""
    rows, found = table.to_pylist(), []
    for row in rows:
        earlier = [other for other in rows if other["key"] < row["key"]]
        same = [other for other in earlier if row["sha256"] and other["sha256"] == row["sha256"]]
        alike = [
            (other["key"], bits)
            for other in earlier
            if row["perceptual_hash"] not in (None, FLAT)
            and other["perceptual_hash"] not in (None, FLAT)
            and (bits := (int(row["perceptual_hash"], 16) ^ int(other["perceptual_hash"], 16)).bit_count())
            <= distance
        ]
        if same:
            found.append((row["key"], row["image_id"], same[0]["key"], 0, True))
        elif alike:
            found.append((row["key"], row["image_id"], *alike[0], False))
    return [dict(zip(DUPLICATES.names, row, strict=True)) for row in found]


def at_random(seed, number=300):
    """Families of hashes a few bits apart, in which images also share bytes; some are flat or unknown."""
    chance = random.Random(seed)
    seeds = [chance.getrandbits(64) for _ in range(30)] + [2**64 - 1, 1, 1 << 63]
    rows = []
    for _ in range(number):
        value = chance.choice(seeds)
        for _ in range(chance.choice((0, 0, 1, 2, 3, 4, 6))):
            value ^= 1 << chance.randrange(64)
        value = chance.choices((value, 0, None), (20, 1, 1))[0]
        rows.append((chance.choice((None, *(f"sha{n}" for n in range(number // 2)))), value))
    return images(*rows)


def test_the_same_as_a_look_at_every_pair(same_rows):
    table = at_random(1)
    expected = slow(table, 3)
    assert {row["distance"] for row in expected} == {0, 1, 2, 3}
    assert same_rows(table, duplicates) == sorted(expected, key=str)


def test_the_same_rows_however_many_blocks_are_to_agree(spark):
    table = at_random(3)
    expected = sorted(slow(table, 3), key=str)
    for number in (0, 10**9, 10**11):
        found = duplicates(frame(spark, table), number=number)
        assert sorted((row.asDict() for row in found.collect()), key=str) == expected
        masks = set(re.findall(r"-?\d{8,}", found._jdf.queryExecution().optimizedPlan().toString()))
        assert len(masks) >= len(block_groups(3, blocks_to_agree(number, 3)))


def test_without_a_distance(spark):
    table = at_random(2)
    found = duplicates(frame(spark, table), distance=0).collect()
    assert sorted((row.asDict() for row in found), key=str) == sorted(slow(table, 0), key=str)


def test_the_same_bytes_go_before_a_likeness_and_a_flat_image_is_like_none(spark):
    top = 1 << 63
    table = images(
        *(("a", top), ("b", top | 1), ("b", top | 1), ("c", top | 0b111), ("d", top | 0b1111)),
        *(("e", 0), ("f", 0), ("e", 0), ("g", 7 << 20), (None, None), (None, None)),
    )
    found = {row.key: tuple(row)[2:] for row in duplicates(frame(spark, table)).collect()}
    assert found == {
        "0001": ("0000", 1, False),
        "0002": ("0001", 0, True),
        "0003": ("0000", 3, False),
        "0004": ("0001", 3, False),  # four bits from the first
        "0007": ("0005", 0, True),
    }


def test_a_placeholder_is_compared_once(spark):
    """There would be 900 million pairs, if it were not."""
    table = images(*((f"sha{n}", 77 if n % 3 else 76) for n in range(3_000)))
    many = (
        frame(spark, table)
        .crossJoin(spark.range(10).withColumnRenamed("id", "copy"))
        .selectExpr(
            "concat(key, copy) as key", "image_id", "concat(sha256, copy) as sha256", "perceptual_hash"
        )
    )
    rows = duplicates(many).groupBy("duplicate_of", "distance", "same_bytes").count().collect()
    assert {tuple(row) for row in rows} == {("00000", 0, False, 9_999), ("00000", 1, False, 20_000)}
