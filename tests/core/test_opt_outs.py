import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from curation.core.opt_outs import DIRECTIVES, opt_outs

ROBOTS = ["noai", "noimageai", "noindex", "noimageindex", "noml", "none"]
VALUED = [
    "unavailable_after: Wed, 03 Dec 2025 13:09:53 GMT",
    "unavailable_after: 25 Jun 2010 15:00:00 PST",
    "unavailable_after: 3 Dec 2025, 13:09:53",
    "unavailable_after:2025-12-03T13:09:53Z",
    "max-snippet:-1",
    "max-image-preview: none",
    "max-video-preview: 0",
]
HARMLESS = ["all", "nofollow", "noarchive", "nosnippet", "", "no-ai", "there is none", "nonindex", *VALUED]
OTHERS = ["googlebot", "otherbot", "360Spider", "a/b.c_d-1", "robots", "noai", "curation2"]


def tag(*lines, **options):
    return opt_outs([("X-Robots-Tag", line) for line in lines], **options)


def meta(name, content, **options):
    return opt_outs([], [(name, content)], **options)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("noai", "noai"),
        ("noai, noimageai", "noai noimageai"),
        ("nofollow, none", "none"),
        ("noarchive,noml,nosnippet", "noml"),
        (" NoIndex ,\tNOIMAGEINDEX ", "noimageindex noindex"),
        ("noai, noai", "noai"),
        ("", ""),
        ("all", ""),
        ("noindexes", ""),
        ("*: noai", "noai"),
        ("noarchive, *: noai", "noai"),
        ("googlebot: noindex, nofollow", ""),
        ("otherbot: noindex, curation: noai", "noai"),
        ("otherbot: noindex, CURATION : noai", "noai"),
        ("curation: noai, otherbot: noindex, noml", "noai"),
        ("googlebot: nofollow, *: none", "none"),
        ("googlebot:noai", ""),
        ("googlebot: *: noai", "noai"),
        ("360spider: noai", ""),
        ("unavailable_after: Wed, 03 Dec 2025 13:09:53 GMT, noai", "noai"),
        ("unavailable_after: Wednesday, 03-Dec-25 13:09:53 GMT, noai", "noai"),
        ("unavailable_after: 3 Dec 2025, 13:09:53, noai", "noai"),
        ("unavailable_after: 2025-12-03T13:09:53Z", ""),
        ("unavailable_after: 2025-12-03T13:09:53Z, noml", "noml"),
        ("otherbot: unavailable_after: Wed, 03 Dec 2025 13:09:53 GMT, noai", ""),
        ("noai, unavailable_after: Wed, 03 Dec 2025 13:09:53 GMT", "noai"),
        ("max-snippet: 20, noai, max-image-preview: none, max-video-preview: 3", "noai"),
        ("max-image-preview: none", ""),
        ("max-image-preview :none", ""),
        ("max-image-preview:none noai", "noai"),
        ("noai noimageai", "noai noimageai"),
        ("there is none", ""),
        ("tdm-reservation, content-usage", ""),
        ("::,:,,:noai", ""),
    ],
)
def test_x_robots_tag(line, says):
    assert tag(line) == tuple(says.split())
    assert meta("x-robots-tag", line) == tuple(says.split())


def test_scopes_end_with_their_line():
    assert tag("googlebot: nofollow", "noai") == ("noai",)
    assert tag("curation: noai", "noml") == ("noai", "noml")
    assert tag("otherbot: noml", "otherbot: none") == ()


def test_the_agent_is_told():
    assert tag("MyBot: noai", agent="mybot") == tag("mybot: noai", agent="MyBot") == ("noai",)
    assert tag("curation: noai", agent="mybot") == ()
    assert meta("MYBOT", "noai", agent="MyBot") == ("noai",)
    assert meta("curation", "noai", agent="mybot") == ()


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("robots", "noai, noimageai", "noai noimageai"),
        ("ROBOTS", "NOINDEX,NOFOLLOW", "noindex"),
        ("robots", "noindex nofollow noai", "noai noindex"),
        ("robots", "index max-snippet:-1 noai", "noai"),
        ("robots", "index, follow, max-image-preview:large, max-snippet:-1, max-video-preview:-1", ""),
        ("robots", "max-image-preview: none, noml", "noml"),
        ("robots", "unavailable_after: Wed, 03 Dec 2025 13:09:53 GMT, none", "none"),
        ("robots", "this page has none", ""),
        ("robots", "robots:all none", ""),
        ("robots", "tdm-reservation", ""),
        ("curation", "noai", "noai"),
        ("Curation", "none", "none"),
        ("googlebot", "noindex, noai", ""),
        ("description", "noai", ""),
        ("content-usage", "train-ai=n", ""),  # the draft knows a header and robots.txt only
        ("tdm-reservation", "1", "tdm-reservation"),
        ("TDM-Reservation", " 1 ", "tdm-reservation"),
        ("tdm-reservation", "0", ""),
        ("tdm-policy", "1", ""),
    ],
)
def test_metas(name, content, says):
    assert meta(name, content) == tuple(says.split())


@pytest.mark.parametrize(
    ("value", "says"),
    [("1", True), (" 1\t", True), ("0", False), ("", False), ("11", False), ("true", False)],
)
def test_tdm_reservation(value, says):
    assert opt_outs([("TDM-Reservation", value)]) == (("tdm-reservation",) if says else ())


USAGE = [
    ("train-ai=n", True),
    ("train-genai=n, search=y", True),
    ("search=y,ai=n", True),
    ("genai=n", True),
    (" train-ai=n\t", True),
    ("search=y\t,  train-ai=n", True),
    ("train-ai=n;exceptions=y; b;c=1.5", True),
    ('x=("train-ai=y" 1;a);b, train-ai=n', True),
    ('x=:YWI=:, y=@-12, z=?0, u=%"a%c3%a9", *v=*, train-ai=n', True),
    ("train-ai=y, train-ai=n", True),
    ("train-ai=n, train-ai=y", False),  # the last counts
    ("train-ai=n, train-ai", False),
    ("train-ai=y;a=n", False),
    ("train-ai=y", False),
    ("search=n, ai-use=n", False),
    ('train-ai="n"', False),
    ("train-ai=(n)", False),
    ("train-ai=no", False),
    ("train-ai=N", False),
    ("Train-AI=n", False),  # keys are in lower case, or the field is malformed
    ("train-ai", False),
    ("", False),
    ("train-ai=n,", False),
    ("train-ai = n", False),
    ("train-ai=n search=y", False),
    ("train-ai=n ;a", False),
    ("train-ai=n; A", False),
    ('train-ai=n, x="', False),
    ('x="a, train-ai=n"', False),
    ('x="é", train-ai=n', False),
    ("x=(a b, train-ai=n", False),
    ("x=(a(b)), train-ai=n", False),
    ("x=1., train-ai=n", False),
    ("x=1234567890123456, train-ai=n", False),
    ("x=1234567890123.5, train-ai=n", False),
    ('x="\\a", train-ai=n', False),
    ("n", False),
]


@pytest.mark.parametrize(("value", "says"), USAGE)
def test_content_usage(value, says):
    assert opt_outs([("content-usage", value)]) == (("content-usage",) if says else ())


def test_lines_of_content_usage_are_one_dictionary():
    def lines(*values):
        return opt_outs([("Content-Usage", value) for value in values])

    assert lines("search=y", "train-ai=n") == lines("train-ai=n", "search=y") == ("content-usage",)
    assert lines("train-ai=n", "train-ai=y") == ()
    assert lines("train-ai=n", "(malformed") == ("content-usage",)


def test_all_that_is_said_is_told_once_and_in_order():
    headers = [("x-robots-tag", ",".join(ROBOTS)), ("tdm-reservation", "1"), ("content-usage", "ai=n")]
    assert opt_outs(headers, [("robots", "noai")]) == tuple(sorted(DIRECTIVES))
    assert opt_outs([]) == ()


# Properties

NAMES = ["X-Robots-Tag", "tdm-reservation", "Content-Usage", "robots", "curation", "googlebot"]
BITS = [*ROBOTS, *VALUED, "*", "curation", *' ,:;=()"\\\t1né\x00\ud800', "train-ai", "train-ai=n", "0"]
TEXT = st.text(st.characters(codec=None)) | st.lists(st.sampled_from(BITS)).map("".join)
FIELDS = st.lists(st.tuples(st.sampled_from(NAMES) | TEXT, TEXT), max_size=5)


@given(headers=FIELDS, metas=FIELDS)
def test_anything_gives_a_sorted_part_of_the_directives(headers, metas):
    found = opt_outs(headers, metas)
    assert list(found) == sorted(set(found))
    assert DIRECTIVES.issuperset(found)


@given(headers=FIELDS, metas=FIELDS, data=st.data())
def test_other_fields_change_nothing(headers, metas, data):
    other = st.tuples(st.sampled_from(["Server", "googlebot", "description", "", "x-robots-tags"]), TEXT)
    more = [list(fields) for fields in (headers, metas)]
    for fields in more:
        fields.insert(data.draw(st.integers(0, len(fields))), data.draw(other))
    assert opt_outs(*more) == opt_outs(headers, metas)


def cased(word):
    return st.sampled_from([word, word.upper(), word.title()])


SPACE = st.sampled_from(["", " ", "\t", "  "])
PARTS = st.lists(
    st.tuples(
        st.sampled_from(["", "*", "curation", *OTHERS]),
        st.lists(st.sampled_from(ROBOTS + HARMLESS), min_size=1, max_size=4),
    ),
    max_size=4,
)


@given(lines=st.lists(PARTS, max_size=3), data=st.data())
def test_scopes_as_they_were_meant(lines, data):
    """From what is said to the header, with any case and spaces, and back."""
    meant, headers = set(), []
    for parts in lines:
        pieces, scope = [], "*"
        for new_scope, directives in parts:
            scope = new_scope or scope
            meant.update(word for word in directives if word in ROBOTS and scope in ("*", "curation"))
            texts = [data.draw(SPACE) + data.draw(cased(word)) + data.draw(SPACE) for word in directives]
            if new_scope:
                texts[0] = f"{data.draw(SPACE)}{data.draw(cased(new_scope))}{data.draw(SPACE)}:{texts[0]}"
            pieces += texts
        headers.append((data.draw(cased("x-robots-tag")), ",".join(pieces)))
    assert opt_outs(headers) == tuple(sorted(meant))
    assert opt_outs([], headers) == tuple(sorted(meant))


@given(words=st.lists(st.sampled_from(ROBOTS + HARMLESS)), data=st.data())
def test_metas_as_they_were_meant(words, data):
    content = ",".join(data.draw(SPACE) + data.draw(cased(word)) + data.draw(SPACE) for word in words)
    meant = tuple(sorted({word for word in words if word in ROBOTS}))
    assert meta(data.draw(cased("robots") | cased("curation")), content) == meant
    assert meta(data.draw(st.sampled_from(OTHERS[:4])), content) == ()


# A slow second opinion on dictionaries: the algorithms of RFC 9651 section 4.2, character by character


class Field:
    def __init__(self, text):
        self.left = text

    def eat(self, characters):
        """As many of these as there are."""
        rest = self.left.lstrip(characters)
        eaten = self.left[: len(self.left) - len(rest)]
        self.left = rest
        return eaten

    def take(self, allowed):
        if not re.match(allowed, self.left, re.DOTALL):
            raise ValueError(self.left)
        first, self.left = self.left[0], self.left[1:]
        return first

    def run(self, first, later):
        taken = self.take(first)
        while re.match(later, self.left):
            taken += self.take(later)
        return taken

    def key(self):
        return self.run("[a-z*]", "[a-z0-9_.*-]")

    def dictionary(self):
        members = {}
        self.eat(" ")
        while self.left:
            key, value = self.key(), True
            if self.left.startswith("="):
                self.take("=")
                value = self.inner_list() if self.left.startswith("(") else self.bare()
            self.parameters()
            members[key] = value
            self.eat(" \t")
            if not self.left:
                return members
            self.take(",")
            self.eat(" \t")
            if not self.left:
                raise ValueError("a comma at the end")
        return members

    def parameters(self):
        while self.left.startswith(";"):
            self.take(";")
            self.eat(" ")
            self.key()
            if self.left.startswith("="):
                self.take("=")
                self.bare()

    def inner_list(self):
        self.take("[(]")
        while True:
            self.eat(" ")
            if self.left.startswith(")"):
                self.take("[)]")
                return None
            self.bare()
            self.parameters()
            if self.left[:1] not in (" ", ")"):
                raise ValueError(self.left)

    def bare(self):
        """What a token says; None for any other type."""
        first = self.left[:1]
        if re.match("[A-Za-z*]", first):
            return self.run("[A-Za-z*]", "[A-Za-z0-9!#$%&'*+.^_`|~:/-]")
        if first == "?":
            self.take("[?]")
            self.take("[01]")
        elif first == ":":
            self.take(":")
            while self.take("[A-Za-z0-9+/=:]") != ":":
                pass
        elif first == '"':
            self.take('"')
            while (character := self.take("[ -~]")) != '"':
                if character == "\\":
                    self.take(r'["\\]')
        elif first == "%":
            self.take("%")
            self.take('"')
            while (character := self.take("[ -~]")) != '"':
                if character == "%":
                    self.take("[0-9a-f]")
                    self.take("[0-9a-f]")
        elif first == "@":
            self.take("@")
            self.number(fraction=False)
        else:
            self.number()

    def number(self, fraction=True):
        if self.left.startswith("-"):
            self.take("-")
        whole = self.run("[0-9]", "[0-9]")
        if fraction and self.left.startswith("."):
            self.take("[.]")
            if len(whole) > 12 or len(self.run("[0-9]", "[0-9]")) > 3:
                raise ValueError("too long")
        elif len(whole) > 15:
            raise ValueError("too long")


def slowly(value):
    try:
        members = Field(value.strip(" \t")).dictionary()
    except ValueError:
        return False
    return any(members.get(key) == "n" for key in ("train-ai", "train-genai", "ai", "genai"))


GRAMMAR = [
    *("train-ai=n", "train-ai=y", "train-ai", "ai=n", "n", "a=", "*", ", ", ",", ";", "; ", ";b=", " ", "\t"),
    *('"', '"c"', "\\", '%"', "%c3", "(", ")", "=(", "(a b)", ":", ":YQ==:", "@", "-", ".", "?", "?1", "1"),
    *("1.5", "123456789012", "345", "A", "é", "=", "/", "_"),
]


@given(st.lists(st.sampled_from(GRAMMAR)).map("".join))
@example('ai=n, a="\\"c\\\\"')
@example("ai=n, a=(1.5;b=(c))")
@example("ai=n, a=(b )")
@example("ai=n, a=( b  c;d )")
@example('ai=n, a=("b""c")')
def test_dictionaries_as_the_rfc_reads_them(value):
    for text in (value, f"ai=n, {value}", f"a={value}, ai=n"):
        assert opt_outs([("content-usage", text)]) == (("content-usage",) if slowly(text) else ()), text


@pytest.mark.parametrize(("value", "says"), USAGE)
def test_the_second_opinion(value, says):
    assert slowly(value) == says
