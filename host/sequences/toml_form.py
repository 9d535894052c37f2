"""Sequences as TOML: to keep them in a repository, compare them, and read them in another workspace.

The keys are those of :class:`host.sequences.body.Body`, besides ``name``. Labels, teams, members, attributes
and accounts have their names instead of ids; one without a name of its own keeps its id.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from host.automation.actions import ActionTargets
from host.core.parsing import toml
from host.inbox.queries import AnyTeam, Assignee
from host.sequences import body as bodies
from host.sequences.body import Body, SequenceError, Targets

MOST_KB = 500
MOST_BYTES = MOST_KB * 1000
"""Most bytes of a text that is read. A sequence that is longer as TOML is not saved: :func:`check_length`."""
LONGEST_LINE_OF_NAME = 1000
"""Bytes kept free for the line with the name."""
MOST_DEPTH = 12
"""Deepest nesting of a text that is read."""

_RESERVED = frozenset(map(str, [*AnyTeam, *Assignee]))
"""Words in filters of conversations that are no names."""
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_HEADER = re.compile(r"\[\[(steps|steps\.cases|steps\.cards)\]\]|\[(starts)\]")
_KEY = re.compile(r"\s*([A-Za-z0-9_-]+)\s*=")
_NOT_PLAIN = re.compile(r'["\\\x00-\x1f\x7f]')
_NOT_PLAIN_IN_LINES = re.compile(r'["\\\x00-\x09\x0b-\x1f\x7f]')

_MISSING: Mapping[str, LazyString] = {
    "accounts": _l("There is no account “%(name)s”."),
    "attributes": _l("There is no attribute “%(name)s”."),
    "labels": _l("There is no label “%(name)s”."),
    "people": _l("There is no member “%(name)s”."),
    "macros": _l("There is no shared macro “%(name)s”."),
    "replies": _l("There is no shared canned reply “%(name)s”."),
    "teams": _l("There is no team “%(name)s”."),
}
_NO_NAMES = Targets(ActionTargets(labels={}, people={}, teams={}, replies={}), accounts={}, attributes={})
_SEVERAL = _l("Several have the name “%(name)s”: write the id instead.")


def to_toml(name: str, body: Body, there: Targets) -> str:
    """Return a sequence as TOML, with ids instead of names if it were too long to read with them.

    :param there: what the workspace has, for the names.
    """
    text = _written(name, body, there)
    return text if len(text.encode()) <= MOST_BYTES else _written(name, body, _NO_NAMES)


def check_length(body: Body) -> None:
    """Refuse a sequence that would be too long as TOML to be read again.

    :raises SequenceError: if it is.
    """
    if len(_written("", body, _NO_NAMES).encode()) > MOST_BYTES - LONGEST_LINE_OF_NAME:
        sentence = _l("The sequence is longer than %(most)s KB as TOML.", most=MOST_KB)
        raise SequenceError(sentence, field="steps", limit=MOST_BYTES)


def _written(name: str, body: Body, there: Targets) -> str:
    data = bodies.plain(body)
    singles = cache(lambda kind: _single_names(_names(kind, there)))
    for kind, place, key, _where in _references(data):
        if isinstance(place[key], int):
            place[key] = singles(kind).get(place[key], place[key])
    steps, starts = data.pop("steps"), data.pop("starts", {})
    lines = [*_pairs({"name": name, **data})]
    if starts:
        lines += ["", "[starts]", *_pairs(starts)]
    for step in steps:
        tables = {key: step.pop(key) for key in ("cases", "cards") if step.get(key)}
        if step.get("then") == "":
            del step["then"]
        lines += ["", "[[steps]]", *_pairs(step)]
        for key, rows in tables.items():
            for row in rows:
                lines += ["", f"[[steps.{key}]]", *_pairs(row)]
    return "\n".join(lines) + "\n"


def from_toml(text: str, there: Targets) -> tuple[str, Body]:
    """Return the name and the body that a text says. The body is not checked any further.

    :raises SequenceError: if it is no TOML, not a sequence, or names something that is not there; *field* is
        the place, such as ``steps.2.team``.
    """
    data = _parsed(text)
    _check_values(data, "", 0)
    name = data.pop("name", None)
    if not isinstance(name, str):
        raise SequenceError(_l("A sequence needs a name."), field="name")
    ids = cache(lambda kind: _ids(_names(kind, there)))
    for kind, place, key, where in _references(data):
        if isinstance(place[key], str):  # others are ids, or refused for their type
            place[key] = _id_of(place[key], kind, where, ids(kind))
    return name, bodies.given(data)


def line_of(text: str, field: str) -> int | None:
    """Return the number of the line of a text, from 1, that gives a field such as ``steps.2.team``.

    That of its table if the field itself is not given; None if neither is found.
    """
    found, table, inside = None, "", False
    counts: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        was_inside, inside = inside, inside != (line.count('"""') % 2 == 1)
        if was_inside:
            continue
        if header := _HEADER.fullmatch(line.strip()):
            table = _place(header, counts)
            place = table
        elif key := _KEY.match(line):
            place = f"{table}.{key[1]}".removeprefix(".")
        else:
            continue
        if field == place or field.startswith(f"{place}."):
            found = number
    return found


def _place(header: re.Match[str], counts: dict[str, int]) -> str:
    """Return the place of a table, where tables of a list are counted."""
    if header[2]:
        return header[2]
    if header[1] == "steps":
        counts["rows"] = -1
        counts["steps"] = counts.get("steps", -1) + 1
        return f"steps.{counts['steps']}"
    counts["rows"] = counts.get("rows", -1) + 1
    return f"steps.{counts.get('steps', 0)}.{header[1].removeprefix('steps.')}.{counts['rows']}"


# ---- references ----------------------------------------------------------------------------------------


def _references(data: Any) -> Iterator[tuple[str, Any, Any, str]]:
    """Yield each reference in the plain data of a body: its kind, its container and key there, its place.

    The data may have any form: what is not as expected has no references.
    """
    yield from _listed(data, "accounts", "accounts", "accounts")
    yield from _single(data, "team", "teams", "team")
    for at, step in _items(data, "steps"):
        where = f"steps.{at}"
        if step.get("do") == "people":
            yield from _single(step, "team", "teams", f"{where}.team")
        elif step.get("do") == "ask":
            yield from _single(step, "attribute", "attributes", f"{where}.attribute")
        elif step.get("do") == "act":
            yield from _of_action(step.get("action"), f"{where}.action")
        for number, case in _items(step, "cases"):
            yield from _of_conditions(case, "conditions", f"{where}.cases.{number}.conditions")


def _of_action(action: Any, where: str) -> Iterator[tuple[str, Any, Any, str]]:
    kinds = {
        "label": "labels",
        "person": "people",
        "team": "teams",
        "attribute": "attributes",
        "canned": "replies",
        "macro": "macros",
    }
    for key, kind in kinds.items():
        yield from _single(action, key, kind, f"{where}.{key}")


def _of_conditions(holder: Any, key: str, where: str) -> Iterator[tuple[str, Any, Any, str]]:
    for at, condition in _items(holder, key):
        place = f"{where}.{at}"
        word = condition.get("if")
        if word == "contact":
            yield from _single(condition, "attribute", "attributes", f"{place}.attribute")
        elif word == "concerns":
            yield from _of_action(condition, place)
        elif word == "conversation":
            yield from _of_filter(condition.get("filter"), f"{place}.filter")
        elif word == "any":
            yield from _of_conditions(condition, "of", f"{place}.of")


def _of_filter(fields: Any, where: str) -> Iterator[tuple[str, Any, Any, str]]:
    for key in ("labels", "all_labels", "no_labels"):
        yield from _listed(fields, key, "labels", f"{where}.{key}")
    yield from _single(fields, "account_id", "accounts", f"{where}.account_id")
    for key, kind in (("team", "teams"), ("assignee", "people"), ("mentioned", "people")):
        if isinstance(fields, dict) and fields.get(key) not in _RESERVED:
            yield from _single(fields, key, kind, f"{where}.{key}")


def _single(holder: Any, key: str, kind: str, where: str) -> Iterator[tuple[str, Any, Any, str]]:
    if isinstance(holder, dict) and key in holder:
        yield kind, holder, key, where


def _listed(holder: Any, key: str, kind: str, where: str) -> Iterator[tuple[str, Any, Any, str]]:
    found = holder.get(key) if isinstance(holder, dict) else None
    if isinstance(found, list):
        yield from ((kind, found, at, f"{where}.{at}") for at in range(len(found)))


def _items(holder: Any, key: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the tables of a list, with their positions."""
    found = holder.get(key) if isinstance(holder, dict) else None
    if isinstance(found, list):
        yield from ((at, one) for at, one in enumerate(found) if isinstance(one, dict))


def _names(kind: str, there: Targets) -> Mapping[int, str]:
    found: Mapping[str, Mapping[int, str]] = {
        "accounts": there.accounts,
        "attributes": there.attributes,
        "labels": there.targets.labels,
        "macros": there.macros,
        "people": there.targets.people,
        "replies": there.targets.replies,
        "teams": there.targets.teams,
    }
    return found[kind]


def _single_names(names: Mapping[int, str]) -> Mapping[int, str]:
    """Return the names that nothing else has."""
    times = Counter(names.values())
    return {id_: name for id_, name in names.items() if times[name] == 1 and name not in _RESERVED}


def _ids(names: Mapping[int, str]) -> Mapping[str, list[int]]:
    """Return the ids of each name."""
    found: dict[str, list[int]] = {}
    for id_, name in names.items():
        found.setdefault(name, []).append(id_)
    return found


def _id_of(name: str, kind: str, where: str, ids: Mapping[str, list[int]]) -> int:
    found = ids.get(name, [])
    if len(found) == 1:
        return found[0]
    sentence = _SEVERAL if found else _MISSING[kind]
    raise SequenceError(_filled(sentence, name), field=where)


def _filled(sentence: LazyString, name: str) -> str:
    return str(sentence) % {"name": name[:100]}


# ---- reading -------------------------------------------------------------------------------------------


def _parsed(text: str) -> dict[str, Any]:
    if len(text.encode(errors="replace")) > MOST_BYTES:
        raise SequenceError(_l("The text is longer than %(most)s KB.", most=MOST_KB), limit=MOST_BYTES)
    try:
        return toml.loads(text)
    except toml.KeyTooDeepError as error:
        sentence = _l(
            "Line %(line)s: a key has at most %(most)s parts between dots.",
            line=error.line,
            most=toml.MOST_PARTS,
        )
        raise SequenceError(sentence, limit=toml.MOST_PARTS) from None
    except toml.TooDeepError as error:
        raise SequenceError(_l("Line %(line)s: the text is nested too deeply.", line=error.line)) from None
    except toml.TomlError as error:
        raise SequenceError(_l("The text is no TOML: %(why)s", why=str(error)[:200])) from None


def _check_values(value: Any, where: str, depth: int) -> None:
    """Refuse what a body cannot hold: dates, and numbers that JSON does not have.

    :raises SequenceError: for the first of them.
    """
    if depth > MOST_DEPTH:
        raise SequenceError(_l("The text is nested too deeply."), field=where)
    if isinstance(value, dict):
        for key, one in value.items():
            _check_values(one, f"{where}.{key[:40]}".removeprefix("."), depth + 1)
    elif isinstance(value, list):
        for at, one in enumerate(value):
            _check_values(one, f"{where}.{at}", depth + 1)
    elif not isinstance(value, str | int) or (isinstance(value, int) and abs(value) >= 2**63):
        raise SequenceError(_l("Only text, whole numbers, true and false are possible."), field=where)


# ---- writing -------------------------------------------------------------------------------------------


def _pairs(table: Mapping[str, Any]) -> Iterator[str]:
    for key, value in table.items():
        if value is not None:  # TOML has no null, and everywhere it means the same as nothing
            yield f"{_key(key)} = {_value(value, _lines)}"


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _line(key)


def _value(value: Any, write: Callable[[str], str]) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case str():
            return write(value)
        case list():
            return f"[{', '.join(_value(one, _line) for one in value)}]"
        case dict():
            inside = (f"{_key(key)} = {_value(one, _line)}" for key, one in value.items() if one is not None)
            return f"{{ {', '.join(inside)} }}"
    raise TypeError(f"a sequence has no {type(value).__name__}: {json.dumps(value)[:100]}")


def _line(text: str) -> str:
    """Return a text as a string in one line."""
    return f'"{_NOT_PLAIN.sub(_escaped, text)}"'


def _lines(text: str) -> str:
    """Return a text as a string, in several lines if it has some."""
    if "\n" not in text:
        return _line(text)
    return f'"""\n{_NOT_PLAIN_IN_LINES.sub(_escaped, text)}"""'


def _escaped(found: re.Match[str]) -> str:
    character = found.group()
    return f"\\{character}" if character in '"\\' else f"\\u{ord(character):04x}"
