"""Actions on a conversation, for macros, rules and sequences: their names, and running them.

Each is run by the use case that buttons call, so it has the same entries, events and refusals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Any, Literal, get_args

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString
from sqlalchemy.orm import Session

from host.core.errors import InvalidError
from host.inbox import notes, queries, snoozing, variables
from host.inbox.canned import replies
from host.inbox.canned.replies import Viewer
from host.inbox.conversation_actions import Changes, set_fields
from host.inbox.conversations import conversation_row
from host.inbox.drafts import Draft
from host.inbox.errors import SnoozeTimeError
from host.inbox.labels import labels
from host.inbox.reply import Voice, queue_parts
from host.inbox.teams import teams
from host.inbox.variable_values import values_of_conversation
from host.models.inbox import ConversationStatus, Message, Origin, Snooze, SnoozeKind
from host.sdk.channel import ChannelAdapter
from host.users.actor import UnitOfWork

LONGEST_NOTE = 2000
SnoozeEnd = Literal["hour", "later", "evening", "tomorrow", "monday", "week", "reply"]
SNOOZES: tuple[SnoozeEnd, ...] = get_args(SnoozeEnd)


class _Action(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="do"):
    """An action on a conversation."""


class AddLabel(_Action, tag="label", frozen=True):
    label: int


class RemoveLabel(_Action, tag="unlabel", frozen=True):
    label: int


class AssignTo(_Action, tag="assign", frozen=True):
    person: int


class AssignMe(_Action, tag="assignMe", frozen=True):
    pass


class AssignNobody(_Action, tag="assignNobody", frozen=True):
    pass


class GiveToTeam(_Action, tag="team", frozen=True):
    team: int


class SnoozeUntil(_Action, tag="snooze", frozen=True):
    """Snooze until *when*: ``reply``, or a key of :data:`host.inbox.snoozing.PRESETS`."""

    when: SnoozeEnd


class Close(_Action, tag="close", frozen=True):
    pass


class MarkSpam(_Action, tag="spam", frozen=True):
    pass


class SendReply(_Action, tag="reply", frozen=True):
    canned: int


class AddNote(_Action, tag="note", frozen=True):
    text: str


class AddonDoes(_Action, tag="addon", frozen=True):
    """Run an action of an addon."""

    name: str


class RunMacro(_Action, tag="macro", frozen=True):
    """Run a shared macro: all of it, or nothing."""

    macro: int


class SetAttribute(_Action, tag="attribute", frozen=True):
    """Set an attribute of the contact to a text with variables; empty: clear it."""

    attribute: int
    value: str = ""


ConversationAction = (
    AddLabel
    | RemoveLabel
    | AssignTo
    | AssignMe
    | AssignNobody
    | GiveToTeam
    | SnoozeUntil
    | Close
    | MarkSpam
    | SendReply
    | AddNote
)

ID_FIELDS = {"label": "label", "unlabel": "label", "assign": "person", "team": "team", "reply": "canned"}
"""The kinds of actions that refer to something, and the field with its id."""

_TARGETS: Mapping[str, tuple[str, LazyString, LazyString]] = {
    "label": ("labels", _l("Add label %(name)s"), _l("Add a deleted label")),
    "unlabel": ("labels", _l("Remove label %(name)s"), _l("Remove a deleted label")),
    "assign": ("people", _l("Assign to %(name)s"), _l("Assign to a former member")),
    "team": ("teams", _l("Assign to team %(name)s"), _l("Assign to a deleted team")),
    "reply": ("replies", _l("Send %(name)s"), _l("Send a deleted canned reply")),
}
"""Their field of :class:`ActionTargets`, and their descriptions with a target and with a missing one."""

_WORDS: Mapping[str, LazyString] = {
    "assignMe": _l("Assign to the person who runs it"),
    "assignNobody": _l("Unassign"),
    "close": _l("Close"),
    "spam": _l("Mark as spam"),
    "note": _l("Add a note"),
}
"""Descriptions of the other actions, except snoozing."""


def kind_of(action: msgspec.Struct) -> str:
    """Return the kind of an action, as ``do`` has it in JSON."""
    return str(action.__struct_config__.tag)


def to_builtins(action: msgspec.Struct) -> dict[str, Any]:
    """Return an action as JSON: ``do``, then its fields."""
    fields: dict[str, Any] = msgspec.to_builtins(action)
    return fields


class ActionTargets(msgspec.Struct, frozen=True):
    """Names of what actions may refer to, by id: labels, people who answer, teams and canned replies."""

    labels: Mapping[int, str]
    people: Mapping[int, str]
    teams: Mapping[int, str]
    replies: Mapping[int, str]

    def _name(self, action: ConversationAction) -> str | None:
        kind = kind_of(action)
        names: Mapping[int, str] = getattr(self, _TARGETS[kind][0])
        return names.get(getattr(action, ID_FIELDS[kind]))

    def is_missing(self, action: ConversationAction) -> bool:
        """Return whether the target of an action was deleted, or is not visible to the viewer."""
        return kind_of(action) in ID_FIELDS and self._name(action) is None

    def any_missing(self, actions: Sequence[ConversationAction]) -> bool:
        """Return whether a target of *actions* is missing: in that case none of them is run."""
        return any(self.is_missing(action) for action in actions)

    def describe(self, action: ConversationAction) -> str:
        """Return the description of an action."""
        kind = kind_of(action)
        if isinstance(action, SnoozeUntil):
            when = snoozing.PRESETS.get(action.when, _l("Until they write"))
            return str(_l("Snooze: %(when)s", when=when))
        if kind not in ID_FIELDS:
            return str(_WORDS[kind])
        name = self._name(action)
        _field, words, missing = _TARGETS[kind]
        return str(missing) if name is None else str(words) % {"name": name}


def targets(session: Session, workspace_id: int, viewer: Viewer) -> ActionTargets:
    """Return what actions of *viewer* may refer to in a workspace: six statements."""
    return ActionTargets(
        {row.id: row.name for row in labels.all_of(session, workspace_id)},
        {member.id: member.name for member in queries.all_members(session, workspace_id)},
        {row.id: row.name for row in teams.all_of(session, workspace_id)},
        {reply.id: f"/{reply.shortcut}" for reply in replies.listing(session, workspace_id, viewer)},
    )


# ---- running -------------------------------------------------------------------------------------------


class ActionContext(msgspec.Struct, frozen=True):
    """The person or program that runs actions.

    :param viewer: sees the canned replies that are sent.
    :param key: idempotency key: the same key never sends or notes anything twice.
    :param zone: time zone for the ends of snoozes.
    :param languages: for replies where the customer's language is unknown, the best first.
    :param seen_id: the newest message they have seen; None to ignore newer messages.
    :param shown: how a page showed the conversation, from
        :func:`host.models.inbox.state_mark`; None for no page.
    :param voice: the author of replies; rules have none.
    """

    viewer: Viewer
    key: str
    zone: tzinfo
    languages: Sequence[str] = ()
    seen_id: int | None = None
    shown: str | None = None
    voice: Voice = Voice.PERSON


class ActionRunner:
    """Runs actions of a macro or rule in one conversation, by the use cases that buttons call."""

    def __init__(
        self, work: UnitOfWork, conversation_id: int, context: ActionContext, adapter: ChannelAdapter | None
    ) -> None:
        self.work = work
        self.conversation_id = conversation_id
        self.context = context
        self.adapter = adapter
        self.sent: list[Message] = []

    def run(self, number: int, action: ConversationAction) -> None:
        """Run an action.

        :param number: its place, from 1: part of the idempotency key.
        """
        if isinstance(action, AddLabel | RemoveLabel):
            # One to remove that is gone is refused, too: the run says that the step did nothing.
            labels.get(self.work.session, self.work.workspace_id, action.label)
            add, remove = ((action.label,), ()) if isinstance(action, AddLabel) else ((), (action.label,))
            labels.set_labels(self.work, self.conversation_id, add=add, remove=remove)
        elif isinstance(action, SendReply):
            self._send(number, action)
        elif isinstance(action, AddNote):
            key = f"{self.context.key}-{number}"
            notes.add_note(self.work, self.conversation_id, text=action.text, reply_key=key)
        else:
            set_fields(self.work, self.conversation_id, self._changes(action), shown=self.context.shown)

    def _changes(self, action: ConversationAction) -> Changes:
        if isinstance(action, AssignTo):
            return {"assignee_id": action.person}
        if isinstance(action, AssignNobody):
            return {"assignee_id": None}
        if isinstance(action, GiveToTeam):
            return {"team_id": action.team}
        if isinstance(action, SnoozeUntil):
            return {"snooze": self._snooze(action)}
        if isinstance(action, Close):
            return {"status": ConversationStatus.CLOSED}
        if isinstance(action, MarkSpam):
            return {"spam": True}
        if self.context.viewer.user_id is None:
            raise InvalidError(_l("Programs can't have conversations assigned to them."), next_step="")
        return {"assignee_id": self.context.viewer.user_id}

    def _snooze(self, action: SnoozeUntil) -> Snooze:
        if action.when == "reply":
            return Snooze(SnoozeKind.REPLY)
        until = snoozing.presets(self.work.now, self.context.zone).get(action.when)
        if until is None:
            raise SnoozeTimeError(_l("That time has already passed today."))
        return Snooze(SnoozeKind.UNTIL, until)

    def _send(self, number: int, action: SendReply) -> None:
        work, context = self.work, self.context
        session, workspace_id = work.session, work.workspace_id
        row = conversation_row(session, workspace_id, self.conversation_id, accounts=work.accounts)
        shown = replies.seen(session, workspace_id, action.canned, context.viewer)
        languages = [*replies.languages_for(session, row), *context.languages]
        text = shown.texts.get(replies.preferred(shown.texts, languages), "")
        values = values_of_conversation(session, row, context.viewer.user_id)
        written = variables.text_of(variables.fill(variables.parse(text), values))
        variables.check_filled(written)
        key = f"{context.key}-{number}"
        before = self._sent_before(key)
        if before:
            self.sent += before
            return
        files = replies.take_files(
            session, shown, workspace_id=workspace_id, user_id=context.viewer.user_id, now=work.now
        )
        drafts = [Draft(uploads=tuple(file.id for file in files))] if files else []
        messages = queue_parts(
            work,
            self.conversation_id,
            [*drafts, Draft(text=written)] if written else drafts,
            reply_key=key,
            adapter=self.adapter,
            by_person=work.by is None,
            seen_id=context.seen_id,
            voice=context.voice,
        )
        if work.by is not None and context.voice is Voice.PERSON:
            for message in messages:
                message.origin = Origin.API
            session.flush()
        replies.note_used(session, workspace_id, [action.canned], work.now)
        self.sent += messages

    def _sent_before(self, key: str) -> list[Message]:
        """Return the messages that were already sent with *key*: uploads would differ each time."""
        query = sa.select(Message).where(
            Message.conversation_id == self.conversation_id, Message.reply_key == key
        )
        return list(self.work.session.scalars(query.order_by(Message.position)))
