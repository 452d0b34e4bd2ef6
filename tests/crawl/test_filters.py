"""Block lists, term lists, redaction: literal tables, and slow routes to the same."""

import pickle
import time
from hashlib import sha256
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.crawl import filters
from curation.crawl.filters import BlockList, TermList, redact
from curation.errors import InputError


def digest(name: str) -> str:
    return sha256(name.encode()).hexdigest()


LINES = [
    "\ufeff# hosts",
    "Example.COM  # and all below",
    "",
    "bücher.example",
    "[2001:db8::1]",
    "192.0.2.7",
    "http://other.example/a.jpg#top",
    digest("secret.example"),
    digest("http://third.example/ä.jpg").upper(),
]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://example.com/x.jpg", "blocked_host"),
        ("https://a.b.EXAMPLE.com:8080?x", "blocked_host"),
        ("https://user:pw@example.com./x", "blocked_host"),
        ("http://a@b@example.com/", "blocked_host"),
        ("http://notexample.com/x.jpg", None),
        ("http://example.com.evil.example/x.jpg", None),
        ("http://evil.example/example.com", None),
        ("http://evil.example\\@example.com", None),
        ("http://com/", None),
        ("http://img.BÜCHER.example/x", "blocked_host"),
        ("http://xn--bcher-kva.example/x", "blocked_host"),
        ("http://[2001:DB8::1]:80/x", "blocked_host"),
        ("http://192.0.2.7/", "blocked_host"),
        ("http://other.example/a.jpg", "blocked_url"),
        ("http://other.example/a.jpg#x", "blocked_url"),
        ("http://other.example/a.jpg?", None),
        ("http://OTHER.example/a.jpg", None),
        ("http://secret.example/", "blocked_host"),
        ("http://img.Secret.example/", "blocked_host"),
        ("http://third.example/ä.jpg", "blocked_url"),
        ("http://third.example/Ä.jpg", None),
        ("no url", None),
        ("", None),
    ],
)
def test_what_a_block_list_blocks(url: str, reason: str | None) -> None:
    blocked = BlockList.parse(LINES, "list.txt")
    assert [blocked.reason(url), blocked.reason(url)] == [reason, reason]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("a b", "give a host"),
        ("*.example.com", "give a host"),
        (".example.com", "give a host"),
        ("example.com/path", "give a host"),
        ("ftp://example.com", "give a host"),
        ("http://", "give a host"),
        ("0.0.0.0 example.com", "give a host"),
        ("http://example.com/a b", "give a host"),
        ("f" * 63, "63 hex digits"),
        ("d41d8cd98f00b204e9800998ecf8427e", "32 hex digits"),
    ],
)
def test_a_bad_line_of_a_block_list_is_named(line: str, complaint: str) -> None:
    with pytest.raises(InputError, match=rf"^list.txt, line 2: .*{complaint}"):
        BlockList.parse(["example.com\n", f"{line}\n"], "list.txt")


def test_lists_merge_and_pickle() -> None:
    one, two = BlockList.parse(["a.example"], "1"), BlockList.parse([digest("b.example"), "http://c/d"], "2")
    one.reason("http://b.example")
    for merged in (one | two, pickle.loads(pickle.dumps(two | one))):
        assert merged == BlockList(one.hosts, two.urls, two.hashes)
        urls = ("http://a.example", "http://b.example", "http://c/d", "http://c")
        assert [merged.reason(url) for url in urls] == ["blocked_host", "blocked_host", "blocked_url", None]
    terms = pickle.loads(pickle.dumps(TermList.parse(["x"], "1") | TermList.parse(["y"], "2")))
    assert [terms.found(text) for text in "xyz"] == [True, True, False]


def test_verdicts_are_forgotten_when_there_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filters, "CACHED_HOSTS", 2)
    blocked = BlockList.parse(["h3"], "list")
    for _ in range(2):
        reasons = [blocked.reason(f"http://h{n}/") for n in range(5)]
        assert reasons == [None, None, None, "blocked_host", None]


HOSTS = st.lists(st.sampled_from(["a", "b", "ab", "com"]), min_size=1, max_size=4).map(".".join)


@given(listed=st.lists(HOSTS), hashed=st.booleans(), host=HOSTS, port=st.sampled_from(["", ":80"]))
def test_hosts_block_what_is_below_them(listed: list[str], hashed: bool, host: str, port: str) -> None:
    blocked = BlockList.parse(map(digest, listed) if hashed else listed, "list")
    url = f"http://{host}{port}/x"
    slow = any(f".{urlsplit(url).hostname}".endswith(f".{name}") for name in listed)
    assert blocked.reason(url) == ("blocked_host" if slow else None)


@given(st.text() | st.text(alphabet="htps:/@.[]#?\\a\ud800").map("http://".__add__))
def test_no_url_makes_a_block_list_fail(url: str) -> None:
    assert BlockList.parse(LINES, "list").reason(url) in (None, "blocked_host", "blocked_url")


@pytest.mark.parametrize(
    ("term", "text", "found"),
    [
        ("cat", "A CAT.", True),
        ("cat", "concatenate cats cat_1", False),
        ("killer whale", "Killer\n  whales, killer \u00a0whale", True),
        ("killer whale", "killer. Whale", False),
        ("x-rated", "an X-Rated film", True),
        ("c++", "C++ and C", True),
        ("c++", "c and c#", False),
        ("#1 fan", "#1 fan", None),
        ("straße", "STRASSE", True),
        ("cafe\u0301", "CAFÉ", True),
        ("कि", "किताब", False),
        ("किताब", "एक किताब।", True),
        ("猫咪", "这只猫咪很可爱", True),
        ("แมว", "รูปแมวน่ารัก", True),
        ("ไฟ", "x ไฟล์", True),
        ("cat", "", False),
    ],
)
def test_terms_are_whole_words(term: str, text: str, found: bool | None) -> None:
    terms = TermList.parse(["# comment", "", term, "another one  # comment"], "terms.txt")
    assert len(terms.terms) == 1 + (found is not None)
    assert terms.found(text) is bool(found)


def test_a_term_without_a_word_is_named() -> None:
    with pytest.raises(InputError, match=r"^terms.txt, line 3: '\*\*\*': a term needs"):
        TermList.parse(["a", "", "***"], "terms.txt")


WORDS = st.sampled_from(["a", "b", "ab", "B", "-"])


@given(terms=st.lists(st.lists(WORDS, min_size=1, max_size=3)), words=st.lists(WORDS))
def test_terms_are_found_where_a_slow_search_finds_them(terms: list[list[str]], words: list[str]) -> None:
    lines = [" ".join(term) for term in terms if set(term) != {"-"}]
    slow = any(f" {line} ".lower() in f" {' '.join(words)} ".lower() for line in lines)
    assert TermList.parse(lines, "terms").found("  ".join(words)) == slow


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("Mail jane.doe+x@mail.example.co.uk.", "Mail [email]."),
        ("<mailto:a@b.de>, A_B@C-D.MUSEUM", "<mailto:[email]>, [email]"),
        ("jörg@bücher.example x@y.xn--p1ai", "[email] [email]"),
        ("a@b.co+x@d.ee", "[email][email]"),
        ("+49 30 1234567", "[phone]"),
        ("call +49 (0)30/123-45 67 now", "call [phone] now"),
        ("T:+15551234567!", "T:[phone]!"),
        ("+1 (555) 123-4567", "[phone]"),
        ("+33 6 12 34 56 78", "[phone]"),
        ("+91 98765 43210", "[phone]"),
        ("0049 30 1234567", "[phone]"),
        ("(555) 123-4567 or (030) 123 45 67", "[phone] or [phone]"),
        ("(11) 91234-5678", "[phone]"),
        ("555-123-4567, 555.123.4567", "[phone], [phone]"),
        ("(1-800-555-1234)", "([phone])"),
        ("Tel.030 1234567", "Tel.[phone]"),
        ("0171/1234567 and 0171-123 45 67", "[phone] and [phone]"),
        ("020 7946 0958", "[phone]"),
        ("06 12 34 56 78 / 06.12.34.56.78", "[phone] / [phone]"),
        ("044\u00a0123\u00a045\u00a067", "[phone]"),
        ("03-1234-5678", "[phone]"),
        ("010-1234-5678", "[phone]"),
        ("0800 123 456", "[phone]"),
    ],
)
def test_what_is_redacted(text: str, redacted: str) -> None:
    assert redact(text) == redacted


@pytest.mark.parametrize(
    "text",
    [
        "iPhone 12 Pro 256",
        "iPhone 12 Pro 256 GB 2020 2021",
        "1914-1918, 1939-1945",
        "1990 2000 2010 2020",
        "1920x1080 3840 x 2160 px",
        "200 300 4000 mm",
        "$1,299.99 1.299,00 € 10 000 000",
        "12345678 123456789 0306406152",
        "ISBN 978-3-16-148410-0, 3-16-148410-0, 0-306-40615-2",
        "ISSN 1234-5678",
        "01.02.2024 01/02/2024 01-02-2024 2024-01-02 2024-01-02 03:04:05",
        "05.06.2019 - 08.06.2019",
        "open 0900-1700",
        "J. Chem. (1998) 120-135",
        "SKU-555-123-4567 A0171-1234567 DSC00123-1234567",
        "192.168.100.200 10.0.0.1",
        "3.1415926535 0.123456789",
        "logo@2x.png @name a@b 2@3.50 someone @ example.com",
        "+1 234 567",
        "EAN 4006381333931",
    ],
)
def test_what_is_no_address_and_no_phone_number(text: str) -> None:
    assert redact(text) == text


NUMBERS = ["555-123-4567", "(030) 123456", "+49 30 123456", "0171 1234567", "1234567", "030", "49", "1", "٣"]
PIECES = st.sampled_from([*"@.-+()/_ \u00a0a0é", "de", "a@b.co", "[phone]", *NUMBERS])


@given(st.text(alphabet=st.characters(codec=None)) | st.lists(PIECES, max_size=25).map("".join))
def test_redaction_never_fails_and_twice_is_once(text: str) -> None:
    redacted = redact(text)
    assert redact(redacted) == redacted
    if "@" not in text and sum(map(str.isdigit, text)) < 8:
        assert redacted == text


LETTERS = ["a", "a.", "a@", "@", "a@b.", "a-", "é", "a@1x."]
DIGITS = ["1", "1 ", "1.", "00", "0 1", "+1", "+1 2", "+1(((", "(0", "(01)", "01 23 ", "555-123-456x"]


@pytest.mark.parametrize("piece", LETTERS + DIGITS)
def test_redaction_takes_time_in_proportion_to_the_text(piece: str) -> None:
    """Sixteen times the text would be 256 times the time if a step went over what follows again."""

    def seconds(characters: int) -> float:
        text = ("0" * 8 + "@" + piece * characters)[:characters]
        times = []
        for _ in range(5):
            start = time.process_time()
            redact(text)
            times.append(time.process_time() - start)
        return min(times)

    assert seconds(16 * 4096) < 64 * max(seconds(4096), 1e-4)
