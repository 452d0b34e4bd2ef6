"""When a server that is pressed wants to be asked again."""

import re
from email.utils import mktime_tz, parsedate_tz


def seconds_asked(value: str | None, *, now: float) -> float | None:
    """The seconds that a `Retry-After` stands for, in either of its forms.

    Args:
        value: of the header, where there is one.
        now: seconds since the epoch.

    Returns:
        0 for a time that is over; None where there is none, or it makes no sense.

    Source:
        RFC 9110, section 10.2.3.
    """
    value = (value or "").strip()
    if re.fullmatch("[0-9]+", value):
        return float(value)
    try:
        date = parsedate_tz(value)
        return max(mktime_tz(date) - now, 0.0) if date else None
    except (ValueError, OverflowError):
        return None
