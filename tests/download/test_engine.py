import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.config import Download
from curation.core.identity import image_id
from curation.demo.server import Answer, Server
from curation.download.engine import LOST, download_shard, request_url, shard_name
from tests.runs.test_download import GOOD


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("http://a.example/cat.jpg?w=1&h=2", "http://a.example/cat.jpg?w=1&h=2"),
        ("http://a.example/a cat.jpg", "http://a.example/a%20cat.jpg"),
        ("http://a.example/a%20cat.jpg", "http://a.example/a%20cat.jpg"),
        ("https://пример.рф:8080/é.png?q=ü", "https://xn--e1afmkfd.xn--p1ai:8080/%C3%A9.png?q=%C3%BC"),
        ("http://a..example/x", "http://a..example/x"),
        ('http://a.example/"x"', "http://a.example/%22x%22"),
    ],
)
def test_request_url(url, asked):
    assert request_url(url) == asked


def test_shard_names_sort_like_numbers():
    assert [shard_name(number) for number in (0, 7, 99_999)] == ["00000", "00007", "99999"]


def write_images(folder, urls):
    folder.mkdir(parents=True)
    table = pa.table(
        {
            "position": pa.array(range(len(urls)), pa.int32()),
            "image_id": image_id(pa.array(urls)),
            "url": urls,
            "uids": [[f"{n:032x}"] for n in range(len(urls))],
            "keep_probabilities": [[0.5]] * len(urls),
            "texts": [[f"text {n}"] for n in range(len(urls))],
        }
    )
    pq.write_table(table, folder / "part.parquet")
    return str(folder)


OPTIONS = Download(curated="", output="", image_size=64, shard_size=100, timeout_seconds=2, retries=0)


def test_one_shard(tmp_path):
    with Server({"/a%20cat.jpg": Answer(body=GOOD)}.get) as server:
        images = write_images(
            tmp_path / "shard=3", [f"{server.origin}/a cat.jpg", f"{server.origin}/missing"]
        )
        (batch,) = download_shard(images, output=str(tmp_path), options=OPTIONS)
    assert batch.to_pylist() == [{"shard": 3, "images": 2, "successes": 1}]
    rows = pq.read_table(tmp_path / "00003.parquet").to_pylist()
    assert [(row["key"], row["status"]) for row in rows] == [
        ("0000300", "success"),
        ("0000301", "failed_to_download"),
    ]
    assert not list(tmp_path.glob("_sealing*"))


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
        (batch,) = download_shard(images, output=str(tmp_path), options=OPTIONS)
    assert batch.to_pylist() == [{"shard": 0, "images": 3, "successes": 2}]
    rows = pq.read_table(tmp_path / "00000.parquet").to_pylist()
    assert [row["error_message"] for row in rows] == [None, LOST, None]
    assert [row["texts"] for row in rows] == [["text 0"], ["text 1"], ["text 2"]]
