"""An account under examination, and its findings."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import sqlalchemy as sa

from host.sdk import clock, db
from host.sdk.cards import Finding, Link, Verdict
from host.sdk.channel import AccountRef
from host.sdk.deliveries import AccountDeliveries

from ..accounts import Credentials
from ..models import InstagramAccount

FRESH = timedelta(days=7)
"""How long evidence is valid for state that may change unnoticed, such as the app's mode."""


def is_old(at: datetime) -> bool:
    """Return whether evidence of that time is too old to count."""
    return clock.now() - at > FRESH


@dataclass(slots=True)
class Examination:
    """One account under examination: its stored data and its deliveries."""

    account: AccountRef
    row: InstagramAccount
    found: Credentials
    seen: AccountDeliveries
    way: str = "pasted"
    """How the account was connected."""
    findings: list[Finding] = field(default_factory=list)

    name: str = ""
    title: str = ""

    def note(
        self,
        verdict: Verdict,
        evidence: str = "",
        fix: str = "",
        action: str = "",
        *,
        seen_at: datetime | None = None,
        link: Link | None = None,
    ) -> None:
        """Record the result of the current check.

        :param seen_at: the time of the evidence.
        :param link: the page at Meta to fix it on.
        """
        if verdict is Verdict.PASS:
            fix, action = "", ""
        old = verdict is Verdict.UNKNOWN and seen_at is not None and is_old(seen_at)
        found = Finding(
            self.name, self.title, verdict, evidence, fix, action, seen_at=seen_at, old=old, link=link
        )
        self.findings.append(found)

    @property
    def delivered_at(self) -> datetime | None:
        """When the account last received a delivery signed by Meta since it was connected."""
        at = self.seen.last_event_at
        return at if at is not None and at >= self.seen.connected_at else None


def way_of(account: AccountRef) -> str:
    host = db.host_table("channel_accounts")
    with db.read() as session:
        return session.scalar(sa.select(host.c.way).where(host.c.id == account.id)) or "pasted"
