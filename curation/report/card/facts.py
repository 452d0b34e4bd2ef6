"""The facts of a data card, gathered once for all who write it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curation import io
from curation.record import RunRecord
from curation.report.card.from_records import answers_from_records, has_profile
from curation.report.card.questions import TOPICS
from curation.report.card.text import harmless, listed, number, share, size
from curation.report.tables import STEPS, Run

NONE = "none"
"""What is not set."""

_NEEDS = {
    "pool": "--input FILES",
    "matches": "--pool {work}/pool --vocabulary metadata/english",
    "curated": "--matches {work}/matches --t 20000",
    "shards": "--curated {work}/curated",
}


@dataclass(frozen=True)
class Figure:
    """A number that is shown large: what it counts, and a word on it."""

    label: str
    value: str
    note: str


@dataclass(frozen=True)
class Step:
    """A step of the funnel, in pairs."""

    name: str
    rows_in: int
    rows_out: int
    dropped: Mapping[str, int]


@dataclass(frozen=True)
class Made:
    """How a step was run: its settings and versions, as words."""

    name: str
    folder: str
    run_id: str
    settings: Sequence[tuple[str, str]]
    versions: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Answer:
    """A question of the datasheet and what is said to it; `by` is records, author or nobody."""

    name: str
    question: str
    text: str
    by: str


@dataclass(frozen=True)
class Missing:
    """A part that the card lacks, and how it is made."""

    what: str
    how: str


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a data card says, but for charts, entries and samples.

    Attributes:
        run: the tables it is about.
        card: what `curated/datacard.json` holds; empty where there is none.
        answers: of the author, by name.
        name: of the data set.
        place: where the shards lie, seen from the card.
        summary: a sentence or two.
        samples: images, or pairs as long as there are no images.
        languages: ISO codes, heaviest first.
        figures: the numbers to begin with.
        funnel: the steps.
        steps: how each was run.
        topics: the datasheet: titles with answers.
        licences: of the vocabulary's sources, by source, whole.
        missing: parts that the run lacks.
    """

    run: Run
    card: Mapping[str, Any]
    answers: Mapping[str, str]
    name: str
    place: str
    summary: str
    samples: int
    languages: Sequence[str]
    figures: Sequence[Figure]
    funnel: Sequence[Step]
    steps: Sequence[Made]
    topics: Sequence[tuple[str, Sequence[Answer]]]
    licences: Mapping[str, str]
    missing: Sequence[Missing]


def gather(run: Run, answers: Mapping[str, str], beside: Path) -> Facts:
    """Gather the facts of a run.

    Args:
        run: with any of its steps.
        answers: of the author.
        beside: the folder of the card.
    """
    records = {name: getattr(run, name) for name in STEPS}
    card = _card(run.curated)
    samples = _samples(run.records()[-1])
    manifest = {} if run.matches is None else run.matches.facts.get("vocabulary_manifest") or {}
    return Facts(
        run=run,
        card=card,
        answers=answers,
        name=harmless(answers.get("name", _name(run.folder)), 120),
        place=_place(run.folder / "shards", beside),
        summary=answers.get("summary", _summary(run)),
        samples=samples,
        languages=_languages(run, card),
        figures=_figures(run, card),
        funnel=_funnel(run, card),
        steps=[_made(name, record) for name, record in records.items() if record is not None],
        topics=_topics(run, answers),
        licences=dict(manifest.get("licences", {})),
        missing=_missing(run.folder, records),
    )


def _place(shards: Path, beside: Path) -> str:
    """The path from the card, as far as the shards are below it; else where one would put them."""
    return (shards.relative_to(beside) if shards.is_relative_to(beside) else Path("shards")).as_posix()


def _name(work: Path) -> str:
    """What the author calls the folder; `work` says nothing, so then the one that it is in."""
    return work.parent.name if work.name == "work" and work.parent.name else work.name


def _card(curated: RunRecord | None) -> Mapping[str, Any]:
    """What balancing has written of itself."""
    path = None if curated is None else curated.folder / "datacard.json"
    if path is None or not path.is_file():
        return {}
    card: Mapping[str, Any] = io.read_json(path)
    return card


def _samples(last: RunRecord) -> int:
    if last.job == "download":
        return int(last.facts["images_by_status"].get("success", 0))
    return last.rows["out"]


def _summary(run: Run) -> str:
    summary = "Pairs of image and text from the web"
    if run.matches is not None:
        summary += f" whose texts hold an entry of a vocabulary of {run.matches.facts['entries']:,}"
    if run.curated is None:
        return f"{summary}. They are not balanced yet."
    thresholds = set(run.curated.facts["t"].values())
    t = f"t = {number(*thresholds)}" if len(thresholds) == 1 else "a threshold for each language"
    return f"{summary}. They are balanced: entries with more matches than {t} are cut towards it."


def _languages(run: Run, card: Mapping[str, Any]) -> list[str]:
    """Languages with at least a hundredth of the pairs; without a profile, the vocabulary's."""
    for step in ("curated", "matches", "pool"):
        if not has_profile(run, step):
            continue
        rows = [row for row in run.profile(step).to_pylist() if row["facet"] == "language"]
        total = sum(row["rows"] for row in rows)
        return [row["value"] for row in rows if row["value"] and row["rows"] >= total / 100]
    return [language for language in card.get("languages", {}) if language != "other"]


def _figures(run: Run, card: Mapping[str, Any]) -> list[Figure]:
    figures = []
    if run.shards is not None:
        facts, rows = run.shards.facts, run.shards.rows
        came = facts["images_by_status"].get("success", 0)
        figures += [
            Figure("images", number(came), f"{share(came, facts['images'])} of those tried"),
            Figure(
                "texts with their image",
                number(rows["out"]),
                f"{share(rows['out'], rows['in'])} of the curated",
            ),
            Figure("fetched", size(facts["size_bytes"]), "as the images came"),
        ]
    if run.curated is not None:
        rows, thresholds = run.curated.rows, set(run.curated.facts["t"].values())
        kept = f"{share(rows['out'], rows['in'])} of those that match"
        figures.append(Figure("pairs curated", number(rows["out"]), kept))
        several = "a t for each language" if len(thresholds) > 1 else "matches, above which an entry is head"
        figures.append(
            Figure("t", " to ".join(number(t) for t in sorted({min(thresholds), max(thresholds)})), several)
        )
    elif run.pool is not None:
        figures.append(Figure("pairs in the pool", number(run.pool.rows["out"]), "distinct links with texts"))
    if card:
        figures += _balanced(card)
    return figures


def _balanced(card: Mapping[str, Any]) -> list[Figure]:
    entries, matches = card["entries"], card["matches"]
    return [
        Figure(
            "entries matched", number(entries["matched"]), f"of {number(entries['all'])} in the vocabulary"
        ),
        Figure("head entries", number(entries["head"]), "above t, and cut towards it"),
        Figure(
            "of all matches are of the tail",
            share(matches["tail_share_after"], 1),
            f"{share(matches['tail_share_before'], 1)} before balancing",
        ),
    ]


def _funnel(run: Run, card: Mapping[str, Any]) -> list[Step]:
    """From balancing's own card, which knows of several pools; without it, from the records."""
    steps = [Step(step["step"], step["in"], step["out"], step["dropped"]) for step in card.get("funnel", ())]
    records = [run.shards] if steps else [run.pool, run.matches, run.curated, run.shards]
    steps += [
        Step(record.job, record.rows["in"], record.rows["out"], record.dropped)
        for record in records
        if record is not None
    ]
    return steps


def _made(name: str, record: RunRecord) -> Made:
    versions = [(key, value) for key, value in record.made.items() if isinstance(value, str)]
    return Made(
        name=record.job,
        folder=name,
        run_id=record.run_id,
        settings=[(key, _setting(value)) for key, value in record.config.items()],
        versions=[(key.replace("_", " "), harmless(value)) for key, value in versions]
        + [("seconds", number(record.seconds))],
    )


def _setting(value: Any) -> str:
    if value is None or value in ([], ()):
        return NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(harmless(str(item)) for item in value)
    return harmless(str(value))


def _topics(run: Run, answers: Mapping[str, str]) -> list[tuple[str, list[Answer]]]:
    known = answers_from_records(run)
    return [
        (topic.title, [_answer(question.name, question.text, answers, known) for question in topic.questions])
        for topic in TOPICS
    ]


def _answer(name: str, question: str, answers: Mapping[str, str], known: Mapping[str, str]) -> Answer:
    """The author knows best."""
    for by, given in (("author", answers), ("records", known)):
        if name in given:
            return Answer(name, question, given[name], by)
    return Answer(name, question, "", "nobody")


def _missing(work: Path, records: Mapping[str, RunRecord | None]) -> list[Missing]:
    missing = []
    for name, record in records.items():
        if record is None:
            needs = _NEEDS[name].format(work=work)
            how = f"python jobs/{STEPS[name]}.py {needs} --output {work / name}"
            missing.append(Missing(f"the folder {name}", how))
    older = [name for name, record in records.items() if record and not (work / name / "profile").is_dir()]
    if older:
        what = f"languages, hosts, lengths and sizes of {listed(older)}: there is no folder profile"
        again = " ".join(f"jobs/{STEPS[name]}.py" for name in older)
        missing.append(
            Missing(what, f"copy it too; or, of an older version, run again into a new folder: {again}")
        )
    return missing
