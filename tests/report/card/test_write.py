import json
import subprocess
import sys
from pathlib import Path

import pytest

from curation.config.datacard import Datacard
from curation.errors import InputError
from curation.report.card import write
from curation.report.card.write import datacard

JOB = Path(__file__).parents[3] / "jobs" / "datacard.py"


def test_the_job_writes_three_files(work, tmp_path):
    answers = tmp_path / "answers.md"
    answers.write_text("# name\nMine\n")
    flags = [
        "--work",
        str(work),
        "--output",
        str(tmp_path / "my.html"),
        "--answers",
        str(answers),
        "--samples",
        "4",
    ]
    done = subprocess.run([sys.executable, JOB, *flags], capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "answers.md", "my.croissant.json", "my.html", "my.md"]  # fmt: skip
    assert "my.html" in done.stdout.replace("\n", "")
    assert "funding" in done.stdout
    html = (tmp_path / "my.html").read_text(encoding="utf-8")
    assert "<title>Mine" in html
    assert html.count("<img") <= 4
    assert len(html) < 3_000_000
    assert json.loads((tmp_path / "my.croissant.json").read_text())["name"] == "Mine"


@pytest.mark.parametrize(
    ("work", "output", "message"),
    [
        ("none", "card.html", "does not exist"),
        (".", "card.html", "holds no finished step"),
        (".", "none/card.html", "a folder that exists"),
    ],
)
def test_bad_input(tmp_path, work, output, message):
    with pytest.raises(InputError, match=message):
        datacard(Datacard(work=str(tmp_path / work), output=str(tmp_path / output)))
    assert list(tmp_path.iterdir()) == []


def test_flags():
    with pytest.raises(InputError, match=r"--output is card.pdf; it must be the name of an .html file"):
        Datacard(work="w", output="card.pdf")
    with pytest.raises(InputError, match="--samples is -1"):
        Datacard(work="w", output="card.html", samples=-1)


def test_a_card_is_there_whole_or_as_it_was(work, tmp_path, monkeypatch):
    card = tmp_path / "card.html"
    card.write_text("before")

    def full(self, *_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(InputError, match="No space left on device"):
        datacard(Datacard(work=str(work), output=str(card), samples=0))
    assert card.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["card.html"]


def test_all_is_made_before_anything_is_written(work, tmp_path, monkeypatch):
    def fail(*_):
        raise ValueError("x")

    monkeypatch.setattr(write, "croissant", fail)
    with pytest.raises(ValueError, match="x"):
        datacard(Datacard(work=str(work), output=str(tmp_path / "card.html"), samples=0))
    assert list(tmp_path.iterdir()) == []
