import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.core.identity import image_id, pair_uid, uniform


def test_conformance(shared_data):
    cases = json.loads((shared_data.parent / "conformance" / "identity.json").read_text())["cases"]
    assert cases
    urls, texts = (pa.array([case[name] for case in cases]) for name in ("url", "text"))
    uids = pair_uid(urls, texts)
    assert uids.to_pylist() == [case["pair_uid"] for case in cases]
    assert image_id(urls).to_pylist() == [case["image_id"] for case in cases]
    for draw in cases[0]["uniform"]:
        salt, seed = draw.split(":")
        assert uniform(int(seed), uids, salt).tolist() == [case["uniform"][draw] for case in cases]


def test_known_values():
    """One vector of the conformance file, so that the names hold without the shared data."""
    url, text = pa.array(["https://пример.рф/é.png"]), pa.array(["кошка 🐱"])
    uid = pair_uid(url, text)
    assert uid.to_pylist() == ["ac92adac35fa94271d6bb88d42c3edf1"]
    assert image_id(url).to_pylist() == ["0bd72098129e62a2a7067fdb1cb30c35"]
    assert uniform(0, uid).tolist() == [0.9259714066903166]


@given(st.lists(st.tuples(st.text(), st.text()), unique=True, max_size=50))
def test_different_pairs_have_different_uids(pairs):
    urls, texts = (pa.array([pair[side] for pair in pairs], pa.string()) for side in (0, 1))
    assert len(set(pair_uid(urls, texts).to_pylist())) == len(pairs)


def test_nulls_have_no_identity():
    assert pair_uid(pa.array(["a", None]), pa.array([None, "b"])).to_pylist() == [None, None]
    assert image_id(pa.array([None], pa.string())).to_pylist() == [None]


def test_uniform_does_not_depend_on_neighbours_or_layout():
    ids = image_id(pa.array([str(n) for n in range(1000)]))
    whole = uniform(7, ids)
    assert np.array_equal(uniform(7, ids[300:600]), whole[300:600])
    assert np.array_equal(uniform(7, ids.cast(pa.large_string())), whole)
    assert uniform(7, ids[:0]).shape == (0,)


def test_uniform_is_uniform_and_salts_are_independent():
    ids = image_id(pa.array([str(n) for n in range(100_000)]))
    keep, text = uniform(0, ids, "keep"), uniform(0, ids, "text")
    assert keep.min() >= 0
    assert keep.max() < 1
    histogram = np.histogram(keep, 100, (0, 1))[0]
    assert ((histogram - 1000) ** 2 / 1000).sum() < 160  # chi squared, 99 degrees of freedom: 1 in 10,000
    assert abs(np.corrcoef(keep, text)[0, 1]) < 0.015
    assert abs(np.corrcoef(keep, uniform(1, ids, "keep"))[0, 1]) < 0.015


@pytest.mark.parametrize("ids", [["abc"], ["0" * 15], ["g" * 32], ["A" * 32], [None]])
def test_uniform_refuses_what_is_no_id(ids):
    with pytest.raises(ValueError, match="an id"):
        uniform(0, pa.array(ids, pa.string()))


def test_pair_uid_refuses_unequal_lengths():
    with pytest.raises(ValueError, match="2 urls, but 1 texts"):
        pair_uid(pa.array(["a", "b"]), pa.array(["c"]))
