"""Files of rates: from --calibrate, and changed by hand."""

import json

import pytest

from curation.config import Plan
from curation.errors import InputError
from curation.plan.model import estimate
from curation.plan.rates import read_rates

TOLD = {
    "at": "2026-01-02T00:00:00",
    "machine": "an abacus",
    "how": "by hand",
    "cpu_seconds": {"extract": 1.0, "deduplicate": 2.0, "match": 3.0, "balance": 4.0, "download": 5.0},
}


@pytest.fixture
def written(tmp_path):
    def write(text):
        (tmp_path / "rates.json").write_text(text)
        return str(tmp_path / "rates.json")

    return write


def test_rates_of_another_machine(written):
    plan = estimate(Plan(crawls=1, cores=1, rates=written(json.dumps(TOLD))))
    for name, value in TOLD["cpu_seconds"].items():
        figure = plan.figures[f"{name}_seconds"]
        assert (figure.value, figure.origin) == (value, "measured")
        assert figure.source == "an abacus, 2026-01-02; by hand"
    assert plan.steps[2].cpu_seconds == pytest.approx(3 * plan.funnel.pool)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"at": "", "machine": "", "how": "", "cpu_seconds": {}}', "[" * 100_000, "NaN"],
    ids=["empty", "list", "object", "no rates", "deep", "nan"],
)
def test_files_that_hold_no_rates(text, written):
    with pytest.raises(InputError, match=r"rates.json holds no rates; make it with jobs/plan.py --calibrate"):
        read_rates(written(text))


@pytest.mark.parametrize("name", ["at", "machine", "how"])
@pytest.mark.parametrize("value", [2026, None, ["x"]])
def test_words_are_texts(name, value, written):
    with pytest.raises(InputError, match="holds no rates"):
        read_rates(written(json.dumps({**TOLD, name: value})))


@pytest.mark.parametrize(
    "value", ["0", "-1.0", '"0.000005"', "true", "null", f"1{'0' * 400}", "NaN"], ids=repr
)
def test_rates_are_numbers_above_0(value, written):
    per_unit = {**TOLD["cpu_seconds"], "match": json.loads(value)}
    with pytest.raises(InputError, match="holds no rates"):
        read_rates(written(json.dumps({**TOLD, "cpu_seconds": per_unit})))


def test_rates_that_are_not_there():
    with pytest.raises(InputError, match="--rates nowhere: No such file"):
        read_rates("nowhere")
