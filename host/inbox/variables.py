"""Texts with variables, such as canned replies: written once, filled with whoever they go to.

``{{contact.name}}`` is a variable, ``{{contact.first_name || contact.handle || "there"}}`` tries one after
the other and ends with words of its own, ``{{ask: order number}}`` is a field for whoever sends it. What
cannot be filled stays in the text as it was written, and such a text is not sent. Everything here is pure.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from host.core.errors import InvalidError

VARIABLES: Mapping[str, LazyString] = {
    "contact.name": _l("the customer’s name"),
    "contact.first_name": _l("the customer’s first name"),
    "contact.handle": _l("the customer’s handle or address"),
    "contact.email": _l("the customer’s e-mail address"),
    "agent.name": _l("your name"),
    "agent.first_name": _l("your first name"),
    "account.name": _l("the name of the account"),
    "workspace.name": _l("the name of the workspace"),
}
"""Every variable there is, and what it stands for. Whoever fills a text knows each, or that it is empty."""

MOST_QUESTION = 60
"""Most characters of what a field asks for."""
MOST_VALUE = 200
"""Most characters of a value: names come from outside."""

_STRING = r'"(?:[^"\\\n]|\\.)*"|[“„][^“”\n]*[“”]'
# Blanks are few and questions short: no text makes these patterns slow.
_ASK = re.compile(r"\s{0,9}ask\s{0,9}:\s{0,9}([^{}\n]{0,200}?)\s{0,9}\}\}")
_TERM = re.compile(
    rf"\s{{0,9}}(?:(?P<name>[A-Za-z_][\w.]*)|(?P<string>{_STRING}))\s{{0,9}}(?P<then>\|\||\}}\}})"
)
_WRONG = re.compile(r"\s*([^\s{}|]{1,40})")
_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_UNSEEN = frozenset({"Cc", "Cs", "Zl", "Zp"})
_TURNING = dict.fromkeys(map(ord, "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"))
"""Marks of direction, which would turn the words around a name as well."""

UNFILLED = (
    r"\{\{\s{0,9}(?:ask\s{0,9}:\s{0,9}([^{}]{1,200}?)|("
    + "|".join(re.escape(name) for name in VARIABLES)
    + r")(?:\s{0,9}\|\|[^{}]{0,200}?)?)\s{0,9}\}\}"
)
"""What stands where something is to be filled in: a pattern for Python and JavaScript alike. Other braces are
the writer's own."""
_UNFILLED = re.compile(UNFILLED)


class VariableError(InvalidError):
    """A text has something in double braces that is no variable."""

    code = "variable"
    title = _l("That is no variable")
    default_sentence = _l(
        "The text has something in double braces that is no variable, so nothing was saved."
    )
    default_next_step = _l("Choose a variable from the list below the text.")


class UnfilledError(InvalidError):
    """A text still has a variable or a field in it that nobody has filled in."""

    code = "unfilled"
    title = _l("Something is to be filled in")
    default_sentence = _l("Something is to be filled in before you send, so nothing was sent.")
    default_next_step = _l("Write over what stands in double braces.")


@dataclass(frozen=True, slots=True)
class Words:
    """A piece of a text that stays as it is."""

    text: str


@dataclass(frozen=True, slots=True)
class Variable:
    """A piece that is filled with the first of *names* that has a value, else with *fallback*; None: not."""

    names: tuple[str, ...]
    fallback: str | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """A piece that whoever sends the text fills in."""

    question: str


Piece = Words | Variable | Field


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a filled text.

    :param state: ``open`` where nothing filled it: *text* is then what marks the place.
    :param label: what is to be filled in there; empty where nothing is.
    """

    text: str
    state: Literal["words", "set", "open"]
    label: str = ""


def parse(text: str, known: Mapping[str, LazyString] = VARIABLES) -> list[Piece]:
    """Return the pieces of *text*.

    :param known: the variables it may have.
    :raises VariableError: if something in double braces is neither a variable nor a field; it says where.
    """
    pieces: list[Piece] = []
    at = 0
    while (start := text.find("{{", at)) >= 0:
        if start > at:
            pieces.append(Words(text[at:start]))
        piece, at = _piece(text, start + 2, known)
        pieces.append(piece)
    if at < len(text):
        pieces.append(Words(text[at:]))
    return pieces


def _piece(text: str, at: int, known: Mapping[str, LazyString]) -> tuple[Piece, int]:
    """Return the piece that begins behind the braces at *at*, and where it ends."""
    start = at
    asked = _ASK.match(text, at)
    if asked is not None:
        question = " ".join(asked[1].split())
        if not question or len(question) > MOST_QUESTION:
            sentence = _l("A field in line %(line)s asks for nothing, or for too much. Nothing was saved.")
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
            raise _error(
                _l("What stands behind the words in quotes in line %(line)s is never used."), text, start
            )
        if ends:
            fallback = None if string is None else _unquoted(string)
            piece: Piece = Variable(tuple(names), fallback) if names else Words(fallback or "")
            return piece, term.end()
        at = term.end()
    wrong = _WRONG.match(text, at)
    if wrong is None or text.find("}}", start) < 0:
        sentence = _l("A variable in line %(line)s does not end with }}, so nothing was saved.")
        raise _error(sentence, text, start)
    sentence = _l("“%(what)s” in line %(line)s is no variable, so nothing was saved.")
    raise _error(sentence, text, start, wrong[1])


def _unquoted(string: str) -> str:
    inner = string[1:-1]
    return re.sub(r"\\(.)", r"\1", inner) if string[0] == '"' else inner


def _error(sentence: LazyString, text: str, at: int, what: str = "") -> VariableError:
    line = text.count("\n", 0, at) + 1
    return VariableError(LazyString(lambda: str(sentence) % {"line": line, "what": what}))


def fill(
    pieces: Iterable[Piece], values: Mapping[str, str], known: Mapping[str, LazyString] = VARIABLES
) -> list[Part]:
    """Return *pieces* with what *values* knows of their variables, each flattened to one line.

    :param known: as with :func:`parse`.
    """
    return [_filled(piece, values, known) for piece in pieces]


def _filled(piece: Piece, values: Mapping[str, str], known: Mapping[str, LazyString]) -> Part:
    if isinstance(piece, Words):
        return Part(piece.text, "words")
    if isinstance(piece, Field):
        return Part(f"{{{{ask: {piece.question}}}}}", "open", piece.question)
    for name in piece.names:
        value = flat(values.get(name, ""))
        if value:
            return Part(value, "set")
    if piece.fallback is not None:
        return Part(piece.fallback, "set")
    return Part(f"{{{{{piece.names[0]}}}}}", "open", str(known[piece.names[0]]))


def text_of(parts: Sequence[Part]) -> str:
    """Return the text of *parts*, with a mark wherever something is to be filled in."""
    return "".join(part.text for part in parts)


def flat(value: str) -> str:
    """Return a value from outside as words within a line: no tags, no braces, nothing that is not seen."""
    bare = _TAG.sub(" ", value).translate(_TURNING).replace("{", "(").replace("}", ")")
    seen = "".join(" " if unicodedata.category(one) in _UNSEEN else one for one in bare)
    return " ".join(seen.split())[:MOST_VALUE].rstrip()


def first_word(name: str) -> str:
    """Return the first word of a name: what somebody is called, as far as that can be known."""
    return next(iter(flat(name).split()), "")


def unfilled(text: str) -> list[str]:
    """Return what *text* still wants filled in, in its order; each once."""
    found = (match[1] if match[2] is None else str(VARIABLES[match[2]]) for match in _UNFILLED.finditer(text))
    return list(dict.fromkeys(found))


def check_filled(text: str) -> None:
    """Refuse to send a text that still wants something filled in.

    :raises UnfilledError: which names the first.
    """
    missing = unfilled(text)
    if missing:
        raise UnfilledError(_l("Fill in “%(what)s” before you send. Nothing was sent.", what=missing[0]))
