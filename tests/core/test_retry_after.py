from email.utils import formatdate

import pytest

from curation.core.retry_after import seconds_asked

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        (" 120 ", 120),
        (formatdate(NOW + 90, usegmt=True), 90),
        (formatdate(NOW - 90, usegmt=True), 0),
        *(
            (nonsense, None)
            for nonsense in (None, "", "soon", "-3", "1.5", "\u0663", "Fri, 31 Dec 99999 23:59:59 GMT")
        ),
    ],
)
def test_seconds_asked(value, seconds):
    assert seconds_asked(value, now=NOW) == seconds
