"""What is read of the first steps, on every database."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from host.core import clock, db
from host.features import registry
from host.models.automation import AccountAutomation
from host.models.users import Invitation, Role
from host.start import steps
from host.start.models import WorkspaceStart
from host.start.steps import Key, Progress, State
from host.working_hours.models import BusinessHours
from tests.inbox import toys

pytestmark = pytest.mark.usefixtures("any_database")


def progress(workspace: int, *channels: str, installable: bool = True) -> Progress:
    with db.read() as session:
        return steps.read(session, workspace, channels, installable=installable)


def add(row: Any) -> None:
    db.write(lambda session: session.add(row))


def states(found: Progress) -> list[str]:
    return [found.states[key].value for key in Key]


def stored(workspace: int) -> WorkspaceStart:
    with db.read() as session:
        return session.get_one(WorkspaceStart, workspace)


def invite(workspace: int, user: int, **values: Any) -> None:
    now = clock.now()
    given = {
        "token_hash": "a" * 64,
        "workspace_id": workspace,
        "email": "bo@example.com",
        "role": Role.AGENT,
        "invited_by": user,
        "created_at": now,
        "expires_at": now + timedelta(days=7),
    }
    add(Invitation(**given | values))


def automate(workspace: int, account_id: int) -> None:
    add(
        AccountAutomation(
            account_id=account_id,
            workspace_id=workspace,
            version=1,
            greets=True,
            greeting="Hello!",
            silence_days=30,
            greets_on=["text"],
            tells_away=False,
            away="",
            routes=False,
            to_person=False,
            to_last=False,
            changed_at=clock.now(),
        )
    )


def test_steps_are_done_by_what_is_there() -> None:
    workspace = toys.make_workspace()
    user = toys.make_user(workspace, role=Role.OWNER)
    assert states(progress(workspace)) == ["open", "locked", "locked", "open", "open"]
    assert progress(workspace).minutes_left == 8
    assert states(progress(workspace, "toy")) == ["done", "open", "locked", "open", "open"]
    account = toys.make_account(workspace)
    found = progress(workspace)
    assert states(found) == ["done", "done", "open", "open", "open"], "an account needs nothing installed"
    assert found.account is not None
    assert found.account.handle == "@sample.pottery"
    toys.apply(account, toys.received("Hello?"))
    found = progress(workspace)
    assert found.states[Key.WRITE] is State.DONE
    assert found.message is not None
    assert (found.message.text, found.message.answer) == ("Hello?", None)
    invite(workspace, user)
    assert progress(workspace).states[Key.INVITE] is State.DONE
    add(BusinessHours(workspace_id=workspace, timezone="UTC", week=[[]] * 7, exceptions=[], version=1))
    assert progress(workspace).states[Key.HOURS] is State.OPEN, "there is no greeting yet"
    automate(workspace, account.id)
    found = progress(workspace)
    assert set(found.states.values()) == {State.DONE}
    assert (found.current, found.done, found.minutes_left) == (None, 5, 0)


def test_what_ended_or_belongs_to_others_does_no_step() -> None:
    workspace, other = toys.make_workspace(), toys.make_workspace("Bakery")
    user = toys.make_user(workspace, role=Role.OWNER)
    invite(workspace, user, expires_at=clock.now() - timedelta(minutes=1))
    invite(workspace, user, used_at=clock.now(), token_hash="b" * 64)
    toys.make_account(workspace, state="disconnected")
    theirs = toys.make_account(other)
    toys.apply(theirs, toys.received())
    invite(other, toys.make_user(other), token_hash="c" * 64)
    automate(other, theirs.id)
    assert progress(workspace).done == 0


def test_a_step_is_skipped_with_what_needs_it() -> None:
    workspace = toys.make_workspace()
    db.write(steps.skip, workspace, Key.INSTALL)
    found = progress(workspace)
    assert states(found) == ["skipped", "open", "locked", "open", "open"]
    assert found.current is Key.CONNECT
    db.write(steps.skip, workspace, Key.CONNECT)
    db.write(steps.skip, workspace, Key.CONNECT)
    assert states(progress(workspace)) == ["skipped", "skipped", "skipped", "open", "open"]
    assert stored(workspace).skipped == ["install", "connect"]
    toys.make_account(workspace)
    assert states(progress(workspace))[:3] == ["done", "done", "open"], "done after all"


def test_the_list_leads_while_the_workspace_is_empty() -> None:
    new, old = toys.make_workspace(), toys.make_workspace("Bakery")
    toys.apply(toys.make_account(old), toys.received())
    assert progress(new).leads
    assert not progress(old).leads, "it had a conversation when it was first looked at"
    db.write(steps.note, new, Key.INSTALL)
    account = toys.make_account(new)
    toys.apply(account, toys.received())
    assert not progress(new).leads, "it may be a customer's"


def test_a_hidden_list_does_not_come_back() -> None:
    workspace = toys.make_workspace()
    db.write(steps.hide, workspace)
    hidden_at = stored(workspace).hidden_at
    db.write(steps.hide, workspace)
    assert not progress(workspace).leads
    assert stored(workspace).hidden_at == hidden_at


def test_how_long_set_up_took_and_where_people_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    start = clock.now()

    def clock_at(at: datetime) -> None:
        monkeypatch.setattr(clock, "now", lambda: at)

    clock_at(start)
    quick, slow, stuck, hidden, busy = (toys.make_workspace(name) for name in "abcde")
    for workspace in (quick, slow, stuck, hidden):
        db.write(steps.note, workspace, Key.INSTALL)
    clock_at(start + timedelta(minutes=5))
    db.write(steps.note, quick, None)
    clock_at(start + timedelta(minutes=9))
    db.write(steps.note, slow, None)
    clock_at(start + timedelta(hours=2))
    db.write(steps.note, slow, Key.WRITE)
    db.write(steps.note, slow, None)
    db.write(steps.note, hidden, Key.CONNECT)
    db.write(steps.hide, hidden)
    db.write(steps.note, busy, Key.WRITE)
    with db.read() as session:
        found = steps.totals(session, clock.now() - timedelta(hours=1))
    assert (found.finished, found.took) == (2, 9 * 60), "the first time nothing was left counts"
    assert found.stopped == {Key.INSTALL: 1, Key.CONNECT: 1}


def test_it_goes_with_its_workspace() -> None:
    kept, gone = toys.make_workspace(), toys.make_workspace("Bakery")
    for workspace in (kept, gone):
        db.write(steps.note, workspace, Key.INSTALL)
    wanted = {"workspace_id": gone, "accounts": [], "most": 5}

    def remove(session: db.Session) -> bool | None:
        return bool(registry.hooks().remove_workspace(session=session, **wanted))

    while db.write(remove):
        pass
    with db.read() as session:
        assert session.scalars(sa.select(WorkspaceStart.workspace_id)).all() == [kept]
