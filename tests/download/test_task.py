import json
import os
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from curation.config import Download
from curation.demo.server import Answer, Server
from curation.download.hosts import STRIKES
from curation.download.shard import gather, is_whole, read_statistics
from curation.download.task import Orders, download_shards
from tests.download.hostile import ERRORS, GOOD, PRIVATE_HOSTS, Hostile
from tests.download.test_draft import write_images
from tests.runs.test_download import GOOD as PICTURE


def orders(tmp_path, **how):
    how = {"timeout_seconds": 2, "retries": 0, "shard_size": 100, "allow_hosts": ("127.0.0.1",)} | how
    (tmp_path / "reports").mkdir(exist_ok=True)
    options = Download(curated="", output="", image_size=64, **how)
    return Orders(output=str(tmp_path), reports=str(tmp_path / "reports"), options=options)


def fetch(tmp_path, urls, columns=None, **how):
    """The rows of a shard of these URLs."""
    folder = write_images(tmp_path / "shard=0", urls, **(columns or {}))
    list(download_shards([folder], orders=orders(tmp_path, **how)))
    gather(tmp_path)
    return pq.read_table(tmp_path / "00000.parquet").to_pylist()


def test_shards_flow_into_one_another_and_each_is_whole(tmp_path):
    with Server(lambda path: Answer(body=PICTURE)) as server:
        folders = [
            write_images(tmp_path / f"shard={n}", [f"{server.origin}/{n}/{at}.jpg" for at in range(4)])
            for n in range(5)
        ]
        batches = list(download_shards(folders, orders=orders(tmp_path)))
        assert [batch.to_pylist() for batch in batches] == [
            [{"shard": n, "images": 4, "successes": 4}] for n in range(5)
        ]
        gather(tmp_path)
        before = {path: path.read_bytes() for path in tmp_path.glob("0000*")}
        (tmp_path / "00003.tar").write_bytes(b"torn")
        asked = server.requests.copy()
        list(download_shards(folders, orders=orders(tmp_path)))
        gather(tmp_path)
        assert set(server.requests - asked) == {f"/3/{at}.jpg" for at in range(4)}
    assert {path: path.read_bytes() for path in tmp_path.glob("0000*")} == before
    assert all(is_whole(tmp_path, n) for n in range(5))
    assert not list(tmp_path.glob("_sealed/*"))


def test_what_can_get_better_is_tried_again(tmp_path):
    tries = Counter()

    def answer(path):
        tries[path] += 1
        if path == "/lost":
            return Answer(status=404)
        return Answer(body=PICTURE) if tries[path] > 1 else Answer(status=500)

    with Server(answer) as server:
        urls = [f"{server.origin}/{name}" for name in ("good", "lost")]
        rows = fetch(tmp_path, urls, retries=2)
    assert [row["error"] for row in rows] == [None, "not_found"]
    assert tries == {"/good": 2, "/lost": 1}


def test_a_host_that_asks_for_a_pause_gets_it_and_the_others_go_on(tmp_path):
    busy, times = threading.Event(), []

    def answer(path):
        times.append(time.monotonic())
        if not busy.is_set():
            busy.set()
            return Answer(status=429, headers={"Retry-After": "1"})
        return Answer(body=PICTURE)

    with Server(answer) as server, Server(lambda path: Answer(body=PICTURE)) as other:
        urls = [f"{server.origin}/{n}" for n in range(3)] + [f"{other.origin}/{n}" for n in range(3)]
        rows = fetch(tmp_path, urls, retries=1, host_connections=1)
    assert [row["error"] for row in rows] == [None] * 6
    assert times[1] - times[0] >= 1


def test_a_host_that_asks_for_too_long_a_pause_is_not_asked_again(tmp_path):
    with Server(lambda path: Answer(status=429, headers={"Retry-After": "86400"})) as server:
        rows = fetch(tmp_path, [f"{server.origin}/{n}" for n in range(6)], retries=3, host_connections=1)
        assert server.requests.total() == 1
    assert {row["error"] for row in rows} == {"too_many_requests"}


def test_a_host_that_never_answers_is_given_up_and_its_neighbours_are_unharmed(tmp_path):
    with (
        Server(lambda path: Answer(body=PICTURE, delay_seconds=30)) as dead,
        Server(lambda path: Answer(body=PICTURE)) as good,
    ):
        urls = [f"{dead.origin}/{n}" for n in range(5 * STRIKES)] + [f"{good.origin}/{n}" for n in range(20)]
        began = time.monotonic()
        rows = fetch(tmp_path, urls, timeout_seconds=0.5, host_connections=STRIKES)
        assert time.monotonic() - began < 4
        assert dead.requests.total() == STRIKES
    assert Counter(row["error"] for row in rows) == {"timeout": 5 * STRIKES, None: 20}


@pytest.mark.parametrize(("connections", "share", "expected"), [(1, 1, 1), (3, 1, 3), (8, 0.25, 2)])
def test_a_host_bears_so_many_connections_from_all_tasks(tmp_path, connections, share, expected):
    now, most, lock = 0, 0, threading.Lock()

    def answer(path):
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.02)
        with lock:
            now -= 1
        return Answer(body=PICTURE)

    with Server(answer) as server:
        folder = write_images(tmp_path / "shard=0", [f"{server.origin}/{n}" for n in range(12)])
        how = replace(orders(tmp_path, host_connections=connections), share=share)
        list(download_shards([folder], orders=how))
    assert most == expected


def test_boxes_that_make_no_sense_cost_their_image(tmp_path):
    boxes = [[[0.5, 0.0, 0.1, 1.0]], [[0.1, 0.1, 0.2, 0.2]], None]
    with Server(lambda path: Answer(body=PICTURE)) as server:
        rows = fetch(tmp_path, [f"{server.origin}/{n}" for n in range(3)], {"boxes": boxes})
    assert [row["error"] for row in rows] == ["bad_boxes", None, None]
    assert rows[0]["status"] == "failed_to_resize"


def test_how_far_it_is_can_be_read(tmp_path):
    with Server({"/a": Answer(body=PICTURE)}.get) as server:
        fetch(tmp_path, [f"{server.origin}/{name}" for name in "ab"])
    (report,) = (tmp_path / "reports").iterdir()
    assert json.loads(report.read_text()) == {"bytes": len(PICTURE), "ends": {"success": 1, "not_found": 1}}


def test_addresses_that_are_not_public_are_refused(tmp_path):
    with Server({"/a": Answer(body=PICTURE)}.get) as server:
        rows = fetch(tmp_path, [f"{server.origin}/a"], allow_hosts=())
        assert not server.requests
    assert rows[0]["error"] == "refused_address"


def test_on_the_worst_of_hosts_each_image_ends_as_it_should_and_the_good_ones_are_all_there(tmp_path):
    wrong = {"/wrong-type": "not_an_image", "/empty": "not_an_image"}
    ends = {path: error for path, error in ERRORS.items() if error != "too_many_requests"} | wrong
    with Hostile(folder=tmp_path) as web:
        at_origin = [web.url(path) for path in [*ends, *GOOD]]
        private = [f"http://{host}:{web.port}/good" for host in PRIVATE_HOSTS]
        elsewhere = [web.tls_origin + "/good", web.closed_origin + "/", web.silent_origin + "/"]
        rest = ["http://", "ftp://127.0.0.1/a.jpg", "data:image/png;base64,AAAA", ""]
        began = time.monotonic()
        rows = fetch(
            tmp_path, [*at_origin, *private, *elsewhere, *rest], timeout_seconds=3, max_bytes=3_000_000
        )
        assert time.monotonic() - began < 20
        assert not web.private
    found = {row["url"]: row["error"] for row in rows}
    expected = {web.url(path): error for path, error in ends.items()} | {web.url(path): None for path in GOOD}
    expected |= dict.fromkeys(private, "refused_address")
    expected |= dict(zip(elsewhere, ["tls_error", "connection_failed", "timeout"], strict=True))
    expected |= dict(zip(rest, ["bad_url", "not_http", "not_http", "bad_url"], strict=True))
    assert found == expected


def test_a_decoder_that_dies_costs_nobody_else_anything(tmp_path, monkeypatch):
    """What a decoder is killed for is lost, or decoded by the next one; the others are all there."""
    killed = threading.Event()

    def children():
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                parent = (process / "stat").read_text().split(") ")[1].split()[1]
                if parent == str(os.getpid()) and "decoder" in (process / "cmdline").read_text():
                    yield int(process.name)

    def answer(path):
        if path == "/5" and not killed.is_set():
            killed.set()
            for child in children():
                os.kill(child, 9)
        return Answer(body=PICTURE)

    with Server(answer) as server:
        rows = fetch(tmp_path, [f"{server.origin}/{n}" for n in range(30)], threads=4)
    assert killed.is_set()
    assert sum(row["status"] == "success" for row in rows) >= 29
    assert read_statistics(tmp_path, 0)["count"] == 30
