"""Read and change conversations as the addon: notes, labels, assignments, attributes and replies."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.automation import deciding, facts
from host.core import clock, db
from host.core.errors import LobbyError
from host.core.ports import AdapterDirectory
from host.events.models import ActorKind
from host.events.writing import because, by_addon
from host.inbox import notes
from host.inbox.apply.claims import claiming_payload
from host.inbox.apply.claims import provide as provide_claims
from host.inbox.contacts import attributes, details
from host.inbox.contacts.models import ContactAttribute
from host.inbox.conversation_actions import Changes, set_fields
from host.inbox.conversations import locked_conversation
from host.inbox.drafts import Draft
from host.inbox.labels import labels
from host.inbox.labels.errors import LabelNotFoundError
from host.inbox.labels.models import LabelTone
from host.inbox.labels.queries import labels_of_conversations
from host.inbox.names import name_key
from host.inbox.reply import HeldLocks, Voice, queue_parts, take_lane
from host.inbox.teams.models import Team
from host.models.addons import AddonWrite
from host.models.channels import ChannelAccount
from host.models.inbox import Contact, ContactIdentity, Conversation, ConversationStatus, Handler
from host.models.users import Membership, User, Workspace
from host.sdk import _acting
from host.sdk.errors import DeskError
from host.users.actor import Actor, UnitOfWork

_MOST_FOUND = 100
_LONGEST_KEY = 200

Write = Literal["notes", "labels", "assignments", "attributes", "replies"]
Read = Literal["conversations", "contacts"]


@dataclass(frozen=True, slots=True)
class Grant:
    """The parts of the desk that an addon declares to read and change.

    :param name: its name, as people read it.
    """

    name: str
    writes: Collection[str] = ()
    reads: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class QuickReply:
    """A button below a reply.

    :param payload: what a tap sends; empty: the title.
    """

    title: str
    payload: str = ""


@dataclass(frozen=True, slots=True)
class ReplyResult:
    """The outcome of a reply.

    :param queued: whether it is sent; the outcome of sending comes as an event.
    :param reason: why not, a code of docs/sdk/desk.md such as ``window_closed``; empty if it is queued.
    """

    queued: bool
    reason: str = ""
    message_ids: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class DeskConversation:
    """A conversation as it is now.

    The fields from *contact_name* on are empty unless the addon declares that it reads contacts.

    :param status: ``open`` or ``closed``.
    :param handled_by: ``person``, ``automation`` or ``nobody``.
    :param assignee: email address of the person it is assigned to; empty: nobody.
    :param team: name of its team; empty: none.
    :param external_id: the customer's id at the provider.
    """

    id: int
    workspace_id: int
    account_id: int
    channel: str
    contact_id: int
    status: str
    handled_by: str
    subject: str
    labels: tuple[str, ...]
    assignee: str
    team: str
    last_message_at: datetime
    waiting_since: datetime | None
    contact_name: str = ""
    email: str = ""
    username: str = ""
    external_id: str = ""


class _Desks:
    """The channels of the running revision, and what each of its addons declares."""

    def __init__(self) -> None:
        self.directory: AdapterDirectory | None = None
        self.grants: Mapping[str, Grant] = MappingProxyType({})


_running = _Desks()


def provide(directory: AdapterDirectory, grants: Mapping[str, Grant]) -> None:
    """Set the channels and the addons of the running revision; called by the host, and by tests."""
    _running.directory, _running.grants = directory, dict(grants)
    provide_claims([slug for slug, grant in grants.items() if "replies" in grant.writes])


def of(slug: str) -> Desk:
    """Return the desk as the addon *slug* sees it. It can be kept: nothing is looked up before it is used."""
    return Desk(slug)


class _RefusedError(Exception):
    """Undoes the write of a reply that may not be sent."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class _Change:
    """A change that is being made in a write."""

    work: UnitOfWork
    reply_key: str

    @property
    def session(self) -> Session:
        return self.work.session

    @property
    def workspace_id(self) -> int:
        return self.work.workspace_id


class Desk:
    """The desk as one addon sees it: conversations of all workspaces, whatever their channel.

    Every change has a *key* of up to 200 characters. A repeated key changes nothing and returns what the
    first call returned, for 30 days. Call it outside any transaction.

    :raises DeskError: if the addon does not declare the kind of change, something does not exist, a value is
        invalid, the key was used for another change, or the addon changes too much; see its ``code``.
    """

    __slots__ = ("_slug",)

    def __init__(self, slug: str) -> None:
        self._slug = slug

    def add_note(self, conversation_id: int, text: str, *, key: str) -> None:
        """Add a private note. Names after an ``@`` mention nobody."""

        def do(change: _Change) -> list[int]:
            return [notes.add_note(change.work, conversation_id, text=text, reply_key=change.reply_key).id]

        self._change("notes", conversation_id, key, ("note", text), do)

    def add_label(self, conversation_id: int, name: str, *, key: str) -> None:
        """Add a label by its name, ignoring case. It is created if the workspace has none of that name."""

        def do(change: _Change) -> None:
            label_id = _label(change, name)
            if label_id is None:
                label_id = labels.create(change.work, name=name, tone=LabelTone.GREY).id
            labels.set_labels(change.work, conversation_id, add=[label_id])

        self._change("labels", conversation_id, key, ("label", name), do)

    def remove_label(self, conversation_id: int, name: str, *, key: str) -> None:
        """Remove a label by its name, ignoring case; nothing happens if the conversation does not have it."""

        def do(change: _Change) -> None:
            label_id = _label(change, name)
            if label_id is not None:
                labels.set_labels(change.work, conversation_id, remove=[label_id])

        self._change("labels", conversation_id, key, ("unlabel", name), do)

    def assign(
        self, conversation_id: int, *, person: str | None = None, team: str | None = None, key: str
    ) -> None:
        """Assign a conversation to a person, a team, or a person in a team; without either to nobody.

        :param person: email address of a member who may answer there.
        :param team: name of a team, ignoring case. Without *person* all its members share the
            conversation.
        """

        def do(change: _Change) -> None:
            fields: Changes = {}
            if team is not None:
                fields["team_id"] = _team(change, team)
            if person is not None:
                fields["assignee_id"] = _person(change, person)
            if person is None and team is None:
                fields = {"assignee_id": None, "team_id": None}
            set_fields(change.work, conversation_id, fields)

        self._change("assignments", conversation_id, key, ("assign", person, team), do)

    def set_attribute(self, contact_id: int, name: str, value: str | None, *, key: str) -> None:
        """Set an attribute of a contact by its name, ignoring case; None or an empty text deletes the value.

        A lead creates attributes, under Settings.
        """

        def do(change: _Change) -> None:
            known = attributes.all_of(change.session, change.workspace_id)
            found = _called(known, name)
            if found is None:
                raise DeskError("attribute_not_found", f"the workspace has no attribute {name!r}")
            details.change(change.work, contact_id, {details.field_of(found.id): value})

        self._change("attributes", contact_id, key, ("attribute", name, value), do, of=Contact)

    def reply(
        self,
        conversation_id: int,
        text: str,
        *,
        quick_replies: Sequence[str | QuickReply] = (),
        claims: bool = False,
        after_closing: bool = False,
        key: str,
    ) -> ReplyResult:
        """Send a text to the customer, subject to all limits on automated messages.

        The customer keeps waiting for a person, as after a reply of a rule. A refused reply can be tried
        again with the same key.

        :param quick_replies: buttons below it, where the channel has them; a text is a title.
        :param claims: whether taps on them are the addon's alone: one is stored and shown, and its listener
            gets it with ``claimed_by``, but it reopens nothing, makes nothing unread, and starts no rule,
            assistant or greeting. Where it is the last message since a closing, a text that is the title or
            the number of one is such a tap, too. While the addon is off, a tap is an ordinary message.
        :param after_closing: whether it may be sent in a closed conversation, which stays closed. People who
            wrote before it was closed no longer count as talking to the customer.
        """
        offered = [QuickReply(one) if isinstance(one, str) else one for one in quick_replies]

        def do(change: _Change) -> list[int]:
            return _reply(change, conversation_id, text, offered, claims, after_closing)

        same = [one.title if one.payload in {"", one.title} else [one.title, one.payload] for one in offered]
        # Without the flags, it is the fingerprint that earlier releases stored.
        flags = [name for name, on in (("claims", claims), ("after_closing", after_closing)) if on]
        about = ("reply", text, same, *flags)
        try:
            sent = self._change("replies", conversation_id, key, about, do)
        except _RefusedError as error:
            return ReplyResult(False, error.reason)
        return ReplyResult(True, "", tuple(sent or ()))

    def get_conversation(self, conversation_id: int) -> DeskConversation:
        """Return a conversation.

        :raises DeskError: if there is none with this id, or the addon does not declare that it reads any.
        """
        grant = self._reads("conversations")
        found = _conversations(Conversation.id == conversation_id, 1, "contacts" in grant.reads)
        if not found:
            raise DeskError("conversation_not_found", f"there is no conversation {conversation_id}")
        return found[0]

    def find_conversations(
        self,
        workspace_id: int,
        *,
        contact: int | None = None,
        email: str | None = None,
        phone: str | None = None,
        username: str | None = None,
        status: str | None = None,
        limit: int = 20,
    ) -> list[DeskConversation]:
        """Return conversations of a workspace that match all that is given, the newest message first.

        :param email: email address of the contact, or of their account on a channel, ignoring case.
        :param phone: number of the contact on channels that know customers by theirs, however it is written.
        :param username: user name of the contact at the provider, ignoring case and an ``@`` before it.
        :param status: ``open`` or ``closed``.
        :param limit: most conversations, up to 100.
        """
        grant = self._reads("conversations")
        if not {email, phone, username} <= {None}:
            self._reads("contacts")
        wanted: list[sa.ColumnElement[bool]] = [Conversation.workspace_id == workspace_id]
        if contact is not None:
            wanted.append(Conversation.contact_id == contact)
        if email is not None:
            same = email.strip().casefold()
            theirs = sa.func.lower(ContactIdentity.external_id) == same
            wanted.append(sa.or_(sa.func.lower(Contact.email) == same, theirs))
        if phone is not None:
            digits = "".join(one for one in phone if one in "0123456789")
            wanted.append(ContactIdentity.external_id.in_([digits, f"+{digits}"]))
        if username is not None:
            wanted.append(sa.func.lower(ContactIdentity.username) == username.strip().lstrip("@").casefold())
        if status is not None:
            wanted.append(Conversation.status == status)
        return _conversations(sa.and_(*wanted), max(1, min(limit, _MOST_FOUND)), "contacts" in grant.reads)

    def _reads(self, kind: Read) -> Grant:
        return self._granted("reads", kind)

    def _granted(self, key: str, kind: str) -> Grant:
        """Return what the addon declares.

        :raises DeskError: if *kind* is not among it, or the addon does not run here.
        """
        grant = _running.grants.get(self._slug)
        if grant is None:
            raise DeskError("addon_off", f"no addon {self._slug!r} runs in this process")
        if kind not in getattr(grant, key):
            line = json.dumps([*getattr(grant, key), kind])
            raise DeskError(
                "undeclared", f"addon {self._slug!r} needs {key} = {line} under [declares] in its addon.toml"
            )
        return grant

    def _change(
        self,
        kind: Write,
        id_: int,
        key: str,
        about: Sequence[Any],
        do: Callable[[_Change], list[int] | None],
        of: type[Conversation] | type[Contact] = Conversation,
    ) -> list[int] | None:
        """Make a change once per key, in one write; return what *do* returned, now or before.

        :param id_: of the row of *of* that is changed.
        :param about: the change, so that a key used for another one is noticed.
        """
        grant = self._granted("writes", kind)
        if not isinstance(key, str) or not 0 < len(key) <= _LONGEST_KEY:
            raise DeskError("key", f"a key has 1 to {_LONGEST_KEY} characters")
        try:
            return db.write(self._once, grant.name, of, id_, key, [*about, id_], do)
        except LobbyError as error:
            raise DeskError(error.code, str(error.sentence_for_programs)) from error

    def _once(
        self,
        session: Session,
        name: str,
        of: type[Conversation] | type[Contact],
        id_: int,
        key: str,
        about: Sequence[Any],
        do: Callable[[_Change], list[int] | None],
    ) -> list[int] | None:
        now = clock.now()
        hashed, same = _hash(key), _hash(json.dumps(about))
        workspace_id = session.scalar(sa.select(of.workspace_id).where(of.id == id_))
        if workspace_id is None:
            what = "conversation" if of is Conversation else "contact"
            raise DeskError(f"{what}_not_found", f"there is no {what} {id_}")
        first, result = self._claim(session, workspace_id, hashed, same, now)
        if not first:
            return result
        workspace = session.get_one(Workspace, workspace_id)
        if workspace.archived_at is not None or workspace.deleting_at is not None:
            raise DeskError("archived", "the workspace is archived")
        cause = _acting.cause_of(id_ if of is Conversation else None)
        if cause is not None and cause.depth >= deciding.DEEPEST:
            raise DeskError(
                "too_deep", f"it would be the {deciding.DEEPEST + 1}th change in a chain of reactions"
            )
        chained: AbstractContextManager[None] = nullcontext()
        if cause is not None:
            chained = because(session, cause_id=cause.event_id, root_id=cause.root_id, depth=cause.depth + 1)
        with by_addon(session, self._slug), chained:
            work = UnitOfWork(session, workspace_id, Actor(ActorKind.ADDON, name=name), now)
            result = do(_Change(work, _acting.reply_key(self._slug, hashed)))
        row = session.get_one(AddonWrite, (self._slug, hashed))
        row.result = result
        session.flush()
        return result

    def _claim(
        self, session: Session, workspace_id: int, hashed: str, same: str, now: datetime
    ) -> tuple[bool, list[int] | None]:
        """Return whether this write is the first with the key, and otherwise what the first one returned."""
        table = AddonWrite.__table__
        values = {
            "slug": self._slug,
            "key_hash": hashed,
            "fingerprint": same,
            "workspace_id": workspace_id,
            "at": now,
        }
        # The unique key decides between two simultaneous calls: the second waits for the first.
        connection = session.connection()
        added = connection.execute(db.insert_ignore(table, connection.dialect.name), values)  # type: ignore[arg-type]
        row = session.get_one(AddonWrite, (self._slug, hashed), with_for_update=True)
        if row.fingerprint != same:
            raise DeskError("key_used", "the key was used for another change")
        if not added.rowcount:
            return False, row.result
        recent = sa.select(sa.func.count()).where(
            AddonWrite.slug == self._slug,
            AddonWrite.workspace_id == workspace_id,
            AddonWrite.at > now - _acting.HOUR,
        )
        if (session.scalar(recent) or 0) > _acting.MOST_AN_HOUR:
            raise DeskError(
                "too_many",
                f"addon {self._slug!r} made {_acting.MOST_AN_HOUR} changes in this workspace within an hour",
            )
        return True, None


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _label(change: _Change, name: str) -> int | None:
    try:
        return labels.by_name(change.session, change.workspace_id, name).id
    except LabelNotFoundError:
        return None


def _called(found: Sequence[ContactAttribute], name: str) -> ContactAttribute | None:
    return next((one for one in found if name_key(one.name) == name_key(name)), None)


def _team(change: _Change, name: str) -> int:
    query = sa.select(Team.id).where(
        Team.workspace_id == change.workspace_id, Team.name_key == name_key(name)
    )
    found = change.session.scalar(query)
    if found is None:
        raise DeskError("team_not_found", f"the workspace has no team {name!r}")
    return found


def _person(change: _Change, email: str) -> int:
    query = (
        sa.select(User.id)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.workspace_id == change.workspace_id, User.email == email.strip().casefold())
    )
    found = change.session.scalar(query)
    if found is None:
        raise DeskError("not_a_member", f"the workspace has no member {email!r}")
    return found


def _reply(
    change: _Change,
    conversation_id: int,
    text: str,
    quick_replies: Sequence[QuickReply],
    claimed: bool,
    after_closing: bool,
) -> list[int]:
    """Queue a reply as a rule does; return the ids of its messages.

    :param claimed: whether taps on *quick_replies* are the addon's alone.
    :param after_closing: whether the conversation may be closed.
    :raises _RefusedError: with the reason.
    """
    session, directory = change.session, _running.directory
    recipient = take_lane(session, change.workspace_id, conversation_id)
    conversation = locked_conversation(change.work, conversation_id)
    adapter = None if directory is None else directory.adapter(conversation.channel)
    last = facts.last_inbound(session, conversation_id)
    known = None if last is None else facts.known(session, [last]).get(last)
    if known is None:
        raise _RefusedError("never_wrote")
    is_over = after_closing and conversation.status == ConversationStatus.CLOSED
    why = deciding.may_speak(
        change.work.now,
        hindrance=known.hindrance(adapter, change.work.now, closed_too=after_closing),
        answers=known.row.sent_at,
        may_be_late=True,
        person_at=None if is_over else known.row.person_at,
        is_persons=conversation.handled_by == Handler.PERSON,
        unanswered=facts.unanswered(session, conversation_id, last),
    )
    if why:
        raise _RefusedError(why)
    buttons = []
    for one in quick_replies:
        payload = one.payload or one.title
        if claimed:
            payload = claiming_payload(change.reply_key, payload)
        buttons.append({"title": one.title, "payload": payload})
    try:
        messages = queue_parts(
            change.work,
            conversation_id,
            [Draft(text=text, content={"quick_replies": buttons} if buttons else {})],
            reply_key=change.reply_key,
            adapter=adapter,
            by_person=False,
            voice=Voice.NOTICE,
            held=HeldLocks(conversation, recipient),
        )
    except LobbyError as error:
        # Raised before any write: the account, the customer or the channel does not allow it.
        raise _RefusedError(error.code) from error
    for message in messages:
        message.content = {**message.content, "by": change.work.actor.name}
    session.flush()
    return [message.id for message in messages]


def _conversations(wanted: sa.ColumnElement[bool], limit: int, with_contacts: bool) -> list[DeskConversation]:
    query = (
        sa.select(
            Conversation,
            Contact.name,
            Contact.email,
            ContactIdentity.username,
            ContactIdentity.external_id,
            User.email.label("assignee"),
            Team.name.label("team"),
        )
        .join(Contact, Contact.id == Conversation.contact_id)
        .join(ContactIdentity, ContactIdentity.id == Conversation.identity_id)
        .join(ChannelAccount, ChannelAccount.id == Conversation.account_id)
        .outerjoin(User, User.id == Conversation.assignee_id)
        .outerjoin(Team, Team.id == Conversation.team_id)
        .where(wanted)
        .order_by(Conversation.last_message_at.desc(), Conversation.id.desc())
        .limit(limit)
    )
    with db.read() as session:
        rows = session.execute(query).all()
        labelled = labels_of_conversations(session, [row.Conversation.id for row in rows])
        return [
            DeskConversation(
                id=row.Conversation.id,
                workspace_id=row.Conversation.workspace_id,
                account_id=row.Conversation.account_id,
                channel=row.Conversation.channel,
                contact_id=row.Conversation.contact_id,
                status=row.Conversation.status,
                handled_by=row.Conversation.handled_by,
                subject=row.Conversation.subject or "",
                labels=tuple(one.name for one in labelled.get(row.Conversation.id, ())),
                assignee=row.assignee or "",
                team=row.team or "",
                last_message_at=row.Conversation.last_message_at,
                waiting_since=row.Conversation.waiting_since,
                **(_contact(row) if with_contacts else {}),
            )
            for row in rows
        ]


def _contact(row: Any) -> dict[str, str]:
    return {
        "contact_name": row.name or "",
        "email": row.email or "",
        "username": row.username or "",
        "external_id": row.external_id,
    }
