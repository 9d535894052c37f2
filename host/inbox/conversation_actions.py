"""Actions on a conversation: set its fields, mark it read, hide one of its messages.

A settable field is a key of :class:`Changes`, named after its column, with a function in ``_SETTERS``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, TypedDict

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.events.kinds.conversations import (
    CONVERSATION_ASSIGNED,
    CONVERSATION_CLOSED,
    CONVERSATION_HANDLER_CHANGED,
    CONVERSATION_MARKED_SPAM,
    CONVERSATION_REOPENED,
    CONVERSATION_SNOOZED,
    CONVERSATION_TEAM_ASSIGNED,
    CONVERSATION_UNMARKED_SPAM,
    CONVERSATION_WOKEN,
    OfAssignment,
    OfConversation,
    OfHandler,
    OfSnooze,
    OfTeam,
    OfWaking,
)
from host.inbox import queries
from host.inbox.apply.conversations import preview
from host.inbox.conversations import (
    add_activity,
    locked_conversation,
    locked_message,
    publish_changed_message,
    publish_conversation,
    record_conversation,
    show_presence,
)
from host.inbox.errors import (
    ChangedMeanwhileError,
    NotAMemberError,
    NotSnoozableError,
    SnoozeTimeError,
)
from host.inbox.teams.errors import TeamNotFoundError
from host.inbox.teams.models import Team, TeamMember
from host.models.inbox import (
    Conversation,
    ConversationRead,
    ConversationStatus,
    Direction,
    Handler,
    InternalKind,
    Message,
    Snooze,
    SnoozeKind,
    state_mark,
)
from host.models.users import Membership, User
from host.users.actor import UnitOfWork
from host.web.message_kinds import HIDDEN


class Changes(TypedDict, total=False):
    """New values of a conversation's fields; omitted fields keep their values."""

    team_id: int | None
    assignee_id: int | None
    status: ConversationStatus
    snooze: Snooze | None
    spam: bool
    handled_by: Handler
    """A person, or nobody, which lets automation write again but does not request an automatic answer."""


MOST_SNOOZED = timedelta(days=2 * 366)
"""Longest snooze; a longer one is probably a typo."""


def set_fields(
    work: UnitOfWork,
    conversation_id: int,
    changes: Changes,
    *,
    why: str = "",
    with_activity: bool = True,
    shown: str | None = None,
    since: int | None = None,
) -> bool:
    """Set fields of a conversation, with an activity line for each that changes. Return whether any did.

    Assigning a conversation to a team unassigns a member who is not in it, unless *changes* set an assignee.
    Otherwise it would wait for somebody who is no longer responsible.

    :param why: reason of an automatic change, a key of :data:`GIVEN_BECAUSE`; empty if somebody made it.
    :param with_activity: False leaves out the activity lines; events are still recorded.
    :param shown: the state that a page showed, from :func:`host.models.inbox.state_mark`; None for no page.
    :param since: id of the newest message when a page showed the conversation as one of many; None for
        no such page.
    :raises ChangedMeanwhileError: if somebody else has changed what *changes* are about since *shown* or
        *since*.
    :raises ConversationNotFoundError: if the workspace has no such conversation.
    :raises NotAMemberError: if ``assignee_id`` is not a member who may answer there.
    :raises TeamNotFoundError: if ``team_id`` is no team of the workspace.
    :raises SnoozeTimeError: if ``snooze`` ends in the past or too far ahead, or lacks a required end.
    :raises NotSnoozableError: if ``snooze`` is set and the conversation is closed or spam.
    """
    conversation = locked_conversation(work, conversation_id)
    if shown is not None:
        _check_unchanged(work, conversation, changes, shown)
    if since is not None:
        _check_lines(work, conversation, _activities(changes), since=since)
    changed = False
    for name, value in _with_handover(work.session, conversation, changes).items():
        if getattr(conversation, name) == value:
            continue
        before = getattr(conversation, name) if name in _NAMES_BEFORE else None
        content = _SETTERS[name](work, conversation, value)
        work.session.flush()
        if with_activity:
            add_activity(work, conversation, {**content, "why": why} if why else content)
        kind = _RECORDED.get(content["what"], "")
        record_conversation(work, conversation, kind, _facts(kind, conversation, before))
        if name == "assignee_id" and value is not None and work.author_id is not None:
            handle(work, conversation, Handler.PERSON, because="assigned")
        changed = True
    return changed


_OWNERS = frozenset({"assigned", "took", "unassigned", "team_assigned", "team_left"})
_PLACES = frozenset(
    {"closed", "reopened", "woken", "marked_spam", "unmarked_spam", *(f"snoozed_{one}" for one in SnoozeKind)}
)
_ABOUT = ((_OWNERS, {"assignee_id", "team_id"}), (_PLACES, {"status", "snooze", "spam"}))
"""By part of a mark: the activities that change it, and the fields that it is about."""
LINES_LOOKED_AT = 20
"""How many of the newest activity lines are read to say who changed a conversation."""


def _check_unchanged(work: UnitOfWork, conversation: Conversation, changes: Changes, shown: str) -> None:
    """Raise if somebody else changed what *changes* are about since a page showed the mark *shown*.

    What the sender changed elsewhere, and what a message of the customer or the clock did, is no surprise.
    """
    pairs = zip(_ABOUT, shown.split("|"), state_mark(conversation).split("|"), strict=False)
    moved = {what for (what, fields), was, now in pairs if was != now and fields & changes.keys()}
    if moved:
        _check_lines(work, conversation, frozenset().union(*moved))


def _activities(changes: Changes) -> frozenset[str]:
    """Return the activities that change what *changes* are about."""
    return frozenset().union(*(what for what, fields in _ABOUT if fields & changes.keys()))


def _check_lines(
    work: UnitOfWork, conversation: Conversation, activities: frozenset[str], since: int = 0
) -> None:
    """Raise if the newest of *activities* after the message *since* is somebody else's."""
    query = (
        sa.select(Message.id, Message.author_id, Message.content)
        .where(
            Message.conversation_id == conversation.id,
            Message.kind == InternalKind.ACTIVITY,
            Message.id > since,
        )
        .order_by(Message.id.desc())
        .limit(LINES_LOOKED_AT)
    )
    for line in work.session.execute(query):
        what, by_itself, _how = str(line.content.get("what")).partition("_by_")
        if what in activities and not line.content.get(UNDONE):
            if not by_itself and line.author_id != work.author_id:
                raise ChangedMeanwhileError(line.id)
            return


def handle(
    work: UnitOfWork, conversation: Conversation, handler: Handler, *, because: str, told: bool = False
) -> None:
    """Set who handles the locked *conversation*.

    A change from or to automation is recorded as an event. If a person takes a conversation that nobody
    handled, their message already shows it.

    :param because: the reason, as in :class:`host.events.catalogue.OfHandler`.
    :param told: whether to record it even if automation is not involved.
    """
    before = conversation.handled_by
    if before == handler:
        return
    conversation.handled_by = handler
    work.session.flush()
    if told or Handler.AUTOMATION in {before, handler}:
        facts = OfHandler(handler=handler, before=before, because=because)
        record_conversation(work, conversation, CONVERSATION_HANDLER_CHANGED, facts)


def hand_over(work: UnitOfWork, conversation_id: int, changes: Changes, *, why: str = "") -> None:
    """Hand a conversation over to people, for whose answer the customer waits from then on.

    :param changes: the team or member to assign it to, if known.
    :param why: an assistant's reason, a key of the hook ``reason``.

    :raises ConversationNotFoundError: if the workspace has no such conversation.
    :raises NotAMemberError, TeamNotFoundError: as :func:`set_fields`.
    """
    conversation = locked_conversation(work, conversation_id)
    set_fields(work, conversation_id, {"status": ConversationStatus.OPEN, **changes})
    if conversation.handled_by == Handler.PERSON:
        return
    conversation.waiting_since = conversation.waiting_since or work.now
    add_activity(work, conversation, {"what": "handed_to_people", **({"why": why} if why else {})})
    handle(work, conversation, Handler.PERSON, because="handed_over", told=True)


_NAMES_BEFORE = frozenset({"assignee_id", "team_id", "handled_by"})
"""Fields whose earlier values events contain."""


def _with_handover(session: Session, conversation: Conversation, changes: Changes) -> Mapping[str, Any]:
    """Return *changes*, and unassign the conversation if a team gets it without its assignee."""
    team_id, person = changes.get("team_id"), conversation.assignee_id
    if team_id is None or team_id == conversation.team_id or person is None or "assignee_id" in changes:
        return changes
    stays = session.get(TeamMember, (team_id, person)) is not None
    return changes if stays else {**changes, "assignee_id": None}


def _facts(kind: str, conversation: Conversation, before: Any) -> OfConversation | None:
    """Return the facts an event contains about a change.

    :param before: the earlier assignee id, team id or handler.
    """
    if kind == CONVERSATION_HANDLER_CHANGED:
        because = "taken" if conversation.handled_by == Handler.PERSON else "left"
        return OfHandler(handler=conversation.handled_by, before=str(before), because=because)
    if kind == CONVERSATION_TEAM_ASSIGNED:
        return OfTeam(team=conversation.team_id or 0, before=before or 0)
    if kind == CONVERSATION_ASSIGNED:
        return OfAssignment(assignee=conversation.assignee_id or 0, before=before or 0)
    if kind == CONVERSATION_SNOOZED and conversation.snooze is not None:
        until = conversation.snooze.until
        return OfSnooze(snooze=conversation.snooze.kind, until="" if until is None else until.isoformat())
    if kind == CONVERSATION_WOKEN:
        return OfWaking(because="team")
    return None


def _set_status(work: UnitOfWork, conversation: Conversation, status: ConversationStatus) -> dict[str, Any]:
    closing = status is ConversationStatus.CLOSED
    conversation.status = status
    conversation.closed_at = work.now if closing else None
    if closing:
        conversation.handled_by = Handler.NOBODY
        read_by_all(work.session, conversation)
        put_away(conversation)
    elif conversation.last_direction == Direction.INBOUND:
        # Their last message was settled only by closing, so after reopening they wait again.
        conversation.waiting_since = conversation.last_message_at
    return {"what": "closed" if closing else "reopened"}


def put_away(conversation: Conversation) -> None:
    """End the snooze of a closed conversation without an activity line."""
    conversation.snooze_kind = conversation.snoozed_until = conversation.woken_at = None


def _set_snooze(work: UnitOfWork, conversation: Conversation, snooze: Snooze | None) -> dict[str, Any]:
    if snooze is None:
        conversation.snooze_kind = conversation.snoozed_until = None
        conversation.woken_at = work.now
        return {"what": "woken"}
    if conversation.spam or conversation.status != ConversationStatus.OPEN:
        raise NotSnoozableError()
    check_snooze(snooze, work.now)
    conversation.snooze_kind, conversation.snoozed_until = snooze.kind, snooze.until
    conversation.woken_at = None
    if snooze.until is None:
        return {"what": "snoozed_reply"}
    return {"what": f"snoozed_{snooze.kind}", "until": snooze.until.isoformat()}


def check_snooze(snooze: Snooze, now: datetime) -> None:
    """Refuse a snooze that ends in the past, more than :data:`MOST_SNOOZED` ahead, or has no end it needs.

    :raises SnoozeTimeError: with the reason.
    """
    if (snooze.until is None) is not (snooze.kind is SnoozeKind.REPLY):
        raise SnoozeTimeError(_l("No end time was given, so nothing was snoozed."))
    if snooze.until is not None and snooze.until <= now:
        raise SnoozeTimeError()
    if snooze.until is not None and snooze.until > now + MOST_SNOOZED:
        raise SnoozeTimeError(_l("You can snooze for two years at most. Nothing was snoozed."))


def _set_spam(work: UnitOfWork, conversation: Conversation, spam: bool) -> dict[str, Any]:
    conversation.spam_at = work.now if spam else None
    if spam:
        put_away(conversation)
    return {"what": "marked_spam" if spam else "unmarked_spam"}


def _set_team(work: UnitOfWork, conversation: Conversation, team_id: int | None) -> dict[str, Any]:
    # A shared lock, so that it is not deleted before this is written.
    teams = sa.select(Team.id, Team.name).where(Team.workspace_id == conversation.workspace_id)
    if team_id is None:
        before = work.session.execute(teams.where(Team.id == conversation.team_id)).one_or_none()
        conversation.team_id = None
        return {"what": "team_left", "name": "" if before is None else before.name}
    team = work.session.execute(teams.where(Team.id == team_id).with_for_update(read=True)).one_or_none()
    if team is None:
        raise TeamNotFoundError()
    conversation.team_id = team_id
    return {"what": "team_assigned", "name": team.name}


def _set_assignee(work: UnitOfWork, conversation: Conversation, assignee_id: int | None) -> dict[str, Any]:
    if assignee_id is None:
        conversation.assignee_id = None
        return {"what": "unassigned"}
    name = work.session.scalars(
        sa.select(User.name)
        .join(Membership, Membership.user_id == User.id)
        .where(
            User.id == assignee_id,
            Membership.workspace_id == conversation.workspace_id,
            queries.answers(conversation.account_id),
        )
    ).one_or_none()
    if name is None:
        raise NotAMemberError()
    conversation.assignee_id = assignee_id
    return {"what": "took" if assignee_id == work.author_id else "assigned", "name": name}


def _set_handler(_work: UnitOfWork, conversation: Conversation, handler: Handler) -> dict[str, Any]:
    conversation.handled_by = handler
    return {"what": "taken_over" if handler is Handler.PERSON else "left_to_automation"}


_SETTERS: dict[str, Callable[[UnitOfWork, Conversation, Any], dict[str, Any]]] = {
    "assignee_id": _set_assignee,
    "handled_by": _set_handler,
    "status": _set_status,
    "snooze": _set_snooze,
    "spam": _set_spam,
    "team_id": _set_team,
}
"""Setters by field; each returns the content of the activity line."""

NAMED: Mapping[str, Changes] = {
    "close": {"status": ConversationStatus.CLOSED},
    "reopen": {"status": ConversationStatus.OPEN},
    "keep": {"handled_by": Handler.PERSON},
    "leave": {"handled_by": Handler.NOBODY},
}
"""Changes with a button of their own, by the last part of its address; ``keep`` is from automation, ``leave``
to it.
"""


_RECORDED = {
    "assigned": CONVERSATION_ASSIGNED,
    "took": CONVERSATION_ASSIGNED,
    "unassigned": CONVERSATION_ASSIGNED,
    "team_assigned": CONVERSATION_TEAM_ASSIGNED,
    "team_left": CONVERSATION_TEAM_ASSIGNED,
    "taken_over": CONVERSATION_HANDLER_CHANGED,
    "left_to_automation": CONVERSATION_HANDLER_CHANGED,
    "closed": CONVERSATION_CLOSED,
    "reopened": CONVERSATION_REOPENED,
    **{f"snoozed_{kind}": CONVERSATION_SNOOZED for kind in SnoozeKind},
    "woken": CONVERSATION_WOKEN,
    "marked_spam": CONVERSATION_MARKED_SPAM,
    "unmarked_spam": CONVERSATION_UNMARKED_SPAM,
}
"""Event types by the ``what`` of the activity line. Changes of other fields are only sent to browsers."""

UNDONE = "undone"
"""Key in the content of an activity line whose change was undone."""

ACTIVITIES = {
    "assigned": ("user", _l("%(who)s assigned this to %(name)s")),
    "took": ("user", _l("%(who)s took over this conversation")),
    "unassigned": ("user", _l("%(who)s unassigned this")),
    "team_assigned": ("users", _l("%(who)s assigned this to the team %(name)s")),
    "team_left": ("users", _l("%(who)s unassigned this from the team %(name)s")),
    "taken_over": ("user", _l("%(who)s paused automation")),
    "left_to_automation": ("bolt", _l("%(who)s resumed automation")),
    "handed_to_people": ("users", _l("%(who)s handed this off to the team")),
    "closed": ("check", _l("%(who)s closed this")),
    "reopened": ("unsend", _l("%(who)s reopened this")),
    "erased": ("trash", _l("%(who)s erased this customer")),
    "thread_taken": ("arrow-in", _l("%(who)s took this over from another app")),
    "thread_passed": ("arrow-out", _l("%(who)s handed this off to another app")),
    "thread_released": ("arrow-out", _l("%(who)s released this: the provider chooses who answers next")),
    "snoozed_until": ("snooze", _l("%(who)s snoozed this until %(until)s or a new message")),
    "snoozed_fixed": ("snooze", _l("%(who)s snoozed this until %(until)s, even if they write")),
    "snoozed_reply": ("snooze", _l("%(who)s snoozed this until they write")),
    "woken": ("bell", _l("%(who)s unsnoozed this")),
    "woken_by_time": ("bell", _l("Back from snooze")),
    "woken_by_message": ("bell", _l("Back from snooze: they wrote")),
    "held_for_message": ("clock", _l("They wrote first, so the scheduled reply was not sent")),
    "may_belong_by_message": (
        "info",
        _l("This replies to a message in another conversation that the sender is not part of"),
    ),
    "goes_on": ("right", _l("%(who)s continued on %(name)s")),
    "new_number": ("user", _l("This customer has a new phone number")),
    "new_id": ("user", _l("This customer has a new ID at the provider")),
    "came_from": ("right", _l("Continued on %(name)s")),
    "marked_spam": ("ban", _l("%(who)s marked this as spam")),
    "unmarked_spam": ("check", _l("%(who)s marked this as not spam")),
    "blocked": ("ban", _l("%(who)s blocked this customer")),
    "unblocked": ("check", _l("%(who)s unblocked this customer")),
    "opted_out_by_message": (
        "ban",
        _l("They wrote “%(name)s” and opted out of automated messages. You can still reply."),
    ),
    "opted_in_by_message": ("check", _l("They wrote “%(name)s” and opted in to automated messages again.")),
    "writer_opted_out_by_message": (
        "ban",
        _l("%(person)s wrote “%(name)s” and opted out of automated messages. You can still reply."),
    ),
    "writer_opted_in_by_message": (
        "check",
        _l("%(person)s wrote “%(name)s” and opted in to automated messages again."),
    ),
    "labelled": ("tag", _l("%(who)s added %(name)s")),
    "unlabelled": ("tag", _l("%(who)s removed %(name)s")),
    "reopened_by_message": ("unsend", _l("Reopened by a new message")),
}
"""Icon and sentence of an activity line, by the ``what`` of its content."""
GIVEN = {
    "assigned": ("user", _l("Assigned to %(name)s: %(why)s")),
    "team_assigned": ("users", _l("Assigned to the team %(name)s: %(why)s")),
}
"""The same for automatic changes with a reason."""
GIVEN_BECAUSE = {
    "account": _l("it gets the new conversations of this account"),
    "tapped": _l("it gets the conversations of this ice breaker or menu item"),
    "waited_longest": _l("on duty and waiting longest for a conversation"),
    "waited_its_turn": _l("now on duty, and this conversation waited longest"),
    "last_person": _l("on duty and last in touch with them"),
    "team": _l("anyone free in the team can take it"),
    "nobody_on_duty": _l("nobody in the team is on duty, so it waits"),
    "team_closed": _l("outside the team’s working hours, so it waits"),
    "nobody_in_team": _l("nobody in the team can reply here, so it waits"),
}
OTHER_ACTIVITY = ("info", _l("%(who)s changed this conversation"))


def mark_read(work: UnitOfWork, conversation_id: int, *, user_id: int | None, until: int) -> bool:
    """Mark a conversation as read by a member up to the message *until*.

    Return whether they are the first member to read it.

    :param user_id: the member; None for a program, which changes only the team's unread count.
    :param until: the id of a message; what arrived after it stays unread.
    :raises ConversationNotFoundError: if the workspace has no such conversation.
    """
    session, conversation = work.session, locked_conversation(work, conversation_id)
    later = (
        session.scalar(
            sa.select(sa.func.count())
            .select_from(Message)
            .where(
                Message.conversation_id == conversation.id,
                Message.id > until,
                Message.direction == Direction.INBOUND,
                Message.imported_at.is_(None),
            )
        )
        or 0
    )
    if user_id is not None:
        before = session.get(ConversationRead, (user_id, conversation.id))
        floor = conversation.read_count if before is None else before.seen_count
        seen = max(conversation.arrived_count - later, floor)
        if seen > floor or (before is not None and before.marked):
            _note_read(session, conversation, user_id, seen, marked=False)
    if later >= conversation.unread_count:
        return False
    conversation.unread_count = later
    session.flush()
    publish_conversation(session, conversation)
    return True


def mark_unread(work: UnitOfWork, conversation_id: int, *, user_id: int) -> None:
    """Mark a conversation as unread for one member, until they open it again.

    :raises ConversationNotFoundError: if the workspace has no such conversation.
    """
    conversation = locked_conversation(work, conversation_id)
    before = work.session.get(ConversationRead, (user_id, conversation.id))
    seen = conversation.read_count if before is None else before.seen_count
    _note_read(work.session, conversation, user_id, seen, marked=True)


def _note_read(
    session: Session, conversation: Conversation, user_id: int, seen: int, *, marked: bool
) -> None:
    values = {"seen_count": seen, "marked": marked}
    row = session.get(ConversationRead, (user_id, conversation.id))
    if row is None:
        session.add(ConversationRead(user_id=user_id, conversation_id=conversation.id, **values))
    else:
        row.seen_count, row.marked = seen, marked
    session.flush()
    show_presence(session, conversation, user_id, "read")


def read_by_all(session: Session, conversation: Conversation, author_id: int | None = None) -> None:
    """Mark *conversation* as read by everyone, because it was answered or closed.

    Members' own unread marks stay, except that of *author_id*, who answered.
    """
    conversation.unread_count = 0
    conversation.read_count = conversation.arrived_count
    conversation.waiting_since = None
    of_this = ConversationRead.conversation_id == conversation.id
    done = sa.or_(ConversationRead.marked.is_(False), ConversationRead.user_id == (author_id or 0))
    session.execute(sa.delete(ConversationRead).where(of_this, done))
    session.execute(sa.update(ConversationRead).where(of_this).values(seen_count=conversation.arrived_count))


def hide_message(work: UnitOfWork, conversation_id: int, message_id: int) -> None:
    """Hide a message from the team. The provider and the customer keep it.

    An unsent message has no content to hide and stays unchanged.

    :raises ConversationNotFoundError: if the workspace has no such conversation.
    :raises MessageNotFoundError: if it has no such message, or that is a note or an activity line.
    """
    _set_hidden(work, conversation_id, message_id, work.now)


def unhide_message(work: UnitOfWork, conversation_id: int, message_id: int) -> None:
    """Show a hidden message again.

    :raises ConversationNotFoundError: as :func:`hide_message`.
    :raises MessageNotFoundError: as :func:`hide_message`.
    """
    _set_hidden(work, conversation_id, message_id, None)


def _set_hidden(work: UnitOfWork, conversation_id: int, message_id: int, hidden_at: datetime | None) -> None:
    conversation, message = locked_message(work, message_id, conversation_id=conversation_id)
    if message.unsent_at is not None or (message.hidden_at is None) is (hidden_at is None):
        return
    message.hidden_at = hidden_at
    if _is_last(conversation, message):
        conversation.last_kind = HIDDEN if hidden_at else message.kind
        conversation.last_preview = "" if hidden_at else preview(message.text)
    work.session.flush()
    publish_changed_message(work.session, message)


def _is_last(conversation: Conversation, message: Message) -> bool:
    """Return whether the list shows *message* as the conversation's last one."""
    return (conversation.last_message_at, conversation.last_direction) == (message.sent_at, message.direction)
