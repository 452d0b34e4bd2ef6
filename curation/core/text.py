"""Text spacing: the one transformation that texts undergo before entries are looked for in them."""

import pyarrow as pa
import pyarrow.compute as pc

SPACED = ",.;:?!`"
"""Characters that get a space on each side."""

_PUNCTUATION = f"([{SPACED}])"
_LINE_SPACE = "[\t\n\r]"


def space(texts: pa.Array) -> pa.Array:
    """Put spaces round the texts and their punctuation, as matching sees them.

    No case folding, no Unicode normalisation, no collapsing of spaces.

    Args:
        texts: strings (n), `string` or `large_string`; nulls stay null.

    Returns:
        Strings (n) of the same type: one space at each end, one on each side of every `,.;:?!` and
        backtick, tab, newline and carriage return turned into a space.

    Source:
        MetaCLIP, section 3.2 and its released `substr_matching` (section 5 of the design).
    """
    spaced = pc.replace_substring_regex(texts, _PUNCTUATION, r" \1 ")
    spaced = pc.replace_substring_regex(spaced, _LINE_SPACE, " ")
    pad = pa.scalar(" ", spaced.type)
    return pc.binary_join_element_wise(pad, spaced, pad, pa.scalar("", spaced.type))


def can_match(entries: pa.Array) -> pa.Array:
    """Tell which entries some text could hold under the word boundary.

    An entry is sought with a space on each side, in spaced text, so each of its punctuation characters
    needs two spaces of its own: `.` and `a , b` can match, `St. Louis` and `. .` never do.

    Args:
        entries: strings (m).

    Returns:
        Booleans (m).
    """
    padded = pc.binary_join_element_wise(" ", entries, " ", "")
    unspaced = pc.replace_substring_regex(padded, f" {_PUNCTUATION} ", r"\1")
    taken = pc.subtract(pc.utf8_length(padded), pc.utf8_length(unspaced))
    needed = pc.multiply(pc.count_substring_regex(entries, _PUNCTUATION), 2)
    return pc.and_(pc.equal(taken, needed), pc.invert(pc.match_substring_regex(entries, _LINE_SPACE)))
