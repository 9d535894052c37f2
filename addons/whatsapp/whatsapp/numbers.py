"""The ways in which WhatsApp may write one number.

Meta knows some people by a number in the form it had when they signed up: in Mexico with the 1 that came
before mobile numbers, in Brazil without the ninth digit, which was put before those that begin with 6 to 9.
In Argentina a mobile number has a 9 only from abroad. Messages reach them by either, and reports name the one
that Meta has. No page of Meta's lists the countries; ``docs/meta.md`` says where they are from.
"""

from __future__ import annotations

import re

_MOBILE = (
    re.compile(r"(52)(1?)([2-9][0-9]{9})", re.ASCII),
    re.compile(r"(54)(9?)([1-3][0-9]{9})", re.ASCII),
    re.compile(r"(55[1-9][1-9])(9?)([6-9][0-9]{7})", re.ASCII),
)
_EXTRA = {"52": "1", "54": "9", "55": "9"}


def other_ways(number: str) -> tuple[str, ...]:
    """Return how else WhatsApp may write *number*, as digits with the country code: in one way, or none."""
    for pattern in _MOBILE:
        if (found := pattern.fullmatch(number)) is not None:
            before, extra, after = found.groups()
            return (f"{before}{'' if extra else _EXTRA[number[:2]]}{after}",)
    return ()
