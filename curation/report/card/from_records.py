"""Answers to the datasheet's questions that follow from the run records."""

from collections.abc import Mapping
from typing import Any

from curation.record import RunRecord
from curation.report.card.text import counted, harmless, listed, number, share, size
from curation.report.tables import Run

_CRAWLS = 12

LIMITS = (
    "Texts are what pages say of images, and often no description: names of products and files, slogans, "
    "the same line on every page of a shop.",
    "Balancing is by words, in the languages of the vocabulary. It makes rare words less rare, and knows "
    "nothing of what is to be seen, of fairness or of truth.",
    "An entry above t keeps more than t pairs, for pairs that a rarer entry brings in carry it along.",
    "The web shows some people, places and things more than others, and with prejudice. So does this.",
    "Opt-outs were read when the pages were crawled, and when the images were fetched, where that is said "
    "below; what was declared since is not known.",
)


def answers_from_records(run: Run) -> dict[str, str]:
    """What the records of a run say to the questions of the datasheet.

    Args:
        run: with any of its steps.

    Returns:
        Answers by the name of the question; of questions that no record answers there are none.
    """
    answers = {
        "instances": "A sample is an image that a web page showed, with one or more texts that pages gave "
        "for it (alt, title or caption).",
        "labels": "There are none. Which entries of the vocabulary occur in a text can be found anew with "
        "jobs/explain.py.",
        "relationships": "Texts of one image stand in one sample. Images that look like another one are "
        "listed in shards/duplicates.",
        "limits": " ".join(LIMITS),
        "consent": "Nobody was asked or told. What pages and servers declare against use was heeded as said "
        "under Preprocessing.",
        "third_parties": "Images and texts belong to whoever made them.",
        "contributions": "Further crawls can be added: extract --against, match with the same vocabulary, "
        "and balance both.",
    }
    for record, tell in (
        (run.pool, _of_pool),
        (run.matches, _of_matches),
        (run.curated, _of_curated),
        (run.shards, _of_shards),
    ):
        if record is not None:
            answers |= tell(record)
    answers |= _of_several(run)
    return {name.replace("_", "-"): answer for name, answer in answers.items() if answer}


def _of_pool(record: RunRecord) -> dict[str, str]:
    facts = record.facts
    return {
        "acquisition": f"From {counted(facts['files'], 'file')} of a web crawl with "
        f"{counted(facts['pages'], 'page')}, which show {counted(facts['images'], 'image')}: the links to "
        f"images, and the texts beside them. {_failures(facts)}",
        "raw": f"The {record.rows['out']:,} distinct pairs of image link and text from before matching are "
        "in the folder pool of the run; whether that is published is the author's to say.",
    }


def _failures(facts: Mapping[str, Any]) -> str:
    faults = [f"{counted(n, 'record')} passed over ({harmless(name)})" for name, n in facts["faults"].items()]
    if facts["files_with_errors"]:
        faults.append(f"{counted(facts['files_with_errors'], 'file')} that could not be read")
    if facts["files_truncated"]:
        faults.append(f"{counted(facts['files_truncated'], 'file')} cut off")
    return f"Faults: {listed(faults)}." if faults else "All of them could be read."


def _of_matches(record: RunRecord) -> dict[str, str]:
    licences = (record.facts.get("vocabulary_manifest") or {}).get("licences", {})
    told = [f"{harmless(source)}: {harmless(_gist(text))}" for source, text in licences.items()]
    rights = f" The vocabulary's sources have licences of their own ({'; '.join(told)})." if told else ""
    return {"third_parties": "Images and texts belong to whoever made them." + rights}


def _gist(licence: str) -> str:
    """The line of a licence that says whose it is."""
    lines = [line.strip() for line in licence.splitlines() if line.strip()]
    return next((line for line in lines if "copyright" in line.lower()), lines[0] if lines else "not told")


def _of_curated(record: RunRecord) -> dict[str, str]:
    config = record.config
    thresholds = [f"{number(t)} ({harmless(language)})" for language, t in record.facts["t"].items()]
    few = listed(thresholds) if len(thresholds) <= 8 else f"{', '.join(thresholds[:8])}, …"
    one = " Of the texts of an image, one was chosen first, by chance." * (config["texts_per_image"] == "one")
    if config["online"]:
        how = f"Every match is in, with the probability with which a loader is to keep it, for t = {few}."
    else:
        how = (
            f"By a draw for each pair with seed {config['seed']}: an entry with more than t = {few} matches "
            "is cut to about t, and one below keeps all."
        )
    return {"strategy": how + one}


def _of_shards(record: RunRecord) -> dict[str, str]:
    config, facts = record.config, record.facts
    came = facts["images_by_status"].get("success", 0)
    duplicates, captions = facts["duplicates"], facts["captions_in_evaluation_sets"]
    contaminated = (
        f" Texts that are captions of evaluation sets and stay: {_tally(captions)}." if captions else ""
    )
    excluded = (
        "Images that look like those of the evaluation sets given to --exclude-hashes were left out."
        if config.get("exclude_hashes")
        else "No images of evaluation sets were looked for and left out."
    )
    return {
        "content": f"The image ({config['encode_format']}, {_resized(config)}, without metadata), "
        "its texts and URL, its original size, the sha256 of the file as it came, and the probability with "
        "which balancing kept each text.",
        "missing": f"{facts['images'] - came:,} of {facts['images']:,} images are not there"
        + (f": {_tally(facts['errors'])}." if facts["errors"] else "."),
        "splits": f"There are none. {excluded}",
        "errors": f"{counted(duplicates['same_bytes'], 'image')} with the bytes of another one and "
        f"{counted(duplicates['look_alike'], 'image')} that look like one: marked, not removed."
        + contaminated,
        "self_contained": f"Images are in it, {size(facts['size_bytes'])} as they came; their URLs are told, "
        "and need not lead there any more.",
        "revocation": _takedowns(facts),
        "updates": _retries(facts),
    }


def _resized(config: Mapping[str, Any]) -> str:
    """What became of the size of images; modes are img2dataset's."""
    side = f"{config['image_size']} pixels"
    return {
        "keep_ratio": f"its shorter side at most {side}",
        "keep_ratio_largest": f"its longer side at most {side}",
        "center_crop": f"the middle square of {side}",
        "border": f"a square of {side} with white borders",
        "no": "in its own size",
    }[config["resize_mode"]]


def _tally(counts: Mapping[str, int], most: int = 8) -> str:
    told = [f"{harmless(name, 60)} {n:,}" for name, n in list(counts.items())[:most]]
    return ", ".join(told) + (", …" if len(counts) > most else "")


def _takedowns(facts: Mapping[str, Any]) -> str:
    done = len(facts.get("takedowns", ()))
    return (
        "Whoever publishes the data set can take images and texts out of it by URL, host, checksum or id, "
        f"with jobs/takedown.py. {f'This was done {done:,} times.' if done else 'This was not done yet.'}"
    )


def _retries(facts: Mapping[str, Any]) -> str:
    if not facts["retries"]:
        return ""
    came = sum(retry["successes"] for retry in facts["retries"])
    return f"Images that had failed were fetched again {len(facts['retries']):,} times, and {came:,} came."


def _of_several(run: Run) -> dict[str, str]:
    steps = run.records()
    last = steps[-1]
    versions = sorted(
        {f"curation {record.made['curation']}" for record in steps if "curation" in record.made}
    )
    return {
        "size": _size(last),
        "sampling": _sampling(steps),
        "timeframe": _timeframe(run),
        "mechanism": f"By software ({listed(versions)}). Every text that was dropped is counted under its "
        "reason, in each step.",
        "software": f"Yes: {listed(versions)}, under Apache-2.0. Configuration and versions are below.",
        "preprocessing": _policy(run),
        "offensive": _offensive(run),
        "identifiable": _identifiable(run),
    }


def _size(last: RunRecord) -> str:
    pairs = f"{last.rows['out']:,} pairs of image and text"
    if last.job != "download":
        return f"{pairs}. The images have not been downloaded yet."
    images = last.facts["images_by_status"].get("success", 0)
    return f"{images:,} images with {last.rows['out']:,} texts, in {last.facts['shards']:,} shards."


def _sampling(steps: list[RunRecord]) -> str:
    first, last = steps[0], steps[-1]
    if first.job != "extract":
        return ""
    part = share(last.rows["out"], first.rows["in"])
    return (
        f"A part: of {first.rows['in']:,} pairs that were found in the files, {last.rows['out']:,} ({part}) "
        "are here. The funnel says what became of the others."
    )


def _timeframe(run: Run) -> str:
    days = sorted({record.made["at"][:10] for record in run.records() if "at" in record.made})
    told = [f"The run was made on {listed(days)}."] if days else []
    crawls: list[str] = []
    for step in ("curated", "matches", "pool"):
        if not crawls and has_profile(run, step):
            rows = run.profile(step).to_pylist()
            crawls = [row["value"] for row in rows if row["facet"] == "crawl" and row["value"]]
    if crawls:
        more = ", …" if len(crawls) > _CRAWLS else ""
        told.append(f"The pages are of {', '.join(harmless(crawl, 60) for crawl in crawls[:_CRAWLS])}{more}.")
    return " ".join(told)


def has_profile(run: Run, step: str) -> bool:
    """Whether a step is there, and tells what its rows are like."""
    return getattr(run, step) is not None and (run.folder / step / "profile").is_dir()


_SIGNALS = "(X-Robots-Tag, robots metas, TDMRep, Content-Usage)"


def _policy(run: Run) -> str:
    told = []
    for record, whose in ((run.pool, "Pages"), (run.shards, "Images")):
        if record is not None and record.config.get("opt_outs") == "respect":
            told.append(f"{whose} that opt out {_SIGNALS} were left out.")
        elif record is not None:
            told.append(f"{whose} that opt out {_SIGNALS} were kept and marked in the column opt_outs.")
    if run.pool is not None:
        redacted = "E-mail addresses and phone numbers in texts were replaced."
        told.append(redacted if run.pool.config["redact"] else "Texts were taken as they are.")
    if run.matches is not None:
        told.append("Texts that hold no entry of the vocabulary were dropped.")
    if run.curated is not None and not run.curated.config["online"]:
        told.append("Pairs of frequent entries were thinned by chance.")
    if run.shards is not None:
        robots = "was" if run.shards.config.get("robots") else "was not"
        told.append(
            f"Images were scaled and encoded anew. robots.txt {robots} asked before they were fetched."
        )
    return " ".join(told)


def _offensive(run: Run) -> str:
    filters = []
    if run.pool is not None and run.pool.config["block_terms"]:
        filters.append("texts with terms of a list were dropped")
    if run.pool is not None and run.pool.config["block"]:
        filters.append("hosts and URLs of a list were left out")
    if run.shards is not None and run.shards.config.get("classifier"):
        name, most = harmless(run.shards.config["classifier"]), run.shards.config["classifier_threshold"]
        filters.append(f"images to which {name} gave more than {most} were left out")
    if filters:
        return f"It may. Against it, {listed(filters)}."
    return "It may: nothing was filtered for it."


def _identifiable(run: Run) -> str:
    if run.shards is None:
        return ""
    given = run.shards.config.get("blur_boxes")
    blurred = "were blurred where boxes were given" if given else "were not looked for"
    return f"They may be: images show people, texts name them, and URLs lead to them. Faces {blurred}."
