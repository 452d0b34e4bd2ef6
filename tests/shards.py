"""Finished shards of made-up images, as a download publishes them."""

import hashlib
import json
import tarfile
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from curation.claim import claim
from curation.core.identity import image_id, pair_uid
from curation.download.shard import REMOVED, SUCCESS, Shard, is_whole, sample_key, shard_name, write_shard
from curation.record import Identity, RunRecord
from curation.schemas import DUPLICATES, SHARD

SHARD_SIZE = 100
SCHEMA = SHARD.append(pa.field("unsafe_score", pa.float64()))


def image_row(url: str, texts: list[str], error: str | None = None) -> dict:
    """A row of a shard, but for its key; with an error it failed to download, or was removed."""
    uids = pair_uid(pa.array([url] * len(texts)), pa.array(texts)).to_pylist()
    status = SUCCESS if error is None else REMOVED if error == "blocked_hash" else "failed_to_download"
    sha256 = None if status == "failed_to_download" else hashlib.sha256(url.encode()).hexdigest()
    came = status == SUCCESS
    return {
        "caption": texts[0],
        "url": url,
        "image_id": image_id(pa.array([url]))[0].as_py(),
        "uids": uids,
        "texts": texts,
        "keep_probabilities": [0.5 + n / 100 for n in range(len(texts))],
        "status": status,
        "error": error,
        "error_message": error and "HTTP 404",
        "width": 64 if came else None,
        "exif": '{"Artist": "Ann"}' if came else None,
        "sha256": sha256,
        "perceptual_hash": sha256 and sha256[:16],
        "size_bytes": 1000 + len(url) if sha256 else None,
        "opt_outs": [] if sha256 else None,
        "unsafe_score": 0.25 if came else None,
    }


def make_shards(folder: Path, *shards: list[dict], retries: int = 0, encode_format: str = "jpg") -> RunRecord:
    """SHARDS of given rows: every third of the first shard is in the table of duplicates."""
    identity = Identity(job="download", semantics=3, config={"encode_format": encode_format}, inputs=["x"])
    with claim(folder, identity) as attempt:
        attempt.begin()
        for number, rows in enumerate(shards):
            for position, row in enumerate(rows):
                row["key"] = sample_key(number, position, SHARD_SIZE)
            table = pa.Table.from_pylist(rows, SCHEMA)
            write_shard(
                attempt.folder,
                Shard(
                    number,
                    table,
                    lambda at, rows=rows: picture(rows[at]["url"]),
                    encode_format=encode_format,
                    facts={"captions_in_evaluation_sets": {"coco": number}},
                ),
            )
        keys = [row["key"] for row in shards[0]]
        marked = [[key, "id", keys[0], 0, True] for key in keys[3::3]]
        (attempt.folder / "duplicates").mkdir()
        table = pa.Table.from_pylist(
            [dict(zip(DUPLICATES.names, row, strict=True)) for row in marked], DUPLICATES
        )
        pq.write_table(table, attempt.folder / "duplicates" / "part-0.parquet")
        (attempt.folder / "duplicates" / ".part-0.parquet.crc").write_bytes(b"of Spark")
        rows, dropped, facts = tally([row for rows in shards for row in rows])
        facts |= {
            "retries": [{"count": len(rows)} for rows in shards[len(shards) - retries :]],
            "duplicates": {"same_bytes": len(marked), "look_alike": 0},
            "shards": len(shards),
            "online": True,
        }
        return attempt.publish(rows=rows, dropped=dropped, facts=facts, made={})


def picture(url: str) -> bytes:
    return b"the picture of " + url.encode()


def tally(rows: list[dict]) -> tuple[dict, dict, dict]:
    """What a record says of rows: of each image the last counts."""
    latest = list({row["image_id"]: row for row in sorted(rows, key=lambda row: row["key"])}.values())
    out = sum(len(row["uids"]) for row in latest if row["status"] == SUCCESS)
    dropped = Counter()
    for row in latest:
        if row["status"] != SUCCESS:
            dropped[row["error"]] += len(row["uids"])
    return (
        {"in": out + dropped.total(), "out": out},
        dict(dropped),
        {
            "images_by_status": dict(Counter(row["status"] for row in latest)),
            "errors": dict(Counter(row["error"] for row in latest if row["error"])),
            "size_bytes": sum(row["size_bytes"] or 0 for row in latest),
        },
    )


def read_rows(folder: Path) -> list[dict]:
    """The rows of all shards, in the order of their keys."""
    return [row for path in sorted(folder.glob("[0-9]*.parquet")) for row in pq.read_table(path).to_pylist()]


def read_members(folder: Path) -> list[tuple[str, bytes]]:
    """The members of all tars, in their order."""
    members = []
    for path in sorted(folder.glob("[0-9]*.tar")):
        with tarfile.open(path) as archive:
            members += [(member.name, archive.extractfile(member).read()) for member in archive]
    return members


def assert_consistent(folder: Path) -> None:
    """Whole shards whose tars hold the images of their rows, and nothing else lying about."""
    for path in folder.glob("[0-9]*_stats.json"):
        number = int(path.name.split("_")[0])
        assert is_whole(folder, number)
        statistics = json.loads(path.read_text())
        rows = pq.read_table(folder / f"{shard_name(number)}.parquet").to_pylist()
        assert statistics["count"] == len(rows)
        assert statistics["successes"] == sum(row["status"] == SUCCESS for row in rows)
        assert statistics["captions_in_evaluation_sets"] == {"coco": number}
    expected = [row for row in read_rows(folder) if row["status"] == SUCCESS]
    members = read_members(folder)
    assert [name.split(".")[0] for name, _ in members[::3]] == [row["key"] for row in expected]
    assert [data for _, data in members[::3]] == [picture(row["url"]) for row in expected]
    assert [json.loads(data) for _, data in members[1::3]] == expected
    assert [data.decode() for _, data in members[2::3]] == [row["caption"] for row in expected]
    assert {path.name for path in folder.glob("_*")} == {"_run.json"}
