"""What the steps have in common: writing a stage's rows while counting what it drops."""

import platform
import re
import shutil
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pyarrow as pa
from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F

import curation
from curation import io, schemas
from curation.core.sizing import Sizing
from curation.log import announce, logger, progress
from curation.spark import cores, is_local, settings
from curation.stages.profile import profile

PROFILE = "profile"


def write_kept(rows: DataFrame, folder: Path, reasons: Sequence[str]) -> tuple[int, dict[str, int]]:
    """Write the rows without a `drop_reason` as Parquet, and count the others in the same pass.

    Args:
        rows: with `drop_reason`, which is not written.
        folder: of the table.
        reasons: that the stage knows.

    Returns:
        The number of rows written, and of rows dropped by reason.
    """
    reason = F.col("drop_reason")
    metrics = [F.count_if(reason.isNull()).alias("kept")]
    metrics += [F.count_if(reason == name).alias(name) for name in reasons]
    observation = Observation()
    kept = rows.observe(observation, *metrics).where(reason.isNull()).drop("drop_reason")
    kept.write.parquet(str(folder))
    counted = observation.get  # without metrics where Spark found out that there are no rows
    return int(counted.get("kept", 0)), {name: int(counted.get(name, 0)) for name in reasons}


def read_tables(spark: SparkSession, *paths: Path) -> DataFrame:
    """Read Parquet folders or files; Spark takes paths for globs, so what would be one is escaped."""
    return spark.read.parquet(*(re.sub(r"([\\\[\]{}*?])", r"\\\1", str(path)) for path in paths))


def fit(spark: SparkSession, step: str, *tables: Path) -> None:
    """Set what Spark has to know for a step, and say so; what the user has set himself stays.

    Args:
        spark: the session.
        step: its name.
        tables: what it reads, Parquet files or folders of them.
    """
    files = (file for table in tables for file in (table.rglob("*.parquet") if table.is_dir() else [table]))
    size = sum(file.stat().st_size for file in files)
    sizing = Sizing(input_bytes=size, cores=cores(spark))
    users = spark.sparkContext.getConf()
    kept = {key: users.get(key) for key in sizing.settings() if users.contains(key)}
    for key, value in sizing.settings().items():
        if key not in kept:
            spark.conf.set(key, value)
    as_set = "".join(f"; {key} = {value}, as you set it" for key, value in kept.items())
    say = logger.info if is_local(spark) else announce
    say(f"{step}: {sizing}{as_set}")


def write_profile(rows: DataFrame, folder: Path) -> None:
    """Write how rows are spread over the values of their facets: PROFILE.

    Args:
        rows: of a table that is written: of its columns, only those that facets are of are read.
        folder: of the run; gets a folder `profile`, in the place of what a killed attempt left of one.
    """
    with progress(rows.sparkSession, "profile"):
        table = profile(rows).toArrow().cast(schemas.PROFILE)
    shutil.rmtree(folder / PROFILE, ignore_errors=True)
    io.write_table(folder / PROFILE, table)


def made_with(spark: SparkSession | None = None) -> dict[str, object]:
    """When and with what a run was made, for its record."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "curation": curation.__version__,
        "git_commit": _git_commit(),
        "python": platform.python_version(),
        "pyarrow": pa.__version__,
        **({"spark": spark.version, "spark_settings": settings(spark)} if spark is not None else {}),
    }


@cache
def _git_commit() -> str | None:
    """The commit of the checkout that the library runs from; None where it is installed."""
    try:
        return subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=Path(curation.__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
