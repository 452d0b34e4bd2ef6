import pyarrow as pa
import pyarrow.parquet as pq

from curation.core.identity import image_id
from curation.download.draft import Draft, Outcome
from curation.download.shard import FAILED_TO_DOWNLOAD, SUCCESS
from curation.schemas import SHARD


def write_images(folder, urls, **columns):
    """The images of a shard, as they are prepared, out of order."""
    folder.mkdir(parents=True)
    table = pa.table(
        {
            "position": pa.array(range(len(urls)), pa.int32()),
            "image_id": image_id(pa.array(urls)),
            "url": urls,
            "uids": [[f"{n:032x}"] for n in range(len(urls))],
            "texts": [[f"text {n}", "another"] for n in range(len(urls))],
            "keep_probabilities": [[0.5]] * len(urls),
            **columns,
        }
    )
    pq.write_table(table.sort_by([("position", "descending")]), folder / "part.parquet")
    return str(folder)


def test_images_end_in_any_order_and_rows_have_theirs(tmp_path):
    urls = [f"http://a.example/{n}" for n in range(3)]
    draft = Draft(write_images(tmp_path / "shard=7", urls), 10)
    images = list(draft.images())
    assert [(image.url, image.expected_sha256, image.boxes) for image in images] == [
        (url, None, ()) for url in urls
    ]
    draft.end(images[2], Outcome(SUCCESS, columns={"width": 3, "sha256": "c"}, data=b"two"))
    draft.end(images[0], Outcome(SUCCESS, columns={"width": 1}, data=b"zero"))
    assert not draft.is_complete
    draft.end(images[1], Outcome(FAILED_TO_DOWNLOAD, "not_found", "HTTP 404"))
    assert draft.is_complete
    rows = draft.rows()
    assert rows.schema == SHARD
    assert [(row["key"], row["url"], row["caption"]) for row in rows.to_pylist()] == [
        (f"00007{n}", url, f"text {n}") for n, url in enumerate(urls)
    ]
    assert rows["status"].to_pylist() == [SUCCESS, FAILED_TO_DOWNLOAD, SUCCESS]
    assert rows["error"].to_pylist() == [None, "not_found", None]
    assert rows["error_message"].to_pylist() == [None, "HTTP 404", None]
    assert rows["width"].to_pylist() == [1, None, 3]
    assert (draft.read(0), draft.read(2)) == (b"zero", b"two")
    draft.close()


def test_what_else_is_known_of_an_image_comes_along(tmp_path):
    columns = {"expected_sha256": ["a" * 64, None], "boxes": [None, [[0.0, 0.0, 0.5, 0.5]]]}
    folder = write_images(tmp_path / "shard=0", ["http://a/0", "http://a/1"], **columns)
    first, second = Draft(folder, 2).images()
    assert (first.expected_sha256, first.boxes) == ("a" * 64, ())
    assert (second.expected_sha256, second.boxes) == (None, [[0.0, 0.0, 0.5, 0.5]])
