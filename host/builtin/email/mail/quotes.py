"""Find where a mail only quotes the ones before it. Nothing is cut: a page folds what follows."""

from __future__ import annotations

import re

from .introductions import LANGUAGES

MOST_LINES = 20_000
"""Lines that are looked at, from the end; in a longer mail nothing is folded."""
_LONGEST = 400
"""Characters of an introduction, which has three lines at most."""

_MARKS: dict[int, str | None] = {
    **dict.fromkeys(
        map(ord, "\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
    ),
    **{first + digit: str(digit) for first in (0x0660, 0x06F0) for digit in range(10)},
}
"""What steers the direction of writing and shows nothing, and Arabic digits."""


def _any(field: str) -> str:
    """Return a pattern for the words of *field* in every language, longest first."""
    words = {word for language in LANGUAGES.values() for word in getattr(language, field).split("|")} - {""}
    return "|".join(re.escape(word) for word in sorted(words, key=lambda word: (-len(word), word)))


_END = re.compile(r"[:\uff1a]\s*\Z|\bwrote\s?-{3,20}\s*\Z")
"""How it ends; Zoho has dashes."""
_WROTE = re.compile(rf"(?:(?<!\w)|(?=[\u3040-\ud7a3]))(?:{_any('wrote')})", re.IGNORECASE)
"""Chinese, Japanese and Korean put no space before it."""
_STARTS = re.compile(rf"(?:{_any('starts')})(?:\b|(?=[\d \u3040-\u9fff]))", re.IGNORECASE)
_ADDRESS = re.compile(r"[<(\[\"\uff08]?(?:mailto:)?[^\s<>()@]{1,64}@[^\s<>()@]{1,250}[>)\]\uff09]?")
_ADDRESS_AT_END = re.compile(
    r"[<(\uff08][^\s<>()@]{1,64}@[^\s<>()@]{1,250}[>)\uff09]{1,2}[\"']?\s*[:\uff1a]\s*\Z"
)
_YEAR = re.compile(r"(?<!\d)(?:(?:19|20|25)\d\d(?!\d)|\d{1,2}[./-]\d{1,2}[./-]\d\d(?!\d))")
_TIME = re.compile(r"(?<!\d)\d{1,2}\s?[:.h\u6642\u65f6\uc2dc]\s?\d\d(?!\d)")
_FORWARDED = re.compile(
    rf"[-_*=\s]{{0,40}}(?:{_any('forwarded')})(?:[-_*=\s]{{1,40}}[:\uff1a]?|\s{{0,5}}[:\uff1a]?)\s*\Z",
    re.IGNORECASE,
)
_DASHED_FORWARDED = re.compile(rf"[-_*=\s]{{2,60}}(?:{_any('forwarded')})\b.{{0,120}}\Z", re.IGNORECASE)
_DASHES = frozenset("-_*=")
_AROUND = "-_*=: \t\uff1a"
_LONGEST_FORWARDED = max(len(word) for one in LANGUAGES.values() for word in one.forwarded.split("|"))
_SEPARATOR = re.compile(
    rf"[-_*=\s]{{2,60}}(?:{_any('original')})\s{{0,5}}[-_*=]{{2,60}}\s*\Z|[-_*=]{{4,60}}\s{{0,5}}(?:{_any('original')})\s*\Z",
    re.IGNORECASE,
)
_PASSED_ON = re.compile(rf"\s*(?:{_any('passed_on')})\s?(?:\[\d{{1,3}}\])?\s?[:\uff1a]", re.IGNORECASE)
_RULE = re.compile(r"_{10,}\s*\Z|-{10,}\s*\Z")
_ABOVE = re.compile(
    rf"{_RULE.pattern}|(?!original\s*\Z)(?:{_any('original')})\s*[:\uff1a]?\s*\Z", re.IGNORECASE
)
"""What may stand above a quoted mail and belongs to it."""
_FIELDS = {
    name: re.compile(
        rf"\*{{0,2}}(?:{_any(field)})\*{{0,2}}\s{{0,5}}[:\uff1a]\*{{0,2}}(?P<value>.*)\Z", re.IGNORECASE
    )
    for name, field in (("from", "from_"), ("date", "date"), ("to", "to"), ("subject", "subject"))
}


def is_forward(subject: str) -> bool:
    """Tell whether a mail with this subject passes another on: then that is what it says."""
    return _PASSED_ON.match(subject.translate(_MARKS)) is not None


def passes_on(text: str, subject: str) -> bool:
    """Tell whether a mail passes another on, by its subject or a line of its own above that."""
    if is_forward(subject):
        return True
    lines = _bare(text.split("\n")[:MOST_LINES])
    above = next((number for number, line in enumerate(lines) if _is_forwarded(line)), None)
    if above is None:
        return False
    place = _separator(lines, passed_on=False)
    return place is None or above < place


def start(text: str, subject: str = "") -> int | None:
    """Return the position in *text* from which on it only quotes; None: it does not, or does nothing else.

    Where somebody answers between the lines of a quote, those answers have to be read with it, so nothing is
    folded. Neither is a mail that is passed on.
    """
    written = text.split("\n")
    if len(written) > MOST_LINES:
        return None
    lines = _bare(written)
    place = _separator(lines, passed_on=is_forward(subject))
    if place is None:
        place = _marked(lines)
    if place is None:
        return None
    if any(_is_forwarded(line) for line in lines[:place]):
        return None  # it stands in what was passed on
    while place > 0 and (not lines[place - 1].strip() or _ABOVE.match(lines[place - 1].strip())):
        place -= 1
    said = "\n".join(written[:place])
    return len(said) + 1 if said.strip() else None


def _bare(written: list[str]) -> list[str]:
    """Return lines without what shows nothing, each cut to what is looked at."""
    cut = (line[: _LONGEST * 2] for line in written)
    return [line if line.isascii() else line.translate(_MARKS) for line in cut]


def _is_forwarded(line: str) -> bool:
    bare = line.strip()
    if len(bare) >= 200 or bare.startswith(">"):
        return False
    # Most lines of a mail are too long for the one and begin with a word, unlike the other.
    if len(bare.strip(_AROUND)) <= _LONGEST_FORWARDED and _FORWARDED.match(bare) is not None:
        return True
    return bare[:1] in _DASHES and _DASHED_FORWARDED.match(bare) is not None


def _separator(lines: list[str], *, passed_on: bool) -> int | None:
    """Return the line of a program that puts what it quotes below, without marking its lines."""
    for number, line in enumerate(lines):
        bare = line.strip()
        if not bare or bare.startswith(">"):
            continue
        if not passed_on:
            if bare[0] in _DASHES and _SEPARATOR.match(bare):
                return number
            if (":" in bare or "\uff1a" in bare) and _is_head(lines, number):
                return number
        introduced = _introduced(lines, number, marked=False)
        if introduced is not None and not _any_marked(lines, introduced):
            return number
    return None


def _is_head(lines: list[str], number: int) -> bool:
    """Tell whether the fields of a quoted mail begin here.

    Whoever fills in a form writes lines like these, too: *From: Berlin*, *To: Bonn*. So a mail has an
    address, a rule above it or a subject, and says when it was sent.
    """
    if not any(field.match(lines[number].strip()) for field in _FIELDS.values()):
        return False
    found: dict[str, str] = {}
    for line in lines[number : number + 9]:
        bare = line.strip()
        for name, field in _FIELDS.items() if bare else ():
            if (match := field.match(bare)) is not None:
                found.setdefault(name, match["value"].strip())
    if not found.get("from") or "date" not in found or not found.keys() & {"to", "subject"}:
        return False
    above = next((line.strip() for line in reversed(lines[max(0, number - 2) : number]) if line.strip()), "")
    return "subject" in found or "@" in found["from"] or _RULE.match(above) is not None


def _introduced(lines: list[str], number: int, *, marked: bool) -> int | None:
    """Return the line behind a *... wrote:* that begins in line *number*, which has three lines at most.

    :param marked: whether what follows is marked as quoted; then less has to be said above it.
    """
    first = lines[number].strip()
    if not first:
        return None
    for more in (1, 2, 3):
        if number + more > len(lines) or not lines[number + more - 1].strip():
            return None
        if _ends(lines[number + more - 1]):
            # Some programs break a line, even within an address.
            joined = " ".join(one.strip() for one in lines[number : number + more])
            tight = "".join(one.strip() for one in lines[number : number + more])
            fits = any(_introduces(one, marked=marked) for one in (joined, tight))
            return number + more if fits else None
    return None


def _ends(line: str) -> bool:
    """Tell whether an introduction may end with this line."""
    return line.rstrip()[-1:] in {":", "\uff1a", "-"} and _END.search(line) is not None


def _introduces(line: str, *, marked: bool) -> bool:
    if len(line) > _LONGEST:
        return False
    wrote = _WROTE.search(line) is not None
    starts = _STARTS.match(line) is not None
    dated = _YEAR.search(line) is not None
    timed = _TIME.search(line) is not None
    address = _ADDRESS.search(line) is not None
    if wrote and (address or (dated and timed) or (starts and (dated or timed))):
        return address or dated or timed
    if marked and wrote and starts:
        return True
    # Gmail in Russian, Japanese and Hebrew, Yandex and Mail.ru: a time and an address, and no word.
    return dated and timed and _ADDRESS_AT_END.search(line) is not None


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
        behind = _introduced(lines, number, marked=True)
        if behind is not None and not any(line.strip() for line in lines[behind:first]):
            return number
    return first
