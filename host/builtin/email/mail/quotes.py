"""Find where a mail only quotes the ones before it. Nothing is cut: a page folds what follows."""

from __future__ import annotations

import re

MOST_LINES = 20_000
"""Lines that are looked at, from the end; in a longer mail nothing is folded."""

_WROTE = re.compile(
    r"(?:on|am|le|el|il|op|den|em|w dniu|dne)\b.{3,300}\b"
    r"(?:wrote|schrieb|a écrit|escribió|ha scritto|schreef|skrev|escreveu|napisał\(?a?\)?|napsal\(?a?\)?)"
    r"\b.{0,200}:\s*\Z",
    re.IGNORECASE | re.DOTALL,
)
"""The line above a quote, which many programs break: *On Mon, 3 Mar 2025 at 10:00, Mia wrote:*"""
_STARTS = re.compile(r"(?:on|am|le|el|il|op|den|em|w dniu|dne)\b.{3}", re.IGNORECASE)
_SEPARATOR = re.compile(
    r"-{2,}\s*(?:original message|ursprüngliche nachricht|original-nachricht|weitergeleitete nachricht"
    r"|forwarded message|message d'origine|messaggio originale|mensaje original"
    r"|oorspronkelijk bericht)\s*-{2,}\s*\Z",
    re.IGNORECASE,
)
_RULE = re.compile(r"_{10,}\s*\Z|-{10,}\s*\Z")
_FROM = re.compile(r"\*?(?:from|von|de|da|van|från|fra)\s*:\*?\s*\S", re.IGNORECASE)
_FIELD = re.compile(
    r"\*?(?:sent|date|gesendet|datum|envoyé|inviato|enviado|verzonden|skickat|sendt|to|an|à|a|aan|till|til"
    r"|subject|betreff|objet|oggetto|asunto|onderwerp|ämne|emne|cc)\s*:\*?(?:\s|\Z)",
    re.IGNORECASE,
)


def start(text: str) -> int | None:
    """Return the position in *text* from which on it only quotes; None: it does not, or does nothing else.

    Where somebody answers between the lines of a quote, those answers have to be read with it, so nothing is
    folded.
    """
    lines = text.split("\n")
    if len(lines) > MOST_LINES:
        return None
    place = _separator(lines)
    if place is None:
        place = _marked(lines)
    if place is None:
        return None
    while place > 0 and (not lines[place - 1].strip() or _RULE.match(lines[place - 1].strip())):
        place -= 1
    said = "\n".join(lines[:place])
    return len(said) + 1 if said.strip() else None


def _separator(lines: list[str]) -> int | None:
    """Return the line of a program that puts what it quotes below, without marking its lines."""
    for number, line in enumerate(lines):
        bare = line.strip()
        if _SEPARATOR.match(bare):
            return number
        if _FROM.match(bare):
            below = [one.strip() for one in lines[number + 1 : number + 7]]
            if sum(1 for one in below if _FIELD.match(one)) >= 2:
                return number
        introduced = _introduced(lines, number)
        if introduced is not None and not _any_marked(lines, introduced):
            return number
    return None


def _introduced(lines: list[str], number: int) -> int | None:
    """Return the line behind a *... wrote:* that begins in line *number*, which has three lines at most."""
    if not _STARTS.match(lines[number].strip()):
        return None
    for more in (1, 2, 3):
        if _WROTE.match(" ".join(one.strip() for one in lines[number : number + more])):
            return number + more
    return None


def _any_marked(lines: list[str], first: int) -> bool:
    """Tell whether the lines right behind an introduction are marked, so that it says which are quoted."""
    return any(line.lstrip().startswith(">") for line in lines[first : first + 3])


def _marked(lines: list[str]) -> int | None:
    """Return the first of the marked lines at the end, with what introduces them."""
    place = len(lines)
    while place > 0 and (not lines[place - 1].strip() or lines[place - 1].lstrip().startswith(">")):
        place -= 1
    first = next((n for n in range(place, len(lines)) if lines[n].strip()), None)
    if first is None:
        return None
    for number in range(max(0, place - 3), place):
        behind = _introduced(lines, number)
        if behind is not None and not any(line.strip() for line in lines[behind:first]):
            return number
    return first
