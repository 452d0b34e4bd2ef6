import pyarrow.parquet as pq

from curation.config import Download
from curation.demo.server import Answer, Server
from curation.download.img2dataset import LOST, download_shards
from curation.download.shard import gather
from curation.download.task import Orders
from tests.download.test_draft import write_images
from tests.runs.test_download import GOOD

OPTIONS = Download(curated="", output="", image_size=64, shard_size=100, timeout_seconds=2, retries=0)


def test_one_shard(tmp_path):
    with Server({"/a%20cat.jpg": Answer(body=GOOD)}.get) as server:
        images = write_images(
            tmp_path / "shard=3", [f"{server.origin}/a cat.jpg", f"{server.origin}/missing"]
        )
        (batch,) = download_shards([images], orders=Orders(output=str(tmp_path), options=OPTIONS))
    gather(tmp_path)
    assert batch.to_pylist() == [{"shard": 3, "images": 2, "successes": 1}]
    rows = pq.read_table(tmp_path / "00003.parquet").to_pylist()
    assert [(row["key"], row["status"]) for row in rows] == [
        ("0000300", "success"),
        ("0000301", "failed_to_download"),
    ]
    assert not list(tmp_path.glob("_sealed/*"))


def test_an_image_that_img2dataset_stumbles_over_has_a_row_all_the_same(tmp_path, monkeypatch):
    from img2dataset.writer import WebDatasetSampleWriter

    write = WebDatasetSampleWriter.write

    def stumble(self, image, key, caption, meta):
        if key.endswith("1"):
            raise RuntimeError("a bug of theirs")
        write(self, image, key, caption, meta)

    monkeypatch.setattr(WebDatasetSampleWriter, "write", stumble)
    with Server(lambda path: Answer(body=GOOD)) as server:
        images = write_images(tmp_path / "shard=0", [f"{server.origin}/{n}.jpg" for n in range(3)])
        (batch,) = download_shards([images], orders=Orders(output=str(tmp_path), options=OPTIONS))
    gather(tmp_path)
    assert batch.to_pylist() == [{"shard": 0, "images": 3, "successes": 2}]
    rows = pq.read_table(tmp_path / "00000.parquet").to_pylist()
    assert [row["error_message"] for row in rows] == [None, LOST, None]
    assert [row["texts"] for row in rows] == [[f"text {n}", "another"] for n in range(3)]
