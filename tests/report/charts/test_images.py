from pathlib import Path

import pyarrow as pa
import pytest

from curation.errors import InputError
from curation.record import RunRecord
from curation.report.charts import images
from curation.schemas import DUPLICATES
from tests.report.charts.drawn import labels, profile_of, svg, words


def record(**facts):
    facts = {
        "images": 100,
        "images_by_status": {"failed_to_download": 15, "success": 80, "failed_to_resize": 5},
        "errors": {"timeout": 3, "<script>x</script>\u202e" + "w" * 99: 17},
        "duplicates": {"same_bytes": 4, "look_alike": 8},
    } | facts
    return RunRecord(
        job="download", run_id="x", semantics=1, config={}, inputs=[], rows={"in": 1, "out": 1},
        dropped={}, facts=facts, seconds=1.25, made={}, folder=Path("/data/shards"),
    )  # fmt: skip


PROFILE = profile_of(
    width={"256": 6, "1024": 2}, height={"512": 8}, aspect_ratio={"0.0": 6, "-0.25": 1, "0.5": 1},
    size_bytes={"1024": 7, "4096": 1}, texts_per_image={"1": 6, "3": 2},
    host={"a.example": 6, "b.example": 4}, host_failed={"b.example": 3, "c.example": 1},
)  # fmt: skip


def test_statuses_and_errors_are_shares_of_all_images():
    assert images.statuses_table(record()).to_pylist()[0] == {"status": "success", "images": 80, "share": 0.8}
    rows = images.errors_table(record()).to_pylist()
    assert [row["share"] for row in rows] == [0.17, 0.03]
    assert len(images.errors_table(record(), top=1)) == 1
    assert "80 of 100 images came (80.0%)" in words(images.statuses(record()))
    assert "20 of 100 images failed" in words(images.errors(record()))


def test_what_servers_say_is_inert_and_short():
    error = images.errors_table(record())["error"][0].as_py()
    assert "\u202e" not in error
    assert len(error) <= 48
    assert "<script>" not in svg(images.errors(record()))
    assert "Every image came." in svg(images.errors(record(errors={})))


def test_duplicates_are_shares_of_what_came():
    assert images.duplicates_table(record()).to_pylist() == [
        {"kind": "look like another", "images": 8, "share": 0.1},
        {"kind": "same bytes as another", "images": 4, "share": 0.05},
    ]
    svg(images.duplicates(record(duplicates={"same_bytes": 0, "look_alike": 0})))


def test_distances_are_of_look_alikes():
    rows = [("k", "i", "o", bits, same) for bits, same in [(0, True), (3, False), (1, False), (3, False)]]
    table = pa.Table.from_pylist([dict(zip(DUPLICATES.names, row, strict=True)) for row in rows], DUPLICATES)
    told = images.distances_table(table).to_pylist()
    assert [(row["bits"], row["images"]) for row in told] == [("1", 1), ("3", 2)]
    assert told[1]["share"] == 2 / 3
    assert len(images.distances_table(DUPLICATES.empty_table())) == 0


def test_both_sides_stand_on_one_axis():
    rows = [tuple(row.values())[:3] for row in images.sizes_table(PROFILE).to_pylist()]
    assert rows == [("width", "256-511", 6), ("height", "256-511", 0), ("width", "512-1,023", 0),
                    ("height", "512-1,023", 8), ("width", "1k-2k", 2), ("height", "1k-2k", 0)]  # fmt: skip
    assert {"width", "height"} <= labels(images.sizes(PROFILE))


def test_shapes_go_from_upright_to_wide():
    values = images.aspect_ratios_table(PROFILE)["value"].to_pylist()
    assert values == ["1:1.19", "1:1", "1.19:1", "1.41:1"]
    assert "75% are square" in words(images.aspect_ratios(PROFILE))


def test_bytes_and_texts():
    assert images.sizes_in_bytes_table(PROFILE)["value"].to_pylist() == ["1k-2k", "2k-4k", "4k-8k"]
    assert images.texts_per_image_table(PROFILE)["value"].to_pylist() == ["1", "2", "3"]
    assert "75% have one." in words(images.texts_per_image(PROFILE))
    svg(images.sizes_in_bytes(PROFILE))


def test_failing_hosts_are_told_with_their_share():
    assert images.failing_hosts_table(PROFILE).to_pylist() == [
        {"host": "b.example", "failed": 3, "images": 4, "share": 0.75},
        {"host": "c.example", "failed": 1, "images": None, "share": None},
    ]


def test_a_profile_that_does_not_tell_is_said():
    with pytest.raises(InputError, match="no profile tells of side"):
        images.sizes(profile_of(status={"success": 1}))
