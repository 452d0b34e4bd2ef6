import multiprocessing
import os
import pickle
import signal
from types import SimpleNamespace

import numpy as np
import open_clip
import pytest
import torch

from curation.errors import InputError
from curation.trainer.data.index import build
from curation.trainer.data.loader import MicroBatch, micro_batches, text_lengths
from curation.trainer.data.order import Order
from curation.trainer.data.samples import Augmentation, Reader
from tests.shards import read_rows
from tests.trainer.conftest import photograph, rows_of
from tests.trainer.data.stub_model import END, MODEL, Broken, Bytes

BATCH = 24


@pytest.fixture(scope="module")
def order(shards, tmp_path_factory):
    return Order(build([shards], tmp_path_factory.mktemp("index") / "index"), seed=9)


def run(order, *, start=0, stop=5 * BATCH, micro=6, rank=0, ranks=1, workers=0, model=MODEL, batch=BATCH):
    return micro_batches(
        order,
        model=model,
        start=start,
        stop=stop,
        batch_size=batch,
        micro_batch_size=micro,
        rank=rank,
        ranks=ranks,
        workers=workers,
    )


def joined(made):
    """All samples of micro-batches, one behind the other."""
    made = list(made)
    return [torch.cat([getattr(part, name) for part in made]) for name in ("images", "tokens", "lengths")]


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.fixture(scope="module")
def whole(order):
    return joined(run(order))


def test_each_position_holds_its_sample(order, whole, shards):
    """Image, text and length as they are made one by one: more than two epochs."""
    images, tokens, lengths = whole
    index, reader = order.index, Reader(order.index)
    augmentation = Augmentation(seed=9, image_size=24, smallest_crop=0.9)
    rows = [row for row in read_rows(shards) if row["status"] == "success"]
    epochs, samples = order.at(np.arange(5 * BATCH))
    assert epochs[-1] == 2
    for position, (epoch, sample) in enumerate(zip(epochs.tolist(), samples.tolist(), strict=True)):
        text = index.texts[order.text(epoch, sample)]
        image = augmentation(reader.image(sample), epoch, text["id"])
        assert np.array_equal(images[position].numpy(), image)
        caption = rows[sample]["texts"][text["number"]]
        assert torch.equal(tokens[position], Bytes()([caption])[0])
        assert lengths[position] == min(16, len(caption) + 2)
        assert tokens[position, lengths[position] - 1] == END
    reader.close()


def test_what_is_handed_over(order):
    made = list(run(order, stop=BATCH, micro=10))
    assert [len(part.images) for part in made] == [10, 10, 4]
    first = made[0]
    assert (first.images.dtype, first.images.shape) == (torch.uint8, (10, 3, 24, 24))
    assert (first.tokens.dtype, first.tokens.shape) == (torch.int64, (10, 16))
    assert (first.lengths.shape, first.faults) == ((10,), {})
    assert first.images.is_contiguous()


@pytest.mark.filterwarnings("ignore:This DataLoader will create 3 worker processes")
@pytest.mark.parametrize("workers", [1, 3])
def test_workers_do_not_matter(order, whole, workers):
    assert same(joined(run(order, workers=workers)), whole)


@pytest.mark.parametrize(("ranks", "micro"), [(2, 12), (4, 4), (3, 8), (2, 5)])
def test_ranks_and_micro_batches_do_not_matter(order, whole, ranks, micro):
    parts = [joined(run(order, rank=rank, ranks=ranks, micro=micro)) for rank in range(ranks)]
    for name, all_of_it in enumerate(whole):
        by_batch = [part[name].unflatten(0, (5, -1)) for part in parts]
        assert torch.equal(torch.cat(by_batch, dim=1).flatten(0, 1), all_of_it)


def test_ranks_with_workers(order, whole):
    part = joined(run(order, rank=1, ranks=2, workers=2, micro=5))
    assert torch.equal(part[0], whole[0].unflatten(0, (5, 2, -1))[:, 1].flatten(0, 1))


def test_a_start_in_the_middle_is_the_tail(order, whole):
    for start in (BATCH, 3 * BATCH):
        assert same(joined(run(order, start=start)), [part[start:] for part in whole])
    tail = joined(run(order, start=7, stop=7 + BATCH, micro=BATCH))
    assert same(tail, [part[7 : 7 + BATCH] for part in whole])


def test_generators_of_the_process_are_left_alone(order):
    torch.manual_seed(5)
    np.random.seed(5)
    expected = torch.rand(1), np.random.rand()
    for workers in (0, 1):
        torch.manual_seed(5)
        np.random.seed(5)
        list(run(order, stop=BATCH, workers=workers))
        assert (torch.rand(1), np.random.rand()) == expected


def test_a_smaller_crop(order, whole):
    small = micro_batches(
        order,
        model=MODEL,
        start=0,
        stop=BATCH,
        batch_size=BATCH,
        micro_batch_size=BATCH,
        rank=0,
        ranks=1,
        workers=0,
        smallest_crop=0.2,
    )
    images, tokens, _ = joined(small)
    assert torch.equal(tokens, whole[1][:BATCH])
    assert not torch.equal(images, whole[0][:BATCH])


@pytest.fixture
def damaged(make_shards, tmp_path):
    """The same 40 images twice: in the second folder number 5 is no image, and 11 has no JSON any more."""
    rows = rows_of(range(40))
    good = make_shards(tmp_path / "good", rows)
    bad = make_shards(tmp_path / "bad", rows, images={rows[5]["url"]: photograph(5)[:200]})
    orders = [Order(build([folder], tmp_path / folder.name / "index"), seed=3) for folder in (good, bad)]
    place = int(orders[1].index.samples["json_offset"][11])
    with (bad / "00000.tar").open("r+b") as stream:
        stream.seek(place)
        stream.write(b"]")
    return orders


@pytest.mark.parametrize("workers", [0, 2])
def test_a_corrupt_sample_is_counted_and_replaced(damaged, workers):
    good, bad = damaged
    expected = joined(run(good, stop=80, batch=40))
    made = list(run(bad, stop=80, batch=40, workers=workers))
    images, tokens, _ = joined(made)
    epochs, samples = bad.at(np.arange(80))
    changed = np.isin(samples, [5, 11])
    for position in range(80):
        wanted = bad.at(np.array([position]))[1][0]
        attempt, epoch = 0, int(epochs[position])
        while wanted in (5, 11):
            wanted = bad.replacement(epoch, position, attempt)
            attempt += 1
        text = bad.index.texts[bad.text(epoch, wanted)]
        crop = Augmentation(seed=3, image_size=24, smallest_crop=0.9)
        assert np.array_equal(images[position].numpy(), crop(photograph(wanted), epoch, text["id"]))
        if not changed[position]:
            assert torch.equal(images[position], expected[0][position])
            assert torch.equal(tokens[position], expected[1][position])
    faults = [part.faults for part in made]
    assert sum(fault.get("bad_image", 0) for fault in faults) >= 2
    assert sum(fault.get("bad_json", 0) for fault in faults) >= 2
    where = np.unique(np.flatnonzero(changed) // 40 * 7 + np.flatnonzero(changed) % 40 // 6)
    assert [bool(fault) for fault in faults] == [n in where for n in range(14)]


@pytest.mark.parametrize("workers", [0, 1])
def test_ten_in_a_row_end_the_run(make_shards, tmp_path, workers):
    rows = rows_of(range(3))
    folder = make_shards(tmp_path, rows, images={row["url"]: b"<html>" for row in rows})
    order = Order(build([folder], tmp_path / "index"), seed=0)
    with pytest.raises(InputError) as raised:
        list(run(order, stop=BATCH, workers=workers))
    message = str(raised.value)
    assert message.startswith("10 samples in a row cannot be read, the last being ")
    assert f"{folder}/00000.tar, key 000000" in message
    assert "\n" not in message


def test_nine_in_a_row_do_not(order, monkeypatch):
    tries = []

    def fail(self, data, epoch, text):
        tries.append(text)
        if len(tries) % 10:
            raise samples_module.Fault("bad_image")
        return np.zeros((3, 24, 24), np.uint8)

    from curation.trainer.data import samples as samples_module

    monkeypatch.setattr(Augmentation, "__call__", fail)
    made = list(run(order, stop=4, batch=4, micro=4))
    assert made[0].faults == {"bad_image": 36}
    assert len(set(tries[:10])) > 5


@pytest.mark.timeout(60)
def test_a_worker_that_is_killed_ends_the_run(order):
    made = run(order, stop=BATCH * 10_000, workers=2, micro=2)
    next(made)
    assert len(multiprocessing.active_children()) == 2
    os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)
    with pytest.raises(InputError, match="a worker that reads samples was killed: too little memory"):
        for _ in made:
            pass
    assert not multiprocessing.active_children()


def test_workers_end_with_the_iterator(order):
    made = run(order, workers=2, stop=BATCH * 10_000)
    next(made)
    assert len(multiprocessing.active_children()) == 2
    made.close()
    assert not multiprocessing.active_children()


@pytest.mark.parametrize(("workers", "kind"), [(0, OSError), (0, RuntimeError), (1, RuntimeError)])
def test_other_errors_are_not_taken_for_a_death(order, workers, kind):
    model = SimpleNamespace(tokenizer=Broken(kind), preprocessing=MODEL.preprocessing)
    with pytest.raises(kind, match="of the tokenizer"):
        list(run(order, model=model, workers=workers))


def test_sizes_that_do_not_fit(order):
    for options in ({"ranks": 5}, {"stop": BATCH + 1}):
        with pytest.raises(ValueError, match="do not fit together"):
            run(order, **options)


def test_lengths_of_clips_tokens():
    """Up to the end of the text, which is CLIP's largest token; "!" is token 0, as padding is."""
    tokenizer = pickle.loads(pickle.dumps(open_clip.get_tokenizer("ViT-B-32")))
    tokens = tokenizer(["a cat", "", "!", "! a ! !", "word " * 100])
    lengths = text_lengths(tokens, tokenizer([""])[0])
    assert lengths.tolist() == (tokens.argmax(dim=1) + 1).tolist()
    assert lengths.tolist()[:3] == [4, 2, 3]
    assert lengths[-1] == 77


@pytest.mark.parametrize(
    ("empty", "tokens", "length"),
    [
        ([1, 2, 9, 9, 9], [1, 5, 6, 2, 9], 4),  # padded with something else
        ([1, 2, 2, 2, 2], [1, 5, 6, 2, 2], 4),  # padded with the end
        ([1, 2, 2, 2, 2], [1, 5, 6, 7, 2], 5),
        ([2, 9, 9, 9, 9], [5, 2, 9, 9, 9], 3),  # no start: one too many does no harm
        ([9, 9, 9, 9, 9], [9, 9, 9, 9, 9], 1),
    ],
)
def test_lengths_of_other_tokens(empty, tokens, length):
    assert text_lengths(torch.tensor([tokens]), torch.tensor(empty)).tolist() == [length]


def test_pinning_keeps_everything(monkeypatch):
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: tensor + 1)
    batch = MicroBatch(torch.zeros(1), torch.ones(1), torch.zeros(1), {"bad_image": 1}).pin_memory()
    assert (batch.images.item(), batch.tokens.item(), batch.lengths.item()) == (1, 2, 0)
    assert batch.faults == {"bad_image": 1}
