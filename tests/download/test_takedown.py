import pyarrow as pa
import pyarrow.parquet as pq

from curation.download.shard import REMOVED, Shard, is_whole, write_shard
from curation.download.takedown import PLAN, TAKEN_DOWN, Request, carry_out, find, latest_images
from tests.shards import SCHEMA, image_row

OWN = pa.struct([("faces", pa.list_(pa.list_(pa.float64()))), ("name", pa.string())])


def write(folder, rows, schema=SCHEMA):
    for number, row in enumerate(rows):
        row["key"] = f"0000{number}"
    table = pa.Table.from_pylist(rows, schema)
    write_shard(folder, Shard(0, table, lambda at: b"image %d" % at, encode_format="png"))
    return pq.read_table(folder / "00000.parquet")


def test_a_shard_without_rows(tmp_path):
    write(tmp_path, [])
    found = find(tmp_path, 0, Request(ids=frozenset("a"), sha256=frozenset("b"), is_listed=lambda url: True))
    assert found.equals(PLAN.empty_table())


def test_columns_of_the_user_s_own_go_too(tmp_path):
    rows = [image_row(f"http://a/{n}", ["one", "two"]) for n in range(3)]
    for row in rows:
        row |= {"own": {"faces": [[0.1, 0.2]], "name": "Ann"}, "keep_probabilities": None}
    before = write(tmp_path, rows, SCHEMA.append(pa.field("own", OWN)))
    request = Request(ids=frozenset([rows[0]["image_id"], rows[2]["uids"][0]]))
    plan = find(tmp_path, 0, request)
    assert plan.select(["key", "whole"]).to_pylist() == [
        {"key": "00000", "whole": True},
        {"key": "00002", "whole": False},
    ]
    carry_out(tmp_path, 0, plan, encode_format="png")
    after = pq.read_table(tmp_path / "00000.parquet")
    assert after.schema.equals(before.schema, check_metadata=True)
    gone, stays, less = after.to_pylist()
    assert {name: value for name, value in gone.items() if value is not None} == {
        "key": "00000",
        "image_id": rows[0]["image_id"],
        "uids": rows[0]["uids"],
        "status": REMOVED,
        "error": TAKEN_DOWN,
    }
    assert stays == before.to_pylist()[1]
    assert less == before.to_pylist()[2] | {"uids": rows[2]["uids"][1:], "texts": ["two"], "caption": "two"}
    assert is_whole(tmp_path, 0)


def test_what_is_done_already_is_not_written_again(tmp_path):
    rows = [image_row(f"http://a/{n}", ["one"]) for n in range(3)]
    write(tmp_path, rows)
    plan = find(tmp_path, 0, Request(sha256=frozenset([rows[1]["sha256"]])))
    carry_out(tmp_path, 0, plan, encode_format="png")
    times = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    carry_out(tmp_path, 0, plan, encode_format="png")
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == times
    assert not len(find(tmp_path, 0, Request(ids=frozenset([rows[1]["image_id"], *rows[1]["uids"]]))))


def test_of_a_request_by_id_no_url_is_read(tmp_path):
    """Urls are most of a shard's table."""
    rows = [image_row(f"http://a/{n}", ["one"]) for n in range(3)]
    write(tmp_path, rows)
    thin = pq.read_table(tmp_path / "00000.parquet").drop_columns(["url", "sha256", "texts"])
    pq.write_table(thin, tmp_path / "00000.parquet")
    assert len(find(tmp_path, 0, Request(ids=frozenset(rows[1]["uids"])))) == 1


def test_the_last_row_of_each_image_from_the_last_shard_on(tmp_path):
    """Images 1 and 3 were fetched again, and 3 once more; only then do ids have to be remembered."""
    for number, names in enumerate(["01", "23", "45", "1", "3", "3"]):
        rows = [image_row(f"http://a/{name}", [f"of shard {number}"]) for name in names]
        for at, row in enumerate(rows):
            row["key"] = f"0000{number}{at}"
        write_shard(
            tmp_path,
            Shard(number, pa.Table.from_pylist(rows, SCHEMA), lambda at: b"image", encode_format="png"),
        )
    columns = ["url", "caption"]
    tables = list(latest_images(tmp_path, range(6), columns, again=3))
    assert [table.column_names for table in tables] == [columns] * 6
    found = [(row["caption"][-1], row["url"][-1]) for table in tables for row in table.to_pylist()]
    assert found == [("5", "3"), ("3", "1"), ("2", "4"), ("2", "5"), ("1", "2"), ("0", "0")]
    (first,) = latest_images(tmp_path, [0], ["url"], again=0)
    assert len(first) == 2
