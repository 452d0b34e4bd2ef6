import numpy as np
import pytest

from curation.core.balancing import tail_share, threshold_for_tail_share
from curation.core.lists import Lists

ENGLISH, FRENCH = [1, 2, 97, 0], [0, 0, 100]


def lists(**counts):
    languages = [language for language, of in counts.items() for _ in of]
    return Lists(np.concatenate([list(of) for of in counts.values()]), np.array(languages, object))


def test_the_only_list_leads_and_so_does_english():
    assert lists(fr=FRENCH).leader == 0
    assert lists(de=[1], en=ENGLISH, fr=FRENCH).leader == 1
    assert lists(de=[1], fr=FRENCH).leader is None
    assert lists(de=[1], en=[0, 0]).leader is None  # English that matches nothing tells nothing


def test_the_others_get_the_tail_share_of_english():
    several = lists(de=list(range(1, 101)), en=ENGLISH, fr=FRENCH, xx=[0, 0])
    settings = several.with_t([97, 98])
    assert settings.tail_share.tolist() == [tail_share(ENGLISH, 97), 1.0]
    german = [threshold_for_tail_share(range(1, 101), 0.03), 100]
    assert settings.t.tolist() == [german, [97, 98], [1, 100], [1, 1]]


def test_no_leader_no_t():
    with pytest.raises(ValueError, match="no list leads"):
        lists(de=[1], fr=[2]).with_t([1.0])


def test_the_grid_is_fixed_and_reaches_all():
    """The same points for any counts, as far as they are needed, so that curves can be laid side by side."""
    small, large = lists(en=[3, 9]).grid().t[0], lists(en=[3, 5000]).grid().t[0]
    assert (large[: len(small)] == small).all()
    assert small[0] == 1
    assert small[-1] > 9
    assert np.allclose(large[4::4], large[:-4:4] * 2)
    assert lists(en=[8]).grid().t[0][-1] > 8  # above the largest count, not at it
    without = lists(de=[1, 50], fr=FRENCH).grid()
    assert without.tail_share[-1] == 1
    assert (without.t[:, -1] == [50, 100]).all()


def test_settings_between_two_hold_both_ends():
    between = lists(en=ENGLISH).between(3.0, 7.1).t[0]
    assert between[0] == 3.0
    assert between[-1] == 7.1
    assert (np.diff(between) > 0).all()


def test_probabilities_go_by_the_list_of_the_entry():
    several = lists(en=[10, 40], fr=[40, 1])
    setting = several.with_tail_shares([0.2])
    assert setting.t[:, 0].tolist() == [10, 1]
    assert several.probability(setting).tolist() == [1, 0.25, 1 / 40, 1]


def test_settings_can_be_cut_and_joined():
    settings = lists(en=ENGLISH, fr=FRENCH).grid()
    joined = settings[2:3] + settings[:2]
    assert len(joined) == 3
    assert (joined.t == settings.t[:, [2, 0, 1]]).all()
    assert (joined.tail_share == settings.tail_share[[2, 0, 1]]).all()
