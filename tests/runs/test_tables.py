"""What steps ask of Spark, as the session has it afterwards."""

import logging

import pyarrow as pa
import pytest

from curation import io
from curation.core.sizing import MIB
from curation.runs.tables import fit, made_with
from tests.stages.conftest import pairs

READ, SHUFFLED = "spark.sql.files.maxPartitionBytes", "spark.sql.shuffle.partitions"


@pytest.fixture
def table(tmp_path):
    io.write_table(tmp_path / "pairs", pairs(["a cat"] * 10))
    return tmp_path / "pairs"


def test_a_step_is_fitted_to_its_input_and_says_so(spark, table, caplog):
    spark.conf.set(READ, "7")
    with caplog.at_level(logging.INFO, "curation"):
        fit(spark, "match", table)
    assert spark.conf.get(READ) == str(16 * MIB)
    assert made_with(spark)["spark_settings"][READ] == str(16 * MIB)
    assert "match: 0 MiB to read on 2 cores: up to 16 MiB a task" in caplog.text


def test_what_the_user_has_set_stays(spark, table, caplog):
    """The session of the tests was started with three partitions for shuffles."""
    with caplog.at_level(logging.INFO, "curation"):
        fit(spark, "match", table)
    assert spark.conf.get(SHUFFLED) == "3"
    assert f"{SHUFFLED} = 3, as you set it" in caplog.text
    assert made_with(spark)["spark_settings"][SHUFFLED] == "3"


def test_all_tables_count(spark, table, tmp_path, caplog):
    noise = pa.array([bytes([n % 256, n // 256 % 256, n % 253]) * 700 for n in range(3000)])
    table_of_noise = pa.table({"noise": noise, "n": range(3000)})
    for name in ("a", "b"):
        (tmp_path / "large" / name).mkdir(parents=True)
        with pa.OSFile(str(tmp_path / "large" / name / "part.parquet"), "wb") as sink:
            pa.parquet.write_table(table_of_noise, sink, compression="none", use_dictionary=False)
    with caplog.at_level(logging.INFO, "curation"):
        fit(spark, "balance", tmp_path / "large" / "a", tmp_path / "large" / "b")
        fit(spark, "balance", tmp_path / "large")
        fit(spark, "balance", *(tmp_path / "large").rglob("*.parquet"))
    assert caplog.text.count("balance: 12 MiB to read") == 3
