import sys

import pytest

from curation.errors import InputError
from curation.vocabulary.segment import LANGUAGES, require, runs


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "icu4py.breakers", None)
    with pytest.raises(InputError, match=r"--language zh .* pip install 'curation\[segment\]'"):
        require("zh")
    require("en")


def test_words_without_spaces() -> None:
    pytest.importorskip("icu4py")
    assert list(runs("我爱北京天安门，天安门上太阳升。", language="zh")) == [  # noqa: RUF001
        ["我", "爱", "北京", "天安门"],
        ["天安门", "上", "太阳", "升"],
    ]
    assert list(runs("สวัสดีชาวโลก 5\nเมือง", language="th")) == [["สวัสดี", "ชาว", "โลก"], ["5"], ["เมือง"]]
    for language in LANGUAGES:
        assert list(runs("", language=language)) == []
