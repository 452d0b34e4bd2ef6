import json

import pytest

from curation.errors import InputError
from curation.report.card.answers import read_answers


def write(folder, name, text):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_markdown(tmp_path):
    path = write(
        tmp_path, "a.md", "preface\n# Name\nCats\n\n## purpose ##\n\nTo see.\n\nAnd look.\n### funding\n\n"
    )
    assert read_answers(path) == {"name": "Cats", "purpose": "To see.\n\nAnd look."}


def test_json(tmp_path):
    path = write(tmp_path, "a.json", json.dumps({"licence": "CC-BY-4.0", "review": "  "}))
    assert read_answers(path) == {"licence": "CC-BY-4.0"}


def test_none():
    assert read_answers(None) == {}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.md", "# purposes\nx", "purposes is no question; those are name, .*purpose"),
        ("a.json", "{", "no JSON"),
        ("a.json", '["x"]', "must be an object of strings"),
        ("a.json", '{"purpose": 1}', "must be an object of strings"),
    ],
)
def test_bad_answers(tmp_path, name, text, message):
    with pytest.raises(InputError, match=message):
        read_answers(write(tmp_path, name, text))


def test_no_file(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        read_answers(str(tmp_path / "a.md"))
