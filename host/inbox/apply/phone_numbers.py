"""Phone numbers as providers and people write them, for comparison."""

from __future__ import annotations

import re

KEY_DIGITS = 7
"""Number of last digits by which phone numbers are looked up."""
LEAST_DIGITS, MOST_DIGITS = 7, 15
_LEAST_BARE = 10
"""Number of digits from which one without a plus or a leading zero looks like a phone number."""
_LONGEST_COUNTRY_CODE = 3
_TRUNK = "(0)"
"""The zero in +49 (0)151, which is not dialled from abroad."""
_SEPARATORS = re.compile(r"[\s./()\u00a0\u2010-\u2015-]+")


def international(text: str | None) -> str | None:
    """Return the digits of a number with its country code, with or without a plus; None if it is none."""
    digits = (text or "").strip().removeprefix("+")
    is_number = digits.isascii() and digits.isdigit() and not digits.startswith("0")
    return digits if is_number and LEAST_DIGITS <= len(digits) <= MOST_DIGITS else None


def with_plus(text: str | None) -> str | None:
    """Return a number as a person wrote it in the form ``+4915112345678``; None without a country code."""
    is_whole, digits = _read(text)
    return f"+{digits}" if is_whole else None


def key(number: str | None) -> str | None:
    """Return the last digits of an international number, by which it is looked up."""
    return number[-KEY_DIGITS:] if number else None


def written_key(text: str | None) -> str | None:
    """Return the last digits of a number as a person wrote it, or None if *text* does not look like one."""
    _is_whole, digits = _read(text)
    return digits[-KEY_DIGITS:] if digits else None


def may_be(written: str | None, number: str) -> bool:
    """Return whether *written*, as a person wrote it, may be the international *number*.

    Without a country code, it is enough that the number ends with it.
    """
    is_whole, digits = _read(written)
    if not digits or is_whole:
        return digits == number
    return number.endswith(digits) and len(number) - len(digits) <= _LONGEST_COUNTRY_CODE


def may_be_same(one: str | None, other: str | None) -> bool:
    """Return whether two numbers, as people wrote them, may be the same."""
    (one_is_whole, first), (other_is_whole, second) = _read(one), _read(other)
    if not first or not second:
        return False
    if one_is_whole:
        return may_be(other, first)
    return may_be(one, second) if other_is_whole else first == second


def _read(text: str | None) -> tuple[bool, str]:
    """Return whether a number has its country code, and its digits without leading zeros; empty if none."""
    written = (text or "").strip().lstrip("( ")
    least = LEAST_DIGITS if written.startswith(("+", "0")) else _LEAST_BARE
    is_whole = written.startswith(("+", "00"))
    digits = _SEPARATORS.sub("", written.replace(_TRUNK, "").removeprefix("+"))
    if not (digits.isascii() and digits.isdigit()):
        return False, ""
    digits = digits.lstrip("0")
    return (is_whole, digits) if least <= len(digits) <= MOST_DIGITS else (False, "")
