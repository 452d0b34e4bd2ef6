from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.crawl.texts import TEXT_CHARACTERS, accept_text, decode_entities, replace_surrogates


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        (" a  cat\n", ("a  cat", None)),
        ("\u00a0x\u3000", ("x", None)),
        ("", (None, "empty_text")),
        (" \t\u00a0", (None, "empty_text")),
        ("x" * TEXT_CHARACTERS, ("x" * TEXT_CHARACTERS, None)),
        ("x" * (TEXT_CHARACTERS + 1), (None, "text_too_long")),
    ],
)
def test_texts_are_trimmed_and_limited(text: str, accepted: tuple[str | None, str | None]) -> None:
    assert accept_text(text) == accepted


@pytest.mark.parametrize(
    ("value", "decoded"),
    [
        ("a &amp; b", "a & b"),
        ("&amp;amp;", "&amp;"),
        ("&#39;&#x27;&#X27;&apos;", "''''"),
        ("&eacute;&Eacute;&hearts;", "éÉ♥"),
        ("?a=1&copy=2", "?a=1&copy=2"),
        ("AT&T; &nosuch; &notit;", "AT&T; &nosuch; &notit;"),
        ("&; &#; &#x; & ;", "&; &#; &#x; & ;"),
        ("&#55357;&#0;&#1114112;", "\ufffd\ufffd\ufffd"),
        ("&#128;", "€"),
    ],
)
def test_entities_that_end_in_a_semicolon_are_decoded_once(value: str, decoded: str) -> None:
    assert decode_entities(value) == decoded


@given(st.text())
def test_what_is_decoded_is_what_html_decodes(value: str) -> None:
    quoted = value.replace("&", "&amp;")
    assert decode_entities(quoted) == value == unescape(quoted)


@given(st.text(alphabet=st.characters(codec=None)))
def test_without_surrogates_every_string_can_be_encoded(value: str) -> None:
    replaced = replace_surrogates(value)
    replaced.encode()
    assert len(replaced) == len(value)
