"""A cluster for all tests, the small web that they curate, what local mode makes of it, runs under way."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from curation.config import Balance, BuildVocabulary, Download, Extract, Match
from curation.demo.__main__ import VOCABULARY
from curation.demo.server import Answer, Server
from curation.demo.wat import write_wats
from curation.demo.web import Web, rare_names
from curation.record import RunRecord
from curation.runs import balance, build_vocabulary, download, extract, match
from curation.spark import Session
from curation.vocabulary.vocabulary import read_vocabulary
from tests.cluster.standalone import ENVIRONMENT, PATIENCE_SECONDS, Standalone, until
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
                *("--curated", before["curated"], "--output", work / "shards", *self.download_flags()),
            ],
            "build_vocabulary": [
                *("--wikipedia", self.dump, "--min-count", 2, "--output", work / "vocabulary"),
            ],
        }[job]

    def download_flags(self) -> list[object]:
        """How images are fetched, and how many are in a shard."""
        how = ("--shard-size", 100, "--timeout-seconds", PATIENCE_SECONDS, "--retries", 0)
        return [*how, "--allow-hosts", "127.0.0.1"]


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
    with Server(_at_once(web)) as server:
        wats = tuple(map(str, write_wats(web.pages(server.origin), folder / "wat")))
        dump = str(write_dump(folder / "enwiki-20240201-pages-articles.xml.bz2", *pages))
        made = Material(folder, wats, dump, folder / "local")
        _run_locally(session, made)
        yield made


def _at_once(web: Web) -> Callable[[str], Answer | None]:
    """The answers of a web without its pauses: what comes of a download must not depend on the clock."""

    def answer(path: str) -> Answer | None:
        told = web.answer(path)
        return None if told is None else replace(told, delay_seconds=0.0)

    return answer


def images_of(curated: str, output: str) -> Download:
    """As `Material.download_flags` have it."""
    return Download(
        curated=curated,
        output=output,
        shard_size=100,
        timeout_seconds=PATIENCE_SECONDS,
        retries=0,
        allow_hosts=("127.0.0.1",),
    )


def _run_locally(session: Session, material: Material) -> list[RunRecord]:
    """The same flags, in this process."""
    local = material.local
    pool, matches, curated, shards, vocabulary = (str(local / name) for name in FOLDERS.values())
    return [
        *extract(session, Extract(input=material.wats, output=pool)),
        *match(session, Match(pool=pool, vocabulary=str(VOCABULARY), output=matches)),
        *balance(session, Balance(matches=(matches,), t=T, output=curated)),
        *download(session, images_of(curated, shards)),
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


_WRITING = "_temporary/0/_temporary/attempt_*/*.parquet"


@dataclass(frozen=True)
class Step:
    """A step of a job.

    Attributes:
        middle: what there is below the output while it is in the middle.
        python: whether its tasks run Python.
    """

    job: str
    middle: str
    python: bool = True


STEPS = {
    "extract": Step("extract", f"_attempt-*/_scratch/rows/_group=0/{_WRITING}"),
    "de-duplicate": Step("extract", f"_attempt-*/pairs/{_WRITING}", python=False),
    "match": Step("match", f"_attempt-*/pairs/{_WRITING}"),
    "balance": Step("balance", f"_attempt-*/pairs/{_WRITING}"),
    "download": Step("download", "_attempt-*/_sealed/*/*_stats.json"),
    "build_vocabulary": Step("build_vocabulary", f"_attempt-*/_scratch/parts/{_WRITING}"),
}
WITH_PYTHON = [name for name, step in STEPS.items() if step.python]


class Run:
    """A job on the cluster, for one step of it."""

    def __init__(self, cluster, material, work, name):
        self.cluster, self.material = cluster, material
        self.step = STEPS[name]
        self.output = work / FOLDERS[self.step.job]
        self.submitted = []

    def start(self, **conf):
        """Submit the job; executors find their Python in a folder, which is quicker than to unpack it."""
        python = str(self.cluster.unpacked() / "bin" / "python")
        conf = {"spark.archives": "", "spark.pyspark.python": python} | {
            f"spark.{name.replace('_', '.')}": value for name, value in conf.items()
        }
        flags = self.material.flags(self.step.job, self.output.parent)
        job = self.cluster.submit(self.step.job, *flags, conf=conf)
        self.submitted.append(job)
        return job

    def reach(self, job, pattern=None):
        """Wait for the middle of the step; gives the files that tell."""

        def there():
            ended = job.process.poll() is not None
            assert not ended, f"it ended before the middle\n{job.told.read_text()[-3000:]}"
            return sorted(self.output.glob(pattern or self.step.middle))

        files = until(there)
        if self.step.python:
            until(self.cluster.python_workers)
        return files

    def start_and_reach(self, **conf):
        job = self.start(**conf)
        self.reach(job)
        return job

    def check(self):
        """The output is as in local mode, and nothing runs any more."""
        assert_same(self.output, self.material.local / self.output.name)
        until(lambda: not self.cluster.executors())

    def close(self):
        for job in self.submitted:
            job.kill()
        until(lambda: not self.cluster.executors())


@pytest.fixture
def begin(cluster, material, tmp_path):
    """Makes a run; whatever becomes of the test, its driver ends with it, and the cluster is whole again."""
    with contextlib.ExitStack() as stack:

        def make(name, work=tmp_path):
            run = Run(cluster, material, work, name)
            stack.callback(run.close)
            return run

        yield make
    while len(cluster.working()) < 2:
        cluster.start_worker()


def complaints(out: str) -> list[str]:
    """What a job says is wrong; spark-submit hands both streams of Python on as one."""
    return [line for line in out.splitlines() if line.startswith("error: ")]
