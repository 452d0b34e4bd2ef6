import pickle
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.core.identity import uniform
from curation.errors import InputError
from curation.trainer.data import order as order_module
from curation.trainer.data.index import build
from curation.trainer.data.order import Order, permute
from tests.shards import read_rows
from tests.trainer.conftest import rows_of


@pytest.fixture(scope="module")
def index(shards, tmp_path_factory):
    return build([shards], tmp_path_factory.mktemp("index") / "index")


@pytest.fixture(scope="module")
def online(make_shards, tmp_path_factory):
    """2,000 images as from balance --online, with probabilities of all sizes."""
    folder = tmp_path_factory.mktemp("online")
    draws = np.random.default_rng(0)
    rows = []
    for row in rows_of(range(2000)):
        probabilities = draws.choice([0.0, 0.05, 0.3, 0.9, 1.0], len(row["uids"])).tolist()
        rows.append(row | {"keep_probabilities": probabilities})
    make_shards(folder, rows, images={row["url"]: b"x" for row in rows})
    (folder / "_run.json").write_text('{"facts": {"online": true}}')
    return build([folder], folder / "index")


@given(n=st.integers(1, 3000), seed=st.integers(), salt=st.text(max_size=5))
@settings(max_examples=60)
def test_permute_is_a_bijection(n, seed, salt):
    numbers = permute(np.arange(n), n, seed=seed, salt=salt)
    assert numbers.dtype == np.int64
    assert np.array_equal(np.sort(numbers), np.arange(n))
    some = np.arange(n)[:: max(1, n // 7)][::-1]
    assert np.array_equal(permute(some, n, seed=seed, salt=salt), numbers[some])


@pytest.mark.parametrize("n", [(1 << 40) - 1, 1 << 40, 10**12, (1 << 32) + 7])
def test_permute_of_many(n):
    positions = np.unique(np.random.default_rng(0).integers(0, n, 10_000))
    numbers = permute(positions, n, seed=0, salt="")
    assert len(np.unique(numbers)) == len(positions)
    assert numbers.min() >= 0
    assert n * 0.999 < numbers.max() < n
    histogram = np.histogram(numbers, 100, (0, n))[0]
    assert ((histogram - 100) ** 2 / 100).sum() < 160  # chi squared, 99 degrees of freedom: 1 in 10,000


@pytest.mark.parametrize("n", [100_000, 1 << 16, 65_537])
def test_permute_shows_no_pattern(n):
    numbers = permute(np.arange(n), n, seed=0, salt="a")
    bound = 4.5 / np.sqrt(n)
    for lag in (0, 1, 2, 256, 317):  # 317: the side of 100,000
        pairs = (np.arange(n), numbers) if not lag else (numbers[:-lag], numbers[lag:])
        assert abs(np.corrcoef(*pairs)[0, 1]) < bound
    for other in (permute(np.arange(n), n, seed=1, salt="a"), permute(np.arange(n), n, seed=0, salt="b")):
        assert abs(np.corrcoef(numbers, other)[0, 1]) < bound
    steps = np.histogram(np.diff(numbers) % n, 50, (0, n))[0]
    assert ((steps - n / 50) ** 2 / (n / 50)).sum() < 100  # 49 degrees of freedom: 1 in 40,000
    kept = np.histogram(numbers[: n // 10] % 64, 64)[0]  # which come first says nothing of the last bits
    assert ((kept - n / 640) ** 2 / (n / 640)).sum() < 120


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_permute_of_few_gives_all_permutations_alike(n):
    """Each of the n! comes up, none more than half as often again as it should."""
    seen = Counter(tuple(permute(np.arange(n), n, seed=seed, salt="").tolist()) for seed in range(3000))
    expected = 3000 / np.prod(np.arange(1, n + 1))
    assert len(seen) == np.prod(np.arange(1, n + 1))
    assert max(seen.values()) < 1.5 * expected + 20
    assert min(seen.values()) > 0.5 * expected - 12


def test_each_epoch_holds_every_sample_once(index):
    order, n = Order(index, seed=3), len(index)
    epochs, samples = order.at(np.arange(3 * n))
    assert epochs.tolist() == [0] * n + [1] * n + [2] * n
    orders = samples.reshape(3, n)
    assert (np.sort(orders) == np.arange(n)).all()
    assert not (orders[0] == orders[1]).all()
    assert not (orders[1] == orders[2]).all()
    assert not np.array_equal(Order(index, seed=4).at(np.arange(n))[1], orders[0])
    assert order.epoch_length(7) == n


@pytest.mark.parametrize("balanced", [False, True])
def test_any_positions_in_any_order(index, online, balanced):
    order = Order(online, seed=1, online=True) if balanced else Order(index, seed=1)
    positions = np.arange(order.epoch_length(0) + order.epoch_length(1) + 10)
    epochs, samples = order.at(positions)
    assert epochs[-1] == 2
    some = np.array([len(positions) - 1, 5, order.epoch_length(0), order.epoch_length(0) - 1, 5])
    other = pickle.loads(pickle.dumps(order))
    assert np.array_equal(other.at(some), (epochs[some], samples[some]))
    assert (other.seed, other.online) == (1, balanced)


def texts_by_hand(rows, seed, epoch):
    """The text of each image in an epoch, one image at a time."""
    chosen = []
    for row in rows:
        draws = uniform(seed, pa.array(row["uids"]), f"epoch-text:{epoch}").tolist()
        chosen.append(draws.index(min(draws)))
    return chosen


def test_a_text_by_hash_each_epoch(index, shards):
    order, samples = Order(index, seed=5), np.arange(len(index))
    rows = [row for row in read_rows(shards) if row["status"] == "success"]
    for epoch in (0, 1, 9):
        texts = order.texts(epoch, samples)
        assert index.texts["number"][texts].tolist() == texts_by_hand(rows, 5, epoch)
        ids = [
            int(row["uids"][n][:16], 16) for row, n in zip(rows, texts_by_hand(rows, 5, epoch), strict=True)
        ]
        assert index.texts["id"][texts].tolist() == ids
        some = samples[::-3]
        assert np.array_equal(order.texts(epoch, some), texts[some])
        assert [order.text(epoch, sample) for sample in some.tolist()] == texts[some].tolist()


def test_all_texts_come_in_turn(index):
    order, samples = Order(index, seed=0), np.arange(len(index))
    first, end = index.text_bounds(samples)
    numbers = np.array([index.texts["number"][order.texts(epoch, samples)] for epoch in range(300)])
    for texts in (1, 2, 3):
        of_these = numbers[:, end - first == texts]
        counts = np.bincount(of_these.ravel(), minlength=texts)
        assert len(counts) == texts
        share = of_these.size / texts
        assert (abs(counts - share) < 5 * np.sqrt(share) + 1).all()
        if texts > 1:  # one epoch says nothing of the next
            again = (of_these[1:] == of_these[:-1]).mean()
            assert abs(again - 1 / texts) < 0.05


def test_the_same_text_twice_is_the_first(make_shards, tmp_path):
    row = rows_of([2])[0]
    row["uids"] = [row["uids"][0]] * 3
    index = build([make_shards(tmp_path, [row])], tmp_path / "index")
    assert Order(index, seed=0).text(0, 0) == 0


def test_online_keeps_by_probability(online):
    order = Order(online, seed=2, online=True)
    position = 0
    kept = np.zeros(len(online))
    for epoch in range(40):
        n = order.epoch_length(epoch)
        epochs, samples = order.at(np.arange(position, position + n))
        assert (epochs == epoch).all()
        texts = online.texts[order.texts(epoch, np.arange(len(online)))]
        draws = uniform(2, pa.array([f"{i:016x}" for i in texts["id"].tolist()]), f"epoch-keep:{epoch}")
        expected = np.flatnonzero(draws < texts["keep_probability"])
        assert np.array_equal(np.sort(samples), expected)
        assert not np.array_equal(samples, expected)  # in another order
        deviation = np.sqrt((texts["keep_probability"] * (1 - texts["keep_probability"])).sum())
        assert abs(n - texts["keep_probability"].sum()) < 5 * deviation
        assert (texts["keep_probability"][samples] > 0).all()
        kept[samples] += 1
        position += n
    ones = np.minimum.reduceat(online.texts["keep_probability"], online.samples["first_text"]) == 1
    assert (kept[ones] == 40).all()
    assert 0 < (kept == 0).sum() < len(online) / 2


def test_online_in_chunks(online, monkeypatch):
    whole = Order(online, seed=2, online=True).at(np.arange(3000))
    monkeypatch.setattr(order_module, "_SAMPLES_AT_ONCE", 7)
    assert np.array_equal(Order(online, seed=2, online=True).at(np.arange(3000)), whole)


def test_online_has_two_epochs_in_memory(online):
    order = Order(online, seed=2, online=True)
    order.at(np.arange(10_000))
    assert order._kept.cache_info().currsize == 2
    made = order._kept.cache_info().misses
    order.at(np.arange(9_000, 10_000))
    assert order._kept.cache_info().misses == made


def test_online_is_refused_where_it_would_cut_twice(index, make_shards, tmp_path):
    with pytest.raises(InputError, match=r"some of these are cut already.*balance\.py --online"):
        Order(index, seed=0, online=True)
    row = rows_of([0])[0] | {"keep_probabilities": [None]}
    folder = make_shards(tmp_path, [row])
    (folder / "_run.json").write_text('{"facts": {"online": true}}')
    with pytest.raises(InputError, match="a text of these shards has none"):
        Order(build([folder], tmp_path / "index"), seed=0, online=True)


def test_online_that_keeps_nothing(make_shards, tmp_path):
    rows = [row | {"keep_probabilities": [0.0] * len(row["uids"])} for row in rows_of(range(3))]
    folder = make_shards(tmp_path, rows)
    (folder / "_run.json").write_text('{"facts": {"online": true}}')
    order = Order(build([folder], tmp_path / "index"), seed=0, online=True)
    with pytest.raises(InputError, match="keeps none of 3 samples in epoch 0"):
        order.at(np.arange(1))


def test_replacements(index, online):
    order = Order(index, seed=0)
    drawn = [order.replacement(epoch, p, a) for epoch in (0, 1) for p in range(50) for a in range(10)]
    assert set(drawn) == set(range(len(index)))
    assert max(Counter(drawn).values()) < 50
    assert order.replacement(0, 3, 1) == Order(index, seed=0).replacement(0, 3, 1)
    assert len({(order.replacement(0, 3, a), order.replacement(0, 4, a)) for a in range(9)}) > 5
    balanced = Order(online, seed=0, online=True)
    kept = set(balanced.at(np.arange(balanced.epoch_length(0)))[1].tolist())
    assert {balanced.replacement(0, p, 0) for p in range(200)} <= kept
