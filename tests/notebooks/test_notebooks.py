"""Every notebook runs, as a script in this process; one also as Jupyter runs it."""

import json
import os
import re
import shutil

import pyarrow as pa
import pytest

from curation import io
from curation.report.arms import COMPARISON
from curation.schemas import DUPLICATES
from tests.notebooks.running import NOTEBOOKS, markup, run_notebook, titles
from tests.report.card.runs import make_run

IDS = [path.stem for path in NOTEBOOKS]
CONTROLS = re.compile("[\u202a-\u202e\u2066-\u2069]")


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A run with everything in it, hostile words included."""
    work = make_run(tmp_path_factory.mktemp("run") / "work")
    shutil.rmtree(work / "shards" / "duplicates")
    row = dict(zip(DUPLICATES.names, ("0000103", "i", "0000001", 7, False), strict=True))
    io.write_table(work / "shards" / "duplicates", pa.Table.from_pylist([row], DUPLICATES))
    (work / "comparison").mkdir()
    score = {"metric": "accuracy", "value": 0.5, "low": 0.4, "high": 0.6}
    arms = [{"name": name, "samples": 9, "seeds": [0, 1], "datasets": {"cats": score}}
            for name in ("all of it", "<script>balanced</script>")]  # fmt: skip
    differences = [
        {"arm": arms[1]["name"], "baseline": "all of it", "dataset": "cats", "part": part, "value": 0.1,
         "low": 0.05, "high": 0.2, "verdict": "better"}
        for part in ("all", "tail")
    ]  # fmt: skip
    reference = [{"source": "somebody", "imagenet": 62.9, "shifts": None}]
    io.write_json(work / "comparison" / COMPARISON,
                  {"arms": arms, "differences": differences, "reference": reference})  # fmt: skip
    return work


@pytest.mark.parametrize("path", NOTEBOOKS, ids=IDS)
def test_it_runs_and_is_inert(work, path):
    said, shown = run_notebook(path, work)
    left_out = re.findall("Left out: .*", said)
    assert all("no profile tells of opt_outs" in line for line in left_out), left_out
    assert len(titles(shown)) >= 3
    html = markup(shown)
    assert "<table>" in html
    specs = json.dumps([thing.to_dict() for thing in shown if hasattr(thing, "to_dict")], ensure_ascii=False)
    assert not CONTROLS.search(html + specs + said)
    assert "<script" not in html
    assert not re.search(r"<[^>]*\son\w+=", html)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=IDS)
def test_it_explains_itself(path):
    cells = path.read_text(encoding="utf-8").split("\n# %%")
    prose = [cell for cell in cells if cell.startswith(" [markdown]")]
    assert len(prose) > len(cells) / 3
    assert "What this assumes" in prose[-1]
    assert sum('tags=["parameters"]' in cell for cell in cells) == 1
    assert re.search(r"^from curation\.report", path.read_text(), re.MULTILINE)
    assert not re.search(r"^(from|import) (pyspark|curation\.(?!report))", path.read_text(), re.MULTILINE)


def test_choosing_t_ends_with_the_command(work):
    said, _ = run_notebook(NOTEBOOKS[2], work)
    assert said.splitlines()[-1] == (
        f"python jobs/balance.py --matches {work / 'matches'} --t 10 --output {work / 'curated-t10'}"
    )
    assert "of this run's shards" in said


def test_before_balancing_t_is_that_of_a_tail_share(work, tmp_path):
    shutil.copytree(work / "matches", tmp_path / "matches")
    said, _ = run_notebook(NOTEBOOKS[2], tmp_path)
    assert "t so far: none" in said
    assert "Left out: " in said
    assert re.search(r"--matches \S+/matches --t \d+ --output", said)
    assert "(guessed)" in said


def test_named_entries_are_found_or_said_to_be_none(work):
    said, shown = run_notebook(NOTEBOOKS[3], work)
    assert "no entries of the vocabulary: bird, sunset, photo, free, tiger, zebra, poodle" in said
    assert "The entries that you named" in titles(shown)


def test_shards_show_images_and_why_they_were_kept(work):
    _, shown = run_notebook(NOTEBOOKS[4], work)
    html = markup(shown)
    assert html.count("data:image/jpeg") > 6
    assert "kept with probability" in html
    assert "7 of 64 bits differ" in html


@pytest.mark.parametrize("path", NOTEBOOKS, ids=IDS)
def test_it_runs_without_profiles_and_comparison(tmp_path, path):
    said, _ = run_notebook(path, make_run(tmp_path / "work", profiles=False))
    if path.stem.startswith(("2", "4", "5")):
        assert "made before profiles were written" in said
    if path.stem.startswith("6"):
        assert "make it with jobs/compare.py" in said


def test_jupyter_runs_it(work, monkeypatch):
    jupytext = pytest.importorskip("jupytext")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    root = NOTEBOOKS[0].parents[1]
    monkeypatch.setenv("WORK", str(work))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")]))
    notebook = jupytext.read(NOTEBOOKS[4])
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    kinds = [kind for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs
             for kind in output.get("data", {})]  # fmt: skip
    assert "image/png" in kinds
    assert "text/html" in kinds
    assert sum(cell.cell_type == "markdown" for cell in notebook.cells) > 5
