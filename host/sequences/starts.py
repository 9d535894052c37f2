"""Begin runs: for a customer's message, or because a program or a rule asks for one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from host.automation import facts as talks
from host.automation.deciding import BUDGET
from host.automation.words import REASONS
from host.core.errors import ConflictError
from host.core.ports import RuleDirectory
from host.events import reading
from host.events.kinds.sequences import SEQUENCE_STARTED, OfSequence
from host.events.writing import because, cause_of, publish
from host.inbox.conversations import locked_conversation
from host.inbox.errors import PeopleOnlyError, WindowClosedError
from host.inbox.reply import HeldLocks, take_lane
from host.models.inbox import Contact, Conversation, Direction, Handler, Message
from host.sequences import runner
from host.sequences.models import ENDED_BY_TEAM, Sequence, SequenceRun, SequenceState, WaitsFor
from host.users.actor import UnitOfWork


class NotStartedError(ConflictError):
    """A sequence cannot start in a conversation now."""

    code = "sequence_not_started"
    title = _l("Not started")
    default_sentence = _l("The sequence can't start here now.")
    default_next_step = _l("Start it when that has changed.")


class InSequenceError(ConflictError):
    """The contact is in a sequence already; nobody is in two."""

    code = "in_sequence"
    title = _l("Not started")
    default_sentence = _l("The customer is in a sequence already.")
    default_next_step = _l("Wait until that has ended, or end it.")


_REFUSED: Mapping[str, LazyString] = {
    "off": _l("The sequence is not live."),
    "programs": _l("Only messages of customers start this sequence, as its starts say."),
    "account": _l("The sequence doesn't run on this account."),
    "public": _l("Sequences don't run in public conversations."),
    "silent": _l("The customer hasn't written yet."),
}
"""Why a sequence is not started by a program, where no other automation has that reason."""


class Cause(NamedTuple):
    """The event that starts a run.

    :ivar root: the first event of its chain.
    :ivar depth: depth of what the run records.
    """

    id: int
    root: int
    depth: int


def begin(
    work: UnitOfWork,
    sequence: Sequence,
    conversation: Conversation,
    *,
    by: str,
    message_id: int | None,
    cause: Cause | None,
    directory: RuleDirectory,
    held: HeldLocks | None,
) -> SequenceRun:
    """Begin a run of a live sequence in a locked conversation, and return it after its first steps.

    :param by: as :attr:`SequenceRun.started_by`.
    :param message_id: the customer's last message, which is no answer.
    :param cause: None: the event ``sequence.started`` itself, so the write must not collect its events.
    :raises sqlalchemy.exc.IntegrityError: if the contact is in a sequence.
    """
    session, now = work.session, work.now
    assert sequence.live_version is not None, "a live sequence was published"
    # Until its own event has an id: no event's, and another one for each contact that is in no sequence.
    nothing = Cause(0, -conversation.contact_id, 1)
    known = cause or nothing
    run = SequenceRun(
        workspace_id=conversation.workspace_id,
        sequence_id=sequence.id,
        version=sequence.live_version,
        conversation_id=conversation.id,
        contact_id=conversation.contact_id,
        active_contact_id=conversation.contact_id,
        started_by=by,
        waits_for=WaitsFor.NOTHING,
        step="",
        number=0,
        tries=0,
        message_id=message_id,
        attempts=0,
        cause_id=known.id,
        root_id=known.root,
        depth=known.depth,
        started_at=now,
        moved_at=now,
    )
    session.add(run)
    session.flush()
    facts = OfSequence(sequence=run.sequence_id, run=run.id, version=run.version, by=by)
    about = {"account_id": conversation.account_id, "conversation_id": conversation.id}
    publish(work, SEQUENCE_STARTED, facts, **about, message_id=message_id)
    if cause is None:
        own = reading.newest_of(session, run.workspace_id, conversation.id, SEQUENCE_STARTED)
        run.cause_id = run.root_id = own
        session.flush()
    with because(session, cause_id=run.cause_id, root_id=run.root_id, depth=run.depth):
        walk = runner.walk(work, run, conversation, directory, held)
        if walk is not None:
            walk.start()
    return run


def start_for(
    work: UnitOfWork, sequence: Sequence, conversation_id: int, *, directory: RuleDirectory
) -> SequenceRun:
    """Start a sequence for a program and return the run. Takes the customer's lane and the conversation.

    :raises ConversationNotFoundError: if the workspace has no such conversation.
    :raises InSequenceError: if the contact is in a sequence.
    :raises WindowClosedError: if the reply window is closed.
    :raises PeopleOnlyError: if it is only open for people.
    :raises NotStartedError: if it cannot start for another reason.
    """
    session = work.session
    recipient = take_lane(session, work.workspace_id, conversation_id)
    conversation = locked_conversation(work, conversation_id)
    message_id = _last_message(session, conversation.id)
    why = _hindrance(work, sequence, conversation, message_id, directory)
    if why in _ERRORS:
        raise _ERRORS[why]()
    if why:
        raise NotStartedError(_REFUSED.get(why) or _l("It can't start here: %(why)s.", why=REASONS[why]))
    try:
        with session.begin_nested():
            return begin(
                work,
                sequence,
                conversation,
                by="api",
                message_id=message_id,
                cause=None,
                directory=directory,
                held=HeldLocks(conversation, recipient),
            )
    except IntegrityError:  # in another conversation of the contact, at the same moment
        raise InSequenceError() from None


def start_in(
    work: UnitOfWork,
    sequence_id: int,
    conversation: Conversation,
    *,
    by: str,
    directory: RuleDirectory,
    held: HeldLocks | None,
) -> str:
    """Start a sequence in a locked conversation, caused by what causes this write.

    :param by: as :attr:`SequenceRun.started_by`.
    :return: why it does not start, as a key of the reasons; empty: it starts.
    """
    session = work.session
    # Shared with other starts: a sequence that is turned off with its runs gets none meanwhile.
    sequence = session.get(Sequence, sequence_id, populate_existing=True, with_for_update={"read": True})
    if sequence is None or sequence.workspace_id != work.workspace_id:
        return "sequence_gone"
    message_id = _last_message(session, conversation.id)
    why = _hindrance(work, sequence, conversation, message_id, directory)
    if why:
        return _AS_REASON.get(why, why)
    cause = cause_of(session)
    assert cause is not None, "in the write of a run"
    try:
        with session.begin_nested():
            begin(
                work,
                sequence,
                conversation,
                by=by,
                message_id=message_id,
                cause=Cause(*cause),
                directory=directory,
                held=held,
            )
    except IntegrityError:  # in another conversation of the contact, at the same moment; or for this event
        return "in_sequence"
    return ""


_AS_REASON: Mapping[str, str] = {
    "off": "sequence_off",
    "programs": "sequence_closed",
    "account": "sequence_account",
    "public": "sequence_public",
    "silent": "never_wrote",
}
"""Reasons of :func:`_hindrance` as keys of the reasons of automation, which rules show."""


_ERRORS: Mapping[str, type[ConflictError]] = {
    "in_sequence": InSequenceError,
    "window_closed": WindowClosedError,
    "people_only": PeopleOnlyError,
}


def is_in_sequence(session: Session, conversation: Conversation) -> bool:
    """Return whether a contact, or one merged into it, is in a sequence, or a run is in the conversation."""
    theirs = sa.select(Contact.id).where(
        sa.or_(Contact.id == conversation.contact_id, Contact.merged_into_id == conversation.contact_id)
    )
    query = sa.select(SequenceRun.id).where(
        SequenceRun.active_contact_id.is_not(None),
        sa.or_(SequenceRun.active_contact_id.in_(theirs), SequenceRun.conversation_id == conversation.id),
    )
    return session.scalar(query.limit(1)) is not None


def _last_message(session: Session, conversation_id: int) -> int | None:
    query = (
        sa.select(Message.id)
        .where(
            Message.conversation_id == conversation_id,
            Message.direction == Direction.INBOUND,
            Message.imported_at.is_(None),
            Message.unsent_at.is_(None),
        )
        .order_by(Message.sent_at.desc(), Message.id.desc())
        .limit(1)
    )
    return session.scalar(query)


def _hindrance(
    work: UnitOfWork,
    sequence: Sequence,
    conversation: Conversation,
    message_id: int | None,
    directory: RuleDirectory,
) -> str:
    """Return why a program or a rule must not start a sequence, as a key of reasons; empty: it may."""
    session, now = work.session, work.now
    body = None
    if sequence.state == SequenceState.LIVE and sequence.live_version is not None:
        body = runner.body_of(session, sequence.id, sequence.live_version)
    adapter = directory.adapter(conversation.channel)
    if body is None:
        return "off"
    if not body.starts.programs:
        return "programs"
    if body.accounts and conversation.account_id not in body.accounts:
        return "account"
    if adapter is not None and adapter.capabilities.public:
        return "public"
    if is_in_sequence(session, conversation):
        return "in_sequence"
    about = None if message_id is None else talks.known(session, [message_id]).get(message_id)
    if about is None:
        return "silent"
    why = about.hindrance(adapter, now)
    if why:
        return why
    if conversation.handled_by == Handler.PERSON:
        return "person"
    return "budget" if talks.unanswered(session, conversation.id) >= BUDGET else ""


def end_one(work: UnitOfWork, run: SequenceRun, *, directory: RuleDirectory) -> None:
    """End a run, unless it ended. Takes the customer's lane and the conversation."""
    session = work.session
    recipient = take_lane(session, run.workspace_id, run.conversation_id)
    conversation = locked_conversation(work, run.conversation_id)
    active = runner.locked_run(session, conversation.id)
    if active is None or active.id != run.id:
        session.refresh(run)
        return
    with because(session, cause_id=active.cause_id, root_id=active.root_id, depth=active.depth):
        held = HeldLocks(conversation, recipient)
        walk = runner.walk(work, active, conversation, directory, held)
        if walk is not None:
            walk.end("stopped", ENDED_BY_TEAM)
