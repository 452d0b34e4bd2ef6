import base64
import io
import shutil
import tarfile

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from PIL import Image

from curation.core.matcher import Matcher
from curation.report.card.gallery import choose_samples
from curation.report.card.thumbnails import thumbnails
from tests.report.card.runs import HEAD, SCRIPT, TAIL, make_counts, make_shards


@pytest.fixture(scope="module")
def samples(work):
    return choose_samples(work / "shards", make_counts(), 12)


def test_half_of_the_head_and_half_of_the_tail(samples):
    assert [sample.tail for sample in samples] == [False] * 6 + [True] * 6
    assert all((sample.rarest <= 10) == sample.tail for sample in samples)
    for half in (samples[:6], samples[6:]):
        assert [sample.rarest for sample in half] == sorted((s.rarest for s in half), reverse=True)


def test_each_tail_sample_has_another_entry(samples):
    rarest = [min((e.count, e.entry) for t in sample.texts for e in t.entries)[1] for sample in samples[6:]]
    assert len(set(rarest)) == 6


def test_one_sample_of_an_entry_before_a_second(work):
    """Of three entries of the head, one is the rarest in two thirds of the samples."""
    head = [sample for sample in choose_samples(work / "shards", make_counts(), 6) if not sample.tail]
    assert [sample.rarest for sample in head] == [320, 280, 240]


def test_entries_are_those_of_the_text_rarest_first(samples):
    counts = make_counts()
    matcher = Matcher(counts["entry"].combine_chunks())
    seen = 0
    for sample in samples:
        for text in sample.texts:
            told = [(entry.entry, entry.count, entry.kept_count) for entry in text.entries]
            rows = counts.filter(
                pc.is_in(counts["entry"], matcher_entries(matcher, counts, text.text))
            ).to_pylist()
            if "\ufffd" in text.text or "…" in text.text:
                continue
            seen += 1
            assert sorted(told) == sorted((row["entry"], row["count"], row["kept_count"]) for row in rows)
            assert [entry[1] for entry in told] == sorted(entry[1] for entry in told)
    assert seen >= 10


def matcher_entries(matcher, counts, text):
    return counts["entry"].combine_chunks().take(matcher.match(pa.array([text]))[0].values)


def test_hostile_words_are_harmless(samples):
    words = [text.text for sample in samples for text in sample.texts]
    assert not any("\u202e" in word for word in words)
    assert all(len(word) <= 241 for word in words)


def test_few_or_none(work, tmp_path):
    assert choose_samples(work / "shards", make_counts(), 0) == []
    everything = choose_samples(work / "shards", make_counts(), 500)
    assert len(everything) == 72
    assert len({sample.key for sample in everything}) == 72
    three = choose_samples(work / "shards", make_counts(), 3)
    assert len(three) == 3


def test_only_images_that_came(samples):
    assert not any(int(sample.key) % 10 == 9 for sample in samples)


def test_with_several_languages_entries_are_of_the_texts_language(work):
    counts = make_counts(languages=True)
    found = choose_samples(work / "shards", counts, 40)
    names = {entry.entry for sample in found for text in sample.texts for entry in text.entries}
    assert names & set(HEAD)


def test_the_same_samples_every_time(work, samples):
    assert choose_samples(work / "shards", make_counts(), 12) == samples


def test_thumbnails_are_small_jpegs_of_these_samples(work, samples):
    pictures = thumbnails(work / "shards", samples)
    broken = {sample.key for sample in samples if int(sample.key[5:]) % 7 == 6}
    assert set(pictures) == {sample.key for sample in samples} - broken
    for key, url in pictures.items():
        head, data = url.split(",")
        assert head == "data:image/jpeg;base64"
        image = Image.open(io.BytesIO(base64.b64decode(data)))
        assert image.size == (64, 48)
        assert abs(image.convert("RGB").getpixel((30, 20))[0] - int(key[5:]) * 6 % 256) < 12


def test_damaged_or_missing_tars_cost_their_pictures(tmp_path):
    make_shards(tmp_path / "shards")
    everything = choose_samples(tmp_path / "shards", make_counts(), 500)
    (tmp_path / "shards" / "00000.tar").unlink()
    other = tmp_path / "shards" / "00001.tar"
    other.write_bytes(other.read_bytes()[:100_000])
    assert 0 < len(thumbnails(tmp_path / "shards", everything)) < 30


def test_no_member_larger_than_a_picture_is_read(tmp_path, monkeypatch):
    make_shards(tmp_path / "shards")
    monkeypatch.setattr("curation.report.card.thumbnails._MAX_BYTES", 10)
    assert thumbnails(tmp_path / "shards", choose_samples(tmp_path / "shards", make_counts(), 5)) == {}


def test_fixture_is_hostile(work):
    shutil.rmtree(work / "none", ignore_errors=True)
    with tarfile.open(work / "shards" / "00000.tar") as archive:
        said = [archive.extractfile(member).read() for member in archive if member.name.endswith(".txt")]
    assert any(SCRIPT.encode() in text for text in said)
    assert SCRIPT in TAIL
