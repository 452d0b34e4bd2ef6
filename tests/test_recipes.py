"""What README and the recipes name is there: jobs, their flags, files."""

import ast
import re
import subprocess
from typing import Annotated

import pytest
from cyclopts import App, Parameter

import curation.config
from tests.conftest import ROOT
from tests.recipes import PAGES, blocks

JOBS = {path.stem: path for path in (ROOT / "jobs").glob("*.py")}
NOT_RUN = ("dataproc.md", "emr.md", "kubernetes.md")

# jobs/NAME.py in commands, `submit NAME` and NAME=flags in blocks, NAME with a flag in prose; then the rest.
_COMMAND = re.compile(
    r"(?:jobs/(\w+)\.py|(?<!jobs )(?<![\w-])submit ([a-z_]+)|`([a-z_]+)(?= --)|\b([A-Z]+)=)([^\n`|;&#]*)"
)
_BARE = re.compile(r"`(--[a-z][a-z-]*)")
SPARKS = {"--conf", "--deploy-mode", "--total-executor-cores"}
_FLAG = re.compile(r"(?<!\w)(?<!\w-)--[a-z][a-z-]*")
_LINK = re.compile(r"(?:\]\(|(?:src|href)=\")(?!https?:|#)([^)#\"]+)")


def commands(text):
    """The jobs that a text names, each with the flags given to it there."""
    text = re.sub(r"\\\n\s*", " ", text)
    text = re.sub(r"(?<=[^`])`([^`\n]+)\n([^`\n]+)`", r"`\1 \2`", text)  # code in prose, over two lines
    for found in _COMMAND.finditer(text):
        file, submitted, in_prose, variable, rest = found.groups()
        named = file or submitted or in_prose or variable.lower()
        if file or submitted or named in JOBS:  # there are other programs, and other variables
            yield named, _FLAG.findall(rest)


def flags(job):
    """The flags that a job takes."""
    imports = [
        node for node in ast.walk(ast.parse(JOBS[job].read_text())) if isinstance(node, ast.ImportFrom)
    ]
    config = next(node.names[0].name for node in imports if node.module == "curation.config")

    def run(config, master: str | None = None):
        pass

    run.__annotations__["config"] = Annotated[getattr(curation.config, config), Parameter(name="*")]
    app = App(default_parameter=Parameter(negative=()))
    app.default(run)
    return {name for argument in app.assemble_argument_collection() for name in argument.names} | {"--help"}


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda page: page.name)
def test_every_job_and_flag_that_a_page_names_exists(page):
    named = list(commands(page.read_text()))
    assert [job for job, _ in named if job not in JOBS and job != "NAME"] == []
    known = {job: flags(job) for job, _ in named if job in JOBS}
    assert [(job, flag) for job, given in named for flag in given if flag not in known.get(job, ())] == []


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda page: page.name)
def test_every_flag_in_prose_is_one_of_some_job(page):
    known = SPARKS.union(*map(flags, JOBS))
    assert [flag for flag in _BARE.findall(page.read_text()) if flag not in known] == []


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda page: page.name)
def test_every_file_that_a_page_links_exists(page):
    links = _LINK.findall(page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_blocks_of_a_page_are_bash(page):
    found = blocks(page)
    assert len(found) == page.read_text().count("```bash")
    for block in found:
        checked = subprocess.run(["bash", "-n"], input=block.code, capture_output=True, text=True)
        assert checked.stderr == ""


def test_pages_that_were_never_run_say_so_at_their_top():
    assert {"standalone.md", *NOT_RUN} <= {page.name for page in PAGES}
    for page in PAGES:
        assert ("**Not run here.**" in page.read_text()[:400]) == (page.name in NOT_RUN)
        run = [block.code for block in blocks(page) if block.reason is None]
        assert bool(run) == (
            page.name == "standalone.md"
        )  # tests/cluster/test_recipes.py runs that one alone


@pytest.mark.parametrize(
    ("page", "program", "expected"),
    [
        (
            "kubernetes.md",
            "spark-submit",
            [
                *("--master", "k8s://https://kubernetes.example.org:443", "--name", "curation-match"),
                "spark.kubernetes.driver.volumes.persistentVolumeClaim.shared.mount.path=/shared",
                "local:///opt/curation/jobs/match.py",
            ],
        ),
        (
            "emr.md",
            "aws",
            [
                *("emr", "add-steps", "--steps"),
                "Type=Spark,Name=match,ActionOnFailure=CONTINUE,Args=[--deploy-mode,cluster,--archives,"
                "s3://bucket/env.tar.gz#env,",
                "s3://bucket/jobs/match.py,--pool,/shared/CC-MAIN-2022-49/pool,",
            ],
        ),
        (
            "dataproc.md",
            "gcloud",
            [
                *("dataproc", "jobs", "submit", "pyspark", "gs://bucket/jobs/match.py"),
                *("--archives", "gs://bucket/env.tar.gz#env", "--properties"),
                "spark.submit.deployMode=cluster,spark.pyspark.python=./env/bin/python,",
                "\n--\n--pool\n/shared/CC-MAIN-2022-49/pool\n--vocabulary\n",
            ],
        ),
    ],
)
def test_submit_of_a_page_gives_the_program_its_arguments(tmp_path, page, program, expected):
    """With a program in its place that prints them: quotes and commas can be wrong without a cluster."""
    stub = tmp_path / program
    stub.write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\n")
    stub.chmod(0o755)
    (block,) = (block for block in blocks(ROOT / "docs" / "recipes" / page) if "submit()" in block.code)
    printed = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.code],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "BUCKET": "bucket", "CLUSTER": "c", "REGION": "r"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    place = 0
    for argument in expected:  # in this order
        place = printed.find(argument, place)
        assert place >= 0, f"{argument} is missing in\n{printed}"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (
            "python jobs/match.py --pool p \\\n    --vocabulary v\n--x",
            [("match", ["--pool", "--vocabulary"])],
        ),
        ("submit match --pool $P || break --x", [("match", ["--pool"])]),
        ("say `balance --t 20` or `--x`", [("balance", ["--t"])]),
        ("say `submit extract\n--limit 1`", [("extract", ["--limit"])]),
        ("Args=[jobs/match.py,--pool,/p]", [("match", ["--pool"])]),
        ("gcloud dataproc jobs submit pyspark --x; `kubectl --namespace x`", []),
        ("EXTRACT=${EXTRACT:---limit 100} # --x\nT=--x", [("extract", ["--limit"])]),
        ("EXTRACT='--languages en'", [("extract", ["--languages"])]),
        ("what spark-submit takes", []),
        ("the `pool` and `matches`", []),
    ],
)
def test_commands_are_found(text, named):
    assert list(commands(text)) == named


def test_flags_are_those_of_the_job():
    assert {"--t", "--matches", "--master", "--yield"} <= flags("balance")
    assert "--pool" not in flags("balance")
    assert "--negative" not in flags("train")
