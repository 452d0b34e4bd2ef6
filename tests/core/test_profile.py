import math
from collections import Counter
from urllib.parse import urlsplit

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.core import profile as profiles
from curation.core.profile import add_up, count_hosts, heaviest, hosts, profile, tallies, tally
from curation.schemas import PROFILE, SHARD


def slow_host(url):
    """The host of a URL, the long way round."""
    scheme, mark, rest = url.partition("://")
    if not mark or scheme.translate(LOWER) not in ("http", "https"):
        return ""
    for end in "/?#\\":
        rest = rest.partition(end)[0]
    host = rest.rpartition("@")[2]
    host = host.partition("]")[0] + "]" if host.startswith("[") and "]" in host else host.partition(":")[0]
    return "" if host.startswith("[") and not host.endswith("]") else host.translate(LOWER).rstrip(".")


LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://a.example/1.jpg", "a.example"),
        ("https://A.Example./1.jpg", "a.example"),
        ("http://A.example/1.jpg", "a.example"),
        ("http://a.example./1.jpg", "a.example"),
        ("HTTPS://a.example", "a.example"),
        ("http://a.example:8080/1.jpg", "a.example"),
        ("http://ann:secret@a.example/1.jpg", "a.example"),
        ("http://ann@work:secret@a.example:80/", "a.example"),
        ("http://a.example?x=http://b.example/", "a.example"),
        ("http://a.example#b@c/", "a.example"),
        ("http://[2001:DB8::1]:80/1.jpg", "[2001:db8::1]"),
        ("http://under_score.example//b/", "under_score.example"),
        ("http://bücher.EXAMPLE/É", "bücher.example"),
        ("http://a.example", "a.example"),
        ("http://", ""),
        ("http:///1.jpg", ""),
        ("ftp://a.example/1.jpg", ""),
        ("xhttp://a.example/1.jpg", ""),
        ("a/b/c/d", ""),
        ("", ""),
        (None, None),
    ],
)
def test_the_host_of_a_url(url, host):
    assert hosts(pa.array([url], pa.string())).to_pylist() == [host]
    if url is not None:
        assert slow_host(url) == host


PIECES = st.sampled_from(
    [
        "http",
        "HTTPS",
        "https://",
        "http://",
        "//",
        "/",
        ":",
        "@",
        "?",
        "#",
        "\\",
        ".",
        "[",
        "]",
        "a.b",
        "A-B_c",
    ]
)
URLS = st.lists(PIECES | st.text("aZ09é%~ \n", max_size=3), max_size=8).map("".join)


@given(st.lists(st.none() | URLS | URLS.map("http://".__add__), max_size=12), st.integers(0, 3))
def test_hosts_are_those_of_a_slow_reference(urls, skipped):
    sliced = pa.array(urls, pa.string()).slice(skipped)
    assert hosts(sliced).to_pylist() == [None if url is None else slow_host(url) for url in urls[skipped:]]


@given(
    st.from_regex(r"https?://[a-z0-9-]{1,9}(\.[a-z0-9-]{1,9}){0,2}(:[0-9]{1,4})?(/[a-z]*)?", fullmatch=True)
)
def test_hosts_of_urls_as_they_mostly_are_are_pythons(url):
    assert hosts(pa.array([url])).to_pylist() == [urlsplit(url).hostname]


def facet(table, name):
    """The values of one facet and their rows."""
    return {row["value"]: row["rows"] for row in table.to_pylist() if row["facet"] == name}


def told(columns, name):
    return facet(tally(pa.table(columns)), name)


def test_numbers_go_into_buckets_named_by_their_least():
    texts = ["", "é", "ab", "abc", "a" * 4, "a" * 1023, "a" * 1024, None]
    assert told({"text": texts}, "text_length") == {
        **{"0": 1, "1": 1, "2": 2, "4": 1, "512": 1, "1024": 1},
    }
    sizes = pa.array([2**40 - 1, 2**40, None, 1, 3], pa.int64())
    assert told({"size_bytes": sizes}, "size_bytes") == {str(2**39): 1, str(2**40): 1, "1": 1, "2": 1}
    ids = [list(range(n)) for n in (1, 1, 30, 31, 32, 63, 64, 0)] + [None]
    assert told({"entry_ids": ids}, "entries_per_text") == {
        **{"0": 1, "1": 2, "30": 1, "31": 1, "32": 2, "64": 1},
    }
    assert told({"uids": [["a"], ["a", "b"], None]}, "texts_per_image") == {"1": 1, "2": 1}


def test_probabilities_go_into_tenths():
    probabilities = [0.0, 1e-9, 0.0999, 0.1, 0.55, 0.999999, 1.0, 1.0, None]
    assert told({"keep_probability": probabilities}, "keep_probability") == {
        **{"0.0": 3, "0.1": 1, "0.5": 1, "0.9": 1, "1.0": 2},
    }


def test_shapes_go_into_quarters_of_a_logarithm():
    sizes = [
        (100, 100),
        (101, 100),
        (99, 100),
        (200, 100),
        (100, 200),
        (119, 100),
        (100, 841),
        (None, 1),
        (1, None),
    ]
    columns = {
        "original_width": pa.array([width for width, _ in sizes], pa.int32()),
        "original_height": pa.array([height for _, height in sizes], pa.int32()),
    }
    assert told(columns, "aspect_ratio") == {"0.0": 3, "1.0": 1, "-1.0": 1, "0.25": 1, "-3.0": 1}
    assert told(columns, "width") == {"64": 6, "128": 1, "1": 1}
    assert told(columns, "height") == {"64": 5, "128": 1, "512": 1, "1": 1}


def test_names_are_counted_as_they_are_and_nulls_are_none():
    assert told({"language": ["en", "de", "en", None]}, "language") == {"en": 2, "de": 1}
    assert told({"opt_outs": [["noai", "noimageai"], [], None, ["noai"]]}, "opt_outs") == {
        "noai": 2,
        "noimageai": 1,
    }
    columns = {"error": ["timeout", None, None], "error_message": ["after 2 s", "HTTP 404", None]}
    assert told(columns, "error") == {"timeout": 1, "HTTP 404": 1}


def test_hosts_that_fail_are_those_of_images_that_did_not_come():
    columns = {
        "url": [f"http://{host}.example/" for host in "abcda"] + [None],
        "status": [
            "success",
            "failed_to_download",
            "failed_to_resize",
            "removed",
            "failed_to_download",
            "removed",
        ],
    }
    assert told(columns, "host_failed") == {"b.example": 1, "c.example": 1, "a.example": 1}
    assert told(columns, "host") == {"a.example": 2, "b.example": 1, "c.example": 1, "d.example": 1}


def test_columns_that_are_not_there_are_no_facet():
    assert set(tally(pa.table({"url": ["http://a/"], "page_url": ["http://b/"]}))["facet"].to_pylist()) == {
        "host"
    }
    assert tally(pa.table({"uid": ["0"]})).equals(PROFILE.empty_table())
    assert profile([]).equals(PROFILE.empty_table())
    assert profile([SHARD.empty_table()]).equals(PROFILE.empty_table())


LETTERS = st.sampled_from("abcdefghij")
ROWS = st.lists(st.tuples(LETTERS, st.sampled_from(["en", "de", None])), max_size=40)


def of_rows(rows):
    urls = pa.array([f"http://{host}/" for host, _ in rows], pa.string())
    return pa.table({"url": urls, "language": pa.array([language for _, language in rows], pa.string())})


@given(ROWS, st.integers(1, 9), st.sampled_from([None, 1, 3, 100]))
def test_batches_and_flushes_change_no_sum(rows, size, flush):
    batches = [of_rows(rows[at : at + size]) for at in range(0, len(rows), size)]
    total = add_up(
        [pa.Table.from_batches([part]) for part in tallies(batches, flush=flush)] or [PROFILE.empty_table()]
    )
    assert facet(total, "host") == Counter(host for host, _ in rows)
    assert facet(total, "language") == Counter(language for _, language in rows if language)
    assert len(total) == len({(row["facet"], row["value"]) for row in total.to_pylist()})


def test_what_is_held_is_given_away_before_it_grows(monkeypatch):
    """Hosts without number: no more of them are ever held than twice what may be."""
    held = []
    monkeypatch.setattr(profiles, "add_up", lambda parts: held.append(sum(map(len, parts))) or add_up(parts))
    batches = (pa.table({"url": [f"http://{at}-{n}/" for n in range(10)]}) for at in range(100))
    given_away = list(tallies(batches, flush=50))
    assert max(held) <= 60
    assert len(given_away) > 10
    assert sum(map(len, given_away)) == 1000


def test_one_caller_gets_each_value_once(monkeypatch):
    monkeypatch.setattr(profiles, "_FLUSH", 4)
    batches = [pa.table({"url": [f"http://{n % 7}/" for n in range(at, at + 5)]}) for at in range(30)]
    parts = [row["value"] for part in tallies(batches, flush=None) for row in part.to_pylist()]
    assert sorted(parts) == list("0123456")
    assert facet(profile(batches), "hosts") == {"": 7}


@given(ROWS, st.integers(1, 5), st.integers(1, 6))
def test_the_heaviest_stay_and_the_rest_is_one(rows, most, size):
    named = Counter(host for host, _ in rows)
    parts = add_up([tally(of_rows(rows)), row("host", "", 5)]).to_batches(max_chunksize=size)
    table = heaviest(parts, most=most)
    kept = dict(sorted(named.items(), key=lambda item: (-item[1], item[0]))[:most])
    assert facet(table, "host") == kept | {"": 5 + named.total() - sum(kept.values())}
    expected = sorted(table.to_pylist(), key=lambda row: (row["facet"], -row["rows"], row["value"]))
    assert table.to_pylist() == expected
    assert table.schema.equals(PROFILE)


def row(name, value, rows):
    return pa.table([[name], [value], [rows]], schema=PROFILE)


def test_a_thousand_are_named():
    urls = pa.table({"url": [f"http://{n}/" for n in range(1200) for _ in range(1 + (n >= 1190))]})
    table = profile([urls])
    kept = facet(table, "host")
    assert (len(kept), kept[""], facet(table, "hosts")) == (1001, 200, {"": 1200})
    assert [kept[str(n)] for n in range(1190, 1200)] == [2] * 10


def test_hosts_are_counted_without_those_that_are_none():
    parts = tally(pa.table({"url": ["http://a/", "http://b/1", "http://b/2", "ftp://c/", None]}))
    assert facet(pa.Table.from_batches(count_hosts(parts.to_batches())), "hosts") == {"": 2}
    languages = tally(pa.table({"language": ["en"]}))
    assert pa.Table.from_batches(count_hosts(languages.to_batches())).equals(languages)


@given(st.integers(1, 2**52))
def test_the_bucket_of_a_number_is_its_highest_bit(number):
    (bucket,) = told({"size_bytes": pa.array([number])}, "size_bytes")
    assert int(bucket) == 1 << (number.bit_length() - 1)


@given(st.integers(1, 30000), st.integers(1, 30000))
def test_a_shape_and_its_mirror_image_are_opposites(width, height):
    shape = {
        "original_width": pa.array([width, height], pa.int32()),
        "original_height": pa.array([height, width], pa.int32()),
    }
    buckets = [float(value) for value in told(shape, "aspect_ratio")]
    assert {abs(bucket) for bucket in buckets} == {abs(round(math.log2(width / height) * 4) / 4)}
    assert sum(buckets) == 0
