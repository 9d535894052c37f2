"""What nobody would notice by themselves is said: once, in time, and taken back when it is over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from host.core import clock, db
from host.models.notifications import Notification
from host.models.queue import EventState, InboundEvent
from host.models.users import Role
from host.sdk.accounts import AccountState, Warned, overview
from host.sdk.channel import AccountRef
from tests.helpers import make_user
from tests.instagram import threads, world
from tests.instagram.world import POTTERY_PAGE, STUDIO, TOKEN, Addon, Meta

DAY = timedelta(days=1)


def warnings() -> dict[str, Warned]:
    return {one.kind: one for row in overview("instagram") for one in row.warnings}


def told() -> list[str]:
    with db.read() as session:
        rows = session.scalars(sa.select(Notification).order_by(Notification.id))
        return [row.sentence % row.details for row in rows]


def ending(ig: Addon, days: float, **more: Any) -> AccountRef:
    """Connect an account whose token ends in so many days; Meta is asked nothing of it."""
    login = ig.config.Flavour.LOGIN
    end = clock.now() + timedelta(days=days)
    account = world.connect(
        ig, flavour=login, way="instagram", page_id="", page_name="", token_expires_at=end, **more
    )
    make_user(workspace=account.workspace_id, role=Role.OWNER)
    return account


def test_the_end_of_a_token_is_told_at_14_7_3_and_1_days_and_when_it_has_come(
    desk: db.Database, ig: Addon
) -> None:
    ending(ig, 20)
    seen = []
    for hours in range(0, 22 * 24, 6):
        with clock.travel(timedelta(hours=hours)):
            before = len(told())
            ig.monitoring.inspection.inspect()
            ig.monitoring.inspection.inspect()
            if len(told()) > before:
                seen.append(20 - hours / 24)
    assert seen == [14, 7, 3, 1, 0]
    assert [sentence.startswith("The token expired") for sentence in told()] == [*[False] * 4, True]


def test_an_inspection_that_was_late_tells_the_nearest_stage_only(desk: db.Database, ig: Addon) -> None:
    ending(ig, 20)
    with clock.travel(18 * DAY):
        ig.monitoring.inspection.inspect()
    assert len(told()) == 1
    assert warnings()["token-ends"].stage == "3"


def test_why_it_was_not_renewed_is_said(desk: db.Database, ig: Addon) -> None:
    account = ending(ig, 5)

    def fail(session: Any) -> None:
        ig.accounts.find(session, account.id).renewal_error = "Service temporarily unavailable (2)"

    db.write(fail)
    ig.monitoring.inspection.inspect()
    found = warnings()["token-ends"]
    why = "Service temporarily unavailable (2). Reconnect the account. All conversations stay."
    assert found.next_step % found.details == f"Renewal failed: {why}"


def test_a_page_token_that_ends_is_replaced_by_pasting(account: AccountRef, ig: Addon, meta: Meta) -> None:
    meta.token("pottery-long").expires_at = meta.box.clock.now() + 2 * DAY.total_seconds()
    ig.monitoring.inspection.inspect()
    found = warnings()["token-ends"]
    assert found.stage == "3", "Meta said when, at the inspection itself"
    assert found.next_step.startswith("Paste a new token")
    meta.token("pottery-long").expires_at = 0
    ig.monitoring.inspection.inspect()
    assert "token-ends" not in warnings()


def test_permissions_taken_back_are_said_and_taken_back_when_given_again(
    account: AccountRef, ig: Addon, meta: Meta
) -> None:
    token = meta.token("pottery-long")
    token.scopes.remove("instagram_manage_messages")
    ig.monitoring.inspection.inspect()
    found = warnings()["permissions"]
    assert "instagram_manage_messages" in found.sentence % found.details
    with db.read() as session:
        assert "instagram_manage_messages" not in ig.accounts.find(session, account.id).scopes
    token.scopes.append("instagram_manage_messages")
    ig.monitoring.inspection.inspect()
    assert warnings() == {}


def test_a_token_that_was_taken_back_is_found_by_asking_what_it_is_worth(
    account: AccountRef, ig: Addon, meta: Meta
) -> None:
    meta.token("pottery-long").valid, meta.token("pottery-long").subcode = False, 458
    ig.monitoring.inspection.inspect()
    assert overview("instagram")[0].state is AccountState.NEEDS_RECONNECT


def test_one_account_that_fails_stops_none_of_the_others(
    account: AccountRef, ig: Addon, meta: Meta, caplog: pytest.LogCaptureFixture
) -> None:
    world.connect(ig, STUDIO, workspace_id=account.workspace_id, token_expires_at=clock.now() + DAY / 2)
    meta.token("studio-long").expires_at = meta.box.clock.now() + DAY.total_seconds() / 2
    meta.fault("debug_token", "error", code=2, status=503, times=2)
    ig.monitoring.inspection.inspect()
    assert "could not be inspected" in caplog.text
    assert TOKEN not in caplog.text
    assert warnings()["token-ends"].stage == "1"


def test_a_subscription_that_meta_does_not_keep_is_said(
    account: AccountRef, ig: Addon, meta: Meta, monkeypatch: pytest.MonkeyPatch
) -> None:
    meta.box.world.pages[POTTERY_PAGE].subscriptions[world.APP_ID] = ["messages"]
    with monkeypatch.context() as patch:
        patch.setattr(ig.graph.Graph, "subscribe", lambda *_: None)
        ig.monitoring.watchdog.watch()
    found = warnings()["subscription"]
    assert "messaging_postbacks" in found.sentence % found.details
    ig.monitoring.watchdog.watch()
    assert warnings() == {}


def test_an_app_that_delivers_nothing_is_said(account: AccountRef, ig: Addon, meta: Meta) -> None:
    app = meta.box.world.apps[world.APP_ID]
    ig.monitoring.inspection.inspect()
    assert warnings() == {}, "Meta lists no webhook, which proves nothing"
    app.callback_url = ig.config.webhook_url()
    app.fields.remove("messages")
    ig.monitoring.inspection.inspect()
    found = warnings()["app-webhook"]
    assert world.APP_ID in found.sentence % found.details
    app.fields.append("messages")
    ig.monitoring.inspection.inspect()
    assert warnings() == {}


# An account that has gone quiet


def events(account: AccountRef, times: Sequence[datetime]) -> None:
    """Note events that came at *times*."""

    def use_case(session: Any) -> None:
        for number, at in enumerate(times):
            session.add(
                InboundEvent(
                    request_id=number,
                    channel="instagram",
                    account_id=account.id,
                    account_key=str(account.id),
                    lane="l",
                    dedupe_key=f"{number:064x}",
                    kind="message",
                    received_at=at,
                    state=EventState.APPLIED,
                    attempts=1,
                )
            )

    db.write(use_case)
    world.touched(account, max(times))


def connected_days_ago(account: AccountRef, days: float) -> None:
    from host.models.channels import ChannelAccount

    def use_case(session: Any) -> None:
        session.get_one(ChannelAccount, account.id).connected_at = clock.now() - timedelta(days=days)

    db.write(use_case)


@pytest.mark.parametrize(
    ("days", "a_day", "silent_hours", "expected"),
    [(7, 5, 25, True), (7, 5, 23, False), (7, 4, 25, False), (2, 6, 25, True), (0.5, 4, 40, False)],
)
def test_an_account_that_was_busy_and_fell_silent_is_noticed(
    account: AccountRef, ig: Addon, meta: Meta, days: float, a_day: int, silent_hours: int, expected: bool
) -> None:
    last = clock.now() - timedelta(hours=silent_hours)
    connected_days_ago(account, days + silent_hours / 24 + 0.1)
    events(account, [last - DAY * (number / a_day) for number in range(int(days * a_day) + 1)])
    ig.monitoring.inspection.inspect()
    assert ("quiet" in warnings()) is expected


def test_silence_ends_with_the_first_event(account: AccountRef, ig: Addon, meta: Meta) -> None:
    connected_days_ago(account, 9)
    last = clock.now() - timedelta(hours=30)
    events(account, [last - timedelta(hours=number) for number in range(60)])
    for _ in range(2):
        ig.monitoring.inspection.inspect()
    assert "quiet" in warnings()
    world.touched(account, clock.now())
    ig.monitoring.inspection.inspect()
    assert warnings() == {}


# Messages that do not come back


def sent(account: AccountRef, *mids: str, minutes_ago: float = 30) -> None:
    """Note messages that Meta took, some time ago."""
    threads.outbound(account, *mids, at=clock.now() - timedelta(minutes=minutes_ago))


def echoed(ig: Addon, account: AccountRef, mid: str) -> None:
    """Journal the echo of a message, by the key the addon gives it."""
    import hashlib

    body = world.payload(world.entry(world.echo(mid=mid)))
    (envelope,) = ig.webhook.verification.authenticate(world.post(body)).envelopes
    hashed = hashlib.sha256(envelope.dedupe_key.encode()).hexdigest()

    def use_case(session: Any) -> None:
        session.add(
            InboundEvent(
                request_id=1,
                channel="instagram",
                account_id=account.id,
                account_key=str(account.id),
                lane="l",
                dedupe_key=hashed,
                kind="echo",
                received_at=clock.now(),
                state=EventState.APPLIED,
                attempts=1,
            )
        )

    db.write(use_case)


@pytest.fixture
def older(account: AccountRef) -> AccountRef:
    connected_days_ago(account, 3)
    return account


def test_three_sends_without_an_echo_are_noticed_until_one_comes_back(
    older: AccountRef, ig: Addon, meta: Meta
) -> None:
    sent(older, "m1", "m2")
    ig.monitoring.inspection.inspect()
    assert warnings() == {}, "two prove nothing"
    sent(older, "m3")
    ig.monitoring.inspection.inspect()
    assert "no-echo" in warnings()
    echoed(ig, older, "m3")
    ig.monitoring.inspection.inspect()
    assert warnings() == {}


def test_an_old_echo_does_not_hide_that_the_last_three_are_missing(
    older: AccountRef, ig: Addon, meta: Meta
) -> None:
    sent(older, "m0", "m1", "m2", "m3")
    echoed(ig, older, "m0")
    ig.monitoring.inspection.inspect()
    assert "no-echo" in warnings()


def test_an_echo_has_its_time_and_sends_before_the_connection_do_not_count(
    older: AccountRef, ig: Addon, meta: Meta
) -> None:
    sent(older, "m1", "m2", "m3", minutes_ago=5)
    ig.monitoring.inspection.inspect()
    assert warnings() == {}
    sent(older, "n1", "n2", "n3", minutes_ago=5 * 24 * 60)
    ig.monitoring.inspection.inspect()
    assert warnings() == {}


def test_a_warning_that_is_over_goes_within_minutes(account: AccountRef, ig: Addon, meta: Meta) -> None:
    """The inspection comes every hour; what somebody put right does not wait for it."""
    token = meta.token("pottery-long")
    token.scopes.remove("instagram_manage_messages")
    ig.monitoring.inspection.look_again()
    assert warnings() == {}, "it looks only where something is known to be amiss"
    ig.monitoring.inspection.inspect()
    assert set(warnings()) == {"permissions"}
    token.scopes.append("instagram_manage_messages")
    ig.monitoring.inspection.look_again()
    assert warnings() == {}
    assert ig.monitoring.inspection.WARNED_JOB.every <= timedelta(minutes=10)


def test_sends_too_old_to_wait_for_warn_of_nothing_any_more(account: AccountRef, ig: Addon) -> None:
    threads.outbound(account, "m1", "m2", "m3", at=clock.now())
    with clock.travel(timedelta(hours=1)):
        ig.monitoring.inspection._echoless(overview("instagram")[0])
        assert set(warnings()) == {"no-echo"}
    with clock.travel(8 * DAY):
        ig.monitoring.inspection._echoless(overview("instagram")[0])
        assert warnings() == {}


@pytest.mark.parametrize(
    ("taken", "bad"), [(["pages_messaging"], False), (["pages_messaging", "instagram_basic"], True)]
)
def test_a_permission_that_was_taken_back_is_told_and_one_never_given_is_not(
    desk: db.Database, ig: Addon, meta: Meta, taken: list[str], bad: bool
) -> None:
    token = meta.token("pottery-long")
    token.scopes.remove("pages_read_engagement")
    world.connect(ig, scopes=tuple(token.scopes))
    for name in taken:
        token.scopes.remove(name)
    for _ in range(2):
        ig.monitoring.inspection.inspect()
        found = warnings()["permissions"]
        assert set(found.details["missing"].split(", ")) == set(taken)
        assert (found.tone == "bad") is bad
    token.scopes += taken
    ig.monitoring.inspection.look_again()
    assert warnings() == {}
