import gzip
import json
from collections import Counter

import pytest

from curation.crawl.wat import page_of_wat
from curation.demo.wat import Link, Page, write_wats

PAGES = [
    Page(
        url=f"http://pages.example/{number}.html",
        base="http://127.0.0.1/" if number % 2 else None,
        links=[Link(url=f"{number}.jpg", alt="a cat"), Link(url=None, title="a link without URL")],
    )
    for number in range(30)
]


def records(path):
    """Header fields and body of each record; of a file that is whole."""
    rest = gzip.decompress(path.read_bytes())
    while rest:
        head, _, rest = rest.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        assert first == "WARC/1.0"
        fields = dict(line.split(": ", 1) for line in lines)
        length = int(fields["Content-Length"])
        assert rest[length : length + 4] == b"\r\n\r\n"
        yield fields, rest[:length]
        rest = rest[length + 4 :]


def test_files_have_the_layout_of_common_crawl(tmp_path):
    _, second, _ = write_wats(PAGES, tmp_path)
    about, *others = records(second)
    assert about[0]["WARC-Type"] == "warcinfo"
    kinds = [json.loads(body)["Envelope"]["WARC-Header-Metadata"]["WARC-Type"] for _, body in others]
    assert kinds == ["request", "response"] * 12
    faults = Counter()
    pages = [page_of_wat(body, fields["WARC-Target-URI"], faults) for fields, body in others]
    assert not faults
    assert pages[::2] == [None] * 12
    assert [(page.url, page.base) for page in pages[1::2]] == [(page.url, page.base) for page in PAGES[12:24]]
    image, nowhere = pages[1].images
    assert (image.url, image.alt, image.title) == ("12.jpg", "a cat", None)
    assert (nowhere.url, nowhere.alt, nowhere.title) == (None, None, "a link without URL")


def test_the_first_file_has_a_broken_record_and_the_last_is_cut_off(tmp_path):
    first, _, last = write_wats(PAGES, tmp_path)
    faults = Counter()
    pages = [page_of_wat(body, fields.get("WARC-Target-URI"), faults) for fields, body in records(first)]
    assert faults == {"malformed_json": 1}
    assert sum(page is not None for page in pages) == 12
    with pytest.raises(EOFError):
        gzip.decompress(last.read_bytes())


def test_files_that_are_there_stay_and_others_are_mended(tmp_path):
    paths = write_wats(PAGES, tmp_path)
    stamps, contents = [path.stat().st_mtime_ns for path in paths], [path.read_bytes() for path in paths]
    assert write_wats(PAGES, tmp_path) == paths
    assert [path.stat().st_mtime_ns for path in paths] == stamps
    paths[0].write_bytes(b"half")
    write_wats(PAGES, tmp_path)
    assert [path.read_bytes() for path in paths] == contents
