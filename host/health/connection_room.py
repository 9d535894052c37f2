"""Whether the database server allows as many connections as the desk's processes may open."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import db
from host.core.config import LEAST_CONNECTIONS, Config
from host.health.heartbeat import ALIVE
from host.models.health import Process

PROBES = 1
"""Connections of each process for probes, beside its pool."""
OTHERS = 4
"""Connections left for commands, backups and a person at the database's prompt."""

_POSTGRESQL = """
SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
  - coalesce(current_setting('reserved_connections', true), '0')::int
"""


class Room(msgspec.Struct, frozen=True):
    """The connections a server allows, and those that may be needed.

    :param processes: number of processes of this desk.
    :param needed: most connections they open together, with those for commands.
    :param allowed: connections that the server allows to the desk's role.
    """

    processes: int
    needed: int
    allowed: int

    @property
    def is_enough(self) -> bool:
        """Whether every process can open all its connections."""
        return self.needed <= self.allowed

    @property
    def words(self) -> str:
        """A sentence for the log and for ``lobby doctor``."""
        return (
            f"{self.processes} processes may open {self.needed} connections together with commands, "
            f"and the database server allows {self.allowed}"
        )

    @property
    def advice(self) -> str:
        """Advice for a server that allows too few."""
        each = max(LEAST_CONNECTIONS, (self.allowed - OTHERS) // max(1, self.processes) - PROBES)
        return f"Set LOBBY_DATABASE_CONNECTIONS to {each} or less, or raise max_connections of the server."


def look(session: Session, config: Config, *, starting: int = 0) -> Room | None:
    """Return how many connections there may be; None: SQLite, or the server doesn't say.

    :param starting: number of processes that have not reported yet.
    """
    database = db.current()
    if database.is_sqlite:
        return None
    query = _POSTGRESQL if database.dialect == "postgresql" else "SELECT @@max_connections"
    allowed = session.scalar(sa.text(query))
    alive = sa.select(sa.func.count()).select_from(Process).where(Process.seen_at >= db.now() - ALIVE)
    processes = (session.scalar(alive) or 0) + starting
    needed = processes * (config.database_connections + PROBES) + OTHERS
    return None if allowed is None else Room(processes, needed, int(allowed))
