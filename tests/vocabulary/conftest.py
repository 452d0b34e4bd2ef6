"""Tiny WordNet databases in the real format."""

from collections.abc import Callable
from pathlib import Path

import pytest

NOTICE = """This database is under a licence.

WordNet 3.0 Copyright 2006 by Princeton University.  All rights reserved.
"""
SYNSETS = {
    "noun": [["thing"], ["entity", "being"]],
    "verb": [["raise", "lift"]],
    "adj": [["high"], ["tall", "high(p)"]],
    "adv": [["highly"]],
}
KINDS = {"noun": "n", "verb": "v", "adj": "as", "adv": "r"}  # every second adjective is a satellite


@pytest.fixture
def write_wndb() -> Callable[..., str]:
    """Writes the four data files into a folder, `write_wndb(folder, noun=[[word, …], …], …)`.

    A synset is the list of its words as they stand in the file, markers and all; kinds not given have
    synsets of their own. `notice` heads each file. Returns the folder's path.
    """

    def write(folder: Path, *, notice: str = NOTICE, **synsets: list[list[str]]) -> str:
        folder.mkdir(parents=True, exist_ok=True)
        head = "".join(f"  {number} {line}  \n" for number, line in enumerate(notice.splitlines(), start=1))
        for name, listed in (SYNSETS | synsets).items():
            data = head.encode()
            for index, words in enumerate(listed):
                kind = KINDS[name][index % len(KINDS[name])]
                data += _synset(len(data), kind, words, first=len(head.encode())).encode()
            (folder / f"data.{name}").write_bytes(data)
        return str(folder)

    return write


def _synset(offset: int, kind: str, words: list[str], first: int) -> str:
    listed = " ".join(f"{word} {number:x}" for number, word in enumerate(words))
    frames = " 01 + 02 00" if kind == "v" else ""
    return (
        f"{offset:08d} 03 {kind} {len(words):02x} {listed} 001 @ {first:08d} {kind} 0000{frames}"
        f" | that which is tested; e.g. a 9 mm test  \n"
    )
