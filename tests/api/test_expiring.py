"""Keys that expire: owners are notified 14 and 3 days before, once, and answers say when."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.api import expiring
from host.core import clock, db
from host.models.api_keys import ApiKey
from host.models.notifications import Notification
from host.models.users import Role, User
from host.notifications import mail as notice_mail
from host.users import api_keys as keys
from host.users.api_keys import Scope
from tests import helpers
from tests.api.desks import ApiDesk, Program, open_api_desk
from tests.helpers import client_for, do, work
from tests.notifications import test_ways

smtp = test_ways.smtp
HEADER = "Lobby-Key-Expires"


@pytest.fixture
def owner(desk: ApiDesk) -> User:
    return helpers.make_user("mia@example.com", "Mia R.", workspace=desk.workspace, role=Role.OWNER)


def key(desk: ApiDesk, owner: User, **left: float) -> Program:
    """Make a key from a year ago that expires in a time, such as ``days=5``."""
    token = do(keys.create, desk.workspace, "Order sync", [Scope.CONVERSATIONS_READ], actor=owner.id)
    change(token, created_at=clock.now() - timedelta(days=365), expires_at=clock.now() + timedelta(**left))
    return Program(desk.app, token)


def change(token: str, **values: Any) -> None:
    """Change the row of a key."""
    hashed = keys.hash_token(token)

    def use_case(session: Session) -> None:
        session.execute(sa.update(ApiKey).where(ApiKey.token_hash == hashed).values(**values))

    db.write(use_case)


def row_of(token: str) -> ApiKey:
    with db.read() as session:
        return session.scalars(sa.select(ApiKey).where(ApiKey.token_hash == keys.hash_token(token))).one()


def notices(user: User) -> Sequence[Notification]:
    with db.read() as session:
        query = sa.select(Notification).where(Notification.user_id == user.id).order_by(Notification.id)
        return session.scalars(query).all()


def after(days: float, start: datetime, patch: pytest.MonkeyPatch) -> int:
    """Look for what is due some days after *start*; return the number of notices there are."""
    patch.setattr(clock, "now", lambda: start + timedelta(days=days))
    expiring.notify_due()
    with db.read() as session:
        return session.scalar(sa.select(sa.func.count()).where(Notification.title == "Order sync")) or 0


def test_owners_are_notified_14_and_3_days_before_once_each(
    desk: ApiDesk, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    helpers.make_user("bo@example.com", workspace=desk.workspace, role=Role.AGENT)
    other = helpers.make_user("ot@example.com", workspace=helpers.make_workspace("Other"), role=Role.OWNER)
    key(desk, owner, days=30)
    with db.read() as session:
        owners = expiring.notify.owners_of(session, [desk.workspace])
    assert owner.id in owners
    assert other.id not in owners
    start, each = clock.now(), len(owners)
    days = (15.9, 16.1, 16.1, 20, 26.9, 27.1, 27.1, 29.9, 30.1)
    found = [after(day, start, monkeypatch) // each for day in days]
    assert found == [0, 1, 1, 1, 1, 2, 2, 2, 2]
    (first, _last) = notices(owner)
    assert first.path == f"/w/{desk.workspace}/settings/api#key-{newest_key()}"
    assert not notices(other)


def newest_key() -> int:
    """Return the id of the newest key, which is a row of the page."""
    with db.read() as session:
        return session.scalars(sa.select(sa.func.max(ApiKey.id))).one()


def test_a_notice_is_in_the_bell_and_mailed(desk: ApiDesk, owner: User, smtp: test_ways.Server) -> None:
    program = key(desk, owner, days=3)
    expiring.notify_due()
    assert notice_mail.send_due() > 0
    mails = [one for one in smtp.taken if one["To"] == owner.email]
    (mail,) = mails
    assert mail["Subject"].startswith("Order sync: This API key expires on ")
    text = mail.get_content()
    assert "(UTC). Programs that use it" in text, "a date that ends something comes with its zone"
    assert f"https://desk.example.com/w/{desk.workspace}/settings/api#key-" in text
    assert program.token not in text
    browser = client_for(desk.app, owner)
    assert "This API key expires on" in browser.get("/notifications").text
    shown = browser.get(f"/w/{desk.workspace}/settings/api").text
    assert f'id="key-{row_of(program.token).id}"' in shown
    assert "Expires soon" in shown
    assert "(UTC)</time>" in shown
    assert "It ends at midnight in the time zone UTC." in shown


def test_a_key_that_expired_a_second_ago_is_not_told_of_and_refused(desk: ApiDesk, owner: User) -> None:
    program = key(desk, owner, seconds=-1)
    expiring.notify_due()
    assert not notices(owner)
    status, error = program.refused("GET", "/conversations")
    assert (status, error["code"]) == (401, "key_expired")
    answer = program.call("GET", "/conversations")
    assert HEADER not in answer.headers


def test_a_time_that_had_passed_when_the_key_was_created_is_left_out(
    desk: ApiDesk, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, start = key(desk, owner, days=7), clock.now()
    change(program.token, created_at=start)
    assert after(0.1, start, monkeypatch) == 0
    after(4.1, start, monkeypatch)
    assert len(notices(owner)) == 1


def test_a_key_found_late_is_told_of_once(desk: ApiDesk, owner: User) -> None:
    key(desk, owner, days=1)
    expiring.notify_due()
    expiring.notify_due()
    assert len(notices(owner)) == 1


def test_an_extended_key_is_told_of_again(
    desk: ApiDesk, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, start = key(desk, owner, days=2), clock.now()
    after(0, start, monkeypatch)
    change(program.token, expires_at=start + timedelta(days=60))
    after(1, start, monkeypatch)
    assert len(notices(owner)) == 1
    after(46.5, start, monkeypatch)
    assert len(notices(owner)) == 2
    after(57.5, start, monkeypatch)
    assert len(notices(owner)) == 3


@pytest.mark.parametrize("meanwhile", ["revoked", "extended", "deleted"])
def test_a_key_that_changes_before_the_notice_is_written_is_left_out(
    desk: ApiDesk, owner: User, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    program = key(desk, owner, days=2)
    with db.read() as session:
        assert keys.expiring(session) == [row_of(program.token).id]

    def changed(session: Session, key_id: int) -> Any:
        if meanwhile == "revoked":
            keys.revoke(work(session, desk.workspace), key_id)
        elif meanwhile == "extended":
            session.execute(sa.update(ApiKey).values(expires_at=clock.now() + timedelta(days=90)))
        else:
            session.execute(sa.delete(ApiKey).where(ApiKey.id == key_id))
        session.expire_all()
        return taken(session, key_id)

    taken = keys.take_notice
    monkeypatch.setattr(keys, "take_notice", changed)
    expiring.notify_due()
    assert not notices(owner)


def test_processes_that_find_a_key_together_notify_once(
    any_database: db.Database, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = open_api_desk(data)
    owner = helpers.make_user("mia@example.com", workspace=desk.workspace, role=Role.OWNER)
    key(desk, owner, days=2)
    gate, found = threading.Barrier(4), keys.expiring

    def together(session: Session) -> list[int]:
        due = found(session)
        gate.wait(10)
        return due

    monkeypatch.setattr(keys, "expiring", together)
    with ThreadPoolExecutor(4) as processes:
        for done in [processes.submit(expiring.notify_due) for _ in range(4)]:
            done.result()
    assert len(notices(owner)) == 1


def test_revoking_settles_the_notices_of_that_key_alone(desk: ApiDesk, owner: User) -> None:
    first, second = key(desk, owner, days=2), key(desk, owner, days=2)
    expiring.notify_due()
    revoked = row_of(first.token).id
    client_for(desk.app, owner).post_form(f"/w/{desk.workspace}/settings/api/{revoked}/revoke")
    read = {one.path.rpartition("-")[2]: one.read_at is not None for one in notices(owner)}
    assert read == {str(revoked): True, str(row_of(second.token).id): False}
    assert [one.mail_due_at is None for one in notices(owner)] == [True, False]


def test_answers_to_a_key_that_expires_soon_say_when(desk: ApiDesk, owner: User) -> None:
    later, soon = key(desk, owner, days=15), key(desk, owner, days=13)
    assert HEADER not in later.call("GET", "/conversations").headers
    answer = soon.call("GET", "/conversations")
    at = answer.headers[HEADER]
    assert at == soon.get("/me")["expiresAt"]
    assert datetime.fromisoformat(at.replace("Z", "+00:00")) == row_of(soon.token).expires_at
    assert answer.headers["RateLimit-Remaining"]
    known = soon.call("GET", "/conversations", headers={"If-None-Match": answer.headers["ETag"]})
    assert (known.status_code, known.headers[HEADER]) == (304, at)
    refused = soon.call("GET", "/contacts")
    assert (refused.status_code, refused.headers[HEADER]) == (403, at)
    document = desk.program.get("/openapi.json")
    headers = document["paths"]["/conversations"]["get"]["responses"]["200"]["headers"]
    assert headers[HEADER] == {"$ref": f"#/components/headers/{HEADER}"}
    assert HEADER not in document["paths"]["/openapi.json"]["get"]["responses"]["200"]["headers"]
