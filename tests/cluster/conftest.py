"""A cluster for all tests, the small web that they curate, and what local mode makes of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from curation.config import Balance, BuildVocabulary, Download, Extract, Match
from curation.demo.__main__ import VOCABULARY
from curation.demo.server import Server
from curation.demo.wat import write_wats
from curation.demo.web import Web, rare_names
from curation.record import RunRecord
from curation.runs import balance, build_vocabulary, download, extract, match
from curation.spark import Session
from curation.vocabulary.vocabulary import read_vocabulary
from tests.cluster.standalone import ENVIRONMENT, Standalone
from tests.vocabulary.dumps import page, write_dump

T = 10.0


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standalone]:
    assert ENVIRONMENT.is_file(), f"{ENVIRONMENT} is missing: make dist"
    with Standalone(tmp_path_factory.mktemp("cluster") / "standalone") as cluster:
        yield cluster


@dataclass(frozen=True)
class Material:
    """What the jobs are run on.

    Attributes:
        local: the folder of what local mode made of it, by step.
    """

    folder: Path
    wats: tuple[str, ...]
    dump: str
    local: Path

    def flags(self, job: str, work: Path) -> list[object]:
        """The flags of a job that works in a folder: with the steps before it, or those of local mode."""
        before = {
            name: work / name if (work / name / "_run.json").exists() else self.local / name
            for name in ("pool", "matches", "curated")
        }
        return {
            "extract": ["--input", *self.wats, "--output", work / "pool"],
            "match": [
                *("--pool", before["pool"], "--vocabulary", VOCABULARY),
                *("--output", work / "matches"),
            ],
            "balance": ["--matches", before["matches"], "--t", T, "--output", work / "curated"],
            "download": [
                *("--curated", before["curated"], "--output", work / "shards"),
                *("--shard-size", 100, "--timeout-seconds", 2, "--retries", 0, "--allow-hosts", "127.0.0.1"),
            ],
            "build_vocabulary": [
                *("--wikipedia", self.dump, "--min-count", 2, "--output", work / "vocabulary"),
            ],
        }[job]


FOLDERS = {
    "extract": "pool",
    "match": "matches",
    "balance": "curated",
    "download": "shards",
    "build_vocabulary": "vocabulary",
}


@pytest.fixture(scope="session")
def material(tmp_path_factory: pytest.TempPathFactory, session: Session) -> Iterator[Material]:
    """A small web, served on loopback; and a small Wikipedia."""
    folder = tmp_path_factory.mktemp("material")
    web = Web(rare_names(read_vocabulary(str(VOCABULARY)).entries("en").to_pylist()))
    texts = [f"The {a} of the {b}, a {a} {b}. " * 8 for a in ("cat", "dog", "owl") for b in ("sea", "wood")]
    pages = [page(f"P{n}", text) for n, text in enumerate(texts * 4)]
    with Server(web.answer) as server:
        wats = tuple(map(str, write_wats(web.pages(server.origin), folder / "wat")))
        dump = str(write_dump(folder / "enwiki-20240201-pages-articles.xml.bz2", *pages))
        made = Material(folder, wats, dump, folder / "local")
        _run_locally(session, made)
        yield made


def _run_locally(session: Session, material: Material) -> list[RunRecord]:
    """The same flags, in this process."""
    local = material.local
    pool, matches, curated, shards, vocabulary = (str(local / name) for name in FOLDERS.values())
    return [
        *extract(session, Extract(input=material.wats, output=pool)),
        *match(session, Match(pool=pool, vocabulary=str(VOCABULARY), output=matches)),
        *balance(session, Balance(matches=(matches,), t=T, output=curated)),
        *download(
            session,
            Download(
                curated=curated,
                output=shards,
                shard_size=100,
                timeout_seconds=2,
                retries=0,
                allow_hosts=("127.0.0.1",),
            ),
        ),
        *build_vocabulary(
            session, BuildVocabulary(wikipedia=(material.dump,), min_count=2, output=vocabulary)
        ),
    ]


def contents(folder: Path) -> dict[str, object]:
    """What must be the same however a run went: the rows of tables, the bytes of all else."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.name == "pairs" or path.name == "duplicates":
            found[name] = sorted(pq.read_table(path).to_pylist(), key=str)
        elif path.is_file() and not name.startswith(("_", ".", "pairs/", "duplicates/")):
            found[name] = path.read_bytes()
    return found


def assert_same(one: Path, other: Path) -> None:
    """Two runs have come to the same, and nothing else lies about."""
    left, right = contents(one), contents(other)
    assert left.keys() == right.keys()
    assert [name for name in left if left[name] != right[name]] == []
    for folder in (one, other):
        strays = [path for path in folder.rglob("*") if path.name.startswith(("_", "."))]
        assert {path.name for path in strays} <= {"_run.json", "_log", "_SUCCESS"} | _checksums(strays)


def _checksums(paths: list[Path]) -> set[str]:
    """Hadoop's, each beside the file that it is of."""
    return {
        path.name
        for path in paths
        if path.suffix == ".crc" and (path.parent / path.name[1:].removesuffix(".crc")).exists()
    }
