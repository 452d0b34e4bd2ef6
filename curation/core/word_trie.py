"""The word boundary's kernel: entries as a trie of tokens, and texts run through it, all in flat arrays.

An entry matches at word boundaries exactly when its tokens (split at single spaces, empty ones kept)
are a run of the tokens of the spaced text. So each token of a text is looked up once, and runs are
followed from there. Spacing is not carried out: the scan cuts tokens where it would put spaces.

The tables are open-addressing, with linear probing. A token of up to 7 bytes is its own key, which has
a 1 above its bytes so that the length is in it; a longer one is a hash of 63 bits below a set bit, and
its bytes are compared when the hash is found. A run is a chain of (node, token) edges, whose keys are
exact. Most pairs of neighbours in a text are no edge, which a bitmap tells without touching the table.
"""

from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt
from numba import int64, uint64

from curation.core.compiled import compiled

Array = npt.NDArray[Any]

_NONE = -1
_SPACE, _PUNCTUATION = 1, 2
_CUTS = np.zeros(256, np.uint8)
_CUTS[list(b" \t\n\r")] = _SPACE
_CUTS[list(b",.;:?!`")] = _PUNCTUATION
_BLANK = 32

_EMPTY = np.uint64(0)  # the key of an empty row
_NOTHING = np.uint64(0)  # the value that packs two times none
_ONE = np.uint64(1)
_THREE = np.uint64(3)
_SEVEN = np.uint64(7)
_BYTE = np.uint64(8)
_HALF = np.uint64(32)
_LOW_HALF = np.uint64(0xFFFFFFFF)
_LONG = np.uint64(1 << 63)
_KEY_BYTES = 8
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_FILTER_SHIFT = np.uint64(20)  # the filter's bits are not those that choose the slot
_FILTER_BITS = 16  # an edge

_BLOCK_TOKENS = 1 << 13  # that are looked up together: few enough to stay in the cache
_LONG_TEXT = 1 << 16  # bytes from which a text's tokens are counted before room is made for them
_FEW = 32  # matches that are ranked rather than sorted


class Trie(NamedTuple):
    """The entries of a vocabulary. A row of a table is a key and a value of two halves of 32 bits, each + 1.

    Attributes:
        tokens: uint64 (a power of two, 2); the value is the last entry that is this token alone, if any,
            and where its bytes begin in `long_tokens`, if it is long.
        long_tokens: uint8, each followed by a space.
        edges: uint64 (a power of two, 2); the key is node << 32 | token + 1, the value the last entry that
            ends with this edge, if any, and the node that it leads to, if anything follows. Tokens are
            numbered by their rows; so are the nodes of single tokens, and all other nodes from there on.
        edge_filter: uint8, a bitmap in which every edge has set a bit.
        equal_entries: int32 (m), the entry before that has the same bytes, or -1; empty if all differ.
    """

    tokens: Array
    long_tokens: Array
    edges: Array
    edge_filter: Array
    equal_entries: Array


class _Block(NamedTuple):
    """The tokens of some texts, one after the other, after each text a separator; and their edges.

    Attributes:
        keys: uint64; 0 is a separator.
        starts: int64, where the bytes begin (not set for punctuation).
        lengths: int64, in bytes (not set for punctuation).
        rows: int32, in the table of tokens, or -1.
        entries: int32, the entry that is this token alone, or -1.
        places: int64, the tokens that an edge leads away from, to their right neighbour.
        values: uint64, of these edges.
        stops: int64, by text, the place after its separator.
    """

    keys: Array
    starts: Array
    lengths: Array
    rows: Array
    entries: Array
    places: Array
    values: Array
    stops: Array


_inlined = numba.njit(forceinline=True)


@_inlined
def _mix(key):
    key = key * _MULTIPLIER
    return key ^ (key >> _HALF)


@_inlined
def _long_key(mixed, last, length):
    return _mix(_mix(mixed ^ last) ^ uint64(length)) | _LONG


@_inlined
def _token_key(data, start, end):
    mixed, last, filled = _EMPTY, _ONE, 0
    for place in range(start, end):
        last = (last << _BYTE) | uint64(data[place])
        filled += 1
        if filled == _KEY_BYTES:
            mixed, last, filled = _mix(mixed ^ last), _EMPTY, 0
    return last if end - start < _KEY_BYTES else _long_key(mixed, last, end - start)


@_inlined
def _pack(high, low):
    return (uint64(high + 1) << _HALF) | uint64(low + 1)


@_inlined
def _high(value):
    return int64(value >> _HALF) - 1


@_inlined
def _low(value):
    return int64(value & _LOW_HALF) - 1


@_inlined
def _find_token(tokens, long_tokens, key, data, start, length):
    """The row of a token, or of the empty row where it would go, as -1 - row."""
    mask = uint64(len(tokens) - 1)
    row = _mix(key) & mask
    while tokens[row, 0] != _EMPTY:
        if tokens[row, 0] == key:
            if key < _LONG:
                return int64(row)
            place, same = _low(tokens[row, 1]), 0
            # A token holds no space, so the comparison stops at the one that ends the token in store.
            while same < length and data[start + same] == long_tokens[place + same]:
                same += 1
            if same == length and long_tokens[place + same] == _BLANK:
                return int64(row)
        row = (row + _ONE) & mask
    return _NONE - int64(row)


@_inlined
def _edge_key(node, token):
    return (uint64(node) << _HALF) | uint64(token + 1)


@_inlined
def _find_edge(edges, key):
    """The row of an edge, or of the empty row where it would go, as -1 - row."""
    mask = uint64(len(edges) - 1)
    row = _mix(key) & mask
    while edges[row, 0] != _EMPTY:
        if edges[row, 0] == key:
            return int64(row)
        row = (row + _ONE) & mask
    return _NONE - int64(row)


@_inlined
def _power_of_two(least):
    power = 16
    while power < least:
        power *= 2
    return power


@_inlined
def _count_tokens(data, start, end):
    tokens = 1
    for place in range(start, end):
        tokens += _CUTS[data[place]]
    return tokens


@_inlined
def _grown(tokens):
    """The same rows in a table of twice the size."""
    larger = np.zeros((2 * len(tokens), 2), np.uint64)
    mask = uint64(len(larger) - 1)
    for old in range(len(tokens)):
        if tokens[old, 0] != _EMPTY:
            row = _mix(tokens[old, 0]) & mask
            while larger[row, 0] != _EMPTY:
                row = (row + _ONE) & mask
            larger[row] = tokens[old]
    return larger


@_inlined
def _next_token(data, place, end):
    """Where the token of an entry ends that begins at a place."""
    while place < end and data[place] != _BLANK:
        place += 1
    return place


@_inlined
def _distinct_tokens(data, offsets):
    """The tables of tokens, two thirds full at the most, and without entries yet."""
    tokens = np.zeros((16, 2), np.uint64)
    long_tokens = np.empty(len(data) + len(offsets), np.uint8)
    distinct = used = 0
    for entry in range(len(offsets) - 1):
        start = offsets[entry]
        while start <= offsets[entry + 1]:
            end = _next_token(data, start, offsets[entry + 1])
            key = _token_key(data, start, end)
            row = _find_token(tokens, long_tokens, key, data, start, end - start)
            if row < 0:
                row = _NONE - row
                tokens[row, 0] = key
                if key >= _LONG:
                    tokens[row, 1] = _pack(_NONE, used)
                    long_tokens[used : used + end - start] = data[start:end]
                    used += end - start + 1
                    long_tokens[used - 1] = _BLANK
                distinct += 1
                if 3 * distinct > 2 * len(tokens):
                    tokens = _grown(tokens)
            start = end + 1
    return tokens, long_tokens[:used].copy()


@_inlined
def _add_entries(data, offsets, tokens, long_tokens, equal_entries, size):
    """Fill a table of edges of this size, and note in both tables which entries end where."""
    edges = np.zeros((size, 2), np.uint64)
    next_node = len(tokens)
    for entry in range(len(offsets) - 1):
        start, node, row = offsets[entry], int64(_NONE), int64(_NONE)
        while start <= offsets[entry + 1]:
            end = _next_token(data, start, offsets[entry + 1])
            key = _token_key(data, start, end)
            token = _find_token(tokens, long_tokens, key, data, start, end - start)
            start = end + 1
            if node < 0:
                node = token
                continue
            if row >= 0:
                node = _low(edges[row, 1])
                if node < 0:
                    node = next_node
                    edges[row, 1] = _pack(_high(edges[row, 1]), node)
                    next_node += 1
            row = _find_edge(edges, _edge_key(node, token))
            if row < 0:
                row = _NONE - row
                edges[row, 0] = _edge_key(node, token)
        table, row = (tokens, node) if row < 0 else (edges, row)
        equal_entries[entry] = _high(table[row, 1])
        table[row, 1] = _pack(entry, _low(table[row, 1]))
    return edges


@_inlined
def _filter_bit(key, edge_filter):
    return (_mix(key) >> _FILTER_SHIFT) & uint64(len(edge_filter) * 8 - 1)


@_inlined
def _filter_of(edges):
    used = 0
    for row in range(len(edges)):
        used += edges[row, 0] != _EMPTY
    edge_filter = np.zeros(_power_of_two(_FILTER_BITS * used) // 8, np.uint8)
    for row in range(len(edges)):
        if edges[row, 0] != _EMPTY:
            bit = _filter_bit(edges[row, 0], edge_filter)
            edge_filter[bit >> _THREE] |= np.uint8(1) << np.uint8(bit & _SEVEN)
    return edge_filter


@compiled
def build(data, offsets):
    """Build the trie.

    Args:
        data: uint8, the bytes of the entries, in UTF-8.
        offsets: int64 (m + 1), where each entry begins in them, and the last ends.

    Returns:
        The arrays of `Trie`.
    """
    spaces = 0
    for place in range(offsets[0], offsets[-1]):
        spaces += data[place] == _BLANK
    tokens, long_tokens = _distinct_tokens(data, offsets)
    equal_entries = np.empty(len(offsets) - 1, np.int32)
    size = _power_of_two(3 * spaces // 2 + 1)
    edges = _add_entries(data, offsets, tokens, long_tokens, equal_entries, size)
    if not (equal_entries >= 0).any():
        equal_entries = equal_entries[:0]
    return tokens, long_tokens, edges, _filter_of(edges), equal_entries


@_inlined
def _room(data, start, end):
    """How many tokens and separators a text can have; exactly how many, where it is long."""
    if end - start < _LONG_TEXT:
        return 2 * (end - start) + 2
    return _count_tokens(data, start, end) + 1


@_inlined
def _block_for(data, offsets):
    """A block with room for any of the texts."""
    room = _BLOCK_TOKENS
    for text in range(len(offsets) - 1):
        room = max(room, _room(data, offsets[text], offsets[text + 1]))
    return _Block(
        np.empty(room, np.uint64),
        np.empty(room, np.int64),
        np.empty(room, np.int64),
        np.empty(room, np.int32),
        np.empty(room, np.int32),
        np.empty(room, np.int64),
        np.empty(room, np.uint64),
        np.empty(room, np.int64),
    )


@_inlined
def _scan(data, start, end, block, at):
    """Write down the tokens of a text, from `at` on; gives the place after the last."""
    mixed, last, filled = _EMPTY, _ONE, 0
    for place in range(start, end + 1):
        byte = data[place] if place < end else np.uint8(_BLANK)
        cut = _CUTS[byte]
        if cut == 0:
            last = (last << _BYTE) | uint64(byte)
            filled += 1
            if filled == _KEY_BYTES:
                mixed, last, filled = _mix(mixed ^ last), _EMPTY, 0
            continue
        length = place - start
        block.keys[at] = last if length < _KEY_BYTES else _long_key(mixed, last, length)
        block.starts[at], block.lengths[at] = start, length
        at += 1
        if cut == _PUNCTUATION:
            block.keys[at] = (_ONE << _BYTE) | uint64(byte)
            at += 1
        start = place + 1
        mixed, last, filled = _EMPTY, _ONE, 0
    return at


@_inlined
def _fill(data, offsets, nulls, first, block):
    """Write down the tokens of as many texts as there is room for.

    Returns:
        The first text that was left, and the number of tokens and separators.
    """
    text, n = first, 0
    while text < len(offsets) - 1:
        start, end = offsets[text], offsets[text + 1]
        if n + _room(data, start, end) > len(block.keys):
            break
        if not (len(nulls) and nulls[text]):
            n = _scan(data, start, end, block, n)
        block.keys[n] = _EMPTY
        n += 1
        block.stops[text - first] = n
        text += 1
    return text, n


@_inlined
def _look_up_tokens(trie, data, block, n):
    tokens, long_tokens = trie.tokens, trie.long_tokens
    for at in range(n):
        block.rows[at] = block.entries[at] = _NONE
        if block.keys[at] != _EMPTY:
            row = _find_token(tokens, long_tokens, block.keys[at], data, block.starts[at], block.lengths[at])
            if row >= 0:
                block.rows[at], block.entries[at] = row, _high(tokens[row, 1])


@_inlined
def _look_up_edges(trie, block, n):
    """Write down where a token and its right neighbour are an edge, and its value; and n after the last."""
    edges, edge_filter, rows, places = trie.edges, trie.edge_filter, block.rows, block.places
    likely = 0
    for at in range(n - 1):
        bit = _filter_bit(_edge_key(rows[at], rows[at + 1]), edge_filter)
        places[likely] = at
        likely += (edge_filter[bit >> _THREE] >> np.uint8(bit & _SEVEN)) & 1
    count = 0
    for one in range(likely):
        at = places[one]
        row = _find_edge(edges, _edge_key(rows[at], rows[at + 1]))
        if row >= 0:
            places[count], block.values[count] = at, edges[row, 1]
            count += 1
    places[count] = n


@_inlined
def _append(found, n, entry, equal_entries):
    """Add an entry, and those with the same bytes, to the first n; what finds no room is only counted."""
    while entry >= 0:
        if n < len(found):
            found[n] = entry
        n += 1
        entry = equal_entries[entry] if len(equal_entries) else _NONE
    return n


@_inlined
def _gather(trie, block, first, end, one, found):
    """Collect the entries of a text, whose tokens are those from first to end and its edges those from `one`.

    Returns:
        How many there are, with repetitions; `found` has as many as it has room for. And the first
        edge after the text.
    """
    edges, equal_entries = trie.edges, trie.equal_entries
    n = 0
    for at in range(first, end):
        n = _append(found, n, block.entries[at], equal_entries)
    while block.places[one] < end:
        value, at = block.values[one], block.places[one] + 2
        n = _append(found, n, _high(value), equal_entries)
        while _low(value) >= 0:
            row = _find_edge(edges, _edge_key(_low(value), block.rows[at]))
            value = edges[row, 1] if row >= 0 else _NOTHING
            n = _append(found, n, _high(value), equal_entries)
            at += 1
        one += 1
    return n, one


@_inlined
def _write_sorted(found, n, output, written):
    """Write the first n of `found`, sorted and each once."""
    if n <= _FEW:  # by rank, without a branch; equal ones fall on one place
        for rank in range(n):
            output[written + rank] = _NONE
        first = written
        for one in range(n):
            rank = 0
            for other in range(n):
                rank += found[other] < found[one]
            output[first + rank] = found[one]
        for rank in range(n):
            entry = output[first + rank]
            output[written] = entry
            written += entry >= 0
        return written
    ordered = np.sort(found[:n])
    for place in range(n):
        if place == 0 or ordered[place] != ordered[place - 1]:
            output[written] = ordered[place]
            written += 1
    return written


@compiled
def match(data, offsets, nulls, trie):
    """Find the entries of each text.

    The texts go through in blocks: the look-ups of a block's tokens do not depend on each other, so the
    processor overlaps their waits for memory.

    Args:
        data: uint8, the bytes of the texts, in UTF-8.
        offsets: int64 (n + 1), where each text begins in them, and the last ends.
        nulls: bool (n), texts that are none; or empty, if all are.
        trie: of the entries.

    Returns:
        int64 (n + 1), where the ids of each text begin; int32, the ids, sorted and unique in each text.
    """
    texts, block = len(offsets) - 1, _block_for(data, offsets)
    found, output = np.empty(_FEW, np.int32), np.empty(16 * texts + _FEW, np.int32)
    ends, written, first = np.zeros(texts + 1, np.int64), 0, 0
    while first < texts:
        last, n = _fill(data, offsets, nulls, first, block)
        _look_up_tokens(trie, data, block, n)
        _look_up_edges(trie, block, n)
        at = one = 0
        for text in range(first, last):
            end = block.stops[text - first]
            n, after = _gather(trie, block, at, end, one, found)
            if n > len(found):
                found = np.empty(2 * n, np.int32)
                _gather(trie, block, at, end, one, found)
            if written + n > len(output):
                larger = np.empty(2 * (written + n), np.int32)
                larger[:written] = output[:written]
                output = larger
            written = _write_sorted(found, n, output, written)
            ends[text + 1] = written
            at, one = end, after
        first = last
    return ends, output[:written]
