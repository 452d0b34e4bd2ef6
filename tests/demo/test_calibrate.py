"""Calibration on next to nothing: rates that a planner can read, and material that is like the web's."""

import gzip
import json
import math
import subprocess
import sys
import time
from dataclasses import asdict
from urllib.error import URLError
from urllib.request import urlopen

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from curation import io
from curation.config import Plan
from curation.demo import calibrate
from curation.demo.calibrate import measure
from curation.demo.load import Images, Texts, photograph, pool_files, wat_files
from curation.demo.processes import cpu_seconds
from curation.plan.model import estimate
from curation.plan.rates import UNITS
from tests.conftest import ROOT

ENGLISH = ROOT / "metadata" / "english"


@pytest.fixture(scope="module")
def texts():
    return Texts(ENGLISH)


@pytest.mark.long
def test_rates_are_measured_and_the_planner_reads_them(session, tmp_path):
    rates = measure(session, tmp_path / "work", 0.5)
    assert rates.cpu_seconds.keys() == UNITS.keys()
    assert all(0 < rate < math.inf for rate in rates.cpu_seconds.values()), rates
    # far from exact, but no unit is off by a thousand
    assert 0.005 < rates.cpu_seconds["extract"] < 5
    assert 1e-7 < rates.cpu_seconds["match"] < 1e-2
    assert 1e-4 < rates.cpu_seconds["download"] < 1
    io.write_json(tmp_path / "rates.json", asdict(rates))
    plan = estimate(Plan(crawls=1, cores=1, rates=str(tmp_path / "rates.json")))
    assert plan.figures["match_seconds"].value == rates.cpu_seconds["match"]
    assert "2 cores" in plan.figures["match_seconds"].source


def spending(monkeypatch, *spent):
    """Processor seconds and seconds that the runs after the first are said to have taken."""
    left = iter(spent)
    monkeypatch.setattr(
        calibrate, "_spent", lambda prepared, apart: calibrate._Spent(prepared(), *next(left))
    )


def test_start_up_is_in_no_rate(monkeypatch):
    spending(monkeypatch, (7.0, 2.0), (25.0, 20.0))
    done = []

    def work(times):
        return lambda: done.append(times) or 100.0 * times

    rate = calibrate._rate("x", work, 20.0)
    assert done == [1, 1, 10]  # warm, short, and as often as fills the time
    assert rate == pytest.approx((25 - 7) / 900)


def test_runs_too_short_to_differ_give_a_rate_all_the_same(monkeypatch):
    spending(monkeypatch, (7.0, 100.0), (6.0, 100.0))
    assert calibrate._rate("x", lambda times: lambda: 10.0 * times, 1.0) == pytest.approx(6 / 20)


def test_what_is_measured_by_itself_is_taken_off_once():
    assert calibrate._without(3.0, 1.0) == 2
    assert calibrate._without(1.0, 3.0) == 1  # noise: no rate is below nothing


BURN = "import time\nwhile time.process_time() < 0.3: pass\nprint(flush=True)\ninput()"


def test_processor_time_of_children_counts_unless_they_are_apart():
    before = cpu_seconds()
    child = subprocess.Popen([sys.executable, "-c", BURN], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        child.stdout.readline()
        without, with_it = cpu_seconds(apart=child.pid), cpu_seconds()
        assert with_it - before >= 0.28
        assert with_it - without >= 0.28
    finally:
        child.communicate(b"\n")
    assert cpu_seconds() - before >= 0.28  # and when it has ended


def test_processor_time_is_in_seconds():
    before, own = cpu_seconds(), time.process_time()
    while time.process_time() - own < 0.3:
        pass
    assert 0.25 < cpu_seconds() - before < 1.5


def test_half_of_the_texts_match_nothing(texts, tmp_path):
    paths = pool_files(tmp_path, texts.texts, rows=200)
    pairs = pq.read_table(paths)
    assert len(pairs) == 1600
    assert pc.count_distinct(pairs["uid"]).as_py() == 1600
    known = set(pq.read_table(ENGLISH / "entries.parquet")["entry"].to_pylist())
    matching = sum(any(word in known for word in text.split(" ")) for text in pairs["text"].to_pylist())
    assert 0.45 < matching / 1600 < 0.7  # a word backwards is a word now and then


def test_wat_files_are_like_those_of_real_pages(texts, tmp_path):
    one, other = wat_files(tmp_path, texts, files=2)
    raw = gzip.decompress(one.read_bytes())
    alts = raw.count(b'"alt": ')
    size_bytes = one.stat().st_size
    assert 0.5e6 < size_bytes < 2e6
    assert 4 < len(raw) / size_bytes < 6
    assert 1500 < alts / (size_bytes / 1e6) < 3000
    assert other.read_bytes() != one.read_bytes()
    bodies = [part for part in raw.split(b"\r\n") if part.startswith(b"{")]
    assert all(json.loads(body) for body in bodies[:20])


def test_pictures_are_served_as_long_as_the_block_runs():
    with Images() as images:
        time.sleep(0.5)  # a server that ends with its line would be gone
        with urlopen(f"{images.origin}/25.jpg", timeout=10) as answer:
            assert answer.read() == photograph(1)  # in turn, of 24
    with pytest.raises(URLError):
        urlopen(f"{images.origin}/25.jpg", timeout=10)


def test_photographs_have_the_bytes_of_photographs():
    sizes = [len(photograph(number)) for number in range(3)]
    assert all(100_000 < size < 170_000 for size in sizes), sizes
    assert photograph(1) == photograph(1) != photograph(2)
