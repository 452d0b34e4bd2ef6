from rich.console import Console

from curation.report.heaviest import heaviest


def printed(*entries):
    console = Console(width=100)
    with console.capture() as capture:
        console.print(heaviest({"heaviest": list(entries)}, rows=2))
    return capture.get()


def entry(name, count, kept):
    return {"entry": name, "count": count, "kept_count": kept}


def test_bars_are_as_long_as_counts():
    text = printed(entry("photo", 2400, 600), entry("cat", 1200, 300), entry("left out", 1, 1))
    (photo, cat) = text.splitlines()[1:]
    assert (photo.count("█"), photo.count("░")) == (6, 18)
    assert (cat.count("█"), cat.count("░")) == (3, 9)
    assert "2,400" in photo


def test_entries_are_shown_as_they_are():
    """A vocabulary may hold anything; none of it is markup or a command to the terminal."""
    text = printed(entry("[/] [red]", 2, 1), entry("a\x1b[2Jb", 1, 1))
    assert "[/] [red]" in text
    assert "\x1b" not in text
