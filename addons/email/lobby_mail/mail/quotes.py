"""Find the quoted history of a mail, and what closes it. Nothing is cut: the page collapses each."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from host.sdk.closings import Closing, closings

from . import calendar_words, report_words
from .introductions import LANGUAGES

MOST_LINES = 20_000
"""Maximum number of lines; in a longer mail nothing is collapsed."""
_LONGEST = 400
"""Maximum characters of an introduction, which has at most three lines."""

_MOST_STARTS = 20
"""Maximum number of words that may start an introduction in a line; a line with more is text."""

_FEW, _MANY = 4, 8
"""Minimum number of quoted lines above other text to collapse them: below words, and at the top of a mail.

A shorter quote is read with the answer below it, and collapsing it would save nothing.
"""
_FULL = 72
"""Minimum width at which programs wrap lines."""
_MIDST = re.compile(r"[^\W_],?\Z")
"""End of a line in mid-sentence."""
_SAID = 40
"""Minimum number of characters above a quote that answer it."""

_MARKS: dict[int, str | None] = {
    **dict.fromkeys(
        map(ord, "\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
    ),
    **{first + digit: str(digit) for first in (0x0660, 0x06F0) for digit in range(10)},
}
"""Translation table that removes invisible direction marks, and converts Arabic digits."""


def _any(field: str) -> str:
    """Return a pattern for the names of *field* in every language, longest first."""
    words = {word for language in LANGUAGES.values() for word in getattr(language, field).split("|")} - {""}
    return "|".join(re.escape(word) for word in sorted(words, key=lambda word: (-len(word), word)))


_END = re.compile(r"[:\uff1a]\s*\Z|\bwrote\s?-{3,20}\s*\Z")
"""End of an introduction; Zoho uses dashes."""
_WROTE = re.compile(rf"(?:(?<!\w)|(?=[\u3040-\ud7a3]))(?:{_any('wrote')})", re.IGNORECASE)
"""Chinese, Japanese and Korean put no space before it."""
_STARTS = re.compile(rf"(?:{_any('starts')})(?:\b|(?=[\d \u3040-\u9fff]))", re.IGNORECASE)
_INSIDE = re.compile(rf"(?<![\w@.])(?<!\w-)(?!(?<=\d )am\b)(?:{_any('starts')})\b(?=[ \d])", re.IGNORECASE)
"""How an introduction may start after other text; not *AM* after a time."""
_NO_WORD = re.compile(r"\W+")
_START_WORDS = frozenset(_NO_WORD.split(" ".join(one.starts for one in LANGUAGES.values()))) - {""}
_OF_THE_SAME = re.compile(rf"\s*(?:{_any('starts')})(?:\s+[^\W\d]+[.,]{{1,2}})?\s*\Z", re.IGNORECASE)
"""Words of the introduction itself before such words, as in *Am Montag, den*."""
_NAMED = re.compile(r"(?:[>)]|\bhat)\s*\Z")
"""End of a name before such words, as in *Mia hat am* and *Mia <mia@example.org> am*."""
_DIGIT = re.compile(r"\d")
_SENTENCE = re.compile(r"[.!?]\s")
_DAY = re.compile(r"\W*(?:[^\W\d]+[.,]{0,2}\s+)?\d")
"""Start of an introduction without such a word: a date, or a day and a date."""
_WORD = re.compile(r"[^\W\d_]+")
_IN_DATES = frozenset(
    {"de", "den", "of", "st", "nd", "rd", "th", "do", "der", "il", "el", "um", "à", "at", "om", "kl"}
)
_HEADER = re.compile(r"[!-9;-~]{2,40}:(?:[ \t]|\Z)")
_BETWEEN = re.compile(r"-{30}\s*\Z|-{70}\s*\Z")
"""Separator of the mails in a digest (RFC 1153)."""
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
"""Line above a quoted mail that belongs to it."""
_FIELDS = {
    name: re.compile(
        rf"\*{{0,2}}(?:{_any(field)})\*{{0,2}}\s{{0,5}}[:\uff1a]\*{{0,2}}(?P<value>.*)\Z", re.IGNORECASE
    )
    for name, field in (("from", "from_"), ("date", "date"), ("to", "to"), ("subject", "subject"))
}


QUOTE = "quote"


class Fold(NamedTuple):
    """A part of a text that the page collapses.

    :param kind: :data:`QUOTE`, or a :class:`host.sdk.closings.ClosingKind`.
    :param start: position of its first character.
    :param end: position after its last one.
    """

    kind: str
    start: int
    end: int


def is_forward(subject: str) -> bool:
    """Return whether the subject marks a forward, whose content is the message itself."""
    return _PASSED_ON.match(subject.translate(_MARKS)) is not None


def passes_on(text: str, subject: str) -> bool:
    """Return whether a mail is a forward, by its subject or by a line above the forwarded mail."""
    if is_forward(subject):
        return True
    lines = _bare(text.split("\n")[:MOST_LINES])
    above = next((number for number, line in enumerate(lines) if _is_forwarded(line)), None)
    if above is None:
        return False
    place = _separator(lines, passed_on=False)
    return place is None or above < place


def start(text: str, subject: str = "") -> int | None:
    """Return the position in *text* after which everything is quoted, or None if nothing or everything is.

    Replies between the lines of a quote must be read with it, so nothing is collapsed. Neither are forwards
    and digests.
    """
    written = text.split("\n")
    found = None if _is_whole(written, subject) else _quoted(written, subject)
    return None if found is None else _position(written, found)


def folds(text: str, subject: str = "") -> tuple[Fold, ...]:
    """Return what the page collapses, in order: the quote, and signatures, notices and footers around it.

    Between and below them stays whatever else there is. Of answers between quoted lines, which must be read
    with them, no quote is collapsed.
    """
    written = text.split("\n")
    if _is_whole(written, subject):
        return ()
    lines = _bare(written)
    if is_forward(subject) or any(map(_is_forwarded, lines)):
        first = _quoted(written, subject)
        return () if first is None else (Fold(QUOTE, _position(written, first), len(text)),)
    first, after = _quoted(written, subject), len(written)
    tail: tuple[Closing, ...] = ()
    if first is None:
        tail = closings(written)
        after = tail[0].first if tail else len(written)
        first, after = _above(written, subject, after)
    # Of a mail without either, all lines were looked at already.
    above = closings(written[:first]) if tail or first < len(written) else ()
    found: list[tuple[str, int, int]] = [(one.kind, one.first, one.after) for one in above]
    if first < after:
        found.append((QUOTE, first, after))
        if not tail:
            below = closings(written[after:], alone=True)
            found += [(one.kind, after + one.first, after + one.after) for one in below]
    found += [(one.kind, one.first, one.after) for one in tail]
    return tuple(
        Fold(str(kind), _position(written, one), min(_position(written, end) - 1, len(text)))
        for kind, one, end in found
    )


def _is_whole(written: list[str], subject: str) -> bool:
    """Return whether nothing of a mail is collapsed, since it is too long or a digest."""
    is_digest = "digest" in subject.lower() and not report_words.REPLY.match(subject)
    return len(written) > MOST_LINES or is_digest


def _position(written: list[str], number: int) -> int:
    """Return the position at which line *number* begins."""
    return sum(len(line) + 1 for line in written[:number])


def _quoted(written: list[str], subject: str) -> int | None:
    """Return the first line of what is quoted up to the end, or None if that is nothing or everything."""
    lines = _bare(written)
    place = _separator(lines, passed_on=is_forward(subject))
    if place is None:
        place = _marked(lines)
    if place is None:
        return None
    if any(_is_forwarded(line) for line in lines[:place]):
        return None  # it is inside the forwarded mail
    while place > 0 and (not lines[place - 1].strip() or _ABOVE.match(lines[place - 1].strip())):
        place -= 1
    return place if any(line.strip() for line in written[:place]) else None


def _above(written: list[str], subject: str, after: int) -> tuple[int, int]:
    """Return the first line of the quote above a closing or other text, and the line after it.

    :param after: the first line of the closing.
    :returns: twice the same line if there is no quote to collapse.
    """
    first = _quoted(written[:after], subject) if after < len(written) else None
    if first is not None:
        return first, after
    lines = _bare(written)
    marked = [number for number, line in enumerate(lines) if line.lstrip().startswith(">")]
    if not marked:
        return after, after
    first, last = marked[0], marked[-1]
    if any(line.strip() and not line.lstrip().startswith(">") for line in lines[first:last]):
        return after, after
    introduced = None
    for number in range(max(0, first - 4), first):
        behind = _introduced(lines, number, marked=True)
        if behind is not None and not any(line.strip() for line in lines[behind:first]):
            introduced = number
            break
    if introduced is None:
        return after, after
    said = sum(len(line.strip()) for line in lines[:introduced])
    count = sum(line.strip(" \t>") != "" for line in lines[first : last + 1])
    if count < (_FEW if said >= _SAID else _MANY):
        return after, after
    return introduced, last + 1


def _bare(written: list[str]) -> list[str]:
    """Return lines without invisible characters, each cut to the relevant length."""
    cut = (line[: _LONGEST * 2] for line in written)
    return [line if line.isascii() else line.translate(_MARKS) for line in cut]


def _is_forwarded(line: str) -> bool:
    bare = line.strip()
    if len(bare) >= 200 or bare.startswith(">"):
        return False
    inner = bare.strip(_AROUND)
    # Most lines are too long for a separator, and begin with a word, unlike a quote.
    if inner and len(inner) <= _LONGEST_FORWARDED and _FORWARDED.match(bare) is not None:
        return True
    return bool(inner) and bare[:1] in _DASHES and _DASHED_FORWARDED.match(bare) is not None


def _separator(lines: list[str], *, passed_on: bool) -> int | None:
    """Return the separator line of a mail program that quotes below without marking lines."""
    for number, line in enumerate(lines):
        bare = line.strip()
        if not bare or bare.startswith(">"):
            continue
        if not passed_on:
            if bare[0] in _DASHES and _SEPARATOR.match(bare):
                return number
            if (":" in bare or "\uff1a" in bare) and _is_head(lines, number):
                return None if _is_one_of_many(lines, number) else number
        introduced = _introduced(lines, number, marked=False)
        if introduced is not None and not _any_marked(lines, introduced):
            return number
    return None


def _is_head(lines: list[str], number: int) -> bool:
    """Return whether the header fields of a quoted mail begin here.

    People also write such lines in forms: *From: Berlin*, *To: Bonn*. So a quoted mail must have a date, and
    an address, a subject, or a rule above it.
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
    is_mail = (
        "subject" in found or "@" in found["from"] or _RULE.match(_right_above(lines, number)) is not None
    )
    return is_mail and not _goes_on(lines, number)


def _right_above(lines: list[str], number: int) -> str:
    return next((line.strip() for line in reversed(lines[max(0, number - 2) : number]) if line.strip()), "")


def _goes_on(lines: list[str], number: int) -> bool:
    """Return whether the field in line *number* continues a header that starts above it.

    Delivery reports contain such headers, whose start is unclear.
    """
    above = number - 1
    while above >= 0 and lines[above][:1] in {" ", "\t"} and lines[above].strip():
        if _HEADER.match(lines[above].strip()):
            return True
        above -= 1
    return above >= 0 and _HEADER.match(lines[above].strip()) is not None


def _is_one_of_many(lines: list[str], number: int) -> bool:
    """Return whether the mail in line *number* is one of a digest, or has only header fields above it."""
    rule = _right_above(lines, number)
    if _BETWEEN.match(rule) and sum(line.strip() == rule for line in lines) > 1:
        return True
    said = [line.strip() for line in lines[:number] if line.strip()]
    return bool(said) and all(map(_HEADER.match, said))


def _introduced(lines: list[str], number: int, *, marked: bool) -> int | None:
    """Return the line after a *... wrote:* of at most three lines that begins in line *number*.

    :param marked: whether the lines below are marked as quoted; then less is required above them.
    """
    first = lines[number].strip()
    if not first:
        return None
    for more in (1, 2, 3):
        if number + more > len(lines) or not lines[number + more - 1].strip():
            return None
        if _ends(lines[number + more - 1]):
            # Some programs wrap lines even within an address.
            joined = " ".join(one.strip() for one in lines[number : number + more])
            tight = "".join(one.strip() for one in lines[number : number + more])
            fits = any(_introduces(one, marked=marked) for one in dict.fromkeys((joined, tight)))
            if not fits:
                return None
            if more > 1 and not _begins(lines[number : number + more], marked=marked):
                above = lines[number - 1].strip() if number else ""
                again = _STARTS.match(lines[number + 1].strip()) and not _DIGIT.search(first)
                if above or again or not _is_only_a_day(first):
                    return None
            return None if _is_behind_words(lines, number, joined) else number + more
    return None


def _begins(lines: list[str], *, marked: bool) -> bool:
    """Return whether an introduction of several lines begins with the first of *lines*.

    Without a blank line above, the first line may be the end of the text.
    """
    first = lines[0].strip()
    if not (_YEAR.search(first) or _TIME.search(first)) or first[-1] in "!?":
        return False
    if not (_STARTS.match(first) or _DAY.match(first)):
        # It starts with a name, as in Turkish and Chinese, unless the rest is an introduction alone.
        rest = " ".join(one.strip() for one in lines[1:])
        return _ADDRESS.search(first) is not None and not _introduces(rest, marked=marked)
    for begin in range(1, len(lines)):
        rest = " ".join(one.strip() for one in lines[begin:])
        dated = _YEAR.search(rest) or _TIME.search(rest) or _INSIDE.match(rest)
        if dated and not _WROTE.match(rest) and _introduces(rest, marked=marked):
            return False
    return True


def _is_only_a_day(line: str) -> bool:
    """Return whether a line has only the beginning of a date, which goes on in the line below.

    A number alone may be an answer.
    """
    words = _WORD.findall(line.lower())
    if len(line) > 60 or not words or _SENTENCE.search(f"{line} ".replace(". ", " ")):
        return False
    allowed = all(word in calendar_words.WORDS or word in _START_WORDS or word in _IN_DATES for word in words)
    return allowed and (words[0] in _START_WORDS or _DIGIT.search(line) is not None)


def _is_behind_words(lines: list[str], number: int, introduction: str) -> bool:
    """Return whether an introduction follows written text, on its line or those above."""
    written = introduction
    for above in range(number, max(-1, number - 3), -1):
        if above < number:
            if not lines[above].strip() or _YEAR.search(introduction):
                break
            written = f"{lines[above].strip()} {written}"
        if len(written) <= _LONGEST and _has_words_before(written, len(written) - len(introduction)):
            return True
    return False


@lru_cache(maxsize=32)
def _has_words_before(line: str, end: int) -> bool:
    """Return whether an introduction starts within *line*, after other text.

    :param end: number of characters to search; 0: all.
    """
    years = [year.start() for year in _YEAR.finditer(line)]
    # An introduction continues after the last year. Check for such a word first, because the pattern is slow.
    beginning = line[: years[-1]] if years else line
    if _START_WORDS.isdisjoint(_NO_WORD.split(beginning.lower())[1:]):
        return False
    for number, inside in enumerate(_INSIDE.finditer(line)):
        place = inside.start()
        front, rest = line[:place], line[place:]
        if number >= _MOST_STARTS:
            return True
        if end and place >= end:
            return False
        said = not years and not (_STARTS.match(front) and _DIGIT.search(front))
        if not ((years and years[-1] >= place) or (said and _TIME.search(rest))):
            continue
        if not front.strip(_AROUND) or _OF_THE_SAME.match(front):
            continue
        if _NAMED.search(front[-20:]) and not _SENTENCE.search(front) and not _ADDRESS.search(rest):
            continue
        if _introduces(rest, marked=False):
            return True
    return False


def _ends(line: str) -> bool:
    """Return whether an introduction may end with this line."""
    return line.rstrip()[-1:] in {":", "\uff1a", "-"} and _END.search(line) is not None


def _introduces(line: str, *, marked: bool) -> bool:
    if len(line) > _LONGEST:
        return False
    wrote, starts, dated, timed, address = _said(line)
    if wrote and (address or (dated and timed) or (starts and (dated or timed))):
        return address or dated or timed
    if marked and wrote and starts:
        return True
    # Gmail in Russian, Japanese and Hebrew, Yandex and Mail.ru write a time and an address without a verb.
    return dated and timed and _ADDRESS_AT_END.search(line) is not None


@lru_cache(maxsize=32)
def _said(line: str) -> tuple[bool, bool, bool, bool, bool]:
    """Return whether *line* has *wrote*, the start of an introduction, a year, a time and an address.

    Cached because each line is checked for marked and for unmarked quotes.
    """
    return (
        _WROTE.search(line) is not None,
        _STARTS.match(line) is not None,
        _YEAR.search(line) is not None,
        _TIME.search(line) is not None,
        _ADDRESS.search(line) is not None,
    )


def _any_marked(lines: list[str], first: int) -> bool:
    """Return whether the lines right after an introduction are marked as quoted."""
    return any(line.lstrip().startswith(">") for line in lines[first : first + 3])


def _marked(lines: list[str]) -> int | None:
    """Return the first of the marked lines at the end, including their introduction.

    Programs wrap quoted lines and mark only the first half. Such halves are quoted in a mail that answers
    above an introduction, since elsewhere they may be an answer.
    """
    first = None
    for wrapped in (True, False):
        place = len(lines)
        while place > 0 and (
            not lines[place - 1].strip()
            or lines[place - 1].lstrip().startswith(">")
            or (wrapped and _is_wrapped(lines, place - 1))
        ):
            place -= 1
        first = next((n for n in range(place, len(lines)) if lines[n].strip()), None)
        if first is None:
            return None
        for number in range(max(0, place - 3), place):
            behind = _introduced(lines, number, marked=True)
            if behind is None or any(line.strip() for line in lines[behind:first]):
                continue
            if not wrapped or sum(len(line.strip()) for line in lines[:number]) >= _SAID:
                return number
            break
    return first


def _is_wrapped(lines: list[str], number: int) -> bool:
    """Return whether a line is the second half of the marked one above: that was full, in mid-sentence, and
    the quote goes on below.
    """
    if not 0 < number < len(lines) - 1 or not lines[number][:1].islower():
        return False
    above, below = lines[number - 1].strip(), lines[number + 1].lstrip()
    is_full = len(above) + len(lines[number].split()[0]) >= _FULL
    return is_full and above.startswith(">") and below.startswith(">") and _MIDST.search(above) is not None
