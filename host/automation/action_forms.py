"""Actions as rows of a form: the value of a select, such as ``label:3``, and a text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from host.automation import actions
from host.automation.actions import ID_FIELDS, AddNote, SetAttribute
from host.core.ids import read_id

R = TypeVar("R")


def fields_of(chosen: str, text: str, id_fields: Mapping[str, str] = ID_FIELDS) -> dict[str, Any]:
    """Return the fields of a row's action, ready for conversion.

    :param id_fields: :data:`host.automation.actions.ID_FIELDS`, possibly extended by more actions.
    """
    kind, _colon, value = chosen.partition(":")
    if kind in id_fields:
        return {"do": kind, id_fields[kind]: read_id(value)}
    if kind == "macro":
        return {"do": kind, "macro": read_id(value)}
    if kind == "attribute":
        return {"do": kind, "attribute": read_id(value), "value": text}
    if kind == "addon":
        return {"do": kind, "name": value}
    if kind == "snooze":
        return {"do": kind, "when": value}
    return {"do": kind, "text": text} if kind == "note" else {"do": kind}


def row_of(action: msgspec.Struct) -> tuple[str, str]:
    """Return the value of the select for an action, and its text."""
    if isinstance(action, AddNote):
        return actions.kind_of(action), action.text
    if isinstance(action, SetAttribute):
        return f"{actions.kind_of(action)}:{action.attribute}", ""
    return ":".join(map(str, actions.to_builtins(action).values())), ""


def rearranged(rows: Sequence[R], move: str, most: int, blank: R) -> list[R]:
    """Return rows after a button: ``add``, or ``up``, ``down`` or ``remove`` with a place, as in ``up:2``.

    :param most: maximum number of rows.
    :param blank: a new row.
    """
    what, _colon, at = move.partition(":")
    place, changed = read_id(at), list(rows)
    if what == "add" and len(changed) < most:
        changed.append(blank)
    elif what in {"up", "down", "remove"} and place is not None and place < len(changed):
        row = changed.pop(place)
        if what != "remove":
            changed.insert(max(0, place + (-1 if what == "up" else 1)), row)
    return changed or [blank]
