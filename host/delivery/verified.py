"""When a provider last asked whether an address is ours, and was told yes."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from host import clock
from host.accounts.models import InstallationValue


def _name(channel: str, account_id: int | None) -> str:
    return f"verified:{channel}:{'' if account_id is None else account_id}"


def note(session: Session, channel: str, account_id: int | None) -> None:
    """Note that an address was verified now: an account's, or with None the one all accounts share."""
    session.merge(InstallationValue(name=_name(channel, account_id), value=clock.now().isoformat()))
    session.flush()


def last(session: Session, channel: str, account_id: int | None) -> datetime | None:
    """Return when that was last, or None."""
    found = session.get(InstallationValue, _name(channel, account_id))
    return None if found is None else datetime.fromisoformat(found.value)
