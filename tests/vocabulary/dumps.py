"""Small dumps in the real format."""

import bz2
from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

HEAD = """<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.10/" version="0.10" xml:lang="de">
  <siteinfo>
    <sitename>Wikipedia</sitename>
    <namespaces>
      <namespace key="0" case="first-letter" />
      <namespace key="1" case="first-letter">Diskussion</namespace>
      <namespace key="6" case="first-letter">Datei</namespace>
      <namespace key="14" case="first-letter">Kategorie</namespace>
    </namespaces>
  </siteinfo>
"""


def page(
    title: str, text: str, *, namespace: int = 0, redirect: bool = False, date: str = "2024-01-02"
) -> str:
    return (
        f"  <page>\n    <title>{escape(title)}</title>\n    <ns>{namespace}</ns>\n    <id>7</id>\n"
        + ('    <redirect title="Elsewhere" />\n' if redirect else "")
        + f"    <revision>\n      <id>8</id>\n      <timestamp>{date}T00:00:00Z</timestamp>\n"
        f'      <contributor><username>text</username></contributor>\n      <text xml:space="preserve">'
        f"{escape(text)}</text>\n    </revision>\n  </page>\n"
    )


def multistream(groups: Iterable[Sequence[str]]) -> bytes:
    """A dump as Wikimedia makes it: a stream with the head, streams of whole pages, one with the end."""
    streams = [HEAD, *("".join(group) for group in groups), "</mediawiki>\n"]
    return b"".join(bz2.compress(stream.encode()) for stream in streams)


def write_dump(path: Path, *pages: str, a_stream: int = 2) -> Path:
    path.write_bytes(multistream(pages[n : n + a_stream] for n in range(0, len(pages), a_stream)))
    return path
