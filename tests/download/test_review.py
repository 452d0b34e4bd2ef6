import io
import math

import numpy as np
import pytest
from PIL import Image

from curation.config import Download
from curation.download.overlap import EvaluationSets
from curation.download.review import BATCH, CAPTIONS, Classifier, review
from curation.download.shard import FAILED_TO_DOWNLOAD, REMOVED, SUCCESS
from curation.errors import InputError
from tests.download.test_shard import rows


def png(value):
    buffer = io.BytesIO()
    Image.new("L", (4, 3), value).save(buffer, "PNG")
    return buffer.getvalue()


def brightness(images):
    """A classifier."""
    assert all(image.mode == "RGB" for image in images)
    assert len(images) <= BATCH
    return [image.getpixel((0, 0))[0] / 255 for image in images]


def test_what_a_classifier_objects_to_is_left_out_and_all_scores_are_kept():
    table = rows([SUCCESS, FAILED_TO_DOWNLOAD, SUCCESS, SUCCESS])
    values = {0: 10, 2: 200, 3: 153}  # 153 / 255 is the threshold itself, and not above it
    reviewed, _ = review(table, lambda at: png(values[at]), None, Classifier(brightness, "bright", 0.6))
    assert reviewed["status"].to_pylist() == [SUCCESS, FAILED_TO_DOWNLOAD, REMOVED, SUCCESS]
    assert reviewed["error"].to_pylist() == [None, "timeout", "unsafe", None]
    assert reviewed["bright"].to_pylist() == [10 / 255, None, 200 / 255, 0.6]


def test_many_images_go_in_batches_and_what_has_no_score_is_not_safe():
    asked = []

    def scores(images):
        asked.append(len(images))
        return [math.nan] * len(images)

    n = 2 * BATCH + 1
    reviewed, _ = review(
        rows([SUCCESS] * n, shard_size=1000), lambda at: png(1), None, Classifier(scores, "s", 9)
    )
    assert asked == [BATCH, BATCH, 1]
    assert set(reviewed["status"].to_pylist()) == {REMOVED}


def test_a_classifier_must_score_every_image():
    with pytest.raises(InputError, match="gave 0 scores for 1"):
        review(rows([SUCCESS]), lambda at: png(1), None, Classifier(lambda images: [], "s", 0.5))


def test_what_looks_like_an_image_of_an_evaluation_set_is_left_out():
    sets = EvaluationSets(
        ("birds", "cats"),
        np.array([0xFF00FF00FF00FF00, 0xFF00FF00FF00FF01, 0x0123456789ABCDEF], np.uint64),
        np.array([0, 1, 1]),
        (frozenset({"text 0"}), frozenset({"text 0", "a cat", "text 4"})),
    )
    hashes = ["ff00ff00ff00ff07", "0123456789abcdef", "0123456789ab0000", None, "ff00ff00ff00ff00"]
    statuses = [SUCCESS, SUCCESS, SUCCESS, FAILED_TO_DOWNLOAD, REMOVED]
    texts = [["Text 0!", "x"], ["text 0"], ["y", "A  cat."], ["a cat"], ["text 4"]]
    table = rows(statuses, perceptual_hash=hashes, texts=texts)
    reviewed, facts = review(table, lambda at: b"", sets, None)
    assert reviewed["status"].to_pylist() == [REMOVED, REMOVED, SUCCESS, FAILED_TO_DOWNLOAD, REMOVED]
    assert reviewed["error"].to_pylist()[:3] == ["in_evaluation_set", "in_evaluation_set", None]
    assert reviewed["error_message"].to_pylist()[:3] == ["birds,cats", "cats", None]
    assert facts == {CAPTIONS: {"cats": 1}}  # of what is kept


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"classifier": "no_such_module:f"}, "no_such_module"),
        ({"classifier": "math:no_such_function"}, "no_such_function"),
        ({"classifier": "math:sqrt", "classifier_column": "width"}, "is a column already"),
    ],
)
def test_a_classifier_that_is_none_is_refused(options, words):
    with pytest.raises(InputError, match=words):
        Classifier.load(Download(curated="", output="", **options))


def test_the_classifier_that_is_named():
    assert Classifier.load(Download(curated="", output="")) is None
    loaded = Classifier.load(
        Download(curated="", output="", classifier="math:sqrt", classifier_threshold=0.1)
    )
    assert loaded == Classifier(math.sqrt, "classifier_score", 0.1)
