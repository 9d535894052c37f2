"""One account under examination, and what its checks found."""

from __future__ import annotations

from dataclasses import dataclass, field

import sqlalchemy as sa

from host.sdk import db
from host.sdk.cards import Finding, Verdict
from host.sdk.channel import AccountRef
from host.sdk.deliveries import AccountDeliveries

from .accounts import Credentials
from .models import InstagramAccount


@dataclass(slots=True)
class Look:
    """One account under examination: what is stored, and what came in."""

    account: AccountRef
    row: InstagramAccount
    found: Credentials
    seen: AccountDeliveries
    way: str = "pasted"
    """How the account was connected."""
    findings: list[Finding] = field(default_factory=list)

    name: str = ""
    title: str = ""

    def note(self, verdict: Verdict, evidence: str = "", fix: str = "", action: str = "") -> None:
        """Note what the check under way found."""
        fix = "" if verdict is Verdict.PASS else fix
        self.findings.append(Finding(self.name, self.title, verdict, evidence, fix, action))


def way_of(account: AccountRef) -> str:
    host = db.host_table("channel_accounts")
    with db.read() as session:
        return session.scalar(sa.select(host.c.way).where(host.c.id == account.id)) or "pasted"
