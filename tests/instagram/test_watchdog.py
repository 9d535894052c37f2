"""The watchdog: a dead token is noticed, a lost subscription renewed, and a hiccup changes nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from host.addons.running import jobs
from host.core import clock, db
from host.delivery import history
from host.models.inbox import Conversation, Direction
from host.sdk.accounts import AccountState, overview
from host.sdk.channel import AccountRef
from tests.instagram import world
from tests.instagram.looking import Lookout, advance, messages
from tests.instagram.world import CAFE, POTTERY_PAGE, STUDIO, TOKEN, Addon, Meta


def states() -> dict[str, AccountState]:
    return {each.account.external_id: each.state for each in overview("instagram")}


def held(meta: Meta, page: str = POTTERY_PAGE) -> list[str]:
    return meta.box.world.pages[page].subscriptions.get(world.APP_ID, [])


def row(ig: Addon, account: AccountRef) -> Any:
    with db.read() as session:
        return ig.accounts.find(session, account.id)


def test_a_lost_subscription_is_renewed_and_noted(account: AccountRef, ig: Addon, meta: Meta) -> None:
    ig.monitoring.watchdog.watch()
    assert set(ig.config.page_fields()) <= set(held(meta))
    found = row(ig, account)
    assert set(ig.config.page_fields()) <= set(found.subscribed_fields)
    assert found.checked_at <= clock.now()


def test_fields_somebody_else_added_stay(account: AccountRef, ig: Addon, meta: Meta) -> None:
    meta.box.world.pages[POTTERY_PAGE].subscriptions[world.APP_ID] = ["feed"]
    ig.monitoring.watchdog.watch()
    assert "feed" in held(meta)
    assert "messages" in held(meta)


def test_when_all_is_well_meta_is_only_asked(account: AccountRef, ig: Addon, meta: Meta) -> None:
    ig.monitoring.watchdog.watch()
    meta.box.ledger.clear()
    ig.monitoring.watchdog.watch()
    assert {call["method"] for call in meta.entries("call")} == {"GET"}


def test_a_dead_token_is_noticed_and_said(account: AccountRef, ig: Addon, meta: Meta) -> None:
    token = meta.token("pottery-long")
    token.valid, token.subcode = False, 460
    ig.monitoring.watchdog.watch()
    (found,) = overview("instagram")
    assert found.state is AccountState.NEEDS_RECONNECT
    assert found.state_reason is not None
    assert "password" in found.state_reason


def test_a_token_refused_once_is_believed_the_second_time(account: AccountRef, ig: Addon, meta: Meta) -> None:
    meta.fault("me", "error", code=190, times=1)
    ig.monitoring.watchdog.watch()
    assert set(states().values()) == {AccountState.CONNECTED}


@pytest.mark.parametrize(
    "fault", [{"action": "reset"}, {"action": "error", "code": 4}, {"action": "garbage"}]
)
def test_a_meta_that_does_not_answer_proves_nothing(
    account: AccountRef, ig: Addon, meta: Meta, fault: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    meta.fault("graph", **fault)
    ig.monitoring.watchdog.watch()
    assert set(states().values()) == {AccountState.CONNECTED}
    assert "could not be checked" in caplog.text
    assert TOKEN not in caplog.text


def test_one_account_that_fails_stops_none_of_the_others(account: AccountRef, ig: Addon, meta: Meta) -> None:
    studio = world.connect(ig, STUDIO, workspace_id=world.workspace("Studio"))
    token = meta.token("pottery-long")
    token.valid, token.subcode = False, 463
    ig.monitoring.watchdog.watch()
    assert states() == {
        account.external_id: AccountState.NEEDS_RECONNECT,
        studio.external_id: AccountState.CONNECTED,
    }
    assert held(meta, "100000000000002")


def test_accounts_that_are_not_connected_are_left_alone(account: AccountRef, ig: Addon, meta: Meta) -> None:
    world.disconnect(account)
    ig.monitoring.watchdog.watch()
    assert meta.entries("call") == []


def test_an_account_without_credentials_is_passed_over(ig: Addon, meta: Meta, desk: db.Database) -> None:
    account = world.connect(ig, CAFE)

    def lose(session: Any) -> None:
        session.delete(ig.accounts.find(session, account.id))

    db.write(lose)
    ig.monitoring.watchdog.watch()
    assert meta.entries("call") == []


def test_after_an_hour_off_it_looks_at_once(ig: Addon, desk: db.Database) -> None:
    """Meta ends a subscription after an hour of answers that the addon, being off, did not give."""
    now = clock.now()
    assert db.write(jobs.claim, "instagram", ig.monitoring.watchdog.JOB, now)
    db.write(jobs.finish, "instagram", ig.monitoring.watchdog.JOB, now)
    assert not db.write(jobs.claim, "instagram", ig.monitoring.watchdog.JOB, now + timedelta(minutes=5))
    assert db.write(jobs.claim, "instagram", ig.monitoring.watchdog.JOB, now + timedelta(hours=1))


@pytest.mark.parametrize("complete", [True, False])
def test_what_was_written_while_meta_delivered_nothing_was_missed(
    account: AccountRef, ig: Addon, meta: Meta, complete: bool
) -> None:
    """It is unread and told of like any message, not quiet history."""
    lookout = Lookout(ig, meta, account)

    def catch_up() -> None:
        while history.step_due(lookout.directory, pace=timedelta(0)):
            pass

    with clock.travel(timedelta()):
        lookout.write("Before the account was here").at -= 86400
        ig.monitoring.watchdog.watch()
        if complete:
            catch_up()
        advance(timedelta(hours=2))
        meta.box.world.pages[POTTERY_PAGE].subscriptions[world.APP_ID] = []
        lookout.write("Nobody delivers this")
        advance(timedelta(minutes=10))
        ig.monitoring.watchdog.watch()
        catch_up()
    old, new = (one for one in messages() if one.direction == Direction.INBOUND)
    assert (old.text, new.text) == ("Before the account was here", "Nobody delivers this")
    assert (old.imported_at is not None, new.imported_at) == (True, None)
    with db.read() as session:
        (conversation,) = session.scalars(sa.select(Conversation))
    assert (conversation.unread_count, conversation.last_inbound_at) == (1, new.sent_at)
