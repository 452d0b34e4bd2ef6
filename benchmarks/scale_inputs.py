"""Inputs of any size for each step: real pages, photographs and articles, each copy different."""

import bz2
import gzip
import os
import re
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.extraction import DATA
from curation.claim import claim
from curation.core.identity import image_id, pair_uid
from curation.demo.load import Texts, pool_files
from curation.record import Identity
from curation.schemas import CURATED

PAGES = DATA / "wat" / "pages.warc.wat.gz"
PHOTOGRAPHS = DATA / "images" / "coco-mini"
ARTICLES = DATA / "wikipedia" / "enwiki-206-pages.xml.bz2"
VOCABULARY = Path("metadata", "english").absolute()

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_HOST = re.compile(rb"://[^/\"\s]{3}")
_WORD = re.compile(rb"(?<![\w<>/&=\"])[a-z]{9,}(?![\w<>/;=])")
_STREAM_BYTES = 500_000
_GZIP_LEVEL, _BZ2_LEVEL = 1, 9
_PROCESSES = 2


def wats(folder: Path, files: int, *, different: bool) -> list[Path]:
    """WAT files of 582 real pages each.

    Args:
        folder: for the files.
        files: how many.
        different: pages and images are on other hosts in each file; else the files are one and the same.
    """
    folder.mkdir(parents=True)
    paths = [folder / f"{number:05d}.warc.wat.gz" for number in range(files)]
    if different:
        _each(partial(_wat, _members(PAGES.read_bytes())), paths)
    else:
        for path in paths:
            _link(PAGES, path)
    return paths


def pool(folder: Path, copies: int, rows: int) -> Path:
    """A POOL of so many times so many pairs, all different; its texts come again in each copy."""
    with claim(folder, Identity(job="extract", semantics=0, config={}, inputs=[copies, rows])) as attempt:
        attempt.begin()
        first = pool_files(attempt.folder / "pairs", Texts(VOCABULARY).texts, rows=rows // 8)
        for number in range(1, copies):
            for path in first:
                pq.write_table(
                    _moved(pq.read_table(path), number),
                    path.with_name(f"{path.stem}-{number}.parquet"),
                    compression="zstd",
                )
        counts = {"in": copies * rows, "out": copies * rows}
        attempt.publish(rows=counts, dropped={}, facts={"against": []}, made={})
    return folder


def curated(folder: Path, images: int, ports: Sequence[int]) -> Path:
    """CURATED of images on a loopback web: a text each, and a second one for a third of them."""
    urls = [f"http://127.0.0.1:{ports[n % len(ports)]}/{n}.jpg" for n in range(images)]
    urls += urls[::3]
    texts = [f"a photograph, no. {n}" for n in range(len(urls))]
    known = {
        "uid": pair_uid(pa.array(urls), pa.array(texts)),
        "url": urls,
        "text": texts,
        "entry_ids": [[0]] * len(urls),
        "keep_probability": [0.5] * len(urls),
        "image_id": image_id(pa.array(urls)),
    }
    columns = [known.get(name, pa.nulls(len(urls), CURATED.field(name).type)) for name in CURATED.names]
    with claim(folder, Identity(job="balance", semantics=0, config={}, inputs=[images])) as attempt:
        attempt.begin()
        (attempt.folder / "pairs").mkdir()
        pq.write_table(pa.table(columns, schema=CURATED), attempt.folder / "pairs" / "part-0.parquet")
        counts = {"in": len(urls), "out": len(urls)}
        attempt.publish(rows=counts, dropped={}, facts={}, made={})
    return folder


def dumps(folder: Path, files: int) -> list[Path]:
    """Wikipedia dumps of 206 real articles each, in streams; some long words are in one dump alone."""
    folder.mkdir(parents=True)
    paths = [folder / f"enwiki-20240201-pages-articles{number}.xml.bz2" for number in range(files)]
    _each(partial(_dump, bz2.decompress(ARTICLES.read_bytes())), paths)
    return paths


def shards(folder: Path, first: Path, copies: int) -> str:
    """The shards of a folder so many times, under other names; gives a glob."""
    folder.mkdir(parents=True)
    found = sorted(first.glob("[0-9]*.tar"))
    for number in range(copies * len(found)):
        source = found[number % len(found)]
        for part in (".tar", ".parquet", "_stats.json"):
            _link(source.with_name(source.stem + part), folder / f"{number:05d}{part}")
    return str(folder / "*.tar")


def _each(make: Any, paths: Sequence[Path]) -> None:
    with ProcessPoolExecutor(_PROCESSES, get_context("spawn")) as processes:
        list(processes.map(make, paths, range(len(paths)), chunksize=8))


def _wat(records: Sequence[bytes], path: Path, number: int) -> None:
    host = b"://" + _name(number).encode()  # of three characters for three: lengths stay
    path.write_bytes(
        b"".join(gzip.compress(_HOST.sub(host, record), _GZIP_LEVEL, mtime=0) for record in records)
    )


def _name(number: int) -> str:
    high, low = divmod(number, len(_DIGITS))
    return f"x{_DIGITS[high]}{_DIGITS[low]}"


def _members(data: bytes) -> list[bytes]:
    records = []
    while data:
        inflate = zlib.decompressobj(31)
        records.append(inflate.decompress(data))
        data = inflate.unused_data
    return records


def _moved(pairs: pa.Table, number: int) -> pa.Table:
    urls = pc.replace_substring(
        pairs["url"].combine_chunks(), "://cdn", f"://copy{number}-", max_replacements=1
    )
    texts = pairs["text"].combine_chunks()
    for name, values in (("url", urls), ("uid", pair_uid(urls, texts))):
        pairs = pairs.set_column(pairs.schema.get_field_index(name), pairs.schema.field(name), values)
    return pairs


def _dump(text: bytes, path: Path, number: int) -> None:
    own = _name(number).encode()

    def renamed(match: re.Match[bytes]) -> bytes:
        word = match[0]
        return word + own if zlib.crc32(word) % 3 == 0 else word

    path.write_bytes(
        b"".join(map(partial(bz2.compress, compresslevel=_BZ2_LEVEL), _streams(_WORD.sub(renamed, text))))
    )


def _streams(text: bytes) -> Iterator[bytes]:
    """The head, and pages some at a time, as Wikimedia publishes them."""
    head, *pages = text.replace(b"</mediawiki>", b"").split(b"  <page>")
    yield head
    held = b""
    for page in pages:
        held += b"  <page>" + page
        if len(held) > _STREAM_BYTES:
            yield held
            held = b""
    if held:
        yield held


def _link(source: Path, path: Path) -> None:
    try:
        os.link(source, path)
    except OSError:  # another file system
        path.write_bytes(source.read_bytes())
