"""Texts with variables, such as canned replies, that are filled in for each recipient.

``{{contact.name}}`` is a variable. ``{{contact.first_name || contact.handle || "there"}}`` uses the first
that has a value, or else the literal text. ``{{ask: order number}}`` is a field for the sender to fill in.
Placeholders without a value stay in the text, and such a text is not sent. Everything here is pure.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from host.core.errors import InvalidError

VARIABLES: Mapping[str, LazyString] = {
    "contact.name": _l("the customer’s name"),
    "contact.first_name": _l("the customer’s first name"),
    "contact.handle": _l("the customer’s handle or address"),
    "contact.email": _l("the customer’s email address"),
    "agent.name": _l("your name"),
    "agent.first_name": _l("your first name"),
    "account.name": _l("the name of the account"),
    "workspace.name": _l("the name of the workspace"),
}
"""All variables, with their descriptions. Code that fills a text provides a value, maybe empty, for each."""

MOST_QUESTION = 60
"""Maximum characters of a field's question."""
MOST_VALUE = 200
"""Maximum characters of a value, because names come from outside."""

_STRING = r'"(?:[^"\\\n]|\\.)*"|[“„][^“”\n]*[“”]'
# Limited blanks and short questions keep these patterns fast on any text.
_ASK = re.compile(r"\s{0,9}ask\s{0,9}:\s{0,9}([^{}\n]{0,200}?)\s{0,9}\}\}")
_TERM = re.compile(
    rf"\s{{0,9}}(?:(?P<name>[A-Za-z_][\w.]*)|(?P<string>{_STRING}))\s{{0,9}}(?P<then>\|\||\}}\}})"
)
_WRONG = re.compile(r"\s*([^\s{}|]{1,40})")
_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_UNSEEN = frozenset({"Cc", "Cs", "Zl", "Zp"})
_TURNING = dict.fromkeys(map(ord, "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"))
"""Directional marks, which would also reorder the words around a name."""

UNFILLED = (
    r"\{\{\s{0,9}(?:ask\s{0,9}:\s{0,9}([^{}]{1,200}?)|("
    + "|".join(re.escape(name) for name in VARIABLES)
    + r")(?:\s{0,9}\|\|[^{}]{0,200}?)?)\s{0,9}\}\}"
)
"""Pattern of an unfilled placeholder, for Python and JavaScript. It ignores other braces."""
_UNFILLED = re.compile(UNFILLED)


class VariableError(InvalidError):
    """A text has an unknown variable in double braces."""

    code = "variable"
    title = _l("Unknown variable")
    default_sentence = _l("The text has an unknown variable in double braces. Nothing was saved.")
    default_next_step = _l("Choose a variable from the list below the text.")
    program_step = _l("Use a variable from the documentation of canned replies.")


class UnfilledError(InvalidError):
    """A text has a variable or a field that is not filled in."""

    code = "unfilled"
    title = _l("Fill in the blanks")
    default_sentence = _l("The text still has blanks to fill in. Nothing was sent.")
    default_next_step = _l("Replace the text in double braces.")


class PlainPart(msgspec.Struct, frozen=True):
    """A literal part of a text."""

    text: str


class Variable(msgspec.Struct, frozen=True):
    """A variable, filled with the first of *names* that has a value, otherwise with *fallback*, if any."""

    names: tuple[str, ...]
    fallback: str | None = None


class Field(msgspec.Struct, frozen=True):
    """A field for the sender to fill in."""

    question: str


Piece = PlainPart | Variable | Field


class FilledPart(msgspec.Struct, frozen=True):
    """A part of a filled text.

    :param state: ``open`` if it could not be filled; *text* is then the placeholder.
    :param label: name of the field to fill in; empty if there is none.
    """

    text: str
    state: Literal["words", "set", "open"]
    label: str = ""


def parse(text: str, known: Mapping[str, LazyString] = VARIABLES) -> list[Piece]:
    """Return the pieces of *text*.

    :param known: the allowed variables.
    :raises VariableError: if something in double braces is neither a variable nor a field; it names the
        place.
    """
    pieces: list[Piece] = []
    at = 0
    while (start := text.find("{{", at)) >= 0:
        if start > at:
            pieces.append(PlainPart(text[at:start]))
        piece, at = _piece(text, start + 2, known)
        pieces.append(piece)
    if at < len(text):
        pieces.append(PlainPart(text[at:]))
    return pieces


def _piece(text: str, at: int, known: Mapping[str, LazyString]) -> tuple[Piece, int]:
    """Return the piece that begins after the braces at *at*, and its end."""
    start = at
    asked = _ASK.match(text, at)
    if asked is not None:
        question = " ".join(asked[1].split())
        if not question or len(question) > MOST_QUESTION:
            sentence = _l(
                "A field in line %(line)s has no prompt, or one that is too long. Nothing was saved."
            )
            raise _error(sentence, text, start)
        return Field(question), asked.end()
    names: list[str] = []
    while (term := _TERM.match(text, at)) is not None:
        name, string, ends = term["name"], term["string"], term["then"] == "}}"
        if name is not None and name not in known:
            break
        if name is not None:
            names.append(name)
        elif not ends:
            raise _error(_l("The text after the quotes in line %(line)s is never used."), text, start)
        if ends:
            fallback = None if string is None else _unquoted(string)
            piece: Piece = Variable(tuple(names), fallback) if names else PlainPart(fallback or "")
            return piece, term.end()
        at = term.end()
    wrong = _WRONG.match(text, at)
    if wrong is None or text.find("}}", start) < 0:
        sentence = _l("A variable in line %(line)s is missing its closing }}. Nothing was saved.")
        raise _error(sentence, text, start)
    sentence = _l("“%(what)s” in line %(line)s is not a variable. Nothing was saved.")
    raise _error(sentence, text, start, wrong[1])


def _unquoted(string: str) -> str:
    inner = string[1:-1]
    return re.sub(r"\\(.)", r"\1", inner) if string[0] == '"' else inner


def _error(sentence: LazyString, text: str, at: int, what: str = "") -> VariableError:
    line = text.count("\n", 0, at) + 1
    return VariableError(LazyString(lambda: str(sentence) % {"line": line, "what": what}))


def fill(
    pieces: Iterable[Piece], values: Mapping[str, str], known: Mapping[str, LazyString] = VARIABLES
) -> list[FilledPart]:
    """Return *pieces* with their variables filled in from *values*, each on one line.

    :param known: as for :func:`parse`.
    """
    return [_filled(piece, values, known) for piece in pieces]


def _filled(piece: Piece, values: Mapping[str, str], known: Mapping[str, LazyString]) -> FilledPart:
    if isinstance(piece, PlainPart):
        return FilledPart(piece.text, "words")
    if isinstance(piece, Field):
        return FilledPart(f"{{{{ask: {piece.question}}}}}", "open", piece.question)
    for name in piece.names:
        value = flat(values.get(name, ""))
        if value:
            return FilledPart(value, "set")
    if piece.fallback is not None:
        return FilledPart(piece.fallback, "set")
    return FilledPart(f"{{{{{piece.names[0]}}}}}", "open", str(known[piece.names[0]]))


def text_of(parts: Sequence[FilledPart]) -> str:
    """Return the text of *parts*, with a mark for each unfilled placeholder."""
    return "".join(part.text for part in parts)


def flat(value: str) -> str:
    """Return a value from outside as one line of text: no tags, braces or invisible characters."""
    bare = _TAG.sub(" ", value).translate(_TURNING).replace("{", "(").replace("}", ")")
    seen = "".join(" " if unicodedata.category(one) in _UNSEEN else one for one in bare)
    return " ".join(seen.split())[:MOST_VALUE].rstrip()


def first_word(name: str) -> str:
    """Return the first word of a name, which is likely the first name."""
    return next(iter(flat(name).split()), "")


def unfilled(text: str) -> list[str]:
    """Return the placeholders *text* still contains, in order and without repeats."""
    found = (match[1] if match[2] is None else str(VARIABLES[match[2]]) for match in _UNFILLED.finditer(text))
    return list(dict.fromkeys(found))


def check_filled(text: str) -> None:
    """Refuse to send a text that still contains placeholders.

    :raises UnfilledError: naming the first.
    """
    missing = unfilled(text)
    if missing:
        raise UnfilledError(_l("Fill in “%(what)s” before you send. Nothing was sent.", what=missing[0]))
