import pytest

from curation.report.card.text import counted, harmless, harmless_within, listed, number, share, size


@pytest.mark.parametrize("control", ["\u202a", "\u202b", "\u202d", "\u202e", "\u2066", "\u2067", "\u2068",
                                     "\u2069", "\u202c", "\x00", "\x1b", "\x7f", "\u0085", "\ufeff",
                                     "\U000e0041", "\ud800"])  # fmt: skip
def test_what_turns_or_hides_text_is_made_visible(control):
    shown = harmless(f"a{control}b")
    assert control not in shown
    assert shown in ("a\ufffdb", "a b")


def test_languages_and_emoji_stay_as_they_are():
    for text in (
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "👩\u200d🔬",
        "क्\u200dष",
        "שלום",
        "<b>&amp;",
        "a\u200fb",
    ):
        assert harmless(text) == text


def test_texts_end():
    assert harmless("x" * 5000, 10) == "x" * 10 + "…"
    assert harmless("x" * 10, 10) == "x" * 10
    assert harmless("  a \n\t b ") == "a b"
    assert len(harmless("\n" * 10_000_000 + "a", 10)) <= 11


def test_structures():
    given = {"a\u202e": ["\u202ex", {"b": "\x00"}, 1, None, True], "n": 1.5}
    assert harmless_within(given) == {"a\u202e": ["\ufffdx", {"b": "\ufffd"}, 1, None, True], "n": 1.5}


def test_numbers_as_people_read_them():
    assert [number(n) for n in (0, 12345, 3.0, 0.123456, 1234.5)] == ["0", "12,345", "3", "0.1235", "1,234"]
    assert [share(*parts) for parts in ((1, 4), (1, 300), (0, 5), (3, 0), (2, 2))] == [
        "25%", "0.33%", "0%", "0%", "100%"]  # fmt: skip
    assert [size(n) for n in (999, 12_345, 4.2e9, 3.1e15)] == ["999 bytes", "12.3 kB", "4.2 GB", "3,100 TB"]
    assert [counted(n, "file") for n in (0, 1, 2000)] == ["0 files", "1 file", "2,000 files"]
    assert [listed(list(words)) for words in ("", "a", "ab", "abc")] == ["", "a", "a and b", "a, b and c"]
