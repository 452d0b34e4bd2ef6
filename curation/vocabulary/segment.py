"""Words of languages that are written without spaces, told by the dictionaries of ICU."""

from collections.abc import Iterator

from curation.errors import InputError

LANGUAGES = frozenset({"bo", "dz", "ja", "km", "lo", "my", "ryu", "th", "yue", "zh"})
"""Those that matching treats so, and Cantonese. For Tibetan and Dzongkha ICU has no dictionary: words end at
each tsheg there, as syllables do."""

_TSHEG = "\u0f0b"
_LOCALES = {"yue": "zh", "ryu": "ja"}


def require(language: str) -> None:
    """See that a language can be segmented.

    Raises:
        InputError: it cannot, for lack of a package.
    """
    if language in LANGUAGES:
        try:
            import icu4py.breakers  # noqa: F401
        except ImportError:
            raise InputError(
                f"words of --language {language} have no spaces between them: pip install 'curation[segment]'"
            ) from None


def runs(text: str, *, language: str) -> Iterator[list[str]]:
    """The words of a text, in runs of those that nothing parts.

    Args:
        text: lines.
        language: one of `LANGUAGES`.
    """
    from icu4py.breakers import WordBreaker

    for line in text.split("\n"):
        run: list[str] = []
        for word in WordBreaker(line, _LOCALES.get(language, language)):
            if any(map(str.isalnum, word)):
                run.append(word)
            elif run and word != _TSHEG:
                yield run
                run = []
        if run:
            yield run
