import asyncio
import shutil

import pyarrow as pa
import pytest

from curation.errors import InputError
from curation.report.card.gallery import choose_samples
from curation.report.looking import look_alikes
from curation.report.notebook import gallery, listing, optional, side_by_side
from curation.schemas import DUPLICATES
from tests.report.card.runs import SHARD_SIZE, make_counts, make_shards


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """Two shards: 000 to 039, and 100 to 139 in the second."""
    folder = tmp_path_factory.mktemp("shards") / "shards"
    make_shards(folder)
    return folder


def marked(*rows):
    named = [dict(zip(DUPLICATES.names, row, strict=True)) for row in rows]
    return pa.Table.from_pylist(named, DUPLICATES)


def test_what_is_lacking_is_said_and_passed_over(capsys):
    with optional():
        raise InputError("no profile")
    assert capsys.readouterr().out == "Left out: no profile\n"
    with pytest.raises(ValueError, match="ours"), optional():
        raise ValueError("ours")


def test_numbers_are_formatted_by_what_they_are():
    table = pa.table(
        {"name": ["a"], "pairs": [1234567], "kept_share": [0.1234], "size": [0.12345], "none": [None]}
    )
    shown = listing(table)._repr_html_()
    for cell in (">a<", ">1,234,567<", ">12.34%<", ">0.1235<", "><", ">kept share<"):
        assert cell in shown
    assert ">12,346<" in listing(pa.table({"t": [12345.6]}))._repr_html_()


def test_rows_that_are_left_out_are_counted():
    shown = listing(pa.table({"n": list(range(60))}), rows=50)._repr_html_()
    assert "and 10 more rows" in shown
    assert shown.count("<tr>") == 51
    assert "more rows" not in listing(pa.table({"n": [1]}))._repr_html_()


def test_words_from_the_web_stay_words():
    table = pa.table({"<b>": ["<script>x</script>\u202e" + "w" * 2000]})
    shown = listing(table)._repr_html_()
    assert "<script>" not in shown
    assert "<b>" not in shown
    assert "\u202e" not in shown
    assert len(shown) < 2000


def test_a_gallery_shows_images_texts_and_the_entries_that_kept_them(shards):
    shown = gallery(shards, choose_samples(shards, make_counts(), 8))._repr_html_()
    assert shown.count("<div") == 8
    assert "data:image/jpeg;base64," in shown
    assert "kept with probability" in shown
    assert "all kept" in shown
    assert "(t / 400)" in shown
    assert "<script" not in shown
    assert "onerror=window" not in shown.replace("&quot;&gt;&lt;img src=x onerror=window", "")
    assert "\u202e" not in shown
    assert gallery(shards, [])._repr_html_() == "<p>There are no images.</p>"


def test_a_gallery_can_be_made_where_an_event_loop_runs(shards):
    """Jupyter has one in the thread in which cells run."""

    async def cell():
        return gallery(shards, choose_samples(shards, make_counts(), 1))

    assert "data:image/jpeg" in asyncio.run(cell())._repr_html_()


@pytest.fixture
def rows():
    """Keys as shards of 40 write them: the shard, and two digits."""
    return marked(("0000103", "i", "0000001", 7, False), ("0000005", "i", "0000001", 2, False),
                  ("0000012", "i", "0000003", 0, True), ("0000207", "i", "0000001", 1, False))  # fmt: skip


def test_pairs_whose_shards_are_not_there_are_passed_over(shards, rows, tmp_path):
    pairs = look_alikes(shards, rows, 9, shard_size=SHARD_SIZE)
    assert [pair.image.key for pair in pairs] == ["0000012", "0000005", "0000103"]
    assert [pair.image.shard for pair in pairs] == [0, 0, 1]
    few = tmp_path / "few"
    few.mkdir()
    for path in shards.glob("00000*"):
        shutil.copy(path, few)
    assert [pair.image.key for pair in look_alikes(few, rows, 9, shard_size=SHARD_SIZE)] == [
        "0000012",
        "0000005",
    ]


def test_of_many_pairs_some_are_chosen_evenly(shards, rows):
    pairs = look_alikes(shards, rows, 2, shard_size=SHARD_SIZE)
    assert [pair.distance for pair in pairs] == [0, 7]
    assert look_alikes(shards, DUPLICATES.empty_table(), 2, shard_size=SHARD_SIZE) == []


def test_look_alikes_are_shown_side_by_side(shards, rows):
    pairs = look_alikes(shards, rows, 3, shard_size=SHARD_SIZE)
    shown = side_by_side(shards, pairs)._repr_html_()
    assert shown.count("data:image/jpeg") == 6
    assert "the same bytes" in shown
    assert "7 of 64 bits differ" in shown
    assert "640 by 480" in shown
    assert "<script" not in shown
    assert side_by_side(shards, [])._repr_html_() == "<p>No two images look alike.</p>"


def test_a_picture_that_cannot_be_had_is_said(shards, rows, tmp_path):
    pairs = look_alikes(shards, rows, 1, shard_size=SHARD_SIZE)
    assert "no picture" in side_by_side(tmp_path, pairs)._repr_html_()
