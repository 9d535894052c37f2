"""Who may still watch, for all streams at once."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from host.core import clock, db
from host.live import stream_access
from host.live.hub import Hub
from host.models.users import LoginSession, User
from host.users import members, sessions
from tests import helpers
from tests.helpers import do_desk


def sign_in(user: User) -> int:
    token = db.write(sessions.start, user.id, "127.0.0.1")
    with db.read() as session:
        return session.scalars(
            sa.select(LoginSession.id).where(LoginSession.token_hash == sessions.hash_token(token))
        ).one()


def allowed(*ids: int) -> set[tuple[int, int]]:
    with db.read() as session:
        return set(stream_access.allowed(session, ids))


def disable(session: sa.orm.Session, user_id: int) -> None:
    session.execute(sa.update(User).where(User.id == user_id).values(disabled_at=clock.now()))


def test_it_takes_a_live_session_and_a_membership(any_database: db.Database) -> None:
    one, other = helpers.make_workspace("One"), helpers.make_workspace("Other")
    mia, kim, eve = (helpers.make_user(workspace=one) for _ in range(3))
    helpers.join(other, mia)
    at_home, at_work = sign_in(mia), sign_in(mia)
    kims, eves = sign_in(kim), sign_in(eve)
    everybody = (at_home, at_work, kims, eves, 987654)
    both = {(each, workspace) for each in (at_home, at_work) for workspace in (one, other)}
    assert allowed(*everybody) == both | {(kims, one), (eves, one)}
    do_desk(sessions.revoke, at_home, actor=mia.id)
    db.write(members.remove, one, kim.id)
    db.write(disable, eve.id)
    assert allowed(*everybody) == {(at_work, one), (at_work, other)}
    with clock.travel(sessions.IDLE + timedelta(minutes=1)):
        assert allowed(*everybody) == set()
    assert allowed() == set()


def test_many_are_asked_about_with_one_statement(
    database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = helpers.make_workspace()
    opened = Hub()
    streams = []
    for _ in range(30):
        person = helpers.make_user(workspace=workspace)
        streams.append(opened.subscribe(workspace, person.id, sign_in(person), capacity=99))
    strangers = [opened.subscribe(workspace, 99, 987654, capacity=99), streams[0]]
    db.write(sessions.end_all, streams[0].user_id)
    seen: list[str] = []
    event.listen(
        database.read_engine,
        "before_cursor_execute",
        lambda connection, cursor, statement, *rest: seen.append(statement),
    )
    opened._end_strangers()
    assert len([one for one in seen if "login_sessions" in one]) == 1
    assert opened.count == 29
    for stream in strangers:
        assert stream.take() == (b"", False)
    seen.clear()
    monkeypatch.setattr(stream_access, "AT_ONCE", 10)
    opened._end_strangers()
    assert len([one for one in seen if "login_sessions" in one]) == 3
    assert opened.count == 29
