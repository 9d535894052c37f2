"""Explain why a value doesn't match a type of the API: which field it is, and what it has to be.

msgspec explains that in words of Python, and leaves keys of objects out of the path: ``$.texts[...]``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from flask_babel import lazy_gettext as _l

from host.sdk import strictjson
from host.web.languages import gettext as _

Path = tuple[str | int, ...]
"""The place of a value in a body: names of fields, and positions in lists."""

LONGEST_NAME = 60

_PLACE = re.compile(r"^(?P<what>.*?)(?: - at (?P<key>`key` in )?`\$(?P<path>.*)`)?$", re.DOTALL)
_STEP = re.compile(r"\[\.\.\.\]|\[\d+\]|\.[^.\[]+")
_ANY_KEY = "[...]"
_NAMED = re.compile(r"(?:unknown|required) field `(?P<name>[^`]*)`")
_EXPECTED = re.compile(r"^Expected `(?P<types>[^`]*)`(?P<more>.*?)(?:, got `[^`]*`)?$", re.DOTALL)
_LENGTH = re.compile(r"^ of length (?P<sign><=|>=|==) (?P<number>\d+)$")
_TYPES = {
    "array": _l("a list"),
    "bool": _l("true or false"),
    "date": _l("a day such as 2026-11-26"),
    "datetime": _l("a time such as 2026-11-26T09:00:00Z"),
    "float": _l("a number"),
    "int": _l("a whole number"),
    "null": _l("null"),
    "object": _l("an object"),
    "str": _l("text"),
}


def explain(text: str, value: Any, kind: Any, *, strict: bool, within: Path = ()) -> tuple[str, str | None]:
    """Return the sentence for msgspec's error *text* about *value*, and the field it is about.

    :param within: the path of *value* in the request's body.
    """
    found = _PLACE.match(text)
    assert found is not None
    what = found["what"]
    inner = _with_keys(text, found["path"] or "", value, kind, strict=strict, in_key=bool(found["key"]))
    path = (*within, *inner)
    named = _NAMED.search(what)
    if named is not None:
        field = written((*path, named["name"]))
        if "unknown" in what:
            return str(_("The field %(name)s doesn't exist here.", name=field)), field
        return str(_("The field %(name)s is missing.", name=field)), field
    if not path:
        return str(_("The format is invalid: %(why)s.", why=_why(what))), None
    field = written(path)
    return str(_("The field %(name)s is invalid: %(why)s.", name=field, why=_why(what))), field


def written(path: Sequence[str | int]) -> str:
    """Return a path as text, such as ``content.quickReplies[2].title``."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{shortened(step)}" for step in path)
    return "".join(steps).removeprefix(".")


def shortened(name: str) -> str:
    """Return the name of a field, cut off if it is too long to repeat."""
    return name if len(name) <= LONGEST_NAME else name[:LONGEST_NAME] + "…"


def _why(what: str) -> str:
    """Return what msgspec says about a value, without types of Python."""
    found = _EXPECTED.match(what)
    if found is None:
        if what.startswith("Invalid RFC3339"):
            return str(_("it must be %(kind)s", kind=_TYPES["datetime" if "datetime" in what else "date"]))
        if (value := re.match(r"^Invalid (?:enum )?value (?P<value>.*)$", what, re.DOTALL)) is not None:
            return str(_("%(value)s isn't one of its values", value=shortened(value["value"])))
        return str(_("it doesn't have the form that the API documentation describes"))
    if found["types"] == "datetime":  # also where the zone is missing
        return str(_("it must be %(kind)s", kind=_TYPES["datetime"]))
    names = [str(_TYPES.get(name, name)) for name in found["types"].split(" | ")]
    kind = str(_(" or ")).join(names)
    more = found["more"].strip()
    if (length := _LENGTH.match(found["more"])) is not None:
        sizes = {
            "<=": _("it must have a length of at most %(number)s", number=length["number"]),
            ">=": _("it must have a length of at least %(number)s", number=length["number"]),
            "==": _("it must have a length of %(number)s", number=length["number"]),
        }
        return str(sizes[length["sign"]])
    if more.startswith("matching regex"):
        return str(_("it must match %(pattern)s", pattern=more.removeprefix("matching regex ")))
    return str(_("it must be %(kind)s", kind=f"{kind} {more}".strip()))


def _with_keys(text: str, where: str, value: Any, kind: Any, *, strict: bool, in_key: bool) -> Path:
    """Return msgspec's path *where* with the keys of objects that it leaves out."""
    steps = [*_STEP.findall(where), *([_ANY_KEY] if in_key else [])]
    path: Path = ()
    for step in steps:
        if step.startswith("."):
            path = (*path, step[1:])
        elif step != _ANY_KEY:
            path = (*path, int(step[1:-1]))
        else:
            among = _at(value, path)
            if not isinstance(among, dict) or not among:
                break
            key = _first_at_fault(text, value, path, among, kind, strict=strict)
            # Without the others, which may have the same fault further down.
            value = _with(value, path, {key: among[key]})
            path = (*path, key)
    return path


def _first_at_fault(
    text: str, value: Any, path: Path, among: dict[str, Any], kind: Any, *, strict: bool
) -> str:
    """Return the first key of the object at *path* that causes the error *text*, halving its keys."""
    keys = list(among)
    while len(keys) > 1:
        half = keys[: len(keys) // 2]
        tried = _with(value, path, {key: among[key] for key in half})
        keys = half if text in _errors(tried, kind, strict=strict) else keys[len(half) :]
    return keys[0]


def _errors(value: Any, kind: Any, *, strict: bool) -> Iterator[str]:
    try:
        strictjson.convert(value, kind, strict=strict)
    except msgspec.ValidationError as error:
        yield str(error)


def _at(value: Any, path: Path) -> Any:
    for step in path:
        value = value[step]
    return value


def _with(value: Any, path: Path, inner: Any) -> Any:
    """Return a copy of *value* with *inner* at *path*."""
    if not path:
        return inner
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = _with(value[path[0]], path[1:], inner)
    return copy
