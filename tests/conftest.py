"""What all tests share: one Spark session, and the real data where it is."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from pyspark.sql import SparkSession

from curation.spark import Session

ROOT = Path(__file__).parents[1]

os.environ["NO_ALBUMENTATIONS_UPDATE"] = (
    "1"  # or img2dataset's import asks the network, whoever does it first
)

# No deadline: the machine may be busy. In CI the same examples every time, so that red means a change did it.
settings.register_profile("tests", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("tests")


@pytest.fixture(scope="session")
def session() -> Iterator[Session]:
    """Starts Spark when a test first needs it; one for the whole run."""
    os.environ["PYSPARK_SUBMIT_ARGS"] = (
        "--master local[2] --conf spark.sql.shuffle.partitions=3 "
        "--conf spark.default.parallelism=2 pyspark-shell"
    )
    session = Session("tests")
    yield session
    session.stop()


@pytest.fixture(scope="session")
def spark(session: Session) -> SparkSession:
    return session()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data that lies beside the checkout; tests that want it are skipped without it."""
    folder = Path(os.environ.get("CURATION_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no shared data: set CURATION_SHARED_DATA or put it at {folder}")
    return folder


@pytest.fixture(scope="session")
def wordnet() -> Path:
    """The vocabulary that ships with the project."""
    return ROOT / "metadata" / "wordnet"
