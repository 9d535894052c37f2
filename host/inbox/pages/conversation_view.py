"""Conversations for pages: the row in the list, the head of the thread, the contact pane."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from host.channels.directory import current_directory
from host.core import clock, db
from host.inbox import queries, thread_control
from host.inbox.apply import phone_numbers
from host.inbox.comments import private, private_reply, states
from host.inbox.comments.posts import PostRow
from host.inbox.comments.private_reply import OfHour
from host.inbox.comments.states import CommentExcerpt, Direct, Newest
from host.inbox.contacts import finding
from host.inbox.contacts.history import SharedFile, shared_files
from host.inbox.contacts.models import ContactAttribute, ContactValue
from host.inbox.contacts.pages.doubles import Duplicate, by_number
from host.inbox.contacts.pages.shown import Detail, IdView, detail_of, follow_state, id_label, ids_shown
from host.inbox.list_positions import micros
from host.inbox.pages import durations, message_content, reply_window, text_view
from host.inbox.pages.comments.parts import Mark, PostShown, said_of, shown_post
from host.inbox.pages.comments.shown import chip
from host.inbox.pages.invitations import shown as invitations
from host.inbox.pages.message_view import IconLine, came_from
from host.inbox.queries import Order, Row
from host.inbox.teams.teams import InboxTeam
from host.models.inbox import Contact, ContactIdentity, Conversation, Direction, Message, state_mark
from host.sdk.channel import Ask, ChannelAdapter
from host.sdk.formatting import plain as without_marks
from host.sdk.messages import MessageKind
from host.users.reach import Accounts
from host.web import message_kinds
from host.web.formats import round_length
from host.web.languages import gettext as _

NEAR = timedelta(minutes=30)
"""The list shows when an answer is due if less than this, or than a quarter of the target, is left."""


class Due(msgspec.Struct, frozen=True):
    """The time when a customer's answer is due.

    :param near: number of seconds before it at which the list begins to show it.
    """

    at: datetime
    near: int
    left: timedelta

    @property
    def late(self) -> bool:
        return self.left < timedelta()

    @property
    def shown(self) -> bool:
        """Whether the list shows it now."""
        return self.left.total_seconds() < self.near

    @property
    def text(self) -> str:
        """Return the remaining or exceeded time in words; ``inbox-time.js`` writes the same."""
        if self.late:
            return str(_("overdue %(time)s", time=durations.short(-self.left)))
        return str(_("due %(time)s", time=durations.short(self.left)))


def due(row: Row, now: datetime) -> Due | None:
    """Return when the customer's answer is due; None if they don't wait or there is no target."""
    if row.due_at is None or row.reply_target is None:
        return None
    target = timedelta(minutes=row.reply_target)
    return Due(row.due_at, int(max(NEAR, target / 4).total_seconds()), row.due_at - now)


class ListedConversation(msgspec.Struct, frozen=True):
    """A conversation in the list.

    :param prefix: author of the last message, if not the customer: ``You:``, ``Bo:``.
    :param shown: what a selection notes of the state it shows, see
        :func:`host.models.inbox.state_mark`.
    :param post: the post it is about; *mark*: its state there, shown instead of the reply window.
    :param ahead: whether it is in the first part of the list, see :func:`host.inbox.queries.unseen_first`.
    """

    row: Row
    name: str
    handle: str
    label: str
    time: str
    prefix: str
    icon: str
    line: str
    chip: reply_window.Chip | None
    due: Due | None = None
    sort: Order = Order.NEWEST
    post: PostShown | None = None
    mark: Mark | None = None
    shown: str = ""
    ahead: bool = False

    @property
    def order(self) -> str:
        """Return the list's sort key, largest first."""
        row = self.row
        if self.sort is Order.NEWEST:
            listed_at = row.listed_at + (queries.NO_END if self.ahead else timedelta(0))
            return f"{micros(listed_at):020d}-{row.id:020d}"
        at = row.waiting_since
        if self.sort is Order.DUE and at is not None:
            at += queries.NO_END if row.reply_target is None else timedelta(minutes=row.reply_target)
        if self.sort is Order.CLOSING:
            at = self.chip.until if self.chip is not None else None
        return f"{_LAST - (_LAST - 1 if at is None else micros(at)):020d}-{_LAST - row.id:020d}"


_LAST = 10**19
"""Larger than any time or id, to invert sort keys of lists sorted smallest first."""


def name_of(row: Row, adapter: ChannelAdapter | None) -> str:
    """Return the name of a conversation's contact, or a short form of their id."""
    named = row.contact_name or row.identity_name or row.username or row.contact_email
    if named:
        return named
    return row.identity_external_id if adapter is None else adapter.contact_label(row.identity_external_id)


def handle_of(row: Row, name: str) -> str:
    """Return the contact's handle or address; empty if it equals *name*."""
    if row.username and row.username != name:
        return row.username if "@" in row.username else f"@{row.username}"
    return row.contact_email if row.contact_email and row.contact_email != name else ""


def listed(
    row: Row,
    adapter: ChannelAdapter | None,
    user_id: int,
    now: datetime,
    sort: Order = Order.NEWEST,
    post: PostRow | None = None,
    newest: Newest | None = None,
    writer: str = "",
    *,
    unseen_first: bool = False,
    is_audio_file: bool = False,
) -> ListedConversation:
    """Return *row* as shown in a list sorted by *sort*.

    :param post: the post it is about; *newest*: the customer's newest comment on it.
    :param writer: the participant who wrote the last message; empty if the customer or the team did.
    :param unseen_first: whether the list begins with unseen mentions of the viewer.
    :param is_audio_file: whether the last message is audio that was not recorded for it.
    """
    name = name_of(row, adapter)
    look = message_kinds.look_of(row.last_kind)
    plain = row.last_kind == MessageKind.TEXT
    return ListedConversation(
        row=row,
        name=name,
        handle=handle_of(row, name),
        label=current_directory().label(row.channel),
        time=durations.since(row.last_message_at, now),
        prefix=_prefix(row, user_id, writer),
        icon="" if plain else look.icon,
        line=_list_line(row, adapter, is_audio_file=is_audio_file),
        chip=reply_window.chip(adapter, row, now),
        due=due(row, now),
        sort=sort,
        ahead=unseen_first and row.named > 0,
        post=None if post is None else shown_post(post, row.account.workspace_id),
        shown=state_mark(row),
        mark=None if adapter is None or row.post_id is None else chip(adapter, row, post, newest, now),
    )


def _list_line(row: Row, adapter: ChannelAdapter | None, *, is_audio_file: bool = False) -> str:
    """Return the last message: its text, or its kind in words."""
    if not row.last_preview:
        if is_audio_file:
            return str(message_kinds.AUDIO_FILE)
        return (
            row.subject or ""
            if row.last_kind == MessageKind.TEXT
            else str(message_kinds.look_of(row.last_kind).label)
        )
    shown = row.last_preview
    if adapter is not None and adapter.capabilities.formatting and row.last_direction == Direction.OUTBOUND:
        shown = without_marks(shown)
    if row.last_kind == MessageKind.INVITATION:
        return invitations.listed(shown)
    text = text_view.plain(shown)
    if row.last_kind == MessageKind.QUICK_REPLY and (shared := _shared_on_request(text)):
        return shared
    return str(_("Tapped “%(what)s”", what=text)) if row.last_kind in message_kinds.TAPS else text


def _shared_on_request(text: str) -> str:
    """Return what a customer shared with a tap, in words; empty if *text* is the title of a button."""
    first = text.partition(",")[0]
    if re.fullmatch(r"\+?[0-9][0-9 ()/.-]{6,20}", first):
        return str(message_kinds.SHARED_ON_REQUEST[Ask.PHONE])
    return str(message_kinds.SHARED_ON_REQUEST[Ask.EMAIL]) if re.fullmatch(r"[^@\s]+@[^@\s]+", first) else ""


def _prefix(row: Row, user_id: int, writer: str) -> str:
    if row.last_direction != Direction.OUTBOUND:
        return str(_("%(name)s:", name=writer)) if writer else ""
    if row.last_author_id == user_id:
        return str(_("You:"))
    if row.last_author_name:
        return str(_("%(name)s:", name=row.last_author_name.split()[0]))
    if row.responder and row.responder.get("held"):
        return str(_("%(name)s:", name=_("Another program")))
    return str(_("Team:"))


class Head(msgspec.Struct, frozen=True):
    """The head of a thread: the contact, and the members and teams the conversation can be assigned to.

    :param post: the post it is about; *about*: its place, in words.
    :param mark: what its forms note of the state they show, see
        :func:`host.models.inbox.state_mark`.
    :param control: who answers here; None where no other program can.
    """

    row: Row
    name: str
    handle: str
    label: str
    members: Sequence[queries.Member]
    teams: Sequence[InboxTeam]
    user_id: int
    due: Due | None = None
    target: str = ""
    post: PostShown | None = None
    about: str = ""
    mark: str = ""
    control: thread_control.Control | None = None


def head(
    row: Row,
    adapter: ChannelAdapter | None,
    members: Sequence[queries.Member],
    teams: Sequence[InboxTeam],
    user_id: int,
    now: datetime,
    post: PostRow | None = None,
) -> Head:
    """Return the head of *row*'s thread.

    :param post: the post it is about.
    :param members: possible assignees, the viewer first; *teams*: the workspace's teams.
    """
    name = name_of(row, adapter)
    return Head(
        row=row,
        name=name,
        handle=handle_of(row, name),
        label=current_directory().label(row.channel),
        members=sorted(members, key=lambda one: one.id != user_id),
        teams=teams,
        user_id=user_id,
        due=due(row, now),
        target="" if row.reply_target is None else round_length(row.reply_target),
        post=None if post is None else shown_post(post, row.account.workspace_id),
        about=_about(row, adapter, post),
        mark=state_mark(row),
        control=thread_control.control(row, adapter, now),
    )


def _about(row: Row, adapter: ChannelAdapter | None, post: PostRow | None) -> str:
    """Return the place of a conversation in words."""
    channel, account = current_directory().label(row.channel), row.account.handle or row.account.name
    if post is not None:
        return said_of(post, channel, account)
    return str(_("%(channel)s to %(account)s", channel=channel, account=account))


OTHERS = 5
"""Maximum number of other conversations in the contact pane."""
PICTURES = 6
"""Maximum number of pictures in the contact pane."""


class OtherConversation(msgspec.Struct, frozen=True):
    """Another conversation with the same contact."""

    id: int
    channel: str
    status: str
    subject: str | None
    preview: str
    kind: str
    last_message_at: datetime


class ContactDetails(msgspec.Struct, frozen=True):
    """A contact as shown in the pane next to the conversation.

    :param id_label: what pages call the contact's id.
    :param ids: their ids on this account, if they have several.
    :param link: the contact's page at the provider; empty if there is none.
    :param follows: whether contact and account follow each other, in words; empty if unknown.
    :param followers: how many people follow them; None if unknown.
    :param first_at: time of their first contact with the desk.
    :param origin: the ad or link that led to their first message, or None.
    :param attributes: the workspace's attributes, each with the contact's value.
    :param double: a contact with the same phone number, or None.
    :param pictures: the newest pictures from both sides.
    :param said: their newest comments on the post, if there is one.
    :param direct: their private conversation on the account beside; *opened*: whether a private reply from
        this conversation began it.
    :param of_hour: usage of the hourly limit of private replies, if there is one.
    """

    identity_external_id: str
    id_label: str
    link: str
    verified: bool
    follows: str
    follows_us: bool
    followers: int | None
    messages: int
    first_at: datetime
    origin: IconLine | None
    others: Sequence[OtherConversation]
    more_others: bool = False
    """Whether there are further conversations."""
    opted_out_at: datetime | None = None
    blocked_at: datetime | None = None
    attributes: Sequence[Detail] = ()
    double: Duplicate | None = None
    pictures: Sequence[SharedFile] = ()
    said: Sequence[CommentExcerpt] = ()
    direct: Direct | None = None
    opened: bool = False
    of_hour: OfHour | None = None
    ids: Sequence[IdView] = ()


@cache
def _details_query() -> Any:
    written = sa.select(Message).where(
        Message.conversation_id == sa.bindparam("conversation"), Message.direction != Direction.INTERNAL
    )
    first = written.with_only_columns(Message.content).order_by(Message.sent_at, Message.id).limit(1)
    theirs = aliased(ContactIdentity)
    has_phone = sa.exists().where(theirs.contact_id == ContactIdentity.contact_id, theirs.phone.is_not(None))
    has_more_ids = sa.exists().where(theirs.same_as_id == ContactIdentity.id)
    return (
        sa.select(
            ContactIdentity.profile,
            ContactIdentity.created_at,
            Contact.opted_out_at,
            Contact.blocked_at,
            written.with_only_columns(sa.func.count()).scalar_subquery(),
            first.scalar_subquery(),
            has_phone,
            has_more_ids,
        )
        .join(Contact, Contact.id == ContactIdentity.contact_id)
        .where(
            ContactIdentity.id == sa.bindparam("identity"),
            ContactIdentity.workspace_id == sa.bindparam("workspace"),
        )
    )


def contact_details(
    session: Session, row: Row, adapter: ChannelAdapter | None, accounts: Accounts = None
) -> ContactDetails:
    """Return the details of *row*'s contact, with their other conversations, newest first.

    :param accounts: the accounts the viewer sees; None for all.
    """
    values = {"conversation": row.id, "identity": row.identity_id, "workspace": row.account.workspace_id}
    ((profile, created_at, opted_out_at, blocked_at, messages, content, has_phone, has_more_ids),) = (
        db.read_rows(session, _details_query(), **values)
    )
    facts = profile if isinstance(profile, Mapping) else {}
    came = message_content.referral(content) if isinstance(content, Mapping) else None
    link = adapter.profile_url(row.username) if adapter is not None and row.username else None
    said, direct, opened = _of_post(session, row, accounts)
    others = _others(session, row, accounts)
    shown_attributes = _attributes(session, row)
    double = None
    if has_phone or any(phone_numbers.written_key(one.value) for one in shown_attributes):
        workspace_id, directory = row.account.workspace_id, current_directory()
        double = by_number(session, workspace_id, row.contact_id, accounts, directory)
    ids: Sequence[IdView] = ()
    if has_more_ids:
        all_ids = finding.ids_of(session, [row.identity_id])[row.identity_id]
        account, directory = row.account.handle or row.account.name, current_directory()
        ids = ids_shown(all_ids, row.account.channel, account, directory, clock.now())
    return ContactDetails(
        identity_external_id=row.identity_external_id,
        id_label=id_label(row.account.channel, current_directory()),
        link=text_view.safe(link) or "",
        verified=facts.get("verified") is True,
        follows=follow_state(facts),
        follows_us=facts.get("follows_us") is True,
        followers=_number(facts.get("followers")),
        messages=messages,
        first_at=created_at,
        origin=came_from(came) if came is not None else None,
        others=others[:OTHERS],
        more_others=len(others) > OTHERS,
        opted_out_at=opted_out_at,
        blocked_at=blocked_at,
        attributes=shown_attributes,
        double=double,
        pictures=shared_files(session, row.contact_id, accounts=accounts, pictures=True, limit=PICTURES),
        said=said,
        direct=direct,
        opened=opened,
        of_hour=_of_hour(session, row, adapter),
        ids=ids,
    )


def _of_hour(session: Session, row: Row, adapter: ChannelAdapter | None) -> OfHour | None:
    """Return the private replies of the last hour, for a conversation about a post: at most two
    statements."""
    if adapter is None or row.post_id is None:
        return None
    limits = adapter.capabilities_of(row.account).private_replies
    return private_reply.of_hour(session, row.account.id, limits, clock.now(), row.post_id)


SAID = 5
"""Maximum number of comments on a post in the contact pane."""


def _of_post(
    session: Session, row: Row, accounts: Accounts
) -> tuple[Sequence[CommentExcerpt], Direct | None, bool]:
    """Return a conversation's comments on its post, and any direct conversation.

    At most three statements, none without a post.
    """
    if row.post_id is None:
        return (), None, False
    said = states.said(session, row.id, SAID)
    beside = row.account.beside_id
    if beside is None or (accounts is not None and beside not in accounts):
        return said, None, False
    found = states.direct(session, row.contact_id, beside)
    if found is None:
        return said, None, False
    from_ = private.came_from(session, row.account.workspace_id, found.conversation_id)
    return said, found, from_ is not None and from_.conversation_id == row.id


@cache
def _attributes_query() -> Any:
    theirs = sa.and_(
        ContactValue.attribute_id == ContactAttribute.id,
        ContactValue.contact_id == sa.bindparam("contact", type_=db.Id),
    )
    return (
        sa.select(ContactAttribute, ContactValue.value)
        .outerjoin(ContactValue, theirs)
        .where(ContactAttribute.workspace_id == sa.bindparam("workspace"))
        .order_by(ContactAttribute.id)
    )


def _attributes(session: Session, row: Row) -> list[Detail]:
    """Return every attribute of the workspace with the contact's value: one statement."""
    values = {"contact": row.contact_id, "workspace": row.account.workspace_id}
    found = session.execute(_attributes_query(), values)
    return [detail_of(attribute, value or "") for attribute, value in found]


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


@cache
def _others_query(limited: bool) -> Any:
    seen: Any = Conversation.account_id.in_(sa.bindparam("accounts", expanding=True))
    return (
        sa.select(
            Conversation.id,
            Conversation.channel,
            Conversation.status,
            Conversation.subject,
            Conversation.last_preview,
            Conversation.last_kind,
            Conversation.last_message_at,
        )
        .where(
            Conversation.contact_id == sa.bindparam("contact"),
            Conversation.workspace_id == sa.bindparam("workspace"),
            Conversation.id != sa.bindparam("conversation"),
            seen if limited else sa.true(),
        )
        .order_by(Conversation.last_message_at.desc(), Conversation.id.desc())
        .limit(OTHERS + 1)
    )


def _others(session: Session, row: Row, accounts: Accounts) -> list[OtherConversation]:
    """Return the other conversations of a contact, newest first, one more than are shown."""
    values = {
        "contact": row.contact_id,
        "workspace": row.account.workspace_id,
        "conversation": row.id,
        "accounts": sorted(accounts or ()),
    }
    return [
        OtherConversation(id_, channel, status, subject, text_view.plain(preview), kind, at)
        for id_, channel, status, subject, preview, kind, at in db.read_rows(
            session, _others_query(accounts is not None), **values
        )
    ]
