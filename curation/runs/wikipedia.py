"""Wikipedia's dumps and page views to words, pairs and titles, strongest first."""

import hashlib
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from curation.config import BuildVocabulary
from curation.crawl.files import InputFile, open_input
from curation.errors import InputError
from curation.log import progress
from curation.runs.tables import read_tables
from curation.stages.ngrams import BIN_MICROBITS, MICROBITS, add_up, inform, spread, weigh
from curation.stages.read import read
from curation.vocabulary import segment
from curation.vocabulary.build import Source, input_line
from curation.vocabulary.dumps import not_shown, pieces
from curation.vocabulary.ngrams import PARTS, count_piece, runs
from curation.vocabulary.page_views import floor
from curation.vocabulary.titles import ROWS, count_views

PMI_FLOOR = 30
"""Bits that MetaCLIP asks of a pair."""
PERCENTILE = 0.3
_HASH_BYTES = 1 << 20
_HASHES = pa.schema([("path", pa.string()), ("sha256", pa.string()), ("size_bytes", pa.int64())])


def checksums(spark: SparkSession, source: str, files: Sequence[InputFile]) -> list[dict[str, Any]]:
    """The lines of a manifest for files that are too large to be read whole.

    Raises:
        InputError: one cannot be read.
    """
    paths = [file.path for file in files]
    rows = read(spark.range(0, len(paths), 1, len(paths)), paths=paths, reader=_checksum, schema=_HASHES)
    lines = []
    for row in rows.toArrow().sort_by("path").to_pylist():
        if row["size_bytes"] < 0:
            raise InputError(f"{row['path']}: cannot be read: {row['sha256']}")
        lines.append(input_line(source, **row))
    return lines


def _checksum(path: str) -> Iterator[pa.RecordBatch]:
    digest, size = hashlib.sha256(), 0
    try:
        with open_input(path) as stream:
            while data := stream.read(_HASH_BYTES):
                digest.update(data)
                size += len(data)
        told = digest.hexdigest()
    except Exception as error:  # noqa: BLE001 - every file system of fsspec has exceptions of its own
        told, size = " ".join(f"{type(error).__name__}: {error}".split()), -1
    yield pa.RecordBatch.from_pylist([{"path": path, "sha256": told, "size_bytes": size}], schema=_HASHES)


class Wikipedia:
    """What one Wikipedia gives, as the configuration asks for it.

    Attributes:
        facts: for the run's record: pages, words, faults, and what could not be reached.
        dates: of the dumps.
    """

    def __init__(self, spark: SparkSession, scratch: Path, config: BuildVocabulary) -> None:
        self.facts: dict[str, Any] = {}
        self.dates: list[str] = []
        self._spark = spark
        self._scratch = scratch
        self._config = config
        self._strict = config.recipe == "metaclip"

    def count(self, files: Sequence[InputFile]) -> None:
        """Count the words and pairs of the dumps.

        Raises:
            InputError: a file is no dump, or they hold no articles.
        """
        paths = [file.path for file in files]
        hidden = frozenset[str]().union(*(_asked(path, partial(not_shown, path)) for path in paths))
        work = [
            piece
            for file in files
            for piece in _asked(file.path, partial(pieces, file.path, file.size_bytes))
        ]
        language = self._config.language
        cut = partial(segment.runs, language=language) if language in segment.LANGUAGES else runs
        reader = partial(count_piece, open_at=open_input, not_shown=hidden, runs=cut)
        with progress(self._spark, "count words"):
            parts = read(
                self._spark.range(0, len(work), 1, len(work)), paths=work, reader=reader, schema=PARTS
            )
            parts.write.parquet(str(self._scratch / "parts"))
        self._note(self._parts().where("piece is not null").select("piece.*").toArrow(), len(files))
        with progress(self._spark, "add up"):
            lowest = 1 if self._strict else self._config.min_count
            add_up(self._parts(), floor=lowest).write.parquet(str(self._scratch / "ngrams"))

    def words(self, taken: int) -> Source:
        """The words, the commonest first.

        Args:
            taken: entries that are there already, and may be among them.
        """
        words = self._ngrams().where(F.col("second").isNull() & (F.col("count") >= self._config.min_count))
        return self._strongest("unigrams", words, ["count"], self._config.unigrams, taken)

    def pairs(self, taken: int) -> Source:
        """The pairs, the strongest first; see `words`."""
        total = self.facts["words"]
        informed = inform(self._ngrams(), words=max(total, 1))
        if self._strict:
            self._note_reach(total)
            least = PMI_FLOOR * MICROBITS
            pairs, order = informed.where(F.col("information") >= least), ["information", "count"]
        else:
            informed.write.parquet(str(self._scratch / "pairs"))
            informed = read_tables(self._spark, self._scratch / "pairs")
            least = percentile(spread(informed).collect(), PERCENTILE)
            self.facts["pmi_percentile"] = least / MICROBITS
            pairs, order = weigh(informed, least=least), ["score", "count"]
        return self._strongest("bigrams", pairs, order, self._config.bigrams, taken)

    def titles(self, files: Sequence[InputFile], taken: int, *, dumped: bool) -> Source:
        """The titles of articles, the most viewed first; see `words`.

        Args:
            files: of page views.
            taken: see `words`.
            dumped: whether the dumps were read, which tell redirects.
        """
        paths = [file.path for file in files]
        reader = partial(
            count_views, open_at=open_input, wiki=self._config.language, recipe=self._config.recipe
        )
        with progress(self._spark, "page views"):
            rows = read(
                self._spark.range(0, len(paths), 1, len(paths)), paths=paths, reader=reader, schema=ROWS
            )
            rows.write.parquet(str(self._scratch / "views"))
        rows = read_tables(self._spark, self._scratch / "views")
        self._note_views(rows.where("file is not null").select("file.*").toArrow())
        views = rows.where("title is not null").groupBy("title").agg(F.sum("views").alias("count"))
        if dumped:
            redirects = self._parts().where("redirect is not null").select(F.col("redirect").alias("title"))
            views = views.join(redirects, "title", "left_anti")
        else:
            self._remark("redirects among the titles cannot be told without --wikipedia")
        views = views.where(F.col("count") >= floor(self._config.recipe))
        titles = views.select(
            F.col("title").alias("first"), F.lit(None).cast("string").alias("second"), "count"
        )
        return self._strongest("titles", titles, ["count"], self._config.titles, taken)

    def _strongest(self, name: str, rows: DataFrame, order: list[str], most: int, taken: int) -> Source:
        """The first rows by `order`, largest first, then by entry: enough to bring `most` new entries."""
        joint = "" if self._config.language in segment.LANGUAGES else " "
        entries = rows.withColumn("entry", F.concat_ws(joint, "first", "second"))
        keys = [F.desc(key) for key in order] + [F.asc("entry"), F.asc("first")]
        with progress(self._spark, name):
            table = entries.orderBy(*keys).limit(most + taken).select("entry", "count").toArrow()
        columns = table["entry"].to_pylist(), table["count"].to_pylist()
        return Source(name=name, entries=columns[0], counts=columns[1], most=most)

    def _parts(self) -> DataFrame:
        return read_tables(self._spark, self._scratch / "parts").select(*PARTS.names)

    def _ngrams(self) -> DataFrame:
        return read_tables(self._spark, self._scratch / "ngrams")

    def _note(self, ledger: pa.Table, files: int) -> None:
        for name in ("pages", "articles", "redirects", "words"):
            self.facts[name] = sum(ledger[name].to_pylist())
        self._note_faults(ledger)
        self.facts["dump_files"] = files
        if not self.facts["articles"]:
            why = next(iter(self.facts["errors"].values()), None) or "no page in namespace 0"
            raise InputError(f"--wikipedia holds no articles: {why}; give *-pages-articles*.xml.bz2")
        self.dates.append(max(ledger["date"].to_pylist()))

    def _note_views(self, ledger: pa.Table) -> None:
        self.facts["view_files"] = len(ledger)
        self._note_faults(ledger)

    def _note_faults(self, ledger: pa.Table) -> None:
        faults = Counter[str](self.facts.get("faults", {}))
        errors: dict[str, str] = self.facts.setdefault("errors", {})
        for row in ledger.to_pylist():
            faults.update(dict(row["faults"]))
            if row["error"]:
                errors[row["file"]] = row["error"]
        self.facts["faults"] = dict(sorted(faults.items()))

    def _note_reach(self, words: int) -> None:
        if words < 2**PMI_FLOOR:
            reach = math.log2(max(words, 1))
            self._remark(
                f"a PMI of {PMI_FLOOR} needs 2^{PMI_FLOOR} words of text; the text has {words:,}, so no pair "
                f"has more than {reach:.1f}"
            )

    def _remark(self, text: str) -> None:
        self.facts.setdefault("remarks", []).append(text)


def percentile(steps: Sequence[Any], share: float) -> int:
    """The smallest step that, with those below it, holds a share of all pairs.

    Args:
        steps: rows with `information` and `pairs`.
        share: between 0 and 1.

    Returns:
        Millionths of a bit, a multiple of `BIN_MICROBITS`; 0 where there are no pairs.
    """
    needed, below = math.ceil(share * sum(step["pairs"] for step in steps)), 0
    for step in sorted(steps, key=lambda step: int(step["information"])):
        below += step["pairs"]
        if below >= needed:
            return int(step["information"]) // BIN_MICROBITS * BIN_MICROBITS
    return 0


def _asked(path: str, question: Any) -> Any:
    try:
        return question(open_at=open_input)
    except InputError:
        raise
    except Exception as error:  # every file system of fsspec has exceptions of its own
        raise InputError(f"{path}: cannot be read: {' '.join(str(error).split())}") from error
