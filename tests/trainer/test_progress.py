import io
import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from curation.trainer.data.loader import MicroBatch
from curation.trainer.progress import METRICS, Display, Meter, Metrics, Point, read_metrics, warnings

FINE = Point(
    step=10,
    samples_seen=2560,
    loss=2.0,
    logit_scale=20.0,
    learning_rate=1e-3,
    gradient_norm=1.0,
    samples_per_second=100.0,
    waiting_share=0.05,
    identical_texts=0.0,
    replaced={},
)


def test_a_good_run_is_not_warned_of() -> None:
    assert warnings([FINE] * 30, 256) == {}
    assert warnings([], 256) == {}


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("stuck", {"loss": math.log(256)}),
        ("stuck", {"loss": 0.995 * math.log(256)}),
        ("scale", {"logit_scale": 9.9}),
        ("waiting", {"waiting_share": 0.21}),
        ("identical", {"identical_texts": 0.11}),
    ],
)
def test_each_trouble_has_its_warning(name: str, change: dict) -> None:
    bad = replace(FINE, **change)
    points = [replace(bad, logit_scale=FINE.logit_scale)] * 20 + [bad]
    assert list(warnings(points, 256)) == [name]


def test_a_loss_is_stuck_only_after_a_while() -> None:
    guessing = replace(FINE, loss=math.log(256))
    assert warnings([guessing] * 19, 256) == {}
    assert warnings([*[guessing] * 10, FINE, *[guessing] * 10], 256) == {}


def test_the_first_line_may_wait_for_the_workers_to_start() -> None:
    assert warnings([replace(FINE, waiting_share=0.9)], 256) == {}


def micro_batch(tokens: list[list[int]], **faults: int) -> MicroBatch:
    return MicroBatch(
        torch.zeros(len(tokens), 3, 2, 2), torch.tensor(tokens), torch.ones(len(tokens)), faults
    )


def test_a_point_is_the_mean_of_its_steps() -> None:
    meter = Meter(ranks=2, now=100.0)
    for loss, waited in ((1.0, 0.5), (3.0, 1.5)):
        batch = [micro_batch([[1, 2], [1, 3]], bad_image=1), micro_batch([[1, 2], [4, 4]])]
        meter.add(loss=torch.tensor(loss), norm=torch.tensor(2 * loss), batch=batch, waited=waited)
    point = meter.point(step=7, samples_seen=56, logit_scale=15.0, learning_rate=0.1, now=104.0)
    assert point == Point(
        step=7,
        samples_seen=56,
        loss=2.0,
        logit_scale=15.0,
        learning_rate=0.1,
        gradient_norm=4.0,
        samples_per_second=8 * 2 / 4.0,
        waiting_share=0.5,
        identical_texts=0.25,
        replaced={"bad_image": 2},
    )


def test_lines_of_work_that_is_done_again_go(tmp_path: Path) -> None:
    metrics = Metrics(tmp_path, 0, written=True)
    for seen in (100, 200, 300):
        metrics.add(replace(FINE, samples_seen=seen))
    with (tmp_path / METRICS).open("a") as file:
        file.write('{"step": 4, "samp')  # the run was killed while it wrote
    assert [point.samples_seen for point in read_metrics(tmp_path)] == [100, 200, 300]
    again = Metrics(tmp_path, 200, written=True)
    again.add(replace(FINE, samples_seen=250))
    assert [point.samples_seen for point in read_metrics(tmp_path)] == [100, 200, 250]
    assert again.points == read_metrics(tmp_path)


def test_other_ranks_write_nothing(tmp_path: Path) -> None:
    Metrics(tmp_path, 0, written=False).add(FINE)
    assert list(tmp_path.iterdir()) == []


def test_a_warning_is_given_once_and_only_by_the_first_rank(capsys: pytest.CaptureFixture[str]) -> None:
    bad = replace(FINE, identical_texts=0.5)
    for shown in (True, False):
        with Display("run", 5120, 256, shown=shown) as display:
            display.show([bad])
            display.show([bad, bad])
        assert capsys.readouterr().err.count("repeat") == shown


def test_without_a_terminal_a_line_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("curation.trainer.progress.time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr("sys.stderr", out := io.StringIO())
    with Display("run", 5120, 256, shown=True) as display:
        for now[0] in (1.0, 61.0, 62.0, 122.0):
            display.show([FINE])
    lines = out.getvalue().splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("run: 2,560 of 5,120 samples  loss 2.000  100/s  waiting 5%")
