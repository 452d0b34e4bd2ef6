import bz2
import gzip
import random
import tracemalloc
import unicodedata
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from curation.crawl.files import open_input
from curation.errors import InputError
from curation.vocabulary import page_views
from curation.vocabulary.page_views import RECIPES, VIEWS, clean_title, floor, read_views

Row = tuple[str, int]


def read(path: Path | str, recipe: str = "weighted", wiki: str = "en") -> tuple[list[Row], dict[str, int]]:
    """The rows of a file, and its faults."""
    faults: Counter[str] = Counter()
    batches = list(read_views(str(path), open_at=open_input, wiki=wiki, recipe=recipe, faults=faults))
    assert all(batch.schema == VIEWS and 0 < batch.num_rows <= page_views.BATCH_ROWS for batch in batches)
    rows = pa.Table.from_batches(batches, VIEWS).to_pylist()
    return [(row["title"], row["views"]) for row in rows], dict(faults)


def read_lines(folder: Path, *lines: str, **options: Any) -> tuple[list[Row], dict[str, int]]:
    path = folder / "pageviews"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return read(path, **options)


def total(rows: Iterable[Row]) -> dict[str, int]:
    views: Counter[str] = Counter()
    for title, count in rows:
        views[title] += count
    return dict(views)


HOURLY = (
    "de Fuchs 400 0",
    "en Red_fox 120 0",
    "en Star_Wars:_Episode_IV 60 0",
    "en Hare 49 0",
    "en.d fox 70 0",
    "en.m Red_fox 300 0",
    "en.m.d fox 30 0",
    "en.zero Red_fox 5 0",
    "enx Red_fox 99 0",
)
DAILY = (
    "de.wikipedia Fuchs 1 desktop 400 A400",
    "en.wikibooks Red_fox 1 desktop 99 A99",
    "en.wikipedia Red_fox 1 desktop 200 A120B49X31",
    "en.wikipedia Red_fox 1 mobile-web 300 A300",
    "en.wikipedia Red_fox 1 mobile-app 7 C7",
    "en.wikipedia Hare null desktop 90 C45D45",
)


def test_an_hourly_file(tmp_path: Path) -> None:
    rows, faults = read_lines(tmp_path, *HOURLY)
    assert total(rows) == {"Red fox": 425, "Star Wars: Episode IV": 60, "Hare": 49}
    assert faults == {}


def test_an_hourly_file_by_the_narrow_rule(tmp_path: Path) -> None:
    assert read_lines(tmp_path, *HOURLY, recipe="metaclip") == ([("Red fox", 120)], {})


def test_a_daily_file(tmp_path: Path) -> None:
    rows, faults = read_lines(tmp_path, *DAILY)
    assert total(rows) == {"Red fox": 507, "Hare": 90}
    assert faults == {}


def test_a_daily_file_by_the_narrow_rule(tmp_path: Path) -> None:
    assert read_lines(tmp_path, *DAILY, recipe="metaclip") == ([("Red fox", 120)], {})


def test_another_wiki(tmp_path: Path) -> None:
    assert read_lines(tmp_path, *HOURLY, *DAILY, wiki="de")[0] == [("Fuchs", 400), ("Fuchs", 400)]
    assert read_lines(tmp_path, "zh-min-nan A 3 0", "zhxmin-nan A 3 0", wiki="zh-min-nan")[0] == [("A", 3)]


def test_the_floors() -> None:
    assert {recipe: floor(recipe) for recipe in RECIPES} == {"metaclip": 70, "weighted": 1}


def test_titles_with_quotation_marks_in_a_daily_file(tmp_path: Path) -> None:
    lines = (
        r'en.wikipedia "\"Heroes\"_(album)" 5 desktop 3 A3',
        r'en.wikipedia "\"" 6 desktop 2 A2',
        r'en.wikipedia "\"a\\b" 6 desktop 4 A4',
        'en.wikipedia " 7 desktop 1 A1',
        'en.wikipedia "" null desktop 9 A9',
    )
    rows, faults = read_lines(tmp_path, *lines)
    assert rows == [('"Heroes" (album)', 3), ('"', 2), ('"a\\b', 4), ('"', 1)]
    assert faults == {}


@pytest.mark.parametrize(
    ("raw", "title"),
    [
        ("Red_fox", "Red fox"),
        ("red_fox", "Red fox"),
        ("élan", "Élan"),
        ("ßtraße", "ßtraße"),
        ("ქართული", "ქართული"),
        ("_Red__fox_", "Red fox"),
        ("AC%2FDC", "AC/DC"),
        ("Caf%C3%A9", "Café"),
        ("Cafe%CC%81", "Café"),
        ("100%", "100%"),
        ("50%_off", "50% off"),
        ("Red%20fox", "Red fox"),
        ("Red\u00a0fox\u200e", "Red fox"),
        ("Star_Wars:_Episode_IV", "Star Wars: Episode IV"),
        ("Book:_A_Manifesto", "Book: A Manifesto"),
        ("Whatever...", "Whatever..."),
        ("Inc.", "Inc."),
        ("-", None),
        ("", None),
        ("_", None),
        ("Main_Page", None),
        ("main_Page", None),
        ("Main%20Page", None),
        ("Special:Search", None),
        ("special:Search", None),
        ("Special%3ASearch", None),
        ("User_talk:Fox", None),
        ("user_talk_:Fox", None),
        ("File:Fox.jpg", None),
        ("Talk:Fox", None),
        ("Wikipedia:About", None),
        ("WP:NPOV", None),
        ("Template_talk:Fox", None),
        (":Fox", None),
        ("Fox#History", None),
        ("C%23", None),
        ("Fox%0AHare", None),
        ("Fox%00", None),
        ("Fox%2520Hare", None),
        ("<script>", None),
        ("Fox|Hare", None),
        ("{{Fox}}", None),
        ("../etc", None),
        ("a/./b", None),
        ("F" * 255, "F" * 255),
        ("F" * 256, None),
        ("é" * 128, None),
    ],
)
def test_titles(raw: str, title: str | None) -> None:
    assert clean_title(raw.encode()) == title
    if title is None or ":" in title:
        assert clean_title(raw.encode(), colons=False) is None
    else:
        assert clean_title(raw.encode(), colons=False) == title


@pytest.mark.parametrize("raw", [b"Caf\xe9", b"Caf%E9", b"%ff%fe"])
def test_titles_of_another_encoding(raw: bytes) -> None:
    with pytest.raises(UnicodeDecodeError):
        clean_title(raw)


SUBJECTS = "user wikipedia project file mediawiki template help category portal draft timedtext module"
SLOW_NAMESPACES = {"", "talk", "special", "media", "mos", "wp", "wt", "image", "image talk"}
SLOW_NAMESPACES |= {name for subject in SUBJECTS.split() for name in (subject, f"{subject} talk")}


def slow_title(raw: bytes, colons: bool) -> str | None:
    """`clean_title` by the letter, without regular expressions and without a short cut."""
    decoded, place = bytearray(), 0
    while place < len(raw):
        encoded = hexadecimal(raw[place : place + 3])
        decoded.append(raw[place] if encoded is None else encoded)
        place += 1 if encoded is None else 3
    letters = [" " if is_space(c) else c for c in unicodedata.normalize("NFC", decoded.decode())]
    letters = [c for c in letters if unicodedata.bidirectional(c) not in BIDIRECTIONAL or c == "\u061c"]
    marks = {chr(0x200E), chr(0x200F)}
    title = " ".join(word for word in "".join(c for c in letters if c not in marks).split(" ") if word)
    if not title or title in ("-", "Main Page") or any(part in (".", "..") for part in title.split("/")):
        return None
    if any(c in "#<>[]{}|\ufffd" or unicodedata.category(c) == "Cc" for c in title):
        return None
    if any(hexadecimal(title[i : i + 3].encode()) is not None for i in range(len(title))):
        return None
    if len(title.encode()) > 255 or (":" in title and not colons):
        return None
    if ":" in title and title[: title.index(":")].strip().lower() in SLOW_NAMESPACES:
        return None
    capital = title[0].upper()
    title = (capital if len(capital) == 1 else title[0]) + title[1:]
    return None if title == "Main Page" else title


BIDIRECTIONAL = {"LRE", "RLE", "LRO", "RLO", "PDF"}


def hexadecimal(three: bytes) -> int | None:
    digits = b"0123456789abcdefABCDEF"
    good = len(three) == 3 and three[:1] == b"%" and three[1] in digits and three[2] in digits
    return int(three[1:], 16) if good else None


def is_space(character: str) -> bool:
    return character in "_\u180e" or unicodedata.category(character) in ("Zs", "Zl", "Zp")


PIECES = st.one_of(
    st.sampled_from("aZ0_-.,'()!%#:/ éß\u0301\u00a0\u2028\u200e\u202a\u180e\x00\x7f\"&?~😀"),
    st.sampled_from(
        ["%20", "%C3%A9", "%c3%a9", "%25", "%2520", "%0a", "%3A", "%5F", "%E9", "%zz", "Main_Page"]
    ),
    st.sampled_from(
        ["Special", "user", "Talk", "User_talk", "WP", "File", "Star_Wars", ":", "..", "./", "_"]
    ),
    st.characters(codec="utf-8", max_codepoint=0x2FF, exclude_characters="ǅǆǈǉǋǌǲǳŉǰ"),
)
TITLES = st.lists(PIECES, max_size=12).map("".join)


@given(title=TITLES, colons=st.booleans())
@example(title="ǄǇ", colons=True)
def test_titles_as_by_a_slow_cleaner(title: str, colons: bool) -> None:
    raw = title.encode()
    try:
        expected = slow_title(raw, colons)
    except UnicodeDecodeError:
        with pytest.raises(UnicodeDecodeError):
            clean_title(raw, colons=colons)
    else:
        assert clean_title(raw, colons=colons) == expected


@given(title=TITLES)
def test_a_clean_title_is_fit_to_be_an_entry(title: str) -> None:
    try:
        clean = clean_title(title.encode())
    except UnicodeDecodeError:
        return
    if clean is not None:
        assert clean
        assert clean == " ".join(clean.split(" ")).strip()
        assert clean.isprintable() or not any(unicodedata.category(c) == "Cc" for c in clean)
        if "%" not in clean:
            assert clean_title(clean.replace(" ", "_").encode()) == clean


NAMES = st.sampled_from(
    ["Red_fox", "red_fox", "Hare", "Caf%C3%A9", "Star_Wars:_IV", '"Heroes"', "User:Fox", "Main_Page", "x\\y"]
)
DAY = st.dictionaries(
    NAMES,
    st.dictionaries(
        st.integers(0, 23), st.tuples(st.integers(0, 120), st.integers(0, 120)), min_size=1, max_size=4
    ),
    max_size=5,
)


@given(day=DAY, recipe=st.sampled_from(sorted(RECIPES)))
def test_both_formats_give_the_same_of_the_same_day(
    day: dict[str, dict[int, tuple[int, int]]], recipe: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("views")
    hourly: list[Row] = []
    for hour in range(24):
        lines = []
        for name, hours in day.items():
            desktop, phone = hours.get(hour, (0, 0))
            lines += [f"en {name} {desktop} 0"] * bool(desktop) + [f"en.m {name} {phone} 0"] * bool(phone)
        hourly += read_lines(folder, *lines, recipe=recipe)[0]
    lines = []
    for name, hours in day.items():
        written = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"' if '"' in name else name
        for device, kind in enumerate(("desktop", "mobile-web")):
            counts = {hour: views[device] for hour, views in sorted(hours.items()) if views[device]}
            if counts:
                code = "".join(f"{chr(65 + hour)}{count}" for hour, count in counts.items())
                lines.append(f"en.wikipedia {written} 12 {kind} {sum(counts.values())} {code}")
    daily, faults = read_lines(folder, *lines, recipe=recipe)
    assert total(daily) == total(hourly)
    assert faults == {}


def slow_views(data: bytes) -> tuple[list[Row], int]:
    """Rows and malformed lines of an hourly file under `weighted`, a line at a time."""
    rows, malformed = [], 0
    for line in data.split(b"\n"):
        if line.startswith((b"en ", b"en.m ", b"en.zero ")):
            fields = line.removesuffix(b"\r").split(b" ")
            if len(fields) != 4 or not fields[1] or not (fields[2] + fields[3]).isdigit() or not fields[3]:
                malformed += 1
            elif int(fields[2]) and (title := slow_title(fields[1], True)):
                rows.append((title, int(fields[2])))
    return rows, malformed


LINES = st.one_of(
    st.builds(
        "{} {} {} 0".format,
        st.sampled_from(["en", "en.m", "en.d", "e", "enn", "en.zero"]),
        st.sampled_from(["Fox", "fox_hare", "User:Fox", "-"]),
        st.integers(0, 200),
    ),
    st.sampled_from(
        ["", "en", "en ", "en Fox", "en Fox 1", "en Fox x 0", "en Fox 1 0 0", "en  1 0", " en Fox 1 0"]
    ),
    st.sampled_from(
        ["en Fox -1 0", "en Fox 1 0\r", "en Fox 1 0 ", "en Fox 1.5 0", "en\tFox 1 0", "EN Fox 1 0"]
    ),
)


@given(lines=st.lists(LINES, max_size=30), ended=st.booleans(), chunk=st.integers(1, 40))
def test_malformed_lines_cost_only_themselves(
    lines: list[str], ended: bool, chunk: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    data = ("\n".join(lines) + "\n" * ended).encode()
    path = tmp_path_factory.mktemp("views") / "pageviews"
    path.write_bytes(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page_views, "CHUNK_BYTES", chunk)
        rows, faults = read(path)
    expected, malformed = slow_views(data)
    assert rows == expected
    assert faults == ({"malformed_line": malformed} if malformed else {})


@pytest.mark.parametrize(
    "line",
    [
        "en.wikipedia Fox 1 desktop x A1",
        "en.wikipedia Fox 1 desktop 5",
        "en.wikipedia Fox 1 toaster 5 A5",
        "en.wikipedia Fox desktop 5 A5",
        "en.wikipedia Fox",
        "en.wikipedia Fox 1 desktop 5 A5 B6",
        f"en Fox {10**30} 0",
    ],
)
def test_malformed_lines_are_counted(line: str, tmp_path: Path) -> None:
    assert read_lines(tmp_path, "en Hare 3 0", line, "en Hare 4 0") == (
        [("Hare", 3), ("Hare", 4)],
        {"malformed_line": 1},
    )


def test_a_title_of_another_encoding_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "pageviews"
    path.write_bytes(b"en Caf\xe9 5 0\nen Caf%E9 5 0\nen Hare 1 0\n")
    assert read(path) == ([("Hare", 1)], {"not_utf8": 2})


def test_days_are_not_taken_for_hours(tmp_path: Path) -> None:
    monthly = r"en.wikipedia Fox 1 desktop 200 C60Z80]60"
    assert read_lines(tmp_path, monthly, recipe="metaclip") == ([], {"no_hours": 1})
    assert read_lines(tmp_path, monthly) == ([("Fox", 200)], {})


PLAIN = "".join(f"en Title_{n} {n} 0\n" for n in range(1, 400)).encode()
COMPRESS = {".gz": gzip.compress, ".bz2": bz2.compress}


@pytest.mark.parametrize("ending", COMPRESS)
def test_compressed_files(ending: str, tmp_path: Path) -> None:
    whole, parts = tmp_path / f"a{ending}", tmp_path / f"b{ending}"
    whole.write_bytes(COMPRESS[ending](PLAIN))
    parts.write_bytes(COMPRESS[ending](PLAIN[:777]) + COMPRESS[ending](PLAIN[777:]))
    expected = [(f"Title {n}", n) for n in range(1, 400)]
    assert read(whole) == read(parts) == (expected, {})


@pytest.mark.parametrize("ending", COMPRESS)
def test_a_file_that_is_cut_off_gives_what_comes_before(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{ending}"
    # Two streams, so that there is something before the cut whatever the block size.
    data = COMPRESS[ending](PLAIN[:5000]) + COMPRESS[ending](PLAIN[5000:])
    rows = [(f"Title {n}", n) for n in range(1, 400)]
    lengths = set()
    for cut in random.Random(0).sample(range(len(data)), 60):
        path.write_bytes(data[:cut])
        got, faults = read(path)
        assert got == rows[: len(got)]
        between = cut in (0, len(COMPRESS[ending](PLAIN[:5000])))
        assert faults == ({} if between else {"truncated": 1})
        lengths.add(len(got))
    assert len(lengths) > 1


def test_the_last_line_of_a_cut_file_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "a.bz2"
    path.write_bytes(bz2.compress(b"en Fox 12 0\nen Hare 123 4") + bz2.compress(PLAIN)[:20])
    assert read(path) == ([("Fox", 12)], {"truncated": 1})
    path.write_bytes(bz2.compress(b"en Fox 12 0\nen Hare 123 4"))
    assert read(path) == ([("Fox", 12), ("Hare", 123)], {})


@pytest.mark.parametrize("ending", COMPRESS)
def test_a_damaged_file_gives_what_comes_before(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{ending}"
    path.write_bytes(COMPRESS[ending](PLAIN) + b"not compressed at all, and long enough to be told")
    rows, faults = read(path)
    assert (len(rows), faults) == (399, {"damaged": 1})


def test_faults_of_files_add_up_and_leave_the_next_file_alone(tmp_path: Path) -> None:
    cut, good = tmp_path / "cut.gz", tmp_path / "good"
    cut.write_bytes(gzip.compress(PLAIN)[:-9])
    good.write_bytes(b"en Fox 1 0\nen Fox x 0\nen Hare 2 0")
    faults = Counter({"malformed_line": 1})
    for path in (cut, good):
        rows = [
            batch.to_pylist()
            for batch in read_views(
                str(path), open_at=open_input, wiki="en", recipe="weighted", faults=faults
            )
        ]
    assert [row["title"] for row in rows[0]] == ["Fox", "Hare"]
    assert faults == {"malformed_line": 2, "truncated": 1}


def test_reads_urls() -> None:
    fsspec.filesystem("memory").pipe_file("/pageviews-1-user.bz2", bz2.compress("\n".join(DAILY).encode()))
    assert total(read("memory://pageviews-1-user.bz2")[0]) == {"Red fox": 507, "Hare": 90}


def test_what_cannot_be_read_says_so_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.gz: cannot be read: FileNotFoundError"):
        read(tmp_path / "none.gz")
    for path in (str(tmp_path), "nonsense://a.gz", "http://127.0.0.1:9/a.gz"):
        with pytest.raises(InputError, match=r"cannot be read|no such") as caught:
            read(path)
        assert "\n" not in str(caught.value)


def test_memory_does_not_grow_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_views, "BATCH_ROWS", 500)
    monkeypatch.setattr(page_views, "CHUNK_BYTES", 256)
    path = tmp_path / "a.gz"

    def peak(times: int) -> int:
        path.write_bytes(gzip.compress(PLAIN) * times + gzip.compress(b"en " + b"x" * times * 20_000))
        tracemalloc.start()
        for _ in read_views(str(path), open_at=open_input, wiki="en", recipe="weighted", faults=Counter()):
            pass
        memory = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return memory

    peak(1)  # what is loaded once
    assert peak(160) < 1.5 * peak(40)


def test_real_titles_come_out_as_they_read(shared_data: Path) -> None:
    links = (shared_data / "wikipedia" / "vital-article-links.txt").read_text().splitlines()
    raws = sorted({link.removeprefix("/wiki/") for link in links if link.startswith("/wiki/")})
    cleaned = {raw: clean_title(raw.encode()) for raw in raws}
    dropped = {raw.split(":")[0] for raw, title in cleaned.items() if title is None}
    assert len(raws) > 9_000
    assert all(slow_title(raw.encode(), True) == title for raw, title in cleaned.items())
    assert "Sei Shōnagon" in cleaned.values()
    assert dropped <= {"Category", "Help", "Portal", "Special", "Talk", "User", "Wikipedia"}, dropped
