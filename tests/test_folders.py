import pytest

from curation.errors import InputError
from curation.folders import discard, drop_if_empty, remove, take_over


@pytest.mark.parametrize("left", [True, False])
def test_two_drivers_that_cannot_lock_never_share_a_folder(tmp_path, left):
    """Both have seen the same folders; what they do next is decided by the file system."""
    if left:
        (tmp_path / "run-1").mkdir()
    seen = list(tmp_path.iterdir())
    take_over(tmp_path, "run-")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pathlib.Path.glob", lambda *_: iter(seen))
        with pytest.raises(InputError, match="another run is at work"):
            take_over(tmp_path, "run-")


def test_numbers_are_numbers_and_other_names_are_left_alone(tmp_path):
    for name in ("run-9", "run-10", "run-x", "walk-11"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "of").write_text(name)
    assert take_over(tmp_path, "run-") == tmp_path / "run-11"
    assert (tmp_path / "run-11" / "of").read_text() == "run-10"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run-11", "run-x", "walk-11"]


def test_what_is_gone_need_not_be_removed(tmp_path):
    (tmp_path / "folder" / "below").mkdir(parents=True)
    (tmp_path / "file").touch()
    assert not drop_if_empty(tmp_path / "folder")
    assert drop_if_empty(tmp_path / "folder" / "below")
    for name in ("folder", "file", "nothing"):
        remove(tmp_path / name)
        discard(tmp_path / name)
    assert not list(tmp_path.iterdir())
    assert not drop_if_empty(tmp_path / "nothing")
