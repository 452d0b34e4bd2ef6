from dataclasses import replace

import pytest
from rich.console import Console

from curation.config import Plan
from curation.plan.model import estimate
from curation.plan.rates import read_rates
from curation.report.plan import count, duration, size, tell, tell_rates


def printed(told, width=100):
    console = Console(width=width)
    with console.capture() as capture:
        console.print(told)
    return capture.get()


def line(text, name):
    (found,) = [line for line in text.splitlines() if line.startswith(f"{name} ")]
    return " ".join(found.split())


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (999, "999"),
        (405_232, "405,232"),
        (1.5e6, "1.5M"),
        (273.5e9, "274B"),
        (1.6e12, "1.6T"),
        (5e15, "5,000T"),
    ],
)
def test_counts(number, text):
    assert count(number) == text


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, ""),
        (4000, "4 kB"),
        (2.34e6, "2.3 MB"),
        (431e6, "431 MB"),
        (1.24e12, "1.2 TB"),
        (300e12, "300 TB"),
        (2.1e15, "2.1 PB"),
    ],
)
def test_sizes(size_bytes, text):
    assert size(size_bytes) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (8.6, "9 s"),
        (90, "2 min"),
        (4.1 * 3600, "4.1 h"),
        (71 * 3600, "71.0 h"),
        (73 * 3600, "3.0 d"),
        (8640000, "100.0 d"),
    ],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_a_plan_is_told_in_100_columns():
    plan = estimate(Plan(crawls=15, cores=256, model="ViT-B-32", gpus=64, price_core_hour=0.04))
    text = printed(tell(plan))
    assert max(map(len, text.splitlines())) <= 100
    assert "…" not in text.split("What this rests on")[0].replace("YYYY-WW…", "")
    assert text.startswith(
        "1.5M WAT files → 274B pairs → 3.2B distinct → 1.6B matched → 400M curated → 308M images"
    )
    assert line(text, "data set").split()[2] == duration(plan.seconds).split()[0]
    assert f"{plan.core_hours:,.0f}" in line(text, "data set")
    assert line(text, "money") == f"money {plan.money:,.0f} at 0.04 a core-hour, idle cores included"
    assert line(text, "GPUs") == "GPUs 64 for 65.4 h: 4,183 GPU-hours"
    assert line(text, "cores") == f"cores 256: {plan.paid_core_hours:,.0f} core-hours while it lasts"
    assert line(text, "disk") == (
        f"disk {size(plan.most_bytes)} at its fullest, {size(plan.kept_bytes)} at the end; "
        f"{size(plan.most_bytes_crawl_by_crawl)} a crawl at a time, with extract --against"
    )
    assert line(text, "memory") == "memory 2.4 GB a core, JVM and Python together"


def test_each_step_names_what_holds_it_up():
    plan = estimate(Plan(crawls=1, cores=256))
    text = printed(tell(plan))
    for step in plan.steps:
        assert line(text, step.name).endswith(step.bottleneck)
        assert duration(step.seconds) in line(text, step.name)


def test_what_to_do_next_is_what_was_planned():
    text = printed(
        tell(estimate(Plan(files=100, cores=8, in_region=True, keep_share=0.3, image_size=384))), 140
    )
    assert (
        "jobs/extract.py --crawl CC-MAIN-YYYY-WW --limit 100 --crawl-url s3://commoncrawl/ --languages en"
        in text
    )
    assert "jobs/balance.py --matches matches --target " in text
    assert "--image-size 384" in text
    assert "Heaps' law" in text
    assert "yours: --keep-share" in text
    plain = printed(tell(estimate(Plan(crawls=2, cores=8, t=170_000))), 140)
    assert "--crawl CC-MAIN-YYYY-WW… --languages en" in plain
    assert "--t 170000" in plain
    assert "Heaps" not in plain


def test_the_jobs_are_given_the_figures_of_the_plan():
    assumed = ("connections=40", "images_at_once=128")
    text = printed(tell(estimate(Plan(crawls=1, cores=8, t=1_234_567.5, assume=assumed))), 140)
    assert "--crawl CC-MAIN-YYYY-WW --connections 40 --languages en" in text
    assert "--image-size 256 --threads 128 --output shards" in text
    assert "--t 1234567.5 " in text
    there = printed(tell(estimate(Plan(crawls=1, cores=8, in_region=True, assume=assumed))), 140)
    assert "--connections" not in there
    own = printed(tell(estimate(Plan(crawls=1, cores=8))), 140)
    assert "--connections" not in own
    assert "--threads 64" not in own


def test_idle_cores_are_told_of():
    waiting = printed(tell(estimate(Plan(crawls=1, cores=256, network_mbit=1e5))))
    assert "extract reads 10 files at once" in waiting
    two = printed(tell(estimate(Plan(files=2, cores=256, network_mbit=1e5))))
    assert "extract reads 2 files at once" in two
    assert "extract reads" not in printed(tell(estimate(Plan(crawls=1, cores=256, in_region=True))))
    busy = estimate(Plan(crawls=1, cores=4, network_mbit=1e5, assume=("connection_mbyte=1",)))
    assert busy.steps[0].bottleneck == "Common Crawl's connections"
    assert "extract reads" not in printed(tell(busy))


def test_what_the_line_does_not_carry_is_told():
    told = printed(tell(estimate(Plan(crawls=1, cores=8))), 250)
    assert "S3 in the region, shuffles, the shared file system" in told


def test_words_of_a_file_are_no_markup():
    machine = "[bold]x[/foo]\n\x1b[31m"
    rates = replace(read_rates(None), machine=machine)
    assert "[bold]x[/foo] \ufffd[31m: " in printed(tell_rates((rates, "mine.json")), 250)
    plan = estimate(Plan(crawls=1, cores=8))
    figure = replace(plan.figures["match_seconds"], source=machine)
    told = tell(replace(plan, figures={**plan.figures, "match_seconds": figure}))
    assert "[bold]x[/foo] \ufffd[31m" in printed(told)


def test_rates_are_told():
    text = printed(tell_rates((read_rates(None), "mine.json")))
    for step in ("extract", "deduplicate", "match", "balance", "download"):
        assert line(text, step)
    assert "--rates mine.json" in text
