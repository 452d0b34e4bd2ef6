"""A small run as the steps leave it, with words in it that mean harm; made without Spark."""

import io as memory
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image

from curation import io
from curation.claim import claim
from curation.core.identity import image_id, pair_uid
from curation.download.shard import SUCCESS, Shard, sample_key, write_shard
from curation.record import Identity, RunRecord
from curation.report.datacard import Outcome, datacard
from curation.schemas import CURATED_COUNTS, DUPLICATES, ENTRIES, MATCH_COUNTS, PROFILE, SHARD, SIZE_CURVE

SCRIPT = "<script>hacked=1</script>"
IMAGE = '"><img/src=x onerror=hacked=2>'
TURNED = "\u202egnp.exe"
LONG = "w" * 3000
CLOSING = "</script><script>hacked=3</script>"
TEMPLATE = "{{7*7}}"

HEAD = ["cat", "dog", "image", "red", "blue"]
TAIL = [SCRIPT, CLOSING, TEMPLATE, TURNED, "chameleon", "oak", "fern", "moth", "perch", "Ärger", "été", LONG]
NEVER = ["zeppelin", "quagga", "St. Louis"]
T = 10.0
COUNTS = [*(400 - 40 * n for n in range(len(HEAD))), *(9 - n % 8 for n in range(len(TAIL))), 0, 0, 0]
MADE = {
    "at": "2026-03-04T05:06:07+00:00",
    "curation": "0.1.0",
    "git_commit": "abc",
    "spark_settings": {"spark.master": "local[2]"},
}
SHARD_SIZE = 40


def make_run(work: Path, *, languages: bool = False, profiles: bool = True) -> Path:
    """A run with all its steps: POOL, MATCHES, CURATED and SHARDS of two shards."""
    counts = make_counts(languages=languages)
    pool = make_pool(work / "pool", profiles=profiles)
    matches = make_matches(work / "matches", pool, counts, profiles=profiles)
    make_curated(work / "curated", matches, counts, profiles=profiles)
    make_shards(work / "shards", profiles=profiles)
    return work


def make_counts(*, languages: bool = False) -> pa.Table:
    """`CURATED_COUNTS` of the vocabulary; with a second list, the tail entries are its."""
    entries = [*HEAD, *TAIL, *NEVER]
    count = np.array(COUNTS)
    named = ["de" if languages and number >= len(HEAD) else "en" for number in range(len(entries))]
    probability = np.minimum(1, T / np.maximum(count, 1))
    kept = np.where(probability < 1, (count * 0.2).astype(int), count)
    columns = [named, range(len(entries)), entries, count, probability, kept]
    kinds = CURATED_COUNTS.types
    arrays = [pa.array(column, kind) for column, kind in zip(columns, kinds, strict=True)]
    return pa.table(arrays, schema=CURATED_COUNTS)


def publish(
    folder: Path,
    job: str,
    tables: dict[str, pa.Table],
    *,
    config: dict,
    facts: dict,
    rows: tuple[int, int],
    dropped: dict[str, int],
    files: dict | None = None,
) -> RunRecord:
    with claim(folder, Identity(job=job, semantics=1, config=config, inputs=["x"])) as attempt:
        attempt.begin()
        for name, table in tables.items():
            io.write_table(attempt.folder / name, table)
        for name, value in (files or {}).items():
            io.write_json(attempt.folder / name, value)
        made = {"in": rows[0], "out": rows[1]}
        return attempt.publish(rows=made, dropped=dropped, facts=facts, made=MADE)


def profile(**facets: dict[str, int]) -> pa.Table:
    """A table of `PROFILE`."""
    rows = [
        {"facet": facet, "value": value, "rows": count}
        for facet, values in sorted(facets.items())
        for value, count in sorted(values.items(), key=lambda item: (-item[1], item[0]))
    ]
    return pa.Table.from_pylist(rows, schema=PROFILE)


PAIRS = {
    "language": {"en": 900, "de": 95, "fr": 5},
    "text_source": {"alt": 800, "title": 200},
    "crawl": {"CC-MAIN-2024-51": 1000},
    "host": {"a.example": 500, IMAGE: 300, LONG: 50, SCRIPT: 50, "": 100},
    "hosts": {"": 40},
    "text_length": {"8": 100, "16": 600, "64": 300},
    "entries_per_text": {"1": 400, "2": 500, "3": 100},
}


def make_pool(folder: Path, *, profiles: bool = True) -> RunRecord:
    config = {"opt_outs": "respect", "block": [], "block_terms": [], "redact": True, "languages": ["all"]}
    facts = {"files": 3, "records": 100, "pages": 90, "images": 1500, "candidates": 1400,
             "faults": {"malformed_json": 1, IMAGE: 2}, "files_truncated": 1, "files_with_errors": 0,
             "against": []}  # fmt: skip
    tables = {"profile": profile(**PAIRS)} if profiles else {}
    return publish(folder, "extract", tables, config=config, facts=facts, rows=(1400, 1000),
                   dropped={"empty_text": 300, "duplicate": 100})  # fmt: skip


def make_matches(folder: Path, pool: RunRecord, counts: pa.Table, *, profiles: bool = True) -> RunRecord:
    entries = pa.table(
        [
            counts["entry_id"],
            counts["entry"],
            counts["language"],
            [["wordnet"]] * len(counts),
            counts["count"],
        ],
        schema=ENTRIES,
    )
    facts = {
        "matches": int(sum(COUNTS)), "entries": len(counts), "entries_matched": len(HEAD + TAIL),
        "vocabulary_sha256": "f" * 64, "pool": pool.run_id, "against": [],
        "vocabulary_manifest": {"licences": {"wordnet": f"Copyright 2006 Princeton {SCRIPT}\nSecond line."}},
        "pool_rows": {"rows_in": 1400, "dropped": {"empty_text": 300, "duplicate": 100}, "rows_out": 1000},
    }  # fmt: skip
    tables = {"counts": counts.select(MATCH_COUNTS.names), "vocabulary": entries}
    tables |= {"profile": profile(**PAIRS)} if profiles else {}
    return publish(
        folder, "match", tables, config={}, facts=facts, rows=(1000, 900), dropped={"no_match": 100}
    )


def make_curated(folder: Path, matches: RunRecord, counts: pa.Table, *, profiles: bool = True) -> RunRecord:
    config = {"t": T, "tail_share": None, "target": None, "expected_yield": 1.0, "texts_per_image": "all",
              "online": False, "seed": 7}  # fmt: skip
    t = {language: T for language in dict.fromkeys(counts["language"].to_pylist())}
    curve = pa.table({"t": [1.0, 10.0, 100.0], "tail_share": [0.01, 0.1, 0.4],
                      "expected_rows": [50.0, 200.0, 700.0], "standard_deviation": [4.0, 9.0, 5.0]},
                     schema=SIZE_CURVE)  # fmt: skip
    outcome = Outcome(200, {"not_drawn": 700}, t, 200.5, 9.0)
    card = datacard([matches], counts, outcome, config=config)
    tables = {"counts": counts, "size_curve": curve}
    if profiles:
        tables["profile"] = profile(**PAIRS, keep_probability={"0.1": 60, "1.0": 40})
    return publish(folder, "balance", tables, config=config, rows=(900, 200), dropped={"not_drawn": 700},
                   facts={"t": t, "expected_rows": 200.5, "matches": [str(matches.folder)]},
                   files={"datacard.json": card})  # fmt: skip


def texts(number: int) -> list[str]:
    """What pages say of an image: of every third one something rare."""
    head = f"a {HEAD[number % len(HEAD)]} image"
    return (
        [f"{head} {TAIL[number // 3 % len(TAIL)]}", f"{TURNED} cat {LONG * (number % 2)}"]
        if number % 3 == 0
        else [head]
    )


def make_shards(folder: Path, *, profiles: bool = True) -> RunRecord:
    config = {"image_size": 64, "shard_size": SHARD_SIZE, "resize_mode": "keep_ratio", "encode_format": "jpg",
              "opt_outs": "record", "robots": False, "exclude_hashes": [], "blur_boxes": None,
              "max_aspect_ratio": float("inf"), "classifier": None, "classifier_threshold": 0.5}  # fmt: skip
    images = 2 * SHARD_SIZE
    facts = {
        "shards": 2,
        "images": images,
        "images_by_status": {SUCCESS: images - 8, "failed_to_download": 8},
        "errors": {"not_found": 6, IMAGE: 2},
        "size_bytes": 12_345_678,
        "captions_in_evaluation_sets": {},
        "duplicates": {"same_bytes": 1, "look_alike": 2},
        "retries": [],
    }
    identity = Identity(job="download", semantics=3, config=config, inputs=["x"])
    with claim(folder, identity) as attempt:
        attempt.begin()
        for shard in range(2):
            rows = [image_row(shard, position) for position in range(SHARD_SIZE)]
            write_shard(
                attempt.folder, Shard(shard, pa.Table.from_pylist(rows, SHARD), picture, encode_format="jpg")
            )
        io.write_table(attempt.folder / "duplicates", DUPLICATES.empty_table())
        if profiles:
            sides = {"64": 30, "128": 42}
            table = profile(status={SUCCESS: 72}, width=sides, height=sides, aspect_ratio={"0.0": 72},
                            size_bytes={"1024": 72}, texts_per_image={"1": 72}, host={IMAGE: 72})  # fmt: skip
            io.write_table(attempt.folder / "profile", table)
        return attempt.publish(
            rows={"in": 200, "out": 150}, dropped={"not_found": 50}, facts=facts, made=MADE
        )


def image_row(shard: int, position: int) -> dict:
    number = shard * SHARD_SIZE + position
    url = (
        f"http://h{number}.example/{number}.jpg" if number % 2 else f'http://{SCRIPT}/{number}"onload="x.jpg'
    )
    came, said = number % 10 != 9, texts(number)
    return {
        "key": sample_key(shard, position, SHARD_SIZE),
        "caption": said[0],
        "url": url,
        "image_id": image_id(pa.array([url]))[0].as_py(),
        "uids": pair_uid(pa.array([url] * len(said)), pa.array(said)).to_pylist(),
        "texts": said,
        "keep_probabilities": [1.0 if number % 3 == 0 else 0.25] * len(said),
        "status": SUCCESS if came else "failed_to_download",
        "error": None if came else "not_found",
        "width": 64 if came else None,
        "height": 48 if came else None,
        "original_width": 640 if came else None,
        "original_height": 480 if came else None,
    }


def picture(position: int) -> bytes:
    """A JPEG; every seventh cannot be decoded."""
    if position % 7 == 6:
        return b"\xff\xd8 no picture"
    file = memory.BytesIO()
    Image.new("RGB", (64, 48), (position * 6 % 256, 90, 160)).save(file, "JPEG")
    return file.getvalue()
