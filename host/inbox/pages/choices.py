"""Pickers of labels and people, and where their script looks for them."""

from __future__ import annotations

from collections.abc import Collection

from flask import Response, url_for
from sqlalchemy.orm import Session

from host.core import db
from host.inbox import labels, queries
from host.inbox.pages.context import bp
from host.users.reach import Choice
from host.web import account_picker
from host.web.account_picker import Picker
from host.web.request_helpers import Permission, workspace_view


def label_picker(session: Session, workspace_id: int, chosen: Collection[int]) -> Picker:
    """Return the labels that a form offers. One statement."""
    url = url_for("inbox.label_choices", workspace_id=workspace_id)
    return account_picker.pick("label", _labels(session, workspace_id), chosen, url)


def person_picker(
    session: Session, workspace_id: int, chosen: Collection[int], first: Collection[int], also: dict[int, str]
) -> Picker:
    """Return the people that a form offers. One statement.

    :param first: chosen ones that have a row in any case.
    :param also: names by id of people who are offered although they may not answer.
    """
    everybody = {one.id: one for one in _people(session, workspace_id)}
    everybody |= {id_: Choice(id_, "", name) for id_, name in also.items() if id_ not in everybody}
    people = sorted(everybody.values(), key=lambda one: (one.name.casefold(), one.id))
    url = url_for("inbox.person_choices", workspace_id=workspace_id)
    return account_picker.pick("person", people, chosen, url, first)


@bp.get("/w/<int:workspace_id>/label-choices")
@workspace_view(Permission.READ)
def label_choices(workspace_id: int) -> Response:
    """Return the first labels that ``q`` finds, and how many there are."""
    with db.read() as session:
        return account_picker.matching(_labels(session, workspace_id))


@bp.get("/w/<int:workspace_id>/person-choices")
@workspace_view(Permission.ANSWER)
def person_choices(workspace_id: int) -> Response:
    """Return the first people that ``q`` finds among those who may answer, and how many there are."""
    with db.read() as session:
        return account_picker.matching(_people(session, workspace_id))


def _labels(session: Session, workspace_id: int) -> list[Choice]:
    return [Choice(row.id, "", row.name) for row in labels.all_of(session, workspace_id)]


def _people(session: Session, workspace_id: int) -> list[Choice]:
    return [Choice(one.id, "", one.name) for one in queries.all_members(session, workspace_id)]
