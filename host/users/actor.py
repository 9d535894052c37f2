"""The actor of a use case: passed to the use case, which writes the audit log and the event log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy.orm import Session

from host.events.models import ActorKind
from host.users import audit


class Actor(msgspec.Struct, frozen=True):
    """A person, a program with an API key, an addon, or Lobby.

    :param id: id of the person; None for other actors.
    :param name: the name of the API key or addon, shown in each of its lines in the audit log.
    :param remote: the IP address of the request.
    """

    kind: ActorKind
    id: int | None = None
    name: str = ""
    remote: str = ""

    def audit(
        self,
        session: Session,
        action: str,
        subject: str,
        *,
        workspace_id: int | None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """Write a line of the audit log in the current write, see :func:`host.users.audit.record`.

        :param workspace_id: None: the line is about the desk.
        """
        named = {"by": self.name} if self.kind in (ActorKind.KEY, ActorKind.ADDON) else {}
        audit.record(
            session,
            action,
            subject,
            user_id=self.id,
            workspace_id=workspace_id,
            remote=self.remote,
            details={**(details or {}), **named},
        )


DESK = Actor(ActorKind.SYSTEM)
"""The desk acting automatically."""
