"""Tokens of Instagram Login are renewed in time, and one that cannot be is said early."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from host.core import clock, db
from host.models.notifications import Notification
from host.models.users import Role
from host.sdk.accounts import AccountState, overview
from host.sdk.channel import AccountRef
from host.sdk.secrets import Secret, seal, unseal
from tests.helpers import make_user
from tests.instagram import world
from tests.instagram.world import POTTERY, Addon, Meta

DAYS = 24 * 3600


@contextmanager
def later(meta: Meta, **time: float) -> Iterator[None]:
    """Move both clocks, ours and Meta's."""
    by = timedelta(**time)
    meta.box.clock.advance(by.total_seconds())
    try:
        with clock.travel(by):
            yield
    finally:
        meta.box.clock.advance(-by.total_seconds())


@pytest.fixture
def signed_in(desk: db.Database, ig: Addon, meta: Meta) -> AccountRef:
    """@sample.pottery, connected a moment ago with a token of 60 days."""
    token = meta.token("pottery-instagram")
    now = meta.box.clock.now()
    token.issued_at, token.expires_at, token.valid = now, now + 60 * DAYS, True
    return world.connect(
        ig,
        POTTERY,
        flavour=ig.config.Flavour.LOGIN,
        way="instagram",
        page_id="",
        page_name="",
        token=Secret(token.value),
        token_expires_at=clock.now() + timedelta(days=60),
    )


def row(ig: Addon, account: AccountRef) -> Any:
    with db.read() as session:
        return ig.accounts.find(session, account.id)


def token_of(ig: Addon, account: AccountRef) -> str:
    found = row(ig, account)
    return unseal(found.token, ig.accounts.place(found, "token")).reveal()


def test_seventy_days_later_the_account_is_still_connected(
    signed_in: AccountRef, ig: Addon, meta: Meta
) -> None:
    renewals = 0
    for day in range(71):
        with later(meta, days=day):
            meta.box.ledger.clear()
            ig.monitoring.renewal.renew()
            renewals += len(meta.calls("oauth"))
    assert renewals in range(8, 11), "about once a week"
    with later(meta, days=70):
        ig.monitoring.watchdog.watch()
        (found,) = overview("instagram")
        assert found.state is AccountState.CONNECTED
        assert row(ig, signed_in).token_expires_at > clock.now() + timedelta(days=50)


def test_a_young_token_is_left_alone(signed_in: AccountRef, ig: Addon, meta: Meta) -> None:
    with later(meta, days=6, hours=23):
        ig.monitoring.renewal.renew()
        assert not meta.calls("oauth")


def test_page_tokens_are_not_renewed(account: AccountRef, ig: Addon, meta: Meta) -> None:
    with later(meta, days=30):
        assert ig.monitoring.renewal.due(clock.now()) == []


def told() -> list[Notification]:
    with db.read() as session:
        return list(session.scalars(sa.select(Notification).order_by(Notification.id)))


def test_a_failure_is_said_at_once_tried_again_in_an_hour_and_said_again_two_weeks_before_the_end(
    signed_in: AccountRef, ig: Addon, meta: Meta
) -> None:
    make_user(workspace=signed_in.workspace_id, role=Role.OWNER)
    meta.fault("oauth", "error", code=2, status=503)
    with later(meta, days=8):
        ig.monitoring.renewal.renew()
        ig.monitoring.renewal.renew()
        assert len(meta.calls("oauth")) == 1, "not at once again"
        (warning,) = overview("instagram")[0].warnings
        assert "Sign-in renewal failed" in warning.sentence
        assert "until %(date)s" in warning.next_step
        assert "Service temporarily unavailable" in warning.details["why"]
        (notice,) = told()
        assert (notice.read_at, notice.mail_due_at is not None) == (None, True), "under the bell and by mail"
        ig.monitoring.inspection.inspect()
        assert [one.stage for one in overview("instagram")[0].warnings] == ["failed"]
    with later(meta, days=8, hours=1, minutes=1):
        ig.monitoring.renewal.renew()
        assert len(meta.calls("oauth")) == 2
        assert len(told()) == 1, "it is the same failure"
    with later(meta, days=47):
        ig.monitoring.renewal.renew()
        ig.monitoring.inspection.inspect()
        (warning,) = overview("instagram")[0].warnings
        assert "expires on" in warning.sentence
        assert "Renewal failed" in warning.next_step
        assert "Service temporarily unavailable" in warning.details["why"]
        meta.box.faults.remove()
    with later(meta, days=47, hours=2):
        ig.monitoring.renewal.renew()
        assert row(ig, signed_in).renewal_error is None
        assert overview("instagram")[0].warnings == (), "renewing it ended the warning"
        assert told()[-1].read_at is not None, "and nobody has to read what is over"


def test_a_failure_that_is_over_is_taken_back_with_the_renewal(
    signed_in: AccountRef, ig: Addon, meta: Meta
) -> None:
    make_user(workspace=signed_in.workspace_id, role=Role.OWNER)
    meta.fault("oauth", "error", code=2, status=503, times=1)
    with later(meta, days=8):
        ig.monitoring.renewal.renew()
        assert overview("instagram")[0].warnings
    with later(meta, days=8, hours=2):
        ig.monitoring.renewal.renew()
        assert overview("instagram")[0].warnings == ()
        assert [(one.read_at is not None, one.mail_due_at) for one in told()] == [(True, None)]


def test_what_meta_quotes_is_told_without_the_token(signed_in: AccountRef, ig: Addon, meta: Meta) -> None:
    token = token_of(ig, signed_in)
    meta.fault("oauth", "error", code=100, message=f"Cannot renew {token} with {world.SECRET}")
    with later(meta, days=50):
        ig.monitoring.renewal.renew()
        ig.monitoring.inspection.inspect()
        (warning,) = overview("instagram")[0].warnings
    assert "Cannot renew" in warning.details["why"]
    for secret in (token, world.SECRET):
        assert secret not in str(warning.details)


def test_a_token_that_was_taken_back_ends_in_reconnect(signed_in: AccountRef, ig: Addon, meta: Meta) -> None:
    token = meta.token("pottery-instagram")
    token.valid, token.subcode = False, 458
    with later(meta, days=8):
        ig.monitoring.renewal.renew()
    (found,) = overview("instagram")
    assert found.state is AccountState.NEEDS_RECONNECT


def test_a_refused_renewal_of_a_good_token_is_no_reconnect(
    signed_in: AccountRef, ig: Addon, meta: Meta
) -> None:
    meta.fault("oauth", "error", code=190)
    with later(meta, days=8):
        ig.monitoring.renewal.renew()
    (found,) = overview("instagram")
    assert found.state is AccountState.CONNECTED


def test_what_somebody_stored_meanwhile_stays(
    signed_in: AccountRef, ig: Addon, meta: Meta, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = Secret("IGAAANewerTokenFromSigningInAgain")

    def sign_in_again(session: Any) -> None:
        found = ig.accounts.find(session, signed_in.id)
        found.token = seal(fresh, ig.accounts.place(found, "token"))

    exchange = ig.graph.Graph.exchange

    def during(self: Any, *given: Any, **more: Any) -> Any:
        answer = exchange(self, *given, **more)
        db.write(sign_in_again)
        return answer

    monkeypatch.setattr(ig.graph.Graph, "exchange", during)
    with later(meta, days=8):
        ig.monitoring.renewal.renew()
    assert token_of(ig, signed_in) == fresh.reveal()


def test_sealing_anew_meanwhile_loses_no_renewal(
    signed_in: AccountRef, ig: Addon, meta: Meta, monkeypatch: pytest.MonkeyPatch
) -> None:
    def seal_anew(session: Any) -> None:
        found = ig.accounts.find(session, signed_in.id)
        where = ig.accounts.place(found, "token")
        found.token = seal(unseal(found.token, where), where)

    exchange = ig.graph.Graph.exchange

    def during(self: Any, *given: Any, **more: Any) -> Any:
        answer = exchange(self, *given, **more)
        db.write(seal_anew)
        return answer

    monkeypatch.setattr(ig.graph.Graph, "exchange", during)
    with later(meta, days=8):
        ig.monitoring.renewal.renew()
        assert row(ig, signed_in).token_set_at > clock.now() - timedelta(minutes=1)
