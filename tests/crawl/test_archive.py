"""Damage of every kind costs the damaged record and nothing else, and is told."""

import gzip
import io
import tracemalloc
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from curation.crawl import archive, members
from curation.crawl.archive import Archive
from curation.crawl.members import ReadError
from tests.crawl.archives import (
    gzipped,
    image,
    numbered,
    read_bytes,
    record,
    response,
    texts_of,
    wat,
    wat_of_json,
)

RECORDS = numbered(5)
MEMBERS = [gzip.compress(item, mtime=0) for item in RECORDS]
BOUNDARIES = [sum(map(len, MEMBERS[:n])) for n in range(len(MEMBERS) + 1)]
FILE = b"".join(MEMBERS)
TEXTS = [text for n in range(5) for text in (f"alt {n}", f"title {n}")]


def bodies(data: bytes) -> tuple[list[bytes], Archive]:
    read = Archive(io.BytesIO(data))
    return [item.body for item in read], read


@pytest.mark.parametrize("pack", [gzipped, b"".join, lambda items: gzip.compress(b"".join(items))])
def test_members_plain_and_one_member_for_all_read_alike(tmp_path: Path, pack) -> None:
    pairs, ledger = read_bytes(tmp_path, pack(RECORDS))
    assert texts_of(pairs) == TEXTS
    assert (ledger["records"], ledger["faults"], ledger["truncated"], ledger["error"]) == (5, {}, False, None)


@given(cut=st.integers(0, len(FILE)))
def test_a_cut_keeps_what_lies_before_it_and_is_told(cut: int) -> None:
    with TemporaryDirectory() as folder:
        pairs, ledger = read_bytes(Path(folder), FILE[:cut])
    complete = max(n for n, boundary in enumerate(BOUNDARIES) if boundary <= cut)
    assert texts_of(pairs) == TEXTS[: len(pairs)]
    assert len(pairs) >= 2 * complete
    assert ledger["truncated"] == (cut not in BOUNDARIES)
    assert ledger["faults"] == {}


@given(cut=st.integers(len(b"WARC/1."), len(b"".join(RECORDS)) - 1))
def test_a_cut_plain_file_keeps_what_lies_before_it(cut: int) -> None:
    plain = b"".join(RECORDS)
    with TemporaryDirectory() as folder:
        pairs, ledger = read_bytes(Path(folder), plain[:cut])
    ends = [len(b"".join(RECORDS[:n])) for n in range(len(RECORDS) + 1)]
    assert texts_of(pairs) == TEXTS[: len(pairs)]
    assert len(pairs) >= 2 * sum(end <= cut for end in ends[1:])
    # The four line ends behind a record may be missing without anything being lost.
    assert ledger["truncated"] == all(not end - 4 <= cut <= end for end in ends)


def in_order(wanted: list[str], found: list[str]) -> bool:
    """Whether all that is wanted was found, in its order; a flipped bit may have made other texts."""
    rest = iter(found)
    return all(text in rest for text in wanted)


@given(
    which=st.integers(0, 4),
    flips=st.lists(st.tuples(st.integers(0, 10_000), st.integers(1, 255)), min_size=1, max_size=8),
)
@example(which=0, flips=[(3, 4)])  # a header that claims an extra field of 64 KiB, and so the other members
def test_flipped_bytes_in_one_member_never_cost_another(which: int, flips: list[tuple[int, int]]) -> None:
    damaged = bytearray(MEMBERS[which])
    for position, change in flips:
        damaged[position % len(damaged)] ^= change
    data = b"".join([*MEMBERS[:which], bytes(damaged), *MEMBERS[which + 1 :]])
    with TemporaryDirectory() as folder:
        pairs, ledger = read_bytes(Path(folder), data)
    others = TEXTS[: 2 * which] + TEXTS[2 * which + 2 :]
    assert in_order(others, texts_of(pairs))
    if texts_of(pairs) != TEXTS:
        assert ledger["faults"] or ledger["truncated"]


@given(which=st.integers(0, 4), position=st.integers(0, 10_000), change=st.integers(1, 255))
def test_a_flipped_byte_in_a_plain_file_costs_one_record_at_most(
    which: int, position: int, change: int
) -> None:
    damaged = bytearray(RECORDS[which])
    # A flipped line end right before the next record may hide that one, too: no reader could tell.
    damaged[position % (len(damaged) - 4)] ^= change
    data = b"".join([*RECORDS[:which], bytes(damaged), *RECORDS[which + 1 :]])
    with TemporaryDirectory() as folder:
        pairs, _ = read_bytes(Path(folder), data)
    others = TEXTS[: 2 * which] + TEXTS[2 * which + 2 :]
    assert in_order(others, texts_of(pairs))


def test_a_plain_file_with_a_damaged_start(tmp_path: Path) -> None:
    pairs, ledger = read_bytes(tmp_path, b"X" + b"".join(RECORDS)[1:])
    assert texts_of(pairs) == TEXTS[2:]
    assert ledger["faults"] == {"damaged_record": 1}


@given(junk=st.binary(min_size=1, max_size=300), at=st.integers(0, 5))
def test_junk_between_members_costs_none(junk: bytes, at: int) -> None:
    with TemporaryDirectory() as folder:
        pairs, ledger = read_bytes(Path(folder), b"".join([*MEMBERS[:at], junk, *MEMBERS[at:]]))
    assert texts_of(pairs) == TEXTS
    told = ledger["faults"].get("damaged_member", 0) == 1 or ledger["truncated"]
    assert told != (not junk.strip(b"\0"))


@pytest.mark.parametrize("length", [0, 1, 100, 10_000, 10**12])
def test_a_wrong_length_in_a_member_costs_nothing(tmp_path: Path, length: int) -> None:
    body = RECORDS[1].partition(b"\r\n\r\n")[2].rstrip()
    wrong = wat_of_json(body, "http://site1.example/", length)
    pairs, ledger = read_bytes(tmp_path, gzipped([RECORDS[0], wrong, RECORDS[2]]))
    if length < 10**12:
        assert texts_of(pairs) == TEXTS[:6]
        assert ledger["faults"] == {"wrong_length": 1}
    else:
        assert texts_of(pairs) == TEXTS[:2] + TEXTS[4:6]
        assert ledger["faults"] == {"record_too_large": 1}


@pytest.mark.parametrize("length", ["0", "100", "1000", "1000000", "100000000000", "-5", "many", ""])
def test_a_wrong_length_in_a_plain_file_costs_only_its_record(tmp_path: Path, length: str) -> None:
    head, _, rest = RECORDS[1].partition(b"Content-Length: ")
    wrong = head + b"Content-Length: " + length.encode() + b"\r\n" + rest.partition(b"\r\n")[2]
    pairs, ledger = read_bytes(tmp_path, b"".join([RECORDS[0], wrong, RECORDS[2]]))
    assert texts_of(pairs) == TEXTS[:2] + TEXTS[4:6]
    assert sum(ledger["faults"].values()) == 1
    assert not ledger["truncated"]


def test_a_record_above_the_cap_is_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(archive, "RECORD_BYTES", 1 << 20)
    huge = wat([image(alt="x" * (2 << 20))])
    for data in (gzipped([RECORDS[0], huge, RECORDS[1]]), b"".join([RECORDS[0], huge, RECORDS[1]])):
        pairs, ledger = read_bytes(tmp_path, data)
        assert texts_of(pairs) == TEXTS[:4]
        assert ledger["faults"] == {"record_too_large": 1}


def test_a_bomb_is_given_up_and_memory_stays_flat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "BOMB_BYTES", 8 << 20)
    monkeypatch.setattr(archive, "RECORD_BYTES", 4 << 20)
    packer = zlib.compressobj(9, wbits=31)
    bomb = packer.compress(b"WARC/1.0\r\nContent-Length: 9000000000\r\n\r\n")
    bomb += b"".join(packer.compress(bytes(1 << 20)) for _ in range(200)) + packer.flush()
    tracemalloc.start()
    found, read = bodies(b"".join([MEMBERS[0], bomb, MEMBERS[1]]))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found) == 2
    assert read.faults == {"record_too_large": 1, "damaged_member": 1}
    assert peak < 20 << 20


def test_memory_does_not_grow_with_the_file() -> None:
    class Endless(io.RawIOBase):
        left = 8_000

        def read(self, size: int = -1) -> bytes:
            self.left -= 1
            return FILE if self.left > 0 else b""

    tracemalloc.start()
    count = sum(1 for _ in Archive(Endless()))  # type: ignore[arg-type]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 5 * 7_999
    assert peak < 5 << 20


def test_gzip_in_gzip_costs_only_itself(tmp_path: Path) -> None:
    nested = gzip.compress(MEMBERS[1])
    pairs, ledger = read_bytes(tmp_path, MEMBERS[0] + nested + MEMBERS[2])
    assert texts_of(pairs) == TEXTS[:2] + TEXTS[4:6]
    assert ledger["faults"] == {"damaged_record": 1}


def test_the_offset_of_a_member_survives_output_that_comes_in_pieces(tmp_path: Path) -> None:
    """zlib reports leftover input twice when a large member ends; the next one must be found all the same."""
    large = [
        wat([image(f"/{n}.jpg", alt=f"alt {n}"), *[{"path": "A@/href", "url": "x" * 99}] * 9_000])
        for n in range(9)
    ]
    pairs, ledger = read_bytes(tmp_path, gzipped(large))
    assert texts_of(pairs) == [f"alt {n}" for n in range(9)]
    assert ledger["faults"] == {}


def test_a_page_that_quotes_a_warc_record_is_one_record() -> None:
    quoting = record("response", b"a\r\n\r\n" + record("response", b"b") + b"c")
    for data in (gzipped([quoting, RECORDS[0]]), quoting + RECORDS[0]):
        found, read = bodies(data)
        assert len(found) == 2
        assert read.faults == {}


def test_line_ends_may_be_bare_and_urls_in_brackets() -> None:
    head = b"WARC/1.0\nWARC-Type: response\nWARC-Target-URI: <http://h.example/>\ncontent-length: 2\n\nok\n\n"
    items = list(Archive(io.BytesIO(head * 2)))
    assert [(item.url, item.body) for item in items] == [("http://h.example/", b"ok")] * 2


@pytest.mark.parametrize("data", [b"", b"<html>503</html>" * 1000, b"\x1f\x8b\x08 not so"])
def test_a_file_without_records_is_an_error(tmp_path: Path, data: bytes) -> None:
    pairs, ledger = read_bytes(tmp_path, data)
    assert pairs == []
    assert ledger["error"] == "no WARC record in the file"


def test_a_stream_that_breaks_says_so_after_what_it_gave() -> None:
    class Breaking(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if piece := super().read(700):
                return piece
            raise ConnectionResetError("peer\nwent away")

    read = Archive(Breaking(b"".join(MEMBERS)))
    found = []
    with pytest.raises(ReadError, match="ConnectionResetError: peer went away"):
        found.extend(item.body for item in read)
    assert len(list(Archive(io.BytesIO(FILE)))) == 5


def test_the_page_before_the_cut_of_a_warc_is_read(tmp_path: Path) -> None:
    page = response(b"<img src=1 alt=one><p>" + bytes(range(33, 127)) * 200 + b"<img src=2 alt=two>")
    pairs, ledger = read_bytes(tmp_path, page[:-600])
    assert texts_of(pairs) == ["one"]
    assert ledger["truncated"]
