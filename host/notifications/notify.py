"""Notify users, and list their notifications. Functions that write run inside ``host.core.db.write``."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from host.core import clock, db
from host.models.notifications import Notification
from host.models.users import Membership, Role, User, Workspace
from host.users.sessions import CurrentUser

KEPT = timedelta(days=90)
PAGE = 100


@dataclass(frozen=True, slots=True)
class Message:
    """The text of a notification.

    :param tone: ``warn`` or ``bad``.
    :param title: a name people know; not translated.
    :param sentence: marked for translation, with ``%(name)s`` for what *details* hold; never a credential.
    :param next_step: what to do about it.
    """

    title: str
    sentence: str
    next_step: str = ""
    details: Mapping[str, str] = field(default_factory=dict)
    tone: str = "warn"


def translated(sentence: str, details: Mapping[str, str]) -> str:
    """Return *sentence* in the reader's language with *details* in it."""
    return str(_(sentence, **details)) if sentence else ""


def notify_responsible(
    session: Session, workspace_id: int, message: Message, *, path: str, account_id: int | None = None
) -> int:
    """Notify the owners of a workspace and the admins of the desk; return how many people these are.

    :param account_id: the account it is about.

    :param path: the link for owners; other admins get a link to the addons.
    """
    owners, rest = owners_of(session, [workspace_id]), admins(session)
    for people, target in ((owners, path), (rest - owners, "/admin/addons")):
        notify_users(
            session, sorted(people), message, workspace_id=workspace_id, path=target, account_id=account_id
        )
    return len(owners | rest)


def owners_of(session: Session, workspace_ids: Collection[int]) -> set[int]:
    """Return the ids of everybody who owns one of the workspaces and may sign in."""
    query = (
        sa.select(User.id)
        .join(Membership, Membership.user_id == User.id)
        .where(
            Membership.workspace_id.in_(workspace_ids),
            Membership.role == Role.OWNER,
            User.disabled_at.is_(None),
        )
    )
    return set(session.scalars(query))


def admins(session: Session) -> set[int]:
    """Return the ids of the admins of the desk who may sign in."""
    return set(session.scalars(sa.select(User.id).where(User.is_admin, User.disabled_at.is_(None))))


def notify_users(
    session: Session,
    user_ids: Iterable[int],
    message: Message,
    *,
    workspace_id: int | None,
    path: str,
    account_id: int | None = None,
) -> None:
    """Notify each of *user_ids* once.

    :param account_id: the account of the workspace it is about. Who sees some accounts only is shown nothing
        of the workspace that names none, or another.
    """
    now = clock.now()
    for user_id in user_ids:
        session.add(
            Notification(
                user_id=user_id,
                workspace_id=workspace_id,
                account_id=account_id,
                tone=message.tone,
                title=message.title[:255],
                sentence=message.sentence,
                next_step=message.next_step,
                details={name: str(value)[:1000] for name, value in message.details.items()},
                path=path[:255],
                created_at=now,
                mail_due_at=now,
                mail_failures=0,
            )
        )
    session.flush()


def _seen_by(is_admin: bool) -> list[sa.ColumnElement[bool]]:
    """Return the notifications a user may see, see :func:`_values`.

    None of a workspace they have left, nor of accounts there that they do not see.
    """
    mine = Notification.user_id == sa.bindparam("user")
    if is_admin:
        return [mine]
    workspaces: Any = sa.bindparam("workspaces", expanding=True)
    accounts: Any = sa.bindparam("accounts", expanding=True)
    of_account = Notification.account_id.in_(accounts)
    seen = sa.or_(Notification.workspace_id.is_(None), Notification.workspace_id.in_(workspaces), of_account)
    return [mine, seen]


def _values(user: CurrentUser) -> dict[str, Any]:
    return {
        "user": user.id,
        "workspaces": [one.workspace_id for one in user.memberships if one.accounts is None],
        "accounts": [id_ for one in user.memberships for id_ in sorted(one.accounts or ())],
    }


@cache
def _unread_query(is_admin: bool) -> Any:
    query = sa.select(sa.func.count()).select_from(Notification)
    return query.where(*_seen_by(is_admin), Notification.read_at.is_(None))


def unread(session: Session, user: CurrentUser) -> int:
    """Return how many notifications *user* has not read."""
    ((number,),) = db.read_rows(session, _unread_query(user.is_admin), **_values(user))
    return int(number)


def newest(session: Session, user: CurrentUser) -> Sequence[tuple[Notification, str | None]]:
    """Return the newest notifications of *user*, each with the name of its workspace."""
    query = (
        sa.select(Notification, Workspace.name)
        .outerjoin(Workspace, Workspace.id == Notification.workspace_id)
        .where(*_seen_by(user.is_admin))
        .order_by(Notification.id.desc())
        .limit(PAGE)
    )
    return [(row, name) for row, name in session.execute(query, _values(user))]


def read_all(session: Session, user_id: int) -> None:
    """Mark every notification of a user as read."""
    session.execute(
        sa.update(Notification)
        .where(Notification.user_id == user_id, Notification.read_at.is_(None))
        .values(read_at=clock.now())
    )


def settle(session: Session, workspace_id: int, title: str, sentences: Collection[str]) -> None:
    """Mark as read what was told in *sentences* of *title*: it is over. What was not mailed yet is not."""
    session.execute(
        sa.update(Notification)
        .where(
            Notification.workspace_id == workspace_id,
            Notification.title == title[:255],
            Notification.sentence.in_(list(sentences)),
            Notification.read_at.is_(None),
        )
        .values(read_at=clock.now(), mail_due_at=None)
    )


def forget_old(session: Session) -> None:
    """Remove old notifications."""
    session.execute(sa.delete(Notification).where(Notification.created_at < clock.now() - KEPT))
