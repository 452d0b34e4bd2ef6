import pytest

from curation.config import Balance, Curate, Download, Extract, affecting_rows
from curation.errors import InputError

BALANCE = {"matches": ("m",), "output": "o"}


@pytest.mark.parametrize(
    ("config", "arguments", "words"),
    [
        (Extract, {"output": "o"}, "or --retry-failed POOL"),
        (Extract, {"output": "o", "input": ("a",), "crawl": ("b",)}, "or --retry-failed POOL"),
        (Extract, {"output": "o", "input": ("a",), "limit": 1}, "--limit takes a sample"),
        (Extract, {"output": "o", "crawl": ("a",), "limit": 0}, "--limit is 0"),
        (Balance, BALANCE, "exactly one of"),
        (Balance, {**BALANCE, "t": 1.0, "target": 3}, "exactly one of"),
        (Balance, {**BALANCE, "t": -1.0}, "--t is -1.0"),
        (Balance, {**BALANCE, "t": float("nan")}, "--t is nan"),
        (Balance, {**BALANCE, "tail_share": 1.5}, "--tail-share is 1.5"),
        (Balance, {**BALANCE, "target": 0}, "--target is 0"),
        (Balance, {**BALANCE, "t": 1.0, "expected_yield": 0.0}, "--yield is 0.0"),
        (Download, {"curated": "c", "output": "o", "shard_size": 0}, "--shard-size is 0"),
        (Download, {"curated": "c", "output": "o", "retries": -1}, "--retries is -1"),
        (Curate, {"output": "o", "vocabulary": "v", "input": ("a",)}, "exactly one of"),
        (Curate, {"output": "o", "vocabulary": "v", "t": 1.0}, "or --retry-failed POOL"),
    ],
)
def test_senseless_settings_are_refused_in_one_line(config, arguments, words):
    with pytest.raises(InputError, match=words) as caught:
        config(**arguments)
    assert "\n" not in str(caught.value)


def test_a_whole_t_is_the_same_setting_as_a_decimal_one():
    assert repr(affecting_rows(Balance(**BALANCE, t=20))) == repr(affecting_rows(Balance(**BALANCE, t=20.0)))


def test_settings_that_do_not_affect_rows_are_left_out_of_identity():
    one = Download(curated="c", output="here", threads=1)
    other = Download(curated="c", output="there", threads=99)
    assert affecting_rows(one) == affecting_rows(other)
    assert affecting_rows(one) != affecting_rows(Download(curated="c", output="here", image_size=64))
