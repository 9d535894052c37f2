"""Find the list of an account that a tapped button belongs to. The provider sends only its payload."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from host.models.channels import ChannelAccount
from host.users.actor import UnitOfWork

SETTING = "taps"


def remember_payloads(work: UnitOfWork, account_id: int, name: str, payloads: Iterable[str]) -> None:
    """Store the payloads of an account's list at the provider; *name*: ``ice_breakers`` or ``menu``.

    Only digests are stored, in the account's settings, which every page of the inbox loads anyway.
    """
    row = work.session.get(ChannelAccount, account_id, with_for_update={"key_share": True})
    if row is None:
        return
    kept = row.settings.get(SETTING)
    known = dict(kept) if isinstance(kept, Mapping) else {}
    known[name] = sorted({digest(payload) for payload in payloads if payload})
    row.settings = {**row.settings, SETTING: known}
    work.session.flush()
    action = "account.menu_changed" if name == "menu" else "account.ice_breakers_changed"
    work.audit(action, row.handle, details={"channel": row.channel})


def digest(payload: str) -> str:
    """Return the digest of a payload for storage."""
    return hashlib.sha256(payload.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def list_of(payload: str, settings: Mapping[str, Any]) -> str:
    """Return the name of the list with *payload*, from an account's *settings*; empty if there is none."""
    known = settings.get(SETTING)
    if not payload or not isinstance(known, Mapping):
        return ""
    wanted = digest(payload)
    return next((str(name) for name, kept in known.items() if isinstance(kept, list) and wanted in kept), "")
