"""What came of the images: which were to be had, their sizes, what looks alike."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from curation.record import RunRecord
from curation.report.charts.axes import short
from curation.report.charts.bars import lying, standing
from curation.report.charts.populations import ranges_table
from curation.report.charts.ranges import FEW_EXACTLY, OCTAVES, QUARTERS
from curation.report.charts.theme import Picture, finish, nothing
from curation.report.inert import inert

_SUCCESS = "success"
_SHARDS = "shards"
_LONGEST = 48  # characters of an error


def statuses_table(record: RunRecord) -> pa.Table:
    """How the download of each image ended.

    Args:
        record: of download.

    Returns:
        `status`, `images`, `share`; the commonest first.
    """
    return _counted(record.facts["images_by_status"], "status", record.facts["images"])


def errors_table(record: RunRecord, top: int = 15) -> pa.Table:
    """Why images are not there.

    Args:
        record: of download.
        top: how many errors.

    Returns:
        `error` (inert), `images`, `share` of all images; the commonest first.
    """
    return _counted(record.facts["errors"], "error", record.facts["images"]).slice(0, top)


def duplicates_table(record: RunRecord) -> pa.Table:
    """How many images are others again.

    Args:
        record: of download.

    Returns:
        `kind`, `images`, `share` of the images that came.
    """
    came = record.facts["images_by_status"].get(_SUCCESS, 0)
    found = record.facts["duplicates"]
    kinds = {"same bytes as another": found["same_bytes"], "look like another": found["look_alike"]}
    return _counted(kinds, "kind", came)


def distances_table(duplicates: pa.Table) -> pa.Table:
    """In how many bits of 64 the hashes of look-alikes differ.

    Args:
        duplicates: columns of `DUPLICATES`.

    Returns:
        `bits`, `images`, `share`; images of the same bytes are left out.
    """
    alike = duplicates.filter(pc.invert(duplicates["same_bytes"]))
    counted = alike.group_by("distance").aggregate([([], "count_all")]).sort_by("distance")
    images = counted["count_all"]
    return pa.table({
        "bits": [str(bits) for bits in counted["distance"].to_pylist()],
        "images": images,
        "share": pc.divide(images.cast(pa.float64()), max(1, len(alike))),
    })  # fmt: skip


def statuses(record: RunRecord) -> Picture:
    """How the download of each image ended.

    Args:
        record: of download.
    """
    table = statuses_table(record)
    came, images = record.facts["images_by_status"].get(_SUCCESS, 0), record.facts["images"]
    says = f"{short(came)} of {short(images)} images came ({came / max(1, images):.1%})."
    return finish(
        lying(table, name="status", value="images", axis="images"),
        title="How downloads ended",
        says=says,
        description=f"A bar for each status. {says}",
    )


def errors(record: RunRecord, top: int = 15) -> Picture:
    """Why images are not there.

    Args:
        record: of download.
        top: how many errors.
    """
    table = errors_table(record, top)
    title = "Why images are not there"
    if not len(table):
        return nothing(title, "Every image came.")
    says = f"{short(sum(record.facts['errors'].values()))} of {short(record.facts['images'])} images failed."
    return finish(
        lying(table, name="error", value="images", axis="images"),
        title=title,
        says=says,
        description=f"A bar for each of the {len(table)} commonest errors. {says}",
    )


def duplicates(record: RunRecord) -> Picture:
    """How many images are others again.

    Args:
        record: of download.
    """
    says = "They are marked, not removed. Looking alike is told by perceptual hashes and may be chance."
    return finish(
        lying(duplicates_table(record), name="kind", value="images", axis="images"),
        title="Images that are there already",
        says=says,
        description=f"Two bars: the same bytes, and look-alikes. {says}",
    )


def sizes_table(profile: pa.Table) -> pa.Table:
    """How wide and how high images were when they came.

    Args:
        profile: of the shards.

    Returns:
        `side` (width, height), `pixels` (the range), `rows` (images), `share`.

    Raises:
        InputError: the profile does not tell.
    """
    sides = {
        side: profile.filter(pc.equal(profile["facet"], side)).set_column(
            0, "facet", pa.repeat("side", pc.sum(pc.equal(profile["facet"], side)).as_py() or 0)
        )
        for side in ("width", "height")
    }
    return ranges_table(sides, "side", OCTAVES).rename_columns(["side", "pixels", "rows", "share"])


def sizes(profile: pa.Table) -> Picture:
    """How wide and how high images were when they came.

    Args:
        profile: of the shards.
    """
    says = "As they came, before they were made smaller for the shards."
    return finish(
        standing(sizes_table(profile), bucket="pixels", series="side", value="share",
                 axis="pixels", order=["width", "height"]),
        title="How large images are",
        says=says,
        description=f"Two lines over ranges of pixels. {says}",
    )  # fmt: skip


def aspect_ratios_table(profile: pa.Table) -> pa.Table:
    """How wide images are for their height.

    Args:
        profile: of the shards.

    Returns:
        `step`, `value` (such as 1.41:1, or 1:2), `rows` (images), `share`; from upright to wide.

    Raises:
        InputError: the profile does not tell.
    """
    return ranges_table({_SHARDS: profile}, "aspect_ratio", QUARTERS)


def aspect_ratios(profile: pa.Table) -> Picture:
    """How wide images are for their height.

    Args:
        profile: of the shards.
    """
    table = aspect_ratios_table(profile)
    square = sum(row["share"] for row in table.to_pylist() if row["value"] == "1:1")
    says = f"{square:.0%} are square or nearly so; on the left they are upright, on the right wide."
    return _one(table, "The shapes of images", says, "width to height")


def sizes_in_bytes_table(profile: pa.Table) -> pa.Table:
    """How many bytes images had when they came.

    Args:
        profile: of the shards.

    Returns:
        `step`, `value` (the range), `rows` (images), `share`.

    Raises:
        InputError: the profile does not tell.
    """
    return ranges_table({_SHARDS: profile}, "size_bytes", OCTAVES)


def sizes_in_bytes(profile: pa.Table) -> Picture:
    """How many bytes images had when they came.

    Args:
        profile: of the shards.
    """
    return _one(sizes_in_bytes_table(profile), "How many bytes images have", "As they came.", "bytes")


def texts_per_image_table(profile: pa.Table) -> pa.Table:
    """How many texts an image has.

    Args:
        profile: of the shards.

    Returns:
        `step`, `value` (the number, or range), `rows` (images), `share`.

    Raises:
        InputError: the profile does not tell.
    """
    return ranges_table({_SHARDS: profile}, "texts_per_image", FEW_EXACTLY)


def texts_per_image(profile: pa.Table) -> Picture:
    """How many texts an image has.

    Args:
        profile: of the shards.
    """
    table = texts_per_image_table(profile)
    single = sum(row["share"] for row in table.to_pylist() if row["value"] == "1")
    return _one(table, "How many texts an image has", f"{single:.0%} have one.", "texts of one image")


def failing_hosts_table(profile: pa.Table, top: int = 20) -> pa.Table:
    """Whose images are not there.

    Args:
        profile: of the shards.
        top: how many hosts.

    Returns:
        `host` (inert), `failed` images, of `images`, `share` of them; those with the most failed first. Of a
        host that is not among the thousand heaviest, `images` and `share` are null.
    """
    images = {row["value"]: row["rows"] for row in _facet(profile, "host")}
    rows = []
    for row in [row for row in _facet(profile, "host_failed") if row["value"]][:top]:
        all_images = images.get(row["value"])
        share = None if all_images is None else row["rows"] / all_images
        rows.append(
            {"host": inert(row["value"]), "failed": row["rows"], "images": all_images, "share": share}
        )
    columns = [("host", pa.string()), ("failed", pa.int64()), ("images", pa.int64()), ("share", pa.float64())]
    return pa.Table.from_pylist(rows, schema=pa.schema(columns))


def _facet(profile: pa.Table, facet: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = profile.filter(pc.equal(profile["facet"], facet)).to_pylist()
    return rows


def _one(table: pa.Table, title: str, says: str, axis: str) -> Picture:
    return finish(
        standing(table, bucket="value", series="step", value="share", axis=axis, order=[_SHARDS]),
        title=title,
        says=says,
        description=f"Bars: share of the images by {axis}. {says}",
    )


def _counted(numbers: Mapping[str, int], name: str, total: int) -> pa.Table:
    ordered = sorted(numbers.items(), key=lambda item: (-item[1], item[0]))
    return pa.table({
        name: pa.array([inert(key)[:_LONGEST] for key, _ in ordered], pa.string()),
        "images": pa.array([images for _, images in ordered], pa.int64()),
        "share": pa.array([images / max(1, total) for _, images in ordered], pa.float64()),
    })  # fmt: skip
