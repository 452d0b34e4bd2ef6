"""Pools and files for the steps to work on."""

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.claim import claim
from curation.core.profile import profile
from curation.record import Identity, RunRecord
from curation.schemas import PAIRS
from tests.stages.conftest import pairs


def make_pool(folder: Path, table: pa.Table, against: tuple[RunRecord, ...] = ()) -> RunRecord:
    """A POOL of given pairs, as extract would publish it."""
    identity = Identity(job="extract", semantics=1, config={}, inputs=table["uid"].to_pylist())
    with claim(folder, identity) as attempt:
        attempt.begin()
        (attempt.folder / "pairs").mkdir()
        for part in range(3):
            rows = table.take(pa.array(range(part, len(table), 3), pa.int64()))
            pq.write_table(rows.cast(PAIRS), attempt.folder / "pairs" / f"part-{part}.parquet")
        return attempt.publish(
            rows={"in": len(table), "out": len(table)},
            dropped={},
            facts={"against": [record.run_id for record in against]},
            made={},
        )


@pytest.fixture
def pool(tmp_path):
    """A pool of a few hundred texts with a head and a tail."""
    texts = [
        f"{'a photo of a' if n % 2 else 'the'} {('cat', 'dog', 'hot dog', 'axolotl')[min(n % 7, 3)]}, no. {n}"
        for n in range(300)
    ]
    return make_pool(tmp_path / "pool", pairs(texts))


ENTRIES = ["photo", "cat", "dog", "hot dog", "axolotl", "unseen", "the", "no.", "no"]


@pytest.fixture
def entries(tmp_path):
    """The path of a vocabulary for that pool."""
    path = tmp_path / "entries.txt"
    path.write_text("\n".join(ENTRIES))
    return str(path)


def write_wat(path: Path, page_url: str, links: list[dict]) -> Path:
    """A WAT file of one page."""
    body = json.dumps(
        {
            "Envelope": {
                "WARC-Header-Metadata": {"WARC-Type": "response", "WARC-Target-URI": page_url},
                "Payload-Metadata": {
                    "HTTP-Response-Metadata": {
                        "Headers": {"Content-Type": "text/html"},
                        "HTML-Metadata": {"Links": links},
                    }
                },
            }
        }
    ).encode()
    head = (
        f"WARC/1.0\r\nWARC-Type: metadata\r\nWARC-Target-URI: {page_url}\r\n"
        "WARC-Date: 2024-01-01T00:00:00Z\r\n"
        "WARC-Record-ID: <urn:uuid:0f6d0ba1-0000-0000-0000-000000000000>\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    path.write_bytes(gzip.compress(head + body + b"\r\n\r\n", mtime=0))
    return path


def assert_profiled(folder: Path, *tables: pa.Table) -> None:
    """The profile of a run is that of its pairs, or of the tables that are given."""
    (path,) = (folder / "profile").iterdir()
    assert pq.read_table(path).equals(profile(tables or [pq.read_table(folder / "pairs")]))


def rows(folder: Path) -> list[dict]:
    """The rows of a table, in an order of their own."""
    return sorted(pq.read_table(folder).to_pylist(), key=lambda row: row["uid"])
