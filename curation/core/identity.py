"""Identity of pairs and images, and chance as a function of identity."""

import hashlib

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_HEX_DIGITS = 16  # of an id that make its 64-bit number
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def pair_uid(urls: pa.Array, texts: pa.Array) -> pa.Array:
    """Name pairs: md5 of url and text, each preceded by its length in bytes and a colon.

    The lengths keep ("ab", "c") and ("a", "bc") apart.

    Args:
        urls: strings (n).
        texts: strings (n).

    Returns:
        Strings (n) of 32 hex digits; null where url or text is.

    Raises:
        ValueError: the lengths differ.
    """
    if len(urls) != len(texts):
        raise ValueError(f"{len(urls)} urls, but {len(texts)} texts")
    return pa.array(
        (
            None if url is None or text is None else _md5(url, text)
            for url, text in zip(urls.to_pylist(), texts.to_pylist(), strict=True)
        ),
        pa.string(),
    )


def image_id(urls: pa.Array) -> pa.Array:
    """Name images: md5 of the url, preceded by its length in bytes and a colon.

    Args:
        urls: strings (n).

    Returns:
        Strings (n) of 32 hex digits; null where the url is.
    """
    return pa.array((None if url is None else _md5(url) for url in urls.to_pylist()), pa.string())


def _md5(*parts: str) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    for part in parts:
        data = part.encode()
        digest.update(b"%d:" % len(data) + data)
    return digest.hexdigest()


def uniform(seed: int, ids: pa.Array, salt: str = "keep") -> npt.NDArray[np.float64]:
    """Draw one number an id from [0, 1): the same for the same (salt, seed, id), wherever and whenever.

    Args:
        seed: any integer.
        ids: strings (n) of at least 16 lower-case hex digits, no nulls.
        salt: what the draw is for; draws under different salts are independent.

    Returns:
        float64 (n), multiples of 2^-53.

    Raises:
        ValueError: an id is null, too short or not hexadecimal.

    Source:
        The finaliser of SplitMix64 (Steele, Lea and Flood, 2014) over id XOR key.
    """
    return uniform_of_numbers(seed, _leading_numbers(ids), salt)


def uniform_of_numbers(
    seed: int, numbers: npt.NDArray[np.uint64], salt: str = "keep"
) -> npt.NDArray[np.float64]:
    """Draw as `uniform` does, for ids that are numbers already: the first 16 hex digits of each.

    Args:
        seed: any integer.
        numbers: uint64 (n).
        salt: see `uniform`.

    Returns:
        float64 (n), multiples of 2^-53.
    """
    key_digest = hashlib.md5(f"{salt}:{seed}".encode(), usedforsecurity=False).digest()
    key = np.uint64(int.from_bytes(key_digest[:8], "big"))
    z = (numbers ^ key) + _GOLDEN  # uint64 arrays wrap modulo 2^64
    z = (z ^ (z >> np.uint64(30))) * _MIX_1
    z = (z ^ (z >> np.uint64(27))) * _MIX_2
    z ^= z >> np.uint64(31)
    return (z >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _leading_numbers(ids: pa.Array) -> npt.NDArray[np.uint64]:
    """The first 16 hex digits of each id as a number, read from the Arrow buffer."""
    if len(ids) == 0:
        return np.zeros(0, np.uint64)
    if ids.null_count:
        raise ValueError("an id is null")
    ids = ids.cast(pa.large_string())
    offsets = np.frombuffer(ids.buffers()[1], np.int64, len(ids) + 1, ids.offset * 8)
    if (np.diff(offsets) < _HEX_DIGITS).any():
        raise ValueError(f"an id has fewer than {_HEX_DIGITS} hex digits")
    data = np.frombuffer(ids.buffers()[2], np.uint8)
    numbers = np.zeros(len(ids), np.uint64)
    for digit in range(_HEX_DIGITS):
        value = _HEX_VALUES[data[offsets[:-1] + digit]]
        if (value > 15).any():
            raise ValueError("an id is not lower-case hexadecimal")
        numbers = (numbers << np.uint64(4)) | value
    return numbers


_HEX_VALUES = np.full(256, 255, np.uint64)
for _value, _digit in enumerate(b"0123456789abcdef"):
    _HEX_VALUES[_digit] = _value
