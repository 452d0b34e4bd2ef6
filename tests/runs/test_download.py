import hashlib
import io
import json
import tarfile

import pyarrow.parquet as pq
import pytest
import webdataset
from PIL import Image

from curation.config import Balance, Download, Match
from curation.core.identity import image_id
from curation.demo.server import Answer, Server
from curation.errors import InputError
from curation.runs import balance, download, match
from tests.runs.conftest import make_pool
from tests.stages.conftest import pairs


def picture(form="JPEG", size=(400, 300), colour=(200, 30, 30)):
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, form)
    return buffer.getvalue()


GOOD = picture()
WEB = {
    "/good.jpg": Answer(body=GOOD),
    "/good.png": Answer(body=picture("PNG", (64, 32))),
    "/good.webp": Answer(body=picture("WEBP", (300, 900))),
    "/moved.jpg": Answer(status=302, headers={"Location": "/good.jpg?moved"}),
    "/good.jpg?moved": Answer(body=GOOD),
    "/loop.jpg": Answer(status=302, headers={"Location": "/loop.jpg"}),
    "/slow.jpg": Answer(body=GOOD, delay_seconds=30),
    "/cut.jpg": Answer(body=GOOD[: len(GOOD) // 2], declared_length=len(GOOD)),
    "/half.jpg": Answer(body=GOOD[: len(GOOD) // 8]),
    "/page.jpg": Answer(body=b"<html>not an image</html>", headers={"Content-Type": "text/html"}),
    "/empty.jpg": Answer(),
    "/error.jpg": Answer(status=500),
    "/noai.jpg": Answer(body=GOOD, headers={"X-Robots-Tag": "noai"}),
}
SUCCESSES = {"/good.jpg", "/good.png", "/good.webp", "/moved.jpg"}
PATHS = [path for path in WEB if "?" not in path] + ["/missing.jpg"]


@pytest.fixture(scope="module")
def server():
    with Server(WEB.get) as server:
        yield server


@pytest.fixture(scope="module")
def curated(session, tmp_path_factory, server):
    """Two texts for each image of the web, all kept."""
    tmp_path = tmp_path_factory.mktemp("curated")
    table = pairs([f"a cat {n}" for n in range(2 * len(PATHS))])
    urls = [server.origin + path for path in PATHS for _ in range(2)]
    table = table.set_column(1, "url", [urls])
    pool = make_pool(tmp_path / "pool", table)
    (tmp_path / "entries.txt").write_text("cat")
    paths = {name: str(tmp_path / name) for name in ("matches", "curated")}
    match(
        session,
        Match(pool=str(pool.folder), vocabulary=str(tmp_path / "entries.txt"), output=paths["matches"]),
    )
    (record,) = balance(session, Balance(matches=(paths["matches"],), output=paths["curated"], t=1000))
    assert record.rows["out"] == 2 * len(PATHS)
    return record


def config(curated, output, **how):
    how = {"shard_size": 5, "timeout_seconds": 2, "retries": 0, "image_size": 128} | how
    return Download(curated=str(curated.folder), output=str(output), **how)


def test_each_url_ends_with_a_row_and_is_fetched_once(session, tmp_path, server, curated):
    before = server.requests
    (record,) = download(session, config(curated, tmp_path / "shards"))
    rows = {
        row["url"]: row
        for path in sorted(record.folder.glob("*.parquet"))
        for row in pq.read_table(path).to_pylist()
    }
    assert set(rows) == {server.origin + path for path in PATHS}
    assert {
        url.removeprefix(server.origin) for url, row in rows.items() if row["status"] == "success"
    } == SUCCESSES
    asked = server.requests - before
    assert {path: asked[path] for path in PATHS if path != "/loop.jpg"} == dict.fromkeys(
        set(PATHS) - {"/loop.jpg"}, 1
    )
    assert asked["/loop.jpg"] <= 11
    errors = {url.removeprefix(server.origin): row["error_message"] for url, row in rows.items()}
    assert "404" in errors["/missing.jpg"]
    assert "500" in errors["/error.jpg"]
    assert "X-Robots-Tag" in errors["/noai.jpg"]
    assert "timed out" in errors["/slow.jpg"]
    assert record.rows == {"in": 2 * len(PATHS), "out": 2 * len(SUCCESSES)}
    assert sum(record.dropped.values()) == 2 * (len(PATHS) - len(SUCCESSES))
    assert record.facts["images_by_status"]["success"] == len(SUCCESSES)


def test_the_layout_is_img2datasets_and_webdataset_reads_it(session, tmp_path, server, curated):
    (record,) = download(session, config(curated, tmp_path / "shards"))
    names = sorted(path.name for path in record.folder.iterdir())
    shards = sorted(int(path.stem) for path in record.folder.glob("*.tar"))
    assert len(shards) == record.facts["shards"] >= 3
    assert names == sorted(
        [f"{n:05d}{suffix}" for n in shards for suffix in (".tar", ".parquet", "_stats.json")] + ["_run.json"]
    )
    for path in record.folder.glob("*.parquet"):
        table = pq.read_table(path)
        assert len(table) <= 5
        ids = table["image_id"].to_pylist()
        assert ids == sorted(ids) == image_id(table["url"].combine_chunks()).to_pylist()
        assert table["key"].to_pylist() == [f"{int(path.stem):05d}{n}" for n in range(len(table))]
        stats = json.loads(path.with_name(f"{path.stem}_stats.json").read_text())
        assert (stats["count"], stats["successes"]) == (
            len(table),
            table["status"].to_pylist().count("success"),
        )
    urls = [str(path) for path in sorted(record.folder.glob("*.tar"))]
    samples = list(webdataset.WebDataset(urls, shardshuffle=False, empty_check=False).decode("pil"))
    assert len(samples) == len(SUCCESSES)
    for sample in samples:
        about = sample["json"]
        assert sample["txt"] == about["texts"][0] == about["caption"]
        assert len(about["texts"]) == len(about["uids"]) == 2
        assert about["uids"] == sorted(about["uids"])
        width, height = sample["jpg"].size
        assert (width, height) == (about["width"], about["height"])
        assert min(width, height) == min(128, about["original_width"], about["original_height"])
    jpegs = [sample["json"] for sample in samples if sample["json"]["url"].endswith("/good.jpg")]
    assert jpegs[0]["sha256"] == hashlib.sha256(GOOD).hexdigest()


def test_the_same_bytes_twice_and_on_a_shard_by_itself(session, tmp_path, curated):
    folders = [download(session, config(curated, tmp_path / name))[0].folder for name in ("one", "two")]
    for path in sorted(folders[0].glob("*")):
        if path.suffix in (".tar", ".parquet"):
            assert path.read_bytes() == (folders[1] / path.name).read_bytes(), path.name
    with tarfile.open(next(folders[0].glob("*.tar"))) as tar:
        assert {member.mtime for member in tar} <= {0}


def test_a_stopped_run_goes_on_with_the_shards_that_are_missing(
    session, tmp_path, server, curated, monkeypatch
):
    (whole,) = download(session, config(curated, tmp_path / "whole"))
    publish = "curation.record.Attempt.publish"
    with monkeypatch.context() as patch:
        patch.setattr(publish, lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            download(session, config(curated, tmp_path / "out"))
    (attempt,) = (tmp_path / "out").glob("_attempt-*")
    one, two, three, *_ = sorted(path.stem for path in attempt.glob("*.tar"))
    for lost in (f"{one}_stats.json", f"{two}_stats.json", f"{two}.tar", f"{two}.parquet"):
        (attempt / lost).unlink()
    (attempt / f"{three}.tar").rename(tmp_path / "out" / f"{three}.tar")  # killed while publishing
    before = server.requests
    (record,) = download(session, config(curated, tmp_path / "out"))
    asked = {path for path in server.requests - before if "?" not in path}
    redone = {
        url for n in (one, two) for url in pq.read_table(record.folder / f"{n}.parquet")["url"].to_pylist()
    }
    assert asked == {url.removeprefix(server.origin) for url in redone}
    assert record.rows == whole.rows
    for path in whole.folder.glob("*.tar"):
        assert path.read_bytes() == (record.folder / path.name).read_bytes()
    assert not list(record.folder.glob("_attempt*"))


def test_a_size_that_shards_may_not_exceed(session, tmp_path, curated):
    (record,) = download(session, config(curated, tmp_path / "shards", shard_size=1))
    tables = [pq.read_table(path) for path in record.folder.glob("*.parquet")]
    assert [len(table) for table in tables] == [1] * len(PATHS)


def test_other_settings_are_refused(session, tmp_path, curated):
    download(session, config(curated, tmp_path / "shards"))
    with pytest.raises(InputError, match=r"image_size = 128 \(now 64\)"):
        download(session, config(curated, tmp_path / "shards", image_size=64))
