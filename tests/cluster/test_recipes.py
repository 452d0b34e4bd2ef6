"""The recipe for a standalone cluster, run as it stands."""

import gzip
import os
import shutil
import signal
import subprocess
from contextlib import suppress

import pytest

from curation.config import Balance, Extract, Match
from curation.demo.__main__ import VOCABULARY
from curation.runs import balance, download, extract, match
from tests.cluster.conftest import T, assert_same, images_of
from tests.cluster.standalone import PATIENCE_SECONDS
from tests.conftest import ROOT
from tests.recipes import blocks

FIRST, SECOND = "CC-MAIN-2022-49", "CC-MAIN-2022-40"
PAGE = ROOT / "docs" / "recipes" / "standalone.md"

pytestmark = [pytest.mark.long, pytest.mark.timeout(1500)]


@pytest.fixture(scope="module")
def crawls(material, tmp_path_factory):
    """The small web as two crawls, laid out like Common Crawl: some pages are in both."""
    folder = tmp_path_factory.mktemp("crawls")
    middle = len(material.wats) // 2
    for crawl, wats in {FIRST: material.wats[: middle + 1], SECOND: material.wats[middle:]}.items():
        inside = folder / "crawl-data" / crawl
        inside.mkdir(parents=True)
        names = [shutil.copy2(wat, inside) for wat in wats]
        paths = "".join(f"{os.path.relpath(name, folder)}\n" for name in names)
        (inside / "wat.paths.gz").write_bytes(gzip.compress(paths.encode()))
    return f"{folder}/"


@pytest.fixture(scope="module")
def local(session, material, crawls, tmp_path_factory):
    """What the page comes to, in local mode."""
    work = tmp_path_factory.mktemp("local")
    pools = []
    for crawl in (FIRST, SECOND):
        pool, matches = str(work / crawl / "pool"), str(work / crawl / "matches")
        extract(
            session,
            Extract(crawl=(crawl,), crawl_url=crawls, languages=("en",), against=tuple(pools), output=pool),
        )
        match(session, Match(pool=pool, vocabulary=str(VOCABULARY), output=matches))
        pools.append(pool)
    for folder, crawls_of_it in {FIRST: (FIRST,), "all": (FIRST, SECOND)}.items():
        matches = tuple(str(work / crawl / "matches") for crawl in crawls_of_it)
        curated, shards = str(work / folder / "curated"), str(work / folder / "shards")
        balance(session, Balance(matches=matches, t=T, output=curated))
        download(session, images_of(curated, shards))
    return work


@pytest.fixture(scope="module")
def told(cluster, crawls, tmp_path_factory):
    """The folder that the page has filled, and what its blocks printed."""
    work = tmp_path_factory.mktemp("work")
    settings = {
        "MASTER": cluster.url,
        "WORK": str(work),
        "VOCABULARY": str(VOCABULARY),
        "CRAWL_URL": crawls,
        "CRAWL": FIRST,
        "CRAWLS": SECOND,
        "EXTRACT": "--languages en",
        "T": str(T),
        "DOWNLOAD": "--shard-size 100 --retries 0 --allow-hosts 127.0.0.1 "
        f"--timeout-seconds {PATIENCE_SECONDS}",
        "CORES": "1",
        "MEMORY": "1g",
        "DRIVER_MEMORY": "1g",
    }
    environment = cluster.environment()
    del environment["SPARK_HOME"]  # nobody has set it who follows the page
    script = "\n".join(block.code for block in blocks(PAGE) if block.reason is None)
    process = subprocess.Popen(
        ["bash", "-euo", "pipefail"],
        cwd=ROOT,
        env=environment | settings,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        words, _ = process.communicate(script)
    finally:
        with suppress(ProcessLookupError):  # it has ended, and what it started
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, words[-6000:]
    return work, words


@pytest.mark.parametrize("step", ["pool", "matches", "curated", "shards"])
@pytest.mark.parametrize("folder", [FIRST, SECOND, "all"])
def test_the_page_comes_to_the_same_as_local_mode(told, local, folder, step):
    work, _ = told
    assert (work / folder / step).exists() == (local / folder / step).exists()
    if (local / folder / step).exists():
        assert_same(work / folder / step, local / folder / step)


def test_what_the_page_says_to_look_at_is_there(told):
    work, words = told
    assert "expected to keep" in words
    assert words.count("done before") == 1  # the same command again
    assert "   keeps " in words
    assert "in_other_pool" in words
    assert (work / f"{FIRST}.html").stat().st_size > 10_000
    assert {path.name for path in work.iterdir()} == {
        FIRST,
        SECOND,
        "all",
        *(f"{FIRST}{end}" for end in (".html", ".md", ".croissant.json")),
    }
