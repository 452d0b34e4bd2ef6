"""Small sources by s3://: read as they are, and one clear line where they cannot be."""

import gzip
from collections.abc import Iterator

import fsspec
import pytest

from curation.errors import InputError
from curation.vocabulary.files import exists, read_bytes
from curation.vocabulary.vocabulary import read_vocabulary
from curation.vocabulary.word_list import read_word_counts
from tests.crawl.s3 import Fault, Store, serving


@pytest.fixture
def store() -> Iterator[Store]:
    with serving() as server:
        yield server


def test_sources(store: Store) -> None:
    store.put("b/words.txt", b"fox\t12\n")
    store.put("b/entries.txt.gz", gzip.compress(b"red fox\nhare\n"))
    assert read_bytes("s3://b/words.txt") == b"fox\t12\n"
    assert list(read_word_counts("s3://b/words.txt")) == [("fox", 12)]
    assert [entry["entry"] for entry in read_vocabulary("s3://b/entries.txt.gz").table.to_pylist()] == [
        "red fox",
        "hare",
    ]
    assert exists("s3://b/words.txt")
    assert not exists("s3://b/missing")
    assert not exists("s3://missing/words.txt")


@pytest.mark.parametrize(
    ("path", "code", "message"),
    [
        ("s3://b/missing", "", "s3://b/missing: no such file"),
        ("s3://missing/x", "", "s3://missing/x: no such file"),
        ("s3://b/x", "AccessDenied", "s3://b/x: cannot be read: Forbidden"),
        ("s3://b/x", "reset", "s3://b/x: cannot be read: Could not connect"),
    ],
)
def test_what_cannot_be_read(store: Store, path: str, code: str, message: str) -> None:
    store.put("b/x")
    store.faults += [Fault("x", code)] * 2 if code else []
    with pytest.raises(InputError, match=message) as caught:
        read_bytes(path)
    assert "\n" not in str(caught.value)


def test_who_has_no_credentials_is_told(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    path = store.put("b/x")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    with pytest.raises(InputError, match=r"s3://b/x: cannot be read: s3:// needs credentials: set AWS_"):
        read_bytes(path)
    assert not exists(path)


def test_what_must_be_installed() -> None:
    with pytest.raises(InputError, match="cannot be read: gs:// needs gcsfs: pip install gcsfs"):
        read_bytes("gs://b/x")
    assert not exists("gs://b/x")
