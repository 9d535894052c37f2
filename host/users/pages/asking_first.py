"""Show what a person will lose before they are removed, and ask for new owners."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from flask import render_template, request
from flask.typing import ResponseReturnValue

from host.core.db import db
from host.users import leaving
from host.users.leaving import Heirs
from host.users.pages import sudo
from host.web.request_helpers import id_in


class Question(msgspec.Struct, frozen=True):
    """An action that needs a confirmation page.

    :param name: name of the affected person.
    :param title: the question; *sentence*: further effects; *button*: the action, in a word or two.
    :param template: the layout of the page: a workspace's settings, the desk's settings, or neither.
    :param back: where Cancel leads. *fields*: hidden fields of the form.
    :param always: whether to ask even if the person has no belongings.
    :param for_good: whether they lose their membership.
    """

    name: str
    title: str
    sentence: str
    button: str
    template: str
    back: str
    fields: Mapping[str, str] = msgspec.field(default_factory=dict)
    always: bool = False
    for_good: bool = False


def ask(question: Question, user_id: int, workspace_id: int | None = None) -> ResponseReturnValue | None:
    """Return the page that asks *question*, unless the form shows that the person saw its current version."""
    with db.read() as reading:
        found = leaving.belongings(reading, user_id, workspace_id, for_good=question.for_good)
    names = frozenset().union(*(one.names for one in found)) | ({"asked"} if question.always else set())
    if not names - set(request.form.getlist("seen")):
        if any(row.writes for one in found for row in one.keys if _chosen("keys", one.workspace_id)):
            sudo.require()
        return None
    page = render_template(
        "accounts/leaving.html",
        question=question,
        belongings=found,
        seen=sorted(names),
        several=len(found) > 1,
    )
    return page, 200


def heirs(user_id: int, workspace_id: int | None = None) -> Heirs:
    """Return the new owners chosen in the form.

    :raises InvalidError: for a value that is not an id.
    """
    with db.read() as reading:
        places = [one.workspace_id for one in leaving.belongings(reading, user_id, workspace_id)]
    return Heirs(
        keys={one: heir for one in places if (heir := _chosen("keys", one)) is not None},
        conversations={one: heir for one in places if (heir := _chosen("conversations", one)) is not None},
    )


def _chosen(what: str, workspace_id: int) -> int | None:
    text = request.form.get(f"{what}-{workspace_id}", "")
    return id_in(text) if text else None
