"""Matching and balancing of real texts, held against the slow reference, bit for bit."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.config import Balance, Extract, Match
from curation.core.identity import uniform
from curation.runs import balance, extract, match
from curation.vocabulary.vocabulary import read_vocabulary
from tests import reference
from tests.core.test_matcher import captions
from tests.core.test_word_trie import half_a_million
from tests.runs.conftest import make_pool, rows
from tests.stages.conftest import pairs


@pytest.fixture(scope="module")
def texts(shared_data):
    return captions(shared_data, "cc3m-validation") + captions(shared_data, "coco-val2017")


@pytest.fixture(scope="module")
def half_a_million_entries(shared_data, wordnet, texts, tmp_path_factory):
    """A text file of 500,000 entries: WordNet's names, and runs of words of the captions."""
    path = tmp_path_factory.mktemp("vocabulary") / "entries.txt"
    entries = half_a_million(read_vocabulary(str(wordnet)).entries("en").to_pylist(), texts)
    path.write_text("\n".join(entries))
    return path


def hold_against_the_reference(session, pool, vocabulary, tmp_path, t):
    matches, curated = str(tmp_path / "matches"), str(tmp_path / "curated")
    match(session, Match(pool=str(pool), vocabulary=str(vocabulary), output=matches))
    (record,) = balance(session, Balance(matches=(matches,), output=curated, t=t, seed=7))
    read = read_vocabulary(str(vocabulary))
    entries = read.entries(*read.languages).to_pylist()
    of_uid = {row["uid"]: row["text"] for row in rows(pool / "pairs")}
    draws = dict(zip(of_uid, uniform(7, pa.array(of_uid, pa.string())).tolist(), strict=True))
    expected = reference.curate(of_uid, entries, t, draws.__getitem__)
    kept = rows(record.folder / "pairs")
    assert {row["uid"] for row in kept} == expected.kept
    assert all(row["entry_ids"] == expected.matches[row["uid"]] for row in kept)
    assert all(row["keep_probability"] == expected.keep[row["uid"]] for row in kept)
    assert pq.read_table(record.folder / "counts")["count"].to_pylist() == expected.counts
    assert record.facts["expected_rows"] == pytest.approx(sum(expected.keep.values()), abs=1e-4)
    return len(entries), len(expected.matches), len(kept)


def test_captions_with_wordnet(session, tmp_path, texts, wordnet):
    pool = make_pool(tmp_path / "pool", pairs(texts)).folder
    _, matched, kept = hold_against_the_reference(session, pool, wordnet, tmp_path, t=20)
    assert matched == len(texts) - 9 - 178
    assert 0.1 < kept / matched < 0.9


def test_captions_with_half_a_million_entries(session, tmp_path, texts, half_a_million_entries):
    pool = make_pool(tmp_path / "pool", pairs(texts)).folder
    entries, matched, kept = hold_against_the_reference(
        session, pool, half_a_million_entries, tmp_path, t=0.1
    )
    assert entries == 500_000
    assert 0.1 < kept / matched < 0.9


def test_real_pages_with_half_a_million_entries(session, tmp_path, shared_data, half_a_million_entries):
    wat = str(shared_data / "wat" / "pages.warc.wat.gz")
    extract(session, Extract(input=(wat,), output=str(tmp_path / "pool")))
    hold_against_the_reference(session, tmp_path / "pool", half_a_million_entries, tmp_path, t=5)
