"""Whether a customer's message answers a question. Pure."""

from __future__ import annotations

from datetime import date

import regex
from babel import Locale, UnknownLocaleError
from babel.dates import parse_date

from host.automation.conditions import folded
from host.sequences.body import LONGEST_ANSWER, Ask

_NUMBER = regex.compile(r"\d[\d .,\-/]*")
_EMAIL = regex.compile(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@(?:[\w-]{1,63}\.)+[\w-]{2,63}")
_PHONE = regex.compile(r"\+?[\d(][\d ()/.\-]{4,30}\d")
_ISO = regex.compile(r"\b(\d{4})-(\d{1,2})-(\d{1,2})\b")
MOST_READ = 2000
"""Most characters of a message that are searched for an answer."""


def payload(run_id: int, number: int, choice: int) -> str:
    """Return the payload of a choice: it names the run, how often it had moved, and the choice."""
    return f"lobby:sequence:{run_id}:{number}:{choice}"


def chosen(text: str, run_id: int, number: int) -> int | None:
    """Return the index of the choice that a payload names; None if it is of another question."""
    head, _, choice = text.rpartition(":")
    there = head == payload(run_id, number, 0).rpartition(":")[0] and regex.fullmatch(r"[0-9]{1,4}", choice)
    return int(choice) if there else None


def is_of_sequence(text: str) -> bool:
    """Return whether a payload is of a choice of any run."""
    return text.startswith("lobby:sequence:")


def fitting(step: Ask, text: str, choice: int | None, language: str | None) -> str | None:
    """Return what is kept of an answer; None if it does not fit.

    :param text: the text of the message; empty for a picture.
    :param choice: the index of the choice that was tapped; None: none.
    :param language: of the workspace, for dates.
    """
    said = " ".join(text[:MOST_READ].split())
    match step.kind:
        case "choice":
            if choice is not None:
                return step.choices[choice] if choice < len(step.choices) else None
            return _choice(step.choices, said)
        case "number":
            return _number(said, step.digits)
        case "email":
            found = _EMAIL.search(said)
            return None if found is None else found.group()[:LONGEST_ANSWER]
        case "phone":
            found = _PHONE.search(said)
            digits = "" if found is None else regex.sub(r"[^\d+]", "", found.group())
            return digits if 6 <= len(digits.lstrip("+")) <= 15 else None
        case "date":
            day = _date(said, language)
            return None if day is None else day.isoformat()
    return said[:LONGEST_ANSWER] or None


def _choice(choices: tuple[str, ...], said: str) -> str | None:
    """Return the choice that was written out, or whose number was."""
    wanted = folded(said).strip(" .!)")
    for number, one in enumerate(choices, 1):
        if wanted in {folded(one).strip(" .!)"), str(number)}:
            return one
    return None


def _number(said: str, digits: int) -> str | None:
    found = [regex.sub(r"\D", "", one.group()) for one in _NUMBER.finditer(said)]
    if digits:
        return next((one for one in found if len(one) == digits), None)
    return found[0][:40] if found else None


def _date(said: str, language: str | None) -> date | None:
    found = _ISO.search(said)
    try:
        if found is not None:
            return date(*(int(one) for one in found.groups()))
        if not regex.search(r"\d+\D+\d+\D+\d+", said):
            return None  # a day without a year could be in any
        return parse_date(said, locale=Locale.parse((language or "en").replace("-", "_")))
    except (ValueError, UnknownLocaleError, IndexError, OverflowError):
        return None
