"""Why a pair was kept or dropped."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from curation import io
from curation.config import Explain
from curation.core.balancing import keep_probability
from curation.core.identity import pair_uid, uniform
from curation.core.matcher import VocabularyMatcher
from curation.crawl.language import Languages
from curation.errors import InputError
from curation.record import RunRecord, read_record
from curation.report.explanation import Explanation
from curation.stages.balance import NOT_DRAWN
from curation.stages.match import NO_MATCH
from curation.stages.one_text import ANOTHER_TEXT


def explain(config: Explain) -> Explanation:
    """Follow one pair through matching and balancing.

    Args:
        config: which pair, of which data set.

    Returns:
        What became of it, or would have become.

    Raises:
        InputError: a folder is missing, or no pair has that uid.
    """
    curated = read_record(io.local_folder(config.curated, "--curated"), "balance")
    counts = io.read_table(curated.folder / "counts")
    pair = _imagine(config, counts) if config.uid is None else _find(config.uid, curated, config)
    ids = pair["entry_ids"]
    entries = counts.take(pa.array(ids, pa.int64()))
    lists = pa.array([ids], pa.list_(pa.int32()))
    keep = float(keep_probability(lists, counts["probability"].to_numpy())[0])
    draw = None if pair["uid"] is None else _draw(pair["uid"], curated, "keep")
    return Explanation(
        text=pair["text"],
        url=pair["url"],
        uid=pair["uid"],
        entries=entries.to_pylist(),
        keep_probability=keep,
        draw=draw,
        seed=curated.config["seed"],
        online=curated.config["online"],
        drop_reason=_reason(pair, ids, keep, draw, curated, config),
    )


def _imagine(config: Explain, counts: pa.Table) -> dict[str, Any]:
    """A pair of the text that was given, matched anew."""
    text = pa.array([config.text], pa.string())
    languages = counts["language"].unique().to_pylist()
    language = config.language
    if language is None and len(languages) > 1:
        language = Languages().identify([config.text or ""])[0][0]
    lists = {
        name: counts.filter(pc.equal(counts["language"], name))["entry"].combine_chunks()
        for name in languages
    }
    found = VocabularyMatcher(lists).match(text, pa.array([language], pa.string()))
    uid = None if config.url is None else pair_uid(pa.array([config.url]), text)[0].as_py()
    return {"uid": uid, "url": config.url, "text": config.text, "entry_ids": found[0].as_py()}


def _find(uid: str, curated: RunRecord, config: Explain) -> dict[str, Any]:
    """The pair with this uid, from the matches."""
    found = _rows([curated.folder], "uid", uid) or _rows(_matches(curated, config), "uid", uid)
    if not found:
        raise InputError(
            f"no pair that matches has the uid {uid}: its text holds no entry, or it was never extracted; "
            "give --text to see which entries a text holds"
        )
    return found[0]


def _matches(curated: RunRecord, config: Explain) -> list[Path]:
    given = config.matches or curated.facts["matches"]
    folders = [read_record(io.local_folder(path, "--matches"), "match") for path in given]
    strangers = [str(record.folder) for record in folders if record.run_id not in curated.inputs]
    if strangers:
        raise InputError(f"{strangers[0]} is not what {curated.folder} was made from; name it with --matches")
    return [record.folder for record in folders]


def _rows(folders: Sequence[Path], column: str, value: str) -> list[dict[str, Any]]:
    columns = ["uid", "url", "text", "entry_ids"]
    found: list[dict[str, Any]] = []
    for folder in folders:
        pairs = ds.dataset(folder / "pairs", format="parquet")
        found += pairs.to_table(columns=columns, filter=pc.field(column) == value).to_pylist()
    return found


def _draw(uid: str, curated: RunRecord, salt: str) -> float:
    return float(uniform(curated.config["seed"], pa.array([uid]), salt)[0])


def _reason(
    pair: dict[str, Any], ids: list[int], keep: float, draw: float | None, curated: RunRecord, config: Explain
) -> str | None:
    """Why the pair is dropped; None if it is kept, or if that cannot be told without a draw."""
    if not ids:
        return NO_MATCH
    if draw is None:
        return None
    if curated.config["texts_per_image"] == "one":
        others = _rows(_matches(curated, config), "url", pair["url"])
        first = min((_draw(other["uid"], curated, "text"), other["uid"]) for other in [*others, pair])
        if first[1] != pair["uid"]:
            return ANOTHER_TEXT
    return NOT_DRAWN if draw >= keep and not curated.config["online"] else None
