"""The arithmetic of a plan, by hand and by properties."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.config import Plan
from curation.config.plan import LEAST
from curation.core.sizing import memory_overhead
from curation.errors import InputError
from curation.plan.figures import CLUSTER, CRAWL, IMAGES, SIZES
from curation.plan.model import estimate

ROUND = (
    "files_per_crawl=1000",
    "wat_mbyte=100",
    "pairs_per_file=100000",
    "language_share=0.5",
    "pool_per_crawl=1e7",
    "matched_share=0.5",
    "extract_seconds=0.1",
    "deduplicate_seconds=1e-5",
    "match_seconds=2e-5",
    "balance_seconds=4e-5",
    "download_seconds=0.009",
    "tls_seconds=0.001",
    "candidate_bytes=50",
    "shuffle_bytes=150",
    "pool_bytes=100",
    "matches_bytes=200",
    "curated_bytes=300",
    "images_per_pair=0.8",
    "image_kbyte=100",
    "stored_kbyte=20",
    "image_seconds=2",
    "images_at_once=50",
    "connections=4",
    "connection_mbyte=10",
    "s3_connection_mbyte=50",
    "disk_mbyte=10",
    "busy=0.5",
    "heap_mbyte=1000",
)
"""Figures that can be reckoned with in the head."""


def planned(*assumed, **told):
    told = {"crawls": 2, "cores": 10, "keep_share": 0.2, "expected_yield": 0.5, **told}
    others = tuple(text.partition("=")[0] + "=" for text in assumed)
    figures = tuple(text for text in ROUND if not text.startswith(others or "-"))
    return estimate(Plan(assume=figures + assumed, **told))


def step(plan, name):
    (found,) = [step for step in plan.steps if step.name == name]
    return found


def test_the_funnel_by_hand():
    funnel = planned().funnel
    assert funnel.files == 2000
    assert funnel.candidates == 1e8
    assert funnel.pool == 2e7
    assert funnel.matched == 1e7
    assert funnel.curated == pytest.approx(2e6)
    assert funnel.images == pytest.approx(1.6e6)
    assert funnel.samples == pytest.approx(0.8e6)


def test_extraction_by_hand():
    """200 GB at 0.1 s a MB are 20,000 s of processor; ten cores are busy for half of the time."""
    extract = step(planned(network_mbit=100), "extract")
    assert extract.cpu_seconds == pytest.approx(20_000)
    assert extract.core_hours == pytest.approx(20_000 / 3600)
    assert extract.network_bytes == pytest.approx(2e11)
    assert extract.scratch_bytes == pytest.approx(5e9)
    assert (extract.read_bytes, extract.written_bytes) == (0, 0)
    assert extract.limits == pytest.approx(
        {
            "cores": 4000,
            "disk": 50,
            "network": 16_000,
            # four connections of 10 MB/s take 5,000 s, but the four cores behind them 10,000
            "Common Crawl's connections": 10_000,
        }
    )
    assert (extract.bottleneck, extract.seconds) == ("network", pytest.approx(16_000))


@pytest.mark.parametrize(
    ("assumed", "told", "seconds"),
    [
        (("connection_mbyte=1",), {}, 50_000),  # slow lines
        (("connection_mbyte=1",), {"cores": 2}, 100_000),  # two cores keep two of them busy
        (("connections=40",), {}, 4000),  # as quick as the ten cores are
        ((), {"files": 2, "crawls": None}, 20),  # two files are no more than two connections
    ],
)
def test_connections_hold_up_extraction(assumed, told, seconds):
    extract = step(planned(*assumed, network_mbit=1e6, **told), "extract")
    assert extract.limits["Common Crawl's connections"] == pytest.approx(seconds)


def test_in_the_region_of_common_crawl_only_s3_counts():
    extract = step(planned(network_mbit=1, in_region=True), "extract")
    assert extract.limits == pytest.approx({"cores": 4000, "disk": 50, "S3's connections": 400})
    assert extract.bottleneck == "cores"


def test_deduplication_by_hand():
    found = step(planned(), "de-duplicate")
    assert found.work == 1e8
    assert found.cpu_seconds == pytest.approx(1000)
    assert found.read_bytes == pytest.approx(2e10)  # the candidates, and what was shuffled
    assert found.written_bytes == pytest.approx(2e9)
    assert found.scratch_bytes == pytest.approx(2e10)
    assert found.limits == pytest.approx({"cores": 200, "disk": 370})  # shuffled rows are written and read
    assert found.bottleneck == "disk"


def test_matching_and_balancing_by_hand():
    match, balance = step(planned(), "match"), step(planned(), "balance")
    assert (match.work, balance.work) == (2e7, 1e7)
    assert (match.cpu_seconds, balance.cpu_seconds) == (pytest.approx(400), pytest.approx(400))
    assert (match.read_bytes, match.written_bytes) == (pytest.approx(2e9), pytest.approx(2e9))
    assert (balance.read_bytes, balance.written_bytes) == (pytest.approx(2e9), pytest.approx(6e8))
    assert match.limits == pytest.approx({"cores": 80, "disk": 40})
    assert balance.limits == pytest.approx({"cores": 80, "disk": 26})


def test_the_download_by_hand():
    download = step(planned(network_mbit=400), "download")
    assert download.work == pytest.approx(1.6e6)
    assert download.cpu_seconds == pytest.approx(8000)  # of images that come
    assert download.network_bytes == pytest.approx(8e10)
    assert download.written_bytes == pytest.approx(1.6e10)
    assert download.limits == pytest.approx(
        {"cores": 1600, "network": 1600, "images in flight": 6400, "disk": 172}
    )
    assert download.bottleneck == "images in flight"
    assert step(planned(network_mbit=40), "download").bottleneck == "network"
    assert step(planned("image_seconds=0.1", "download_seconds=1"), "download").bottleneck == "cores"


def test_shards_grow_with_the_side_of_the_images():
    small, large = (step(planned(image_size=size), "download") for size in (256, 384))
    assert large.written_bytes == pytest.approx(1.5 * small.written_bytes)


def test_totals_by_hand():
    plan = planned(in_region=True, network_mbit=1e6, price_core_hour=0.5)
    seconds = 4000 + 370 + 80 + 80 + 6400
    assert plan.seconds == pytest.approx(seconds)
    assert plan.core_hours == pytest.approx((20_000 + 1000 + 400 + 400 + 8000) / 3600)
    assert plan.paid_core_hours == pytest.approx(10 * seconds / 3600)
    assert plan.money == pytest.approx(5 * seconds / 3600)
    assert plan.kept_bytes == pytest.approx(2e9 + 2e9 + 6e8 + 1.6e10)
    # the fullest moment: all that stays, and the images of each shard, put down once more; or, if those
    # are few, the shuffle
    assert plan.most_bytes == pytest.approx(2e9 + 2e10)
    assert plan.most_bytes_crawl_by_crawl == pytest.approx(2.06e10 + 6e8)
    assert planned().money is None


def test_memory_is_the_heap_and_what_the_jobs_ask_for_beside_it():
    """Eight cores with 8 GB of heap: a tenth of that for the JVM, and Python for each core."""
    jobs = ("extract", "extract", "match", "balance", "download")
    asked = [memory_overhead(job, cores=8, heap_mib=7629) for job in jobs]
    assert asked[-1] == f"{762 + 8 * 700}m"
    expected = [1000 + int(mib[:-1]) * 2**20 / 8e6 for mib in asked]
    assert [step.memory_mbyte for step in planned().steps] == pytest.approx(expected)


def test_training_is_planned_when_asked_for():
    assert planned().training is None
    plan = planned("gpu_samples=1000", model="ViT-B-32", samples_seen=1e9, gpus=10)
    assert plan.training.seconds == pytest.approx(1e5)
    assert plan.seconds == pytest.approx(planned().seconds)  # GPUs are another budget
    published = planned(model="ViT-H-14", samples_seen=42, gpus=1)
    assert published.training.seconds == pytest.approx(1)


SETTINGS = st.fixed_dictionaries(
    {
        "crawls": st.integers(1, 120),
        "cores": st.integers(1, 5000),
        "network_mbit": st.floats(10, 1e6),
        "in_region": st.booleans(),
        "keep_share": st.none() | st.floats(0.01, 1),
        "image_size": st.integers(32, 1024),
    }
)


@given(SETTINGS)
def test_sums_add_up(told):
    plan = estimate(Plan(price_core_hour=0.04, **told))
    assert plan.seconds == pytest.approx(sum(max(step.limits.values()) for step in plan.steps))
    assert plan.core_hours == pytest.approx(sum(step.cpu_seconds for step in plan.steps) / 3600)
    assert plan.core_hours <= plan.paid_core_hours * plan.figures["busy"].value * (1 + 1e-9)
    assert plan.kept_bytes <= plan.most_bytes_crawl_by_crawl <= plan.most_bytes
    assert all(step.limits[step.bottleneck] == step.seconds > 0 for step in plan.steps)
    funnel = plan.funnel
    counts = (funnel.candidates, funnel.pool, funnel.matched, funnel.curated, funnel.images, funnel.samples)
    assert list(counts) == sorted(counts, reverse=True)


@given(SETTINGS, st.integers(1, 1000))
def test_more_cores_are_never_slower_and_change_no_work(told, more):
    few, many = (
        estimate(Plan(**{**told, "cores": cores})) for cores in (told["cores"], told["cores"] + more)
    )
    assert many.seconds <= few.seconds
    assert many.core_hours == few.core_hours
    assert many.funnel == few.funnel


@given(SETTINGS, st.floats(1.1, 100))
def test_a_faster_line_is_never_slower(told, times):
    faster = {**told, "network_mbit": told["network_mbit"] * times}
    assert estimate(Plan(**faster)).seconds <= estimate(Plan(**told)).seconds


@given(SETTINGS)
def test_twice_the_crawls_are_twice_the_work(told):
    """With the same share kept: a t cuts deeper into a larger pool."""
    told = {**told, "keep_share": 0.25}
    one, two = (estimate(Plan(**{**told, "crawls": n * told["crawls"]})) for n in (1, 2))
    assert two.core_hours == pytest.approx(2 * one.core_hours)
    assert two.seconds == pytest.approx(2 * one.seconds)
    assert two.kept_bytes == pytest.approx(2 * one.kept_bytes)


@given(st.integers(1, 99_999))
def test_pairs_of_a_part_of_a_crawl_repeat_the_less_the_smaller_it_is(files):
    part, more, whole = (
        estimate(Plan(cores=1, **told)).funnel
        for told in ({"files": files}, {"files": files + 1}, {"crawls": 1})
    )
    assert part.pool < more.pool <= whole.pool * (1 + 1e-9)
    assert part.pool / part.candidates > more.pool / more.candidates


def test_a_single_file_has_no_pair_twice_and_all_files_are_a_crawl():
    one = estimate(Plan(cores=1, files=1)).funnel
    assert one.pool == pytest.approx(one.candidates) == 405_232 * 0.45
    all_files, crawl = (
        estimate(Plan(cores=1, **told)).funnel for told in ({"files": 100_000}, {"crawls": 1})
    )
    assert all_files.pool == pytest.approx(crawl.pool)


def test_parts_of_a_crawl_go_by_its_own_files():
    assert planned(crawls=None, files=1000).funnel.pool == pytest.approx(1e7)
    assert planned(crawls=None, files=3000).funnel.pool == pytest.approx(3e7)
    first, tenth = 5e4, planned(crawls=None, files=100).funnel.pool
    assert tenth == pytest.approx(first * (1e7 / first) ** (2 / 3))  # 100 of 1,000 files: two thirds in logs
    assert planned("files_per_crawl=1", crawls=None, files=1).funnel.pool == pytest.approx(5e4)


def test_there_are_never_more_distinct_pairs_than_pairs():
    assert planned("pool_per_crawl=1e12").funnel.pool == planned().funnel.candidates


def test_metaclips_first_pool_comes_out():
    funnel = estimate(Plan(crawls=15, cores=1)).funnel
    assert funnel.matched == pytest.approx(1.6e9)
    assert funnel.curated == pytest.approx(400e6)


def test_metaclips_second_pool_is_near():
    """It had a tenth more a crawl than the first."""
    funnel = estimate(Plan(crawls=90, cores=1)).funnel
    assert funnel.matched == pytest.approx(10.7e9, rel=0.11)
    assert funnel.curated == pytest.approx(1e9, rel=0.06)


def test_published_rates_of_peers():
    """LAION-5B: 5.86B images in a week on ten nodes of 16 cores, each with a line of 12.5 Gbit/s."""
    told = Plan(crawls=1, cores=160, network_mbit=125_000, keep_share=1.0)
    one = step(estimate(told), "download")
    seconds = one.seconds * 5.86e9 / one.work
    assert one.bottleneck == "images in flight"
    assert seconds / 86_400 == pytest.approx(7, rel=0.1)
    extract, deduplicate = estimate(Plan(crawls=50, cores=1)).steps[:2]  # 5M WAT files
    assert extract.work == 5e6
    assert 10 < 70_000 / (extract.core_hours + deduplicate.core_hours) * 5 < 200


def test_figures_of_the_user_are_marked_as_theirs():
    plan = planned(network_mbit=77)
    assert (plan.figures["network_mbit"].value, plan.figures["network_mbit"].origin) == (77, "yours")
    assert plan.figures["yield"].source == "--yield"
    assert plan.figures["busy"].source == "--assume busy"
    assert estimate(Plan(crawls=1, cores=1)).figures["yield"].origin == "published"


def test_only_figures_that_were_used_are_told():
    there, elsewhere = (planned(in_region=where).figures for where in (True, False))
    assert "s3_connection_mbyte" in there.keys() - elsewhere.keys()
    assert elsewhere.keys() - there.keys() == {"connections", "connection_mbyte"}
    assert "gpu_samples" not in there


@pytest.mark.parametrize(
    ("assumed", "words"),
    [
        ("busy", "--assume busy: give NAME=VALUE, NAME being one of balance_seconds, busy, "),
        ("speed=3", "--assume speed=3: give NAME=VALUE"),
        ("busy=much", "--assume busy=much: 'much' is no number"),
        ("busy=0", "--assume busy is 0; it must lie between 1e-15 and 1$"),
        ("busy=1.5", "--assume busy is 1.5"),
        ("wat_mbyte=-1", r"--assume wat_mbyte is -1; it must lie between 1e-15 and 1e\+15"),
        ("connections=0.5", r"--assume connections is 0.5; it must be whole and lie between 1 and 1e\+15"),
        ("connections=2.5", "--assume connections is 2.5; it must be whole"),
        ("images_at_once=0", "--assume images_at_once is 0; it must be whole"),
        ("yield=0.5", "--assume yield=0.5: --yield says it already; give one of them"),
        ("wat_mbyte=nan", "--assume wat_mbyte is nan"),
        ("wat_mbyte=inf", "--assume wat_mbyte is inf"),
        ("gpu_samples=3", "give NAME=VALUE"),
    ],
)
def test_senseless_figures_are_refused(assumed, words):
    with pytest.raises(InputError, match=words) as caught:
        planned(assumed)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"crawls": None}, "give either --crawls N or --files N"),
        ({"files": 3}, "give either --crawls N or --files N"),
        ({"crawls": 0}, r"--crawls is 0; it must lie between 1 and 1e\+15"),
        ({"crawls": 10**400}, "--crawls is 10+; it must"),
        ({"keep_share": 0.1, "t": 5.0}, "--keep-share says what is kept, and so does --t; give one of them"),
        ({"gpus": 5}, "--gpus and --samples-seen are for training; give --model as well"),
        ({"samples_seen": 1e9}, "give --model as well"),
        ({"t": 1e-320}, "--t is 1e-320"),
        ({"cores": 0}, "--cores is 0"),
        ({"files": -1, "crawls": None}, "--files is -1"),
        ({"t": 0.0, "keep_share": None}, "--t is 0"),
        ({"keep_share": 0.0}, "--keep-share is 0"),
        ({"keep_share": 1.5}, "--keep-share is 1.5"),
        ({"price_core_hour": -1.0}, "--price-core-hour is -1"),
        ({"samples_seen": float("nan")}, "--samples-seen is nan"),
        ({"gpus": 0, "model": "ViT-B-32"}, "--gpus is 0"),
        ({"image_size": 0}, "--image-size is 0"),
        ({"calibrate": "x"}, "--calibrate RATES.json makes no plan"),
        ({"expected_yield": 1.5}, "--yield is 1.5; it must lie between 1e-15 and 1"),
        ({"network_mbit": 0.0}, "--network-mbit is 0"),
    ],
)
def test_senseless_settings_are_refused(told, words):
    with pytest.raises(InputError, match=words):
        planned(**told)


def test_no_figure_is_given_twice():
    with pytest.raises(InputError, match=r"busy=0.6: --assume busy says it already; give one of them"):
        estimate(Plan(crawls=1, cores=1, assume=("busy=0.5", "busy=0.6")))


@pytest.mark.parametrize("largest", [False, True])
def test_the_smallest_and_the_largest_figures_come_to_a_finite_plan(largest):
    figures = (*CRAWL, *SIZES, *IMAGES, *CLUSTER)
    assumed = (f"{one.name}={one.most if largest else max(LEAST, int(one.whole))}" for one in figures)
    plan = estimate(Plan(crawls=10**15, cores=1, assume=tuple(assumed)))
    assert 0 < plan.seconds < float("inf")
    assert 0 < plan.funnel.samples < float("inf")


def test_of_equal_limits_the_first_is_named():
    assert replace(planned().steps[0], limits={"cores": 2.0, "disk": 2.0}).bottleneck == "cores"
