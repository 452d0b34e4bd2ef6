"""The last look at a shard's images before they are written: what must not be in the data set."""

import importlib
import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from PIL import Image

from curation.config import DownloadOptions
from curation.download.overlap import EvaluationSets
from curation.download.shard import REMOVED, SUCCESS
from curation.errors import InputError
from curation.schemas import SHARD

IN_EVALUATION_SET = "in_evaluation_set"
UNSAFE = "unsafe"
CAPTIONS = "captions_in_evaluation_sets"
BATCH = 64
"""Images that a classifier is given at once."""

Scores = Callable[[Sequence[Image.Image]], Sequence[float]]


@dataclass(frozen=True)
class Classifier:
    """A function of the user's that scores images, such as a detector of nudity.

    Attributes:
        scores: takes at most `BATCH` images in RGB, gives as many numbers.
        column: of the scores.
        threshold: what scores higher is left out.
    """

    scores: Scores
    column: str
    threshold: float

    @staticmethod
    def load(options: DownloadOptions) -> "Classifier | None":
        """The classifier that the options name, if any.

        Raises:
            InputError: there is no such function, or its column is one of ours.
        """
        if options.classifier is None:
            return None
        module, _, function = options.classifier.partition(":")
        try:
            scores = getattr(importlib.import_module(module), function)
        except (ImportError, AttributeError) as error:
            raise InputError(f"--classifier {options.classifier}: {error}; put it on PYTHONPATH") from error
        if options.classifier_column in SHARD.names:
            raise InputError(f"--classifier-column {options.classifier_column} is a column already")
        return Classifier(scores, options.classifier_column, options.classifier_threshold)


def review(
    rows: pa.Table,
    image: Callable[[int], bytes],
    evaluation: EvaluationSets | None,
    classifier: Classifier | None,
) -> tuple[pa.Table, Mapping[str, Any]]:
    """Leave out images that look like those of evaluation sets, and those that a classifier objects to.

    Args:
        rows: of `schemas.SHARD`.
        image: gives the encoded image of a row.
        evaluation: what to keep apart from.
        classifier: what scores the images.

    Returns:
        The rows, those left out with the status `REMOVED` and an error; with a column of scores if there is a
        classifier. And what goes into the statistics.
    """
    facts: dict[str, Any] = {}
    if evaluation is not None:
        rows = _removed(
            rows, IN_EVALUATION_SET, evaluation.looks_like(_of_successes(rows, "perceptual_hash"))
        )
        texts = [text for texts in _of_successes(rows, "texts") for text in texts or ()]
        facts[CAPTIONS] = dict(sorted(evaluation.captions_in(texts).items()))
    if classifier is not None:
        scores = _scores(rows, image, classifier)
        too_high = ["" if score is not None and score > classifier.threshold else None for score in scores]
        rows = _removed(
            rows.append_column(classifier.column, pa.array(scores, pa.float64())), UNSAFE, too_high
        )
    return rows, facts


def _of_successes(rows: pa.Table, name: str) -> list[Any]:
    """A column, with None where there is no image."""
    columns = (rows["status"].to_pylist(), rows[name].to_pylist())
    return [value if status == SUCCESS else None for status, value in zip(*columns, strict=True)]


def _removed(rows: pa.Table, error: str, messages: Sequence[str | None]) -> pa.Table:
    """The rows, with those that have a message removed for that error."""
    for name, new in (("status", REMOVED), ("error", error), ("error_message", None)):
        old = rows[name].to_pylist()
        values = [
            before if message is None else new or message or None
            for before, message in zip(old, messages, strict=True)
        ]
        at = rows.schema.get_field_index(name)
        rows = rows.set_column(at, name, pa.array(values, pa.string()))
    return rows


def _scores(rows: pa.Table, image: Callable[[int], bytes], classifier: Classifier) -> list[float | None]:
    scores: list[float | None] = [None] * len(rows)
    wanted = [at for at, status in enumerate(rows["status"].to_pylist()) if status == SUCCESS]
    for first in range(0, len(wanted), BATCH):
        batch = wanted[first : first + BATCH]
        given = list(classifier.scores([_opened(image(at)) for at in batch]))
        if len(given) != len(batch):
            raise InputError(f"the classifier gave {len(given)} scores for {len(batch)} images")
        for at, score in zip(batch, given, strict=True):
            # What cannot be told safe is not.
            scores[at] = math.inf if math.isnan(float(score)) else float(score)
    return scores


def _opened(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data)) as image:
        return image.convert("RGB")
