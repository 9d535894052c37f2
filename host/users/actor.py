"""The actor of a use case, and the unit of work that it is part of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Concatenate, ParamSpec, TypeVar

import msgspec
from sqlalchemy.orm import Session

from host.core import db
from host.core.errors import NotSignedInError
from host.events.models import ActorKind
from host.users import audit
from host.users.reach import ALL_ACCOUNTS, Accounts

P = ParamSpec("P")
T = TypeVar("T")


class Actor(msgspec.Struct, frozen=True):
    """A person, a program with an API key, an addon, or Lobby.

    :param id: id of the person; None for other actors.
    :param name: the name of the API key or addon, shown in each of its lines in the audit log.
    :param remote: the IP address of the request.
    :param person: the person's name, kept with versions that they write.
    """

    kind: ActorKind
    id: int | None = None
    name: str = ""
    remote: str = ""
    person: str = ""

    @property
    def author(self) -> str:
        """Return the name kept with a version that the actor writes."""
        return self.person or self.name

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


def person_or_desk(user_id: int | None, name: str = "") -> Actor:
    """Return the person with an id; without one the desk, in the name of a rule, sequence or assistant."""
    return Actor(ActorKind.SYSTEM, name=name) if user_id is None else Actor(ActorKind.USER, user_id)


@dataclass(frozen=True, slots=True)
class DeskWork:
    """One write about the desk or a person of it: by whom and when.

    What :class:`UnitOfWork` is for a workspace. Who changes their own account is the person of it.
    """

    session: Session
    actor: Actor
    now: datetime

    @property
    def person_id(self) -> int:
        """The id of the signed-in person.

        :raises NotSignedInError: if nobody is signed in.
        """
        if self.actor.id is None:
            raise NotSignedInError()
        return self.actor.id

    def of(self, user_id: int) -> DeskWork:
        """Return the same write by a person who has just proved who they are."""
        return replace(self, actor=Actor(ActorKind.USER, user_id, remote=self.actor.remote))

    def at(self, workspace_id: int) -> UnitOfWork:
        """Return the same write in a workspace."""
        return UnitOfWork(self.session, workspace_id, self.actor, self.now)

    def audit(
        self,
        action: str,
        subject: str,
        *,
        workspace_id: int | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """Write a line of the audit log, see :func:`host.users.audit.record`.

        :param workspace_id: the workspace it is about; None: the desk.
        """
        self.actor.audit(self.session, action, subject, workspace_id=workspace_id, details=details)


@dataclass(frozen=True, slots=True)
class UnitOfWork:
    """One write of a workspace: where, by whom, when, and for which accounts.

    A use case takes it first, then what it is about, then by name what changes. It flushes, writes the audit
    log and the event log itself, and returns a value of its feature. Pages, the API and every other caller
    make one in one place each.

    :param now: when it happens, the same for everything in it.
    :param accounts: the accounts that the actor sees; None: all.
    """

    session: Session
    workspace_id: int
    actor: Actor
    now: datetime
    accounts: Accounts = ALL_ACCOUNTS

    @property
    def author_id(self) -> int | None:
        """The id of the person who acts; None for a program and for Lobby."""
        return self.actor.id

    @property
    def by(self) -> str | None:
        """The name of the program that acts, be it a key, an addon or a rule; None for people and Lobby."""
        return self.actor.name or None

    @property
    def desk(self) -> DeskWork:
        """The same write, for what it also does to a person or to the desk."""
        return DeskWork(self.session, self.actor, self.now)

    def audit(self, action: str, subject: str, *, details: Mapping[str, Any] | None = None) -> None:
        """Write a line of the workspace's audit log, see :func:`host.users.audit.record`."""
        self.actor.audit(self.session, action, subject, workspace_id=self.workspace_id, details=details)


@dataclass(frozen=True, slots=True)
class Acting:
    """The actor in a workspace, and when they act: a unit of work before its write begins.

    A use case that calls a provider between two writes takes it, because no transaction is open meanwhile.
    """

    workspace_id: int
    actor: Actor
    now: datetime
    accounts: Accounts = ALL_ACCOUNTS

    def work(self, session: Session) -> UnitOfWork:
        """Return the unit of work in *session*."""
        return UnitOfWork(session, self.workspace_id, self.actor, self.now, self.accounts)

    def write(
        self, use_case: Callable[Concatenate[UnitOfWork, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a use case in one write."""
        return db.write(lambda session: use_case(self.work(session), *args, **kwargs))
