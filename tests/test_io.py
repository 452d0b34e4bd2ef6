import pyarrow as pa
import pytest

from curation import io
from curation.errors import InputError


def test_outputs_are_local_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert io.local_folder("out", "--output") == tmp_path / "out"
    assert io.local_folder(f"file://{tmp_path}/out", "--output") == tmp_path / "out"
    with pytest.raises(InputError, match="--output s3://bucket/x: jobs keep folders on a local"):
        io.local_folder("s3://bucket/x", "--output")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="--output file is a file"):
        io.local_folder("file", "--output")


def test_the_same_table_gives_the_same_bytes(tmp_path):
    table = pa.table({"entry_id": pa.array(range(1000), pa.int32()), "entry": [str(n) for n in range(1000)]})
    for name in ("a", "b"):
        io.write_table(tmp_path / name, table)
    a, b = (next((tmp_path / name).iterdir()).read_bytes() for name in ("a", "b"))
    assert a == b
    assert io.read_table(tmp_path / "a").equals(table)


def test_json_is_written_whole(tmp_path):
    io.write_json(tmp_path / "x.json", {"é": 1})
    with pytest.raises(TypeError):
        io.write_json(tmp_path / "x.json", {"x": object()})
    assert io.read_json(tmp_path / "x.json") == {"é": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]


def test_json_for_which_there_is_no_room_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("pathlib.Path.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "no space")))
    with pytest.raises(OSError, match="no space"):
        io.write_json(tmp_path / "x.json", {})
    assert not list(tmp_path.iterdir())
