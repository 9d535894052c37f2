"""Write to a contact first: the conversation, its first messages and its link, in one write."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.channels.directory import Directory
from host.core import db
from host.core.backports.values import replace
from host.events.kinds.conversations import CONVERSATION_CREATED, OfBeginning
from host.inbox import conversation_actions, queries
from host.inbox.apply.tables import IDENTITIES
from host.inbox.contacts import people
from host.inbox.conversations import (
    add_activity,
    check_key,
    get_conversation,
    locked_conversation,
    record_conversation,
)
from host.inbox.drafts import Draft
from host.inbox.errors import (
    AddressOfAnotherError,
    ContactNotFoundError,
    ConversationExistsError,
    ConversationNotFoundError,
    GoesOnError,
    NoWayOutError,
)
from host.inbox.labels import labels
from host.inbox.labels.models import ConversationLabel
from host.inbox.outreach.places import Place, places
from host.inbox.reply import AT_ONCE, Hold, Voice, queue_parts, until_when_undone
from host.models.channels import AccountState, ChannelAccount
from host.models.inbox import (
    OF_PERSON,
    Contact,
    ContactIdentity,
    Conversation,
    ConversationLink,
    ConversationStatus,
    Direction,
    InternalKind,
    Message,
)
from host.models.users import Membership
from host.queue import outbox
from host.sdk.capabilities import Threading
from host.users.actor import DESK, UnitOfWork
from host.users.reach import Accounts
from host.web.languages import gettext as _


class Started(msgspec.Struct, frozen=True):
    """The conversation that was started, and its first messages."""

    conversation_id: int
    messages: Sequence[Message]


def start(
    work: UnitOfWork,
    account_id: int,
    drafts: Sequence[Draft],
    *,
    contact_id: int | None = None,
    before_id: int | None = None,
    to: str | None = None,
    reply_key: str,
    directory: Directory,
    by_person: bool = True,
    voice: Voice = Voice.PERSON,
    hold: Hold = AT_ONCE,
    only_first: bool = False,
) -> Started:
    """Start a conversation with a contact, with *drafts* as its first messages.

    Everything is written, or nothing. A repeated *reply_key* returns the existing conversation. So does a
    contact who already has one, on a channel where they have only one. A continued conversation is closed;
    its assignee, team and labels are carried over.

    :param contact_id: the contact; None for that of *before_id*.
    :param before_id: the conversation to continue; None to start a separate one.
    :param to: the external id of the contact there; None for the first of :func:`places`.
    :param hold: whether it can be undone, or is scheduled. Until it is sent, and if it is undone, the
        customer waits for an answer in the new conversation as they did in the one before.
    :param only_first: raise if it would not be the first message of a conversation.
    :raises ConversationNotFoundError, ContactNotFoundError: if the workspace has no such object.
    :raises NoWayOutError: if the contact has no such address there or is blocked, or the conversation is
        spam.
    :raises AddressOfAnotherError: if another contact writes from that address.
    :raises GoesOnError: if the conversation is already continued.
    :raises ConversationExistsError: with *only_first*.

    It also raises the errors of :func:`host.inbox.reply.queue_parts`.
    """
    check_key(reply_key)
    session, now = work.session, work.now
    contact = _contact(work, contact_id, before_id)
    place = place_for(session, directory, contact, account_id, to, accounts=work.accounts)
    # In the lock order of every write: lane, identities, conversations, contact.
    at = until_when_undone(work, hold)
    outbox.take_lane(session, account_id, place.to, at)
    people.identities_locked(session, [contact.id])
    identity = _identity(session, contact, place, now)
    made = _made_before(session, identity, reply_key)
    conversation = made or _only_one(session, identity, place)
    ids = {before_id, None if conversation is None else conversation.id}
    locked = {id_: locked_conversation(work, id_) for id_ in sorted(one for one in ids if one is not None)}
    before = None if before_id is None else locked[before_id]
    contact = people.locked(work, contact.id)
    if identity.contact_id != contact.id:
        raise AddressOfAnotherError()
    if before is not None and before.contact_id != contact.id:
        raise ContactNotFoundError()  # merged or split concurrently
    place = place_for(session, directory, contact, account_id, place.to, accounts=work.accounts)
    drafts = [_with_subject(one, place, before) for one in drafts]
    link = None if before is None else session.get(ConversationLink, before.id, with_for_update=True)
    if made is None and before is not None:
        if before.spam:
            raise NoWayOutError(
                _l("This conversation is marked as spam. Nothing was sent."),
                next_step=_l("Mark it as not spam first."),
            )
        if link is not None and _still_goes_on(session, link, contact):
            raise GoesOnError(link.after_id)
    if made is None and conversation is not None and only_first:
        raise ConversationExistsError()
    # A conversation that exists already is no continuation of itself, nor of a second one.
    continued = before
    if conversation is not None and (made or conversation is before or _is_linked(session, conversation)):
        continued = None
    if conversation is None:
        conversation = _begin(work, identity, place, before)
    if continued is not None:
        # Above the first message, which has the same time.
        _lead(
            UnitOfWork(session, work.workspace_id, DESK, now), conversation, "came_from", place, continued.id
        )
    messages = queue_parts(
        work,
        conversation.id,
        drafts,
        reply_key=reply_key,
        adapter=place.adapter,
        by_person=by_person,
        voice=voice,
        hold=hold,
    )
    if continued is not None:
        _link(session, continued, conversation, link, now)
        _lead(work, continued, "goes_on", place, conversation.id)
        conversation_actions.set_fields(work, continued.id, {"status": ConversationStatus.CLOSED})
        _carry_labels(session, continued, conversation, now)
    return Started(conversation.id, messages)


def _contact(work: UnitOfWork, contact_id: int | None, before_id: int | None) -> Contact:
    """Return the contact of the new conversation, resolved after merges."""
    session, workspace_id, accounts = work.session, work.workspace_id, work.accounts
    if before_id is None:
        assert contact_id is not None
        return people.get(session, workspace_id, contact_id, accounts=accounts)
    found = get_conversation(session, workspace_id, before_id, accounts=accounts)
    contact = people.get(session, workspace_id, found.contact_id, accounts=accounts)
    if (
        contact_id is not None
        and people.get(session, workspace_id, contact_id, accounts=accounts).id != contact.id
    ):
        raise ConversationNotFoundError()
    return contact


def place_for(
    session: Session,
    directory: Directory,
    contact: Contact,
    account_id: int,
    to: str | None,
    *,
    accounts: Accounts,
) -> Place:
    """Return where *contact* can be written to first on an account.

    :param to: as for :func:`start`.
    :param accounts: the accounts the person sees.
    :raises NoWayOutError, AddressOfAnotherError: as :func:`start`.
    """
    for place in places(session, directory, contact.workspace_id, contact, accounts):
        if place.account.id == account_id and to in {None, place.to}:
            if place.of_another is not None:
                raise AddressOfAnotherError()
            return place
    raise NoWayOutError()


def _identity(session: Session, contact: Contact, place: Place, now: datetime) -> ContactIdentity:
    """Return the contact's identity on the account, locked; create it if there is none."""
    row = {
        "workspace_id": contact.workspace_id,
        "contact_id": contact.id,
        "account_id": place.account.id,
        "external_id": place.to,
        "profile": {},
        "profile_due_at": now,
        "profile_failures": 0,
        "created_at": now,
    }
    session.execute(db.insert_ignore(IDENTITIES, session.get_bind().dialect.name), [row])
    named = sa.select(OF_PERSON).where(
        ContactIdentity.account_id == place.account.id, ContactIdentity.external_id == place.to
    )
    query = (
        sa.select(ContactIdentity)
        .where(ContactIdentity.id == named.scalar_subquery())
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return session.scalars(query).one()


def _made_before(session: Session, identity: ContactIdentity, reply_key: str) -> Conversation | None:
    """Return the conversation that *reply_key* started earlier, or None."""
    query = (
        sa.select(Conversation)
        .join(Message, Message.conversation_id == Conversation.id)
        .where(Conversation.identity_id == identity.id, Message.reply_key == reply_key)
        .limit(1)
    )
    return session.scalars(query).one_or_none()


def _only_one(session: Session, identity: ContactIdentity, place: Place) -> Conversation | None:
    """Return the conversation of a contact on a channel where each has only one; None if there is none."""
    if place.adapter.capabilities.threading is not Threading.CONTACT:
        return None
    query = (
        sa.select(Conversation)
        .where(Conversation.identity_id == identity.id)
        .order_by(Conversation.id.desc())
        .limit(1)
    )
    return session.scalars(query).one_or_none()


def _is_linked(session: Session, conversation: Conversation) -> bool:
    """Return whether a conversation continues another, or is continued by one."""
    link = ConversationLink
    of_it = sa.or_(link.before_id == conversation.id, link.after_id == conversation.id)
    return session.scalar(sa.select(link.before_id).where(of_it).limit(1)) is not None


def _still_goes_on(session: Session, link: ConversationLink, contact: Contact) -> bool:
    """Return whether *link* still leads to a usable conversation: same contact, connected account, no
    spam."""
    found = session.get_one(Conversation, link.after_id, populate_existing=True)
    account = session.get_one(ChannelAccount, found.account_id)
    return found.contact_id == contact.id and account.state != AccountState.DISCONNECTED and not found.spam


def _begin(
    work: UnitOfWork, identity: ContactIdentity, place: Place, before: Conversation | None
) -> Conversation:
    conversation = Conversation(
        workspace_id=identity.workspace_id,
        channel=place.account.channel,
        account_id=place.account.id,
        contact_id=identity.contact_id,
        identity_id=identity.id,
        status=ConversationStatus.OPEN,
        unread_count=0,
        failed_count=0,
        last_message_at=work.now,
        last_preview="",
        last_direction=Direction.INTERNAL,
        last_kind=InternalKind.ACTIVITY,
        created_at=work.now,
    )
    if before is not None:
        conversation.team_id, conversation.handled_by = before.team_id, before.handled_by
        # The first mail answers it; if that is undone or scheduled, the customer waits here.
        conversation.waiting_since = before.waiting_since
        if before.assignee_id is not None and _may_answer(work.session, before.assignee_id, place):
            conversation.assignee_id = before.assignee_id
    work.session.add(conversation)
    work.session.flush()
    facts = OfBeginning(before=0 if before is None else before.id)
    record_conversation(work, conversation, CONVERSATION_CREATED, facts)
    return conversation


def _may_answer(session: Session, user_id: int, place: Place) -> bool:
    query = sa.select(Membership.user_id).where(
        Membership.workspace_id == place.account.workspace_id,
        Membership.user_id == user_id,
        queries.answers(place.account.id),
    )
    return session.scalar(query) is not None


def _with_subject(draft: Draft, place: Place, before: Conversation | None) -> Draft:
    """Return *draft* with a default subject if it has none and the channel has subjects."""
    if not place.adapter.capabilities.has_subject or draft.content.get("subject"):
        return draft
    return replace(draft, content={**draft.content, "subject": proposed_subject(place, before)})


def proposed_subject(place: Place, before: Conversation | None) -> str:
    """Return a subject for a new conversation, in the sender's language."""
    if before is not None and before.subject:
        return before.subject
    if before is not None:
        return str(_("Your message to %(account)s", account=place.account.name))
    return str(_("A message from %(account)s", account=place.account.name))


def _lead(work: UnitOfWork, conversation: Conversation, what: str, place: Place, to: int) -> None:
    """Add the activity line that links to the conversation *to*."""
    content = {"what": what, "name": place.adapter.label, "conversation": str(to)}
    add_activity(work, conversation, content)


def _link(
    session: Session,
    before: Conversation,
    conversation: Conversation,
    link: ConversationLink | None,
    now: datetime,
) -> None:
    if link is None:
        session.add(ConversationLink(before_id=before.id, after_id=conversation.id, created_at=now))
    else:  # the earlier continuation is no longer usable
        link.after_id, link.created_at = conversation.id, now
    session.flush()


def _carry_labels(session: Session, before: Conversation, conversation: Conversation, now: datetime) -> None:
    wanted = sorted(labels.having(session, before.id) - labels.having(session, conversation.id))
    rows = [{"conversation_id": conversation.id, "label_id": id_, "at": now} for id_ in wanted]
    if rows:
        session.execute(sa.insert(ConversationLabel), rows)
