import hashlib
import io
import json
import tarfile
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import webdataset
from PIL import Image

from curation.config import Balance, Download, Match
from curation.core.identity import image_id, pair_uid
from curation.demo.server import Answer, Server
from curation.errors import InputError
from curation.runs import balance, download, match
from curation.schemas import SHARD
from tests.runs.conftest import assert_profiled, make_pool
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
    how = {"shard_size": 5, "timeout_seconds": 1, "retries": 0, "image_size": 128} | how
    how = {"allow_hosts": ("127.0.0.1",)} | how
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
    assert asked["/loop.jpg"] == 6
    errors = {url.removeprefix(server.origin): row["error"] for url, row in rows.items()}
    assert errors == dict.fromkeys(SUCCESSES) | {
        "/loop.jpg": "too_many_redirects",
        "/slow.jpg": "timeout",
        "/cut.jpg": "incomplete",
        "/half.jpg": "damaged_image",
        "/page.jpg": "not_an_image",
        "/empty.jpg": "not_an_image",
        "/error.jpg": "server_error",
        "/noai.jpg": "opted_out",
        "/missing.jpg": "not_found",
    }
    messages = {url.removeprefix(server.origin): row["error_message"] for url, row in rows.items()}
    assert (messages["/missing.jpg"], messages["/noai.jpg"]) == ("HTTP 404", "noai")
    assert record.rows == {"in": 2 * len(PATHS), "out": 2 * len(SUCCESSES)}
    ends = Counter(error for error in errors.values() if error)
    assert record.dropped == {error: 2 * n for error, n in ends.items()}
    assert record.facts["images_by_status"]["success"] == len(SUCCESSES)
    assert record.facts["online"] is False
    assert_profiled(record.folder, pa.Table.from_pylist(list(rows.values()), SHARD))


def test_the_layout_is_img2datasets_and_webdataset_reads_it(session, tmp_path, server, curated):
    (record,) = download(session, config(curated, tmp_path / "shards"))
    names = sorted(path.name for path in record.folder.iterdir())
    shards = sorted(int(path.stem) for path in record.folder.glob("*.tar"))
    assert len(shards) == record.facts["shards"] >= 3
    parts = [f"{n:05d}{suffix}" for n in shards for suffix in (".tar", ".parquet", "_stats.json")]
    assert names == sorted([*parts, "_run.json", "duplicates", "profile"])
    for path in record.folder.glob("0*.parquet"):
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
    samples = list(webdataset.WebDataset(urls, shardshuffle=False).decode("pil"))
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
    for path in sorted(folders[0].glob("[0-9]*")):
        if path.is_file():
            assert path.read_bytes() == (folders[1] / path.name).read_bytes(), path.name
    with tarfile.open(next(folders[0].glob("*.tar"))) as tar:
        assert {member.mtime for member in tar} <= {0}


def test_a_stopped_run_goes_on_with_the_shards_that_are_missing(
    session, tmp_path, server, curated, monkeypatch
):
    (whole,) = download(session, config(curated, tmp_path / "whole"))
    publish = "curation.claim.Attempt.publish"
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
    assert pq.read_table(record.folder / "profile").equals(pq.read_table(whole.folder / "profile"))
    for path in whole.folder.glob("*.tar"):
        assert path.read_bytes() == (record.folder / path.name).read_bytes()
    assert not list(record.folder.glob("_attempt*"))


def test_shards_of_uncut_pairs_say_so(session, tmp_path, curated):
    how = Balance(
        matches=tuple(curated.facts["matches"]), output=str(tmp_path / "uncut"), t=0.01, online=True
    )
    (uncut,) = balance(session, how)
    (record,) = download(session, config(uncut, tmp_path / "shards"))
    assert record.facts["online"] is True
    assert record.rows["in"] == 2 * len(PATHS)


def test_what_is_not_balanced_can_be_fetched_to_compare_with(session, tmp_path, server):
    table = pairs(["a cat", "nothing", "a dog"])
    urls = [server.origin + path for path in ("/good.jpg", "/good.png", "/good.jpg")]
    uids = pair_uid(pa.array(urls), table["text"].combine_chunks())
    table = table.set_column(table.schema.get_field_index("url"), "url", pa.array(urls))
    make_pool(tmp_path / "pool", table.set_column(table.schema.get_field_index("uid"), "uid", uids))
    (tmp_path / "words").write_text("cat\ndog\n")
    match(
        session,
        Match(
            pool=str(tmp_path / "pool"), vocabulary=str(tmp_path / "words"), output=str(tmp_path / "matches")
        ),
    )
    for source, texts in (("pool", [["a cat", "a dog"], ["nothing"]]), ("matches", [["a cat", "a dog"]])):
        output = tmp_path / f"{source}-shards"
        config = Download(curated=str(tmp_path / source), output=str(output), allow_hosts=("127.0.0.1",))
        (record,) = download(session, config)
        assert record.facts["online"] is False
        rows = pq.read_table(output / "00000.parquet").to_pylist()
        assert sorted(sorted(row["texts"]) for row in rows) == texts
        assert all(row["keep_probabilities"] == [1.0] * len(row["texts"]) for row in rows)


def test_a_size_that_shards_may_not_exceed(session, tmp_path, curated):
    (record,) = download(session, config(curated, tmp_path / "shards", shard_size=1))
    tables = [pq.read_table(path) for path in record.folder.glob("*.parquet")]
    assert [len(table) for table in tables] == [1] * len(PATHS)


def test_other_settings_are_refused(session, tmp_path, curated):
    download(session, config(curated, tmp_path / "shards"))
    with pytest.raises(InputError, match=r"image_size = 128 \(now 64\)"):
        download(session, config(curated, tmp_path / "shards", image_size=64))


def rows_of(record):
    """The last row of each image, by its path."""
    rows = {}
    for path in sorted(record.folder.glob("[0-9]*.parquet")):
        for row in pq.read_table(path).to_pylist():
            rows["/" + row["url"].split("/", 3)[3]] = row
    return rows


def test_what_may_pass_is_fetched_again_into_further_shards(session, tmp_path, server, curated, monkeypatch):
    (first,) = download(session, config(curated, tmp_path / "shards"))
    before = {path.name: path.read_bytes() for path in first.folder.glob("[0-9]*.*")}
    asked = server.requests.copy()
    monkeypatch.setitem(WEB, "/error.jpg", Answer(body=picture(size=(50, 60))))
    again = config(curated, tmp_path / "shards", retry_failed=True)
    with monkeypatch.context() as patch:  # killed when half of it is published
        patch.setattr(
            "curation.claim.Amendment.save", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt)
        )
        with pytest.raises(KeyboardInterrupt):
            download(session, again)
    assert set(server.requests - asked) == {"/error.jpg", "/slow.jpg", "/cut.jpg"}
    asked = server.requests.copy()
    (record,) = download(session, again)
    assert not server.requests - asked
    assert before.items() <= {path.name: path.read_bytes() for path in first.folder.glob("[0-9]*.*")}.items()
    rows = rows_of(record)
    assert {path for path, row in rows.items() if row["status"] == "success"} == SUCCESSES | {"/error.jpg"}
    assert_profiled(record.folder, pa.Table.from_pylist(list(rows.values()), SHARD))
    assert record.facts["online"] is False
    assert record.rows == {"in": 2 * len(PATHS), "out": 2 * len(SUCCESSES) + 2}
    assert "server_error" not in record.dropped
    assert record.dropped["timeout"] == 2
    (retry,) = record.facts["retries"]
    assert (retry["count"], retry["successes"]) == (3, 1)
    assert record.facts["next_shard"] > first.facts["next_shard"]
    assert not list(record.folder.glob("_amend*"))
    (done,) = download(session, config(curated, tmp_path / "shards"))
    assert (done.run_id, done.facts) == (first.run_id, record.facts)
    (third,) = download(session, again)
    assert [retry["count"] for retry in third.facts["retries"]] == [3, 2]


def test_only_a_finished_run_is_retried(session, tmp_path, curated):
    with pytest.raises(InputError, match="does not exist"):
        download(session, config(curated, tmp_path / "shards", retry_failed=True))


def test_lists_of_the_users_own(session, tmp_path, server, curated):
    """Blocked bytes, bytes that are to be as they were, boxes to blur, and a classifier."""
    (tmp_path / "block.txt").write_text(f"# ours\n{hashlib.sha256(WEB['/good.png'].body).hexdigest()}\n")
    moved, good, webp = (server.origin + path for path in ("/moved.jpg", "/good.jpg", "/good.webp"))
    sums = pa.table({"url": [good, moved], "sha256": [hashlib.sha256(GOOD).hexdigest(), "0" * 64]})
    pq.write_table(sums, tmp_path / "sums.parquet")
    pq.write_table(pa.table({"url": [webp], "boxes": [[[0.0, 0.0, 1.0, 1.0]]]}), tmp_path / "boxes.parquet")
    how = {
        "block_hashes": (str(tmp_path / "block.txt"),),
        "verify_hashes": str(tmp_path / "sums.parquet"),
        "blur_boxes": str(tmp_path / "boxes.parquet"),
        "classifier": "tests.runs.test_download:score",
        "classifier_column": "width_score",
        "classifier_threshold": 0.5,
    }
    (record,) = download(session, config(curated, tmp_path / "shards", **how))
    rows = rows_of(record)
    assert {path: rows[path]["error"] for path in SUCCESSES} == {
        "/good.png": "blocked_hash",
        "/moved.jpg": "other_bytes",
        "/good.jpg": "unsafe",
        "/good.webp": None,
    }
    assert rows["/good.jpg"]["width_score"] > 0.5 > rows["/good.webp"]["width_score"]
    (tmp_path / "block.txt").write_text("0" * 64)
    with pytest.raises(InputError, match="block_hashes"):
        download(session, config(curated, tmp_path / "shards", **how))


def score(images):
    """A classifier that dislikes wide images."""
    return [0.9 if image.width > image.height else 0.1 for image in images]


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"block_hashes": ("missing",)}, "--block-hashes missing: No such file"),
        ({"verify_hashes": "missing"}, "--verify-hashes missing: there is no Parquet file"),
        ({"exclude_hashes": ("missing",)}, "make it with jobs/hash_images.py"),
        ({"classifier": "nowhere:score"}, "put it on PYTHONPATH"),
    ],
)
def test_lists_that_are_none_are_refused_and_nothing_is_written(
    session, tmp_path, curated, monkeypatch, how, words
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=words):
        download(session, config(curated, tmp_path / "shards", **how))
    assert not (tmp_path / "shards").exists()


def test_the_other_engine_gives_the_same_layout(session, tmp_path, server, curated):
    (ours,) = download(session, config(curated, tmp_path / "ours"))
    (theirs,) = download(session, config(curated, tmp_path / "theirs", engine="img2dataset", allow_hosts=()))
    assert [path.name for path in sorted(ours.folder.iterdir())] == [
        path.name for path in sorted(theirs.folder.iterdir())
    ]
    mine, other = rows_of(ours), rows_of(theirs)
    same = (
        "key",
        "caption",
        "image_id",
        "uids",
        "sha256",
        "width",
        "height",
        "original_width",
        "original_height",
    )
    for path in SUCCESSES:
        assert [mine[path][name] for name in same] == [other[path][name] for name in same], path
    assert {path for path, row in other.items() if row["status"] == "success"} == SUCCESSES
