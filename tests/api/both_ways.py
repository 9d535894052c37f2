"""Do the same on a page and by the API, and compare what the audit log and the event log say of it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa
from werkzeug.test import TestResponse

from host.core import db
from host.events.models import ActorKind, DomainEvent
from host.models.users import AuditEntry, Role
from host.sdk.channel import ChannelAdapter
from tests import helpers
from tests.api.desks import ApiDesk, open_api_desk
from tests.helpers import Browser

KEY = "by"
"""The name of the API key, which only a line of the API has."""
_NUMBER = re.compile(r"\d+")


def _nothing(_desk: ApiDesk) -> int:
    return 0


class Act(NamedTuple):
    """One action of the audit log.

    :param page: an owner does it, given the path of the workspace and the id of what *before* made.
    :param api: a program does it.
    :param before: makes what it is done to.
    """

    page: Callable[[Browser, str, int], TestResponse]
    api: Callable[[ApiDesk, int], Any]
    before: Callable[[ApiDesk], int] = _nothing


class Line(NamedTuple):
    """A line of the audit log, or of the event log, without ids, times and who did it."""

    what: str
    subject: str
    details: Any


def compare(data: Path, action: str, act: Act, *adapters: ChannelAdapter) -> None:
    """Do *act* in two workspaces that are the same, by page and by API, and compare what is written."""
    by_page = _done(data, act, adapters, by_page=True)
    by_api = _done(data, act, adapters, by_page=False)
    assert by_page == by_api
    assert action in [line.what for line in by_page]


def _done(data: Path, act: Act, adapters: tuple[ChannelAdapter, ...], *, by_page: bool) -> list[Line]:
    desk = open_api_desk(data, *adapters)
    made = act.before(desk)
    before = _last(AuditEntry), _last(DomainEvent)
    if by_page:
        owner = helpers.make_user(name="Olga", workspace=desk.workspace, role=Role.OWNER)
        response = act.page(helpers.client_for(desk.app, owner), f"/w/{desk.workspace}", made)
        assert response.status_code in {200, 302, 303}, response.text
        before = max(before[0], _sign_in()), before[1]
    else:
        act.api(desk, made)
    return _lines(*before, actor=ActorKind.USER if by_page else ActorKind.KEY)


def _last(model: Any) -> int:
    with db.read() as session:
        return session.scalar(sa.select(sa.func.max(model.id))) or 0


def _sign_in() -> int:
    """Return the id of the last line about somebody who signed in, to do it."""
    with db.read() as session:
        found = sa.select(sa.func.max(AuditEntry.id)).where(AuditEntry.action.startswith("session."))
        return session.scalar(found) or 0


def _lines(after_line: int, after_event: int, *, actor: ActorKind) -> list[Line]:
    with db.read() as session:
        audited = session.scalars(sa.select(AuditEntry).where(AuditEntry.id > after_line)).all()
        events = session.scalars(sa.select(DomainEvent).where(DomainEvent.id > after_event)).all()
    assert all((one.user_id is not None) == (actor is ActorKind.USER) for one in audited)
    assert all((KEY in one.details) == (actor is ActorKind.KEY) for one in audited)
    assert all(one.actor_kind == actor for one in events if one.actor_kind is not None)
    lines = [
        Line(
            one.action,
            _NUMBER.sub("a number", one.subject),
            {name: value for name, value in one.details.items() if name != KEY},
        )
        for one in audited
    ]
    return lines + [Line(one.kind, one.topic, _without_ids(json.loads(one.data or "{}"))) for one in events]


def _without_ids(value: Any) -> Any:
    """Return facts without their numbers: two workspaces differ in the ids of what is in them."""
    if isinstance(value, dict):
        return {name: _without_ids(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_without_ids(one) for one in value]
    return "a number" if isinstance(value, int) and not isinstance(value, bool) else value
