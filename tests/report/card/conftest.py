from pathlib import Path

import pytest

from curation.report.card.content import Content, collect
from curation.report.tables import Run
from tests.report.card.runs import make_run


@pytest.fixture(scope="package")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with all its steps, and hostile words in all places."""
    return make_run(tmp_path_factory.mktemp("card") / "work")


@pytest.fixture(scope="package")
def content(work: Path) -> Content:
    return collect(Run.open(str(work)), {}, beside=work.parent, samples=12)
