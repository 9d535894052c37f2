"""Noticing that the desk was away: providers give up delivering after a while, so what was missed is read."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host import clock, db
from host.accounts.models import InstallationValue
from host.channels.models import AccountState, ChannelAccount
from host.delivery import history

NAME = "alive_at"
NOTE_EVERY = timedelta(minutes=5)
LONG = timedelta(hours=1)
"""Away this long, a provider may have stopped delivering; what it missed before comes by itself."""


class Absence:
    """Notes now and then that the desk is here, and has accounts catch up where it was not for long."""

    def __init__(self) -> None:
        self._noted_at: datetime | None = None

    def look(self) -> None:
        """Look whether the desk was away, and note that it is here."""
        now = clock.now()
        if self._noted_at is None or now - self._noted_at >= NOTE_EVERY:
            db.write(_note, now)
            self._noted_at = now


def _note(session: Session, now: datetime) -> None:
    noted = session.get(InstallationValue, NAME, with_for_update=True)
    if noted is None:
        table = InstallationValue.metadata.tables["installation_values"]
        values = {"name": NAME, "value": now.isoformat()}
        session.execute(db.insert_ignore(table, session.get_bind().dialect.name), values)
        return
    away = now - datetime.fromisoformat(noted.value)
    noted.value = now.isoformat()
    session.flush()
    if away < LONG:
        return
    live = sa.select(ChannelAccount.id).where(ChannelAccount.state != AccountState.DISCONNECTED)
    for account_id in list(session.scalars(live)):
        history.ask(session, account_id)
