"""Names come after the message, by a job of their own; that they fail costs a name."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from host.core import clock, db
from host.delivery.profiles import fetch_due
from host.models.channels import AccountState
from host.models.inbox import Contact, ContactIdentity
from host.queue import policy
from host.sdk.channel import NoProfile, Profile
from tests import helpers
from tests.delivery.desk import Desk

Travel = Callable[[timedelta], None]


def identity() -> ContactIdentity:
    with db.read() as session:
        return session.scalars(sa.select(ContactIdentity)).one()


def test_a_profile_that_is_due_is_asked_for_once_and_told_to_browsers(any_desk: Desk) -> None:
    any_desk.customer_wrote()
    any_desk.toy.profiles = [Profile("Anna", "anna.a", {"verified": True})]
    assert fetch_due(any_desk.generation.directory) == 1
    row = identity()
    assert (row.name, row.username, row.profile) == ("Anna", "anna.a", {"verified": True})
    assert (row.profile_due_at, row.profile_failures) == (None, 0)
    with db.read() as session:
        assert session.scalars(sa.select(Contact.name)).one() == "Anna"
    assert helpers.shown()[-1].topic == "conversation"
    assert fetch_due(any_desk.generation.directory) == 0
    assert any_desk.toy.asked == ["anna"]


@pytest.mark.parametrize("answer", [NoProfile("later", retry=True), RuntimeError("boom")])
def test_a_failure_is_tried_again_ever_more_rarely(
    desk: Desk, travel: Travel, answer: NoProfile | Exception
) -> None:
    desk.customer_wrote()
    desk.toy.profiles = [answer] * 20
    waits = []
    for _ in range(20):
        fetch_due(desk.generation.directory)
        due = identity().profile_due_at
        if due is None:
            break
        waits.append(due - clock.now())
        travel(due - clock.now() + timedelta(seconds=1))
    assert len(waits) == len(policy.PROFILE_DELAYS)
    assert waits == sorted(waits)
    assert desk.texts() == ["hello"]


def test_no_profile_for_good_is_not_asked_again(desk: Desk) -> None:
    desk.customer_wrote()
    desk.toy.profiles = [NoProfile("consent", retry=False)]
    fetch_due(desk.generation.directory)
    assert identity().profile_due_at is None


def test_a_disconnected_account_asks_nobody(desk: Desk) -> None:
    desk.customer_wrote()
    desk.set_account(state=AccountState.DISCONNECTED)
    fetch_due(desk.generation.directory)
    assert desk.toy.asked == []
    assert identity().profile_due_at is None


def test_without_its_addon_a_profile_waits(desk: Desk) -> None:
    desk.customer_wrote()
    desk.generation.directory.adapters.clear()
    fetch_due(desk.generation.directory)
    assert identity().profile_due_at is not None


def due() -> list[timedelta]:
    with db.read() as session:
        rows = session.scalars(sa.select(ContactIdentity.profile_due_at).order_by(ContactIdentity.id)).all()
    return [(at - clock.now()) if at is not None else timedelta(0) for at in rows]


def test_a_limit_of_the_account_is_met_once_and_waited_for_no_longer_than_it_lasts(
    any_desk: Desk, travel: Travel
) -> None:
    for number in range(30):
        any_desk.customer_wrote(f"c{number}")
    any_desk.toy.profiles = [NoProfile("slowly", retry=True, retry_after=120.0)]
    fetch_due(any_desk.generation.directory)
    assert len(any_desk.toy.asked) == 1, "the others would only make it longer"
    assert {round(wait.total_seconds() / 10) for wait in due()} == {12}
    travel(timedelta(seconds=121))
    while fetch_due(any_desk.generation.directory):
        pass
    assert len(any_desk.toy.asked) == 31
    with db.read() as session:
        assert set(session.scalars(sa.select(ContactIdentity.profile_due_at))) == {None}


def test_a_limit_of_one_account_does_not_keep_the_names_of_another(desk: Desk) -> None:
    other = desk.connect("200")
    desk.customer_wrote()
    desk.customer_wrote(account=other)
    desk.toy.profiles = [NoProfile("slowly", retry=True, retry_after=120.0)]
    fetch_due(desk.generation.directory)
    assert len(desk.toy.asked) == 2


def test_names_do_not_wait_while_only_sending_does(desk: Desk) -> None:
    desk.customer_wrote()
    desk.set_account(blocked_until=clock.now() + timedelta(hours=1), blocked_reason="Slowly.")
    assert fetch_due(desk.generation.directory) == 1
    assert desk.toy.asked
