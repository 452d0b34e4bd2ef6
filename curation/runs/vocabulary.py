"""Raw sources to a vocabulary."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa

from curation import io
from curation.claim import Attempt, claim
from curation.config import BuildVocabulary, affecting_rows
from curation.crawl.files import InputFile, list_inputs
from curation.errors import InputError
from curation.record import Identity, RunRecord
from curation.runs.tables import made_with
from curation.runs.wikipedia import Wikipedia, checksums
from curation.spark import Session
from curation.vocabulary import open_multilingual_wordnet, segment
from curation.vocabulary.build import (
    Merger,
    Recipe,
    Source,
    digits,
    digits_parameter,
    file_input,
    manifest,
    refuse_small,
    wordnet_sources,
)
from curation.vocabulary.files import exists, read_bytes
from curation.vocabulary.vocabulary import Vocabulary, read_manifest, read_vocabulary, write_vocabulary
from curation.vocabulary.word_list import choose, read_word_counts

SEMANTICS = 2

_LICENCES = {
    "wikipedia": "Text of Wikipedia: Creative Commons Attribution-ShareAlike 4.0, "
    "https://creativecommons.org/licenses/by-sa/4.0/",
    "page_views": "Page views of the Wikimedia Foundation: CC0 1.0, "
    "https://creativecommons.org/publicdomain/zero/1.0/",
}
_PATHS = ("wordnet", "open_wordnet", "word_counts", "pair_counts", "wikipedia", "page_views", "add")


def build_vocabulary(session: Session, config: BuildVocabulary) -> list[RunRecord]:
    """Build a vocabulary from its sources.

    Args:
        session: started for Wikipedia alone; the other sources are small.
        config: where the sources are.

    Returns:
        The record of the vocabulary; its rows are entries.

    Raises:
        InputError: a source is missing or damaged, or the output cannot be made.
    """
    output = io.local_folder(config.output, "--output")
    if config.wikipedia:
        segment.require(config.language)
    dumps = list_inputs(config.wikipedia) if config.wikipedia else []
    views = list_inputs(config.page_views) if config.page_views else []
    added = [(path, read_vocabulary(path)) for path in config.add]
    sources, recipe = _small_sources(config)
    inputs = [line["sha256"] for line in recipe.inputs] + [_digest([*dumps, *views])]
    inputs += [vocabulary.sha256 for _, vocabulary in added]
    settings = {name: value for name, value in affecting_rows(config).items() if name not in _PATHS}
    identity = Identity(job="build_vocabulary", semantics=SEMANTICS, config=settings, inputs=inputs)
    with claim(output, identity) as attempt:
        if attempt.finished is not None:
            return [attempt.finished]
        attempt.begin()
        merger = Merger(spaced=config.space_entries)
        for source in sources:
            merger.add(source)
        never_trimmed = len(merger)
        refuse_small(config.size, never_trimmed)
        if config.word_counts:
            _add_word_lists(merger, config, recipe)
        facts = _add_wikipedia(session, attempt, merger, config, dumps, views, recipe)
        return [_publish(attempt, merger, config, recipe, facts, added)]


def _small_sources(config: BuildVocabulary) -> tuple[list[Source], Recipe]:
    """What is never trimmed: digits and WordNets; and of all small files what the manifest says."""
    sources, recipe = [digits()] if config.sources_given else [], Recipe()
    if config.wordnet:
        sources, recipe = wordnet_sources(config.wordnet)
    for path in config.open_wordnet:
        sources.append(Source(name="wordnet", entries=open_multilingual_wordnet.names(path)))
        recipe.inputs.append(file_input("open_wordnet", path, read_bytes(path)))
        recipe.licences[f"open_wordnet {PurePosixPath(path).name}"] = open_multilingual_wordnet.licence(path)
    for source, paths in (("word_counts", config.word_counts), ("pair_counts", config.pair_counts)):
        for path in paths:
            recipe.inputs.append(file_input(source, path, read_bytes(path)))
            recipe.licences |= _licence_beside(source, path)
    return sources, recipe


def _licence_beside(source: str, path: str) -> dict[str, str]:
    """The LICENSE file in the folder of a list, or in the one above, as packages have it."""
    folder = path.rpartition("/")[0] or "."
    for place in (f"{folder}/LICENSE", f"{folder}/../LICENSE"):
        if "://" not in place and exists(place):
            return {source: read_bytes(place).decode("utf-8", "replace")}
    return {}


def _add_word_lists(merger: Merger, config: BuildVocabulary, recipe: Recipe) -> None:
    words = [row for path in config.word_counts for row in read_word_counts(path)]
    pairs = [row for path in config.pair_counts for row in read_word_counts(path)]
    taken = list(merger.sources)
    for name, chosen in choose(words, pairs, taken=taken, size=config.size).items():
        merger.add(Source(name=name, entries=list(chosen), counts=list(chosen.values())))
    recipe.parameters["size"] = config.size


def _add_wikipedia(
    session: Session,
    attempt: Attempt,
    merger: Merger,
    config: BuildVocabulary,
    dumps: Sequence[InputFile],
    views: Sequence[InputFile],
    recipe: Recipe,
) -> dict[str, Any]:
    if not (dumps or views):
        return {"made": made_with()}
    spark = session()
    wikipedia = Wikipedia(spark, attempt.scratch, config)
    if dumps:
        wikipedia.count(dumps)
        merger.add(wikipedia.words(len(merger)))
        merger.add(wikipedia.pairs(len(merger)))
        recipe.inputs += checksums(spark, "wikipedia", dumps)
    if views:
        merger.add(wikipedia.titles(views, len(merger), dumped=bool(dumps)))
        recipe.inputs += checksums(spark, "page_views", views)
    names = ("recipe", "min_count", "unigrams", "bigrams", "titles", "size", "space_entries")
    recipe.parameters |= {name: getattr(config, name) for name in names}
    recipe.licences |= {
        name: _LICENCES[name] for name, files in (("wikipedia", dumps), ("page_views", views)) if files
    }
    recipe.dates += wikipedia.dates
    return wikipedia.facts | {"made": made_with(spark)}


def _publish(
    attempt: Attempt,
    merger: Merger,
    config: BuildVocabulary,
    recipe: Recipe,
    facts: dict[str, Any],
    added: Sequence[tuple[str, Vocabulary]],
) -> RunRecord:
    candidates = len(merger)
    trimmed = merger.trim(config.size)
    recipe.parameters = {"language": config.language, "digits": digits_parameter(), **recipe.parameters}
    if config.space_entries:
        recipe.parameters["space_entries"] = True
    tables = [merger.vocabulary(config.language).table] if len(merger) else []
    for path, other in added:
        tables.append(other.table)
        recipe.licences |= (read_manifest(path) or {}).get("licences", {})
        recipe.inputs.append(
            {"source": "vocabulary", "file": PurePosixPath(path).name, "sha256": other.sha256}
        )
    vocabulary = _joined(tables)
    written = attempt.scratch / "vocabulary"
    write_vocabulary(written, vocabulary, manifest(vocabulary, merger.added, recipe))
    for file in written.iterdir():
        file.rename(attempt.folder / file.name)
    made = facts.pop("made")
    return attempt.publish(
        rows={"in": candidates + len(vocabulary) - len(merger), "out": len(vocabulary)},
        dropped={"over_size": trimmed},
        facts={"added": {name: n for name, n in merger.added.items() if n}, **facts},
        made=made,
    )


def _joined(tables: Sequence[pa.Table]) -> Vocabulary:
    """Lists one after the other, numbered anew."""
    table = pa.concat_tables(tables)
    try:
        return Vocabulary(table.set_column(0, "entry_id", pa.array(range(len(table)), pa.int32())))
    except InputError as error:
        raise InputError(f"--add: these lists do not go together: {error}") from error


def _digest(files: Sequence[InputFile]) -> str:
    """One checksum over path, size and time of large files."""
    told = [(file.path, file.size_bytes, file.modified) for file in files]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest() if told else ""
