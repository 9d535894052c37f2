"""Notify users, and list their notifications. Functions that write run inside ``host.core.db.write``."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db
from host.models.inbox import Contact, ContactIdentity, Conversation, ConversationRead, ConversationStatus
from host.models.mentions import Mention
from host.models.notifications import Notification
from host.models.users import Membership, Role, User, Workspace
from host.notifications.rules import KINDS, Kind, KindSpec, quiet_hours
from host.sdk.i18n import format_date
from host.users import reach
from host.users.sessions import CurrentUser
from host.web.languages import ending
from host.web.languages import gettext as _

KEPT = timedelta(days=90)
PAGE = 100
SHOWN_FOR = timedelta(minutes=5)
"""Age after which a browser no longer shows a notification that is in the bell."""
TEST = "test"
"""Kind of a test notice."""


class Message(msgspec.Struct, frozen=True):
    """The text of a notification.

    :param tone: ``warn`` or ``bad``.
    :param title: a name people know; not translated.
    :param details: values for the sentences; an aware time is shown as its day, in the reader's language.
    :param sentence: marked for translation, with ``%(name)s`` for values of *details*; never a credential.
    :param next_step: the recommended action.
    """

    title: str
    sentence: str
    next_step: str = ""
    details: Mapping[str, str | datetime] = msgspec.field(default_factory=dict)
    tone: str = "warn"


def kept(details: Mapping[str, str | datetime]) -> dict[str, str]:
    """Return *details* in their stored form: times stay times, so that their day can be shown in any
    language."""
    return {
        name: value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)[:1000]
        for name, value in details.items()
    }


def worded(
    details: Mapping[str, str],
    day: Callable[[datetime], str] = format_date,
    moment: Callable[[datetime], str] = ending,
) -> dict[str, str]:
    """Return stored details for display: a time ``x`` as its day, and as ``x_at`` with hour and zone."""
    found = dict(details)
    for name, value in details.items():
        if _TIME.fullmatch(value):
            at = datetime.fromisoformat(value)
            found |= {name: day(at), f"{name}_at": moment(at)}
    return found


_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?\+00:00")


def translated(sentence: str, details: Mapping[str, str]) -> str:
    """Return *sentence* in the reader's language, filled in with *details*."""
    return str(_(sentence, **worded(details))) if sentence else ""


def notify_responsible(
    session: Session, workspace_id: int, message: Message, *, path: str, account_id: int | None = None
) -> int:
    """Notify the owners of a workspace and the admins of the desk; return the number of people.

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
    """Return the ids of all owners of the workspaces who may sign in."""
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

    :param account_id: the account of the workspace it is about. Members limited to some accounts see no
        notification of the workspace that names no account, or another one.
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
                details=kept(message.details),
                path=path[:255],
                created_at=now,
                mail_due_at=now,
                mail_failures=0,
            )
        )
    session.flush()


def _seen_by(is_admin: bool) -> list[sa.ColumnElement[bool]]:
    """Return the notifications a user may see, see :func:`_values`.

    Notifications of workspaces they left, and of accounts they do not see, are excluded. Admins of the desk
    see notifications about accounts everywhere, and about conversations where they are members.
    """
    mine: list[Any] = [Notification.user_id == sa.bindparam("user"), Notification.in_bell]
    seen: list[Any] = [Notification.workspace_id.is_(None), _reach(Notification)]
    return [*mine, sa.or_(*seen, *([Notification.kind.is_(None)] if is_admin else []))]


def _reach(table: Any) -> sa.ColumnElement[bool]:
    """Return the condition that a user sees a row of *table*, by its workspace and account."""
    workspaces: Any = sa.bindparam("workspaces", expanding=True)
    accounts: Any = sa.bindparam("accounts", expanding=True)
    return sa.or_(table.workspace_id.in_(workspaces), table.account_id.in_(accounts))


def _values(user: CurrentUser) -> dict[str, Any]:
    return {
        "user": user.id,
        "workspaces": [one.workspace_id for one in user.memberships if one.accounts is None],
        "accounts": [id_ for one in user.memberships for id_ in sorted(one.accounts or ())],
        "working": [one.workspace_id for one in user.memberships if not one.archived],
    }


@dataclass(frozen=True, slots=True)
class News:
    """The counts of unread items for one person, for the bell and the title of every page.

    :param unread: number of unread notices.
    :param own: number of conversations, in all their workspaces, that are assigned to them and unread, or
        mention them and were not opened since.
    """

    unread: int = 0
    own: int = 0


@cache
def _news_query(is_admin: bool) -> Any:
    notices = sa.select(sa.func.count()).select_from(Notification)
    notices = notices.where(*_seen_by(is_admin), Notification.read_at.is_(None))
    reader = sa.bindparam("user", type_=db.Id)
    working: Any = sa.bindparam("working", expanding=True)
    own_read = sa.and_(
        ConversationRead.conversation_id == Conversation.id, ConversationRead.user_id == reader
    )
    arrived = Conversation.arrived_count > sa.func.coalesce(
        ConversationRead.seen_count, Conversation.read_count
    )
    assigned = (
        sa.select(Conversation.id)
        .outerjoin(ConversationRead, own_read)
        .where(
            Conversation.workspace_id.in_(working),
            Conversation.status == ConversationStatus.OPEN,
            Conversation.assignee_id == reader,
            Conversation.spam_at.is_(None),
            Conversation.snooze_kind.is_(None),
            sa.or_(arrived, ConversationRead.marked),
            _reach(Conversation),
        )
    )
    mentioned = (
        sa.select(Mention.conversation_id)
        .join(Conversation, Conversation.id == Mention.conversation_id)
        .where(
            Mention.user_id == reader,
            Mention.seen_at.is_(None),
            Conversation.workspace_id.in_(working),
            _reach(Conversation),
        )
    )
    own = sa.select(sa.func.count()).select_from(sa.union(assigned, mentioned).subquery())
    return sa.select(notices.scalar_subquery(), own.scalar_subquery())


def news(session: Session, user: CurrentUser) -> News:
    """Return the unread counts of *user*: one statement."""
    ((unread, own),) = db.read_rows(session, _news_query(user.is_admin), **_values(user))
    return News(int(unread), int(own))


def recipient_is_member() -> sa.ColumnElement[bool]:
    """Return the condition that the recipient of a notification is a member who sees its account."""
    return sa.exists().where(
        Membership.user_id == Notification.user_id,
        Membership.workspace_id == Notification.workspace_id,
        reach.sees_account(Notification.account_id),
    )


def recipient_has_role() -> sa.ColumnElement[bool]:
    """Return the condition that the recipient of a notification is a member, whichever accounts they see."""
    return sa.exists().where(
        Membership.user_id == Notification.user_id, Membership.workspace_id == Notification.workspace_id
    )


def unread_counts(session: Session, users: Collection[int]) -> dict[int, int]:
    """Return the unread counts of the bells of *users*, as :func:`news` does for one: one statement."""
    of_admins = sa.and_(User.is_admin, Notification.kind.is_(None))
    query = (
        sa.select(Notification.user_id, sa.func.count())
        .join(User, User.id == Notification.user_id)
        .where(
            Notification.user_id.in_(sorted(users)),
            Notification.in_bell,
            Notification.read_at.is_(None),
            sa.or_(Notification.workspace_id.is_(None), recipient_is_member(), of_admins),
        )
        .group_by(Notification.user_id)
    )
    return {row[0]: row[1] for row in session.execute(query)}


class NoticeView(msgspec.Struct, frozen=True):
    """A notice as shown to its recipient.

    :param about: the kind of a notice about a conversation; None if it is about an account or the desk.
    :param customer: the customer of that conversation; empty if unknown.
    """

    row: Notification
    workspace_name: str | None
    about: KindSpec | None
    customer: str

    @property
    def at(self) -> datetime:
        """Return the time of the newest event in the notice."""
        return self.row.told_at or self.row.created_at


def said(row: Any) -> str:
    """Return the sentence of a notice, which depends on whether it covers several events."""
    about = KINDS.get(row.kind)
    return about.many if about is not None and about.many and row.times > 1 else str(row.sentence)


CUSTOMER = sa.func.coalesce(
    Contact.name, ContactIdentity.name, ContactIdentity.username, Contact.email, ""
).label("customer")


def with_customer(query: Any) -> Any:
    """Return a query of notices joined with the tables that :data:`CUSTOMER` reads."""
    return (
        query.outerjoin(Workspace, Workspace.id == Notification.workspace_id)
        .outerjoin(Conversation, Conversation.id == Notification.conversation_id)
        .outerjoin(ContactIdentity, ContactIdentity.id == Conversation.identity_id)
        .outerjoin(Contact, Contact.id == Conversation.contact_id)
    )


def newest(session: Session, user: CurrentUser) -> list[NoticeView]:
    """Return the notices of *user*, latest updated first: one statement."""
    at = sa.func.coalesce(Notification.told_at, Notification.created_at)
    query = with_customer(sa.select(Notification, Workspace.name, CUSTOMER)).where(*_seen_by(user.is_admin))
    found = session.execute(query.order_by(at.desc(), Notification.id.desc()).limit(PAGE), _values(user))
    return [NoticeView(row, name, KINDS.get(row.kind), customer) for row, name, customer in found]


def to_show(session: Session, user: CurrentUser) -> list[NoticeView]:
    """Return new unread notices for a browser of *user* to show or play a sound for; none in quiet hours.

    The browser tracks those it has shown.
    """
    now = clock.now()
    quiet = quiet_hours(session, [user.id]).get(user.id)
    if quiet is not None and quiet.until(now) is not None:
        return []
    query = with_customer(sa.select(Notification, Workspace.name, CUSTOMER)).where(
        Notification.user_id == sa.bindparam("user"),
        _reach(Notification),
        Notification.read_at.is_(None),
        Notification.kind.is_not(None),
        Notification.ways != "",
        Notification.created_at > now - SHOWN_FOR,
    )
    found = session.execute(query.order_by(Notification.id).limit(PAGE), _values(user))
    return [NoticeView(row, name, KINDS.get(row.kind), customer) for row, name, customer in found]


def read_all(session: Session, user_id: int) -> None:
    """Mark every notification of a user as read. Pending mails about conversations are not sent."""
    _read(session, Notification.user_id == user_id)


def read_one(session: Session, user_id: int, notification_id: int) -> bool:
    """Mark one notification of a user as read; return whether it was unread."""
    return _read(session, Notification.user_id == user_id, Notification.id == notification_id)


def looked_at(session: Session, user_id: int, conversation_id: int) -> bool:
    """Mark a user's notices about a conversation as read, as they opened it; return whether there were
    any."""
    return _read(
        session,
        Notification.user_id == user_id,
        Notification.conversation_id == conversation_id,
        Notification.kind.is_not(None),
    )


def withdraw_mention(session: Session, message_id: int, users: Collection[int]) -> None:
    """Mark notices that the note *message_id* mentions *users* as read. Pending mails are not sent."""
    if users:
        mine = Notification.user_id.in_(users), Notification.kind == Kind.MENTION
        _read(session, *mine, Notification.message_id == message_id)


def _read(session: Session, *which: sa.ColumnElement[bool]) -> bool:
    mailed = sa.case((Notification.kind.is_(None), Notification.mail_due_at), else_=sa.null())
    done = session.execute(
        sa.update(Notification)
        .where(*which, Notification.read_at.is_(None))
        .values(read_at=clock.now(), mail_due_at=mailed)
        .execution_options(synchronize_session=False)
    )
    return bool(done.rowcount)  # type: ignore[attr-defined]


def tell_test(session: Session, user_id: int, workspace_id: int | None, sentence: str) -> None:
    """Create a test notification in the bell, replacing the previous one."""
    tests = Notification.user_id == user_id, Notification.kind == TEST
    session.execute(sa.delete(Notification).where(*tests))
    session.add(
        Notification(
            user_id=user_id,
            workspace_id=workspace_id,
            tone="good",
            title="Lobby",
            sentence=sentence,
            next_step="",
            details={},
            path="/notifications/settings",
            created_at=clock.now(),
            mail_failures=0,
            kind=TEST,
            ways="",
        )
    )
    session.flush()


def settle(
    session: Session,
    workspace_id: int | None,
    title: str,
    sentences: Collection[str],
    *,
    path: str | None = None,
) -> None:
    """Mark notices with one of *sentences* about *title* as read, as they are resolved.

    Pending mails are not sent.

    :param path: only those with this link, where several things can have the same title.
    """
    link = [] if path is None else [Notification.path == path]
    session.execute(
        sa.update(Notification)
        .where(
            Notification.workspace_id == workspace_id,
            Notification.title == title[:255],
            Notification.sentence.in_(list(sentences)),
            Notification.read_at.is_(None),
            *link,
        )
        .values(read_at=clock.now(), mail_due_at=None)
    )


def forget_old(session: Session) -> None:
    """Remove old notifications."""
    session.execute(sa.delete(Notification).where(Notification.created_at < clock.now() - KEPT))
