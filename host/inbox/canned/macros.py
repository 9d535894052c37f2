"""Macros: several actions on a conversation at one press, all of them or none.

Each step is done by the use case that people's own presses call, so it leaves the same lines, records and
refusals. A macro may name a label, a person or a canned reply that is gone: it says so, and does nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, Literal, get_args

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext
from flask_babel.speaklater import LazyString
from sqlalchemy.orm import Session

from host.core.cleaning import clean_written
from host.core.errors import ConflictError, ForbiddenError, InvalidError, LobbyError, NotFoundError
from host.inbox import labels, names, notes, queries, snoozing, teams, variables
from host.inbox.canned import replies
from host.inbox.canned.replies import Who
from host.inbox.conversation_actions import Changes, set_fields
from host.inbox.conversations import conversation_row
from host.inbox.drafts import Draft
from host.inbox.errors import ConversationNotFoundError, SnoozeTimeError
from host.inbox.reply import Voice, queue_parts, take_lane
from host.models.canned import Macro
from host.models.inbox import ConversationStatus, Message, Origin, Snooze, SnoozeKind
from host.sdk import strictjson
from host.sdk.channel import ChannelAdapter
from host.users.reach import Accounts

MOST = 100
"""Most macros of everybody, and of one member: all of them are in the menu."""
MOST_STEPS = 20
LONGEST_NOTE = 2000
_MACROS = Macro.metadata.tables["macros"]


class MacroNotFoundError(NotFoundError):
    """There is no such macro, or it is somebody else's."""

    code = "macro_not_found"
    title = _l("No such macro")
    default_sentence = _l("This macro does not exist. Somebody may have deleted it.")
    default_next_step = _l("Choose another one.")


class MacroError(InvalidError):
    """A macro lacks something, or has what it cannot have; *field* says which."""

    code = "macro"
    title = _l("The macro is not complete")
    default_sentence = _l("A macro does one to 20 things, so nothing was saved.")
    default_next_step = _l("Choose what it is to do.")


class SharedMacroError(ForbiddenError):
    """Shared macros are changed by those who keep them."""

    code = "shared_macro"
    default_sentence = _l(
        "This macro is shared, and only leads and owners change those. Nothing was changed."
    )


class MacroStepError(ConflictError):
    """A step of a macro could not be done, so none was."""

    code = "macro_step"
    title = _l("The macro was not run")
    default_sentence = _l("A step of the macro could not be done, so nothing was changed.")


# ---- steps ---------------------------------------------------------------------------------------------


SnoozeEnd = Literal["hour", "later", "evening", "tomorrow", "monday", "week", "reply"]
SNOOZES: tuple[SnoozeEnd, ...] = get_args(SnoozeEnd)


class _Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="do"):
    """Something a macro does."""


class AddLabel(_Step, tag="label", frozen=True):
    label: int


class RemoveLabel(_Step, tag="unlabel", frozen=True):
    label: int


class AssignTo(_Step, tag="assign", frozen=True):
    person: int


class AssignMe(_Step, tag="assignMe", frozen=True):
    pass


class AssignNobody(_Step, tag="assignNobody", frozen=True):
    pass


class GiveToTeam(_Step, tag="team", frozen=True):
    team: int


class SnoozeUntil(_Step, tag="snooze", frozen=True):
    """*when* is a key of :data:`host.inbox.snoozing.PRESETS`, by the clock of who runs it, or ``reply``."""

    when: SnoozeEnd


class Close(_Step, tag="close", frozen=True):
    pass


class MarkSpam(_Step, tag="spam", frozen=True):
    pass


class SendReply(_Step, tag="reply", frozen=True):
    canned: int


class AddNote(_Step, tag="note", frozen=True):
    text: str


Step = (
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

NAMING = {"label": "label", "unlabel": "label", "assign": "person", "team": "team", "reply": "canned"}
"""The kinds of steps that name something, and the field of its id."""

PLAIN: Mapping[str, LazyString] = {
    "assignMe": _l("Assign to whoever runs it"),
    "assignNobody": _l("Assign to nobody"),
    "close": _l("Close"),
    "spam": _l("Mark as spam"),
    "note": _l("Add a note"),
}
"""The words of steps that name nothing."""


def steps_of(row: Macro) -> tuple[Step, ...]:
    """Return what a macro does; nothing where it cannot be read, as of a later Lobby."""
    try:
        return strictjson.convert(list(row.steps), tuple[Step, ...])
    except msgspec.ValidationError:
        return ()


def read_steps(steps: Sequence[Mapping[str, Any]]) -> tuple[Step, ...]:
    """Return steps as programs and pages give them.

    :raises MacroError: if one is none.
    """
    try:
        return strictjson.convert([dict(step) for step in steps], tuple[Step, ...])
    except msgspec.ValidationError:
        raise MacroError(_l("One of the steps is none, so nothing was saved."), field="steps") from None


@dataclass(frozen=True, slots=True)
class Named:
    """What steps may name, by id: labels, people who answer, teams, and replies whoever looks may use."""

    labels: Mapping[int, str]
    people: Mapping[int, str]
    teams: Mapping[int, str]
    replies: Mapping[int, str]

    def gone(self, step: Step) -> bool:
        """Tell whether what a step names is not there any more, or not for whoever looks."""
        if isinstance(step, AddLabel | RemoveLabel):
            return step.label not in self.labels
        if isinstance(step, AssignTo):
            return step.person not in self.people
        if isinstance(step, GiveToTeam):
            return step.team not in self.teams
        return isinstance(step, SendReply) and step.canned not in self.replies

    def any_gone(self, steps: Sequence[Step]) -> bool:
        """Tell whether something that *steps* name is gone: then none of them is done."""
        return any(self.gone(step) for step in steps)

    def words(self, step: Step) -> str:
        """Return what a step does, in a few words."""
        if isinstance(step, AddLabel | RemoveLabel):
            name = self.labels.get(step.label)
            if name is None:
                adds = isinstance(step, AddLabel)
                return str(_l("Add a deleted label") if adds else _l("Take a deleted label off"))
            text = (
                _l("Add the label %(name)s")
                if isinstance(step, AddLabel)
                else _l("Take the label %(name)s off")
            )
            return str(text) % {"name": name}
        if isinstance(step, AssignTo):
            name = self.people.get(step.person)
            return str(_l("Assign to %(name)s", name=name) if name else _l("Assign to somebody who left"))
        if isinstance(step, GiveToTeam):
            name = self.teams.get(step.team)
            return str(
                _l("Give to the team %(name)s", name=name) if name else _l("Give to a team that is gone")
            )
        if isinstance(step, SnoozeUntil):
            when = snoozing.PRESETS.get(step.when, _l("Until they write"))
            return str(_l("Snooze: %(when)s", when=when))
        if isinstance(step, SendReply):
            name = self.replies.get(step.canned)
            return str(_l("Send %(name)s", name=name) if name else _l("Send a canned reply that is gone"))
        return str(PLAIN[str(step.__struct_config__.tag)])


def named(session: Session, workspace_id: int, who: Who) -> Named:
    """Return what steps of a workspace may name: six statements."""
    offered = replies.listing(session, workspace_id, who)
    return Named(
        {row.id: row.name for row in labels.all_of(session, workspace_id)},
        {one.id: one.name for one in queries.all_members(session, workspace_id)},
        {row.id: row.name for row in teams.all_of(session, workspace_id)},
        {one.id: f"/{one.shortcut}" for one in offered},
    )


# ---- keeping them --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Shown:
    """A macro as somebody sees it.

    :param changes: whether whoever looks may change it.
    """

    id: int
    name: str
    steps: tuple[Step, ...]
    shared: bool
    changes: bool
    uses: int
    used_at: datetime | None


def listing(session: Session, workspace_id: int, who: Who) -> list[Shown]:
    """Return the macros somebody may run, those that are used most first: one statement."""
    mine = Macro.owner_id == who.user_id if who.user_id is not None else sa.false()
    query = sa.select(Macro).where(Macro.workspace_id == workspace_id, sa.or_(Macro.owner_id.is_(None), mine))
    rows = sorted(session.scalars(query), key=lambda row: (-row.uses, row.name.casefold(), row.id))
    return [shown(row, who) for row in rows]


def shown(row: Macro, who: Who) -> Shown:
    """Return a macro as *who* sees it."""
    shared = row.owner_id is None
    return Shown(row.id, row.name, steps_of(row), shared, who.keeps or not shared, row.uses, row.used_at)


def get(session: Session, workspace_id: int, macro_id: int, who: Who, *, lock: bool = False) -> Macro:
    """Return a macro that somebody may run.

    :param lock: until the write ends; they have to be those who may change it.
    :raises MacroNotFoundError: if there is none.
    :raises SharedMacroError: with *lock*, if they may not change it.
    """
    mine = Macro.owner_id == who.user_id if who.user_id is not None else sa.false()
    query = sa.select(Macro).where(
        Macro.id == macro_id, Macro.workspace_id == workspace_id, sa.or_(Macro.owner_id.is_(None), mine)
    )
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    row = session.scalars(query).one_or_none()
    if row is None:
        raise MacroNotFoundError()
    if lock and not shown(row, who).changes:
        raise SharedMacroError()
    return row


def create(
    session: Session,
    *,
    workspace_id: int,
    who: Who,
    name: str,
    steps: tuple[Step, ...],
    shared: bool,
    now: datetime,
) -> Macro:
    """Add a macro and return it.

    :raises MacroError: if it has no name or no steps, names what is not there, or there are too many.
    :raises SharedMacroError: if it is to be shared and they may not.
    """
    _check_shared(who, shared)
    owner_id = None if shared else who.user_id
    theirs = Macro.owner_id.is_(None) if owner_id is None else Macro.owner_id == owner_id
    query = sa.select(sa.func.count()).where(Macro.workspace_id == workspace_id, theirs)
    if (session.scalar(query) or 0) >= MOST:
        raise MacroError(_l("There are as many macros as fit into the menu, so nothing was saved."))
    row = Macro(
        workspace_id=workspace_id,
        owner_id=owner_id,
        name=checked_name(name),
        steps=_checked(session, workspace_id, steps, who, shared),
        created_at=now,
        changed_at=now,
    )
    session.add(row)
    session.flush()
    return row


def change(
    session: Session,
    *,
    workspace_id: int,
    macro_id: int,
    who: Who,
    name: str,
    steps: tuple[Step, ...],
    shared: bool,
    now: datetime,
) -> Macro:
    """Give a macro a name and steps, and return it. Raises what :func:`get` and :func:`create` raise."""
    row = get(session, workspace_id, macro_id, who, lock=True)
    _check_shared(who, shared)
    row.name = checked_name(name)
    row.steps = _checked(session, workspace_id, steps, who, shared)
    row.owner_id = None if shared else who.user_id
    row.changed_at = now
    session.flush()
    return row


def delete(session: Session, *, workspace_id: int, macro_id: int, who: Who) -> Macro:
    """Delete a macro and return it as it was. Raises what :func:`get` raises."""
    row = get(session, workspace_id, macro_id, who, lock=True)
    session.execute(sa.delete(Macro).where(Macro.id == row.id))
    session.expunge(row)
    return row


def checked_name(name: str) -> str:
    """Return the name of a macro as it is kept.

    :raises MacroError: if it is empty or too long.
    """
    refusal = MacroError(
        _l("A macro needs a name of at most 40 letters, so nothing was saved."),
        next_step=lazy_pgettext("macro", "Give it a name."),
        field="name",
    )
    return names.checked(name, refusal)


def _check_shared(who: Who, shared: bool) -> None:
    if shared and not who.keeps:
        raise SharedMacroError()


def _checked(
    session: Session, workspace_id: int, steps: tuple[Step, ...], who: Who, shared: bool
) -> list[Any]:
    """Return steps as they are kept."""
    if not 0 < len(steps) <= MOST_STEPS:
        raise MacroError(field="steps")
    # What everybody runs may name what everybody sees alone.
    there = named(session, workspace_id, Who(None, keeps=False) if shared else who)
    for number, step in enumerate(steps, 1):
        if there.gone(step):
            raise MacroError(
                _l(
                    "Step %(number)s names something that is not there for everybody who may run it.",
                    number=number,
                ),
                next_step=_l("Choose something else. A shared macro sends replies that everybody shares."),
                field="steps",
            )
        if isinstance(step, AddNote) and not 0 < len(clean_written(step.text)) <= LONGEST_NOTE:
            raise MacroError(
                _l("The note of step %(number)s is empty, or has over 2,000 letters.", number=number),
                next_step=_l("Write what the note is to say."),
                field="steps",
            )
    return [
        as_json(AddNote(clean_written(step.text)) if isinstance(step, AddNote) else step) for step in steps
    ]


def as_json(step: Step) -> dict[str, Any]:
    """Return a step as it is kept: what it does first, then what it names."""
    kept: dict[str, Any] = msgspec.to_builtins(step)
    return kept


# ---- running one ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Runner:
    """Who runs a macro, and what that takes.

    :param key: of the press: one that is repeated sends and notes nothing twice.
    :param zone: that of whoever runs it, for the ends of snoozes.
    :param languages: to answer in where the customer's is not known, the best first.
    :param seen_id: the newest message they have seen; None: it does not matter what came since.
    :param by: the name of the API key, or of the rule, where no person runs it.
    :param voice: whose word a reply is; a rule's is nobody's.
    """

    who: Who
    key: str
    zone: tzinfo
    languages: Sequence[str] = ()
    seen_id: int | None = None
    by: str | None = None
    voice: Voice = Voice.PERSON


def run(
    session: Session,
    *,
    workspace_id: int,
    conversation_id: int,
    accounts: Accounts,
    macro_id: int,
    runner: Runner,
    adapter: ChannelAdapter | None,
    now: datetime,
) -> tuple[Macro, list[Message]]:
    """Do what a macro says, in its order and in one write; return it, and the messages it sent.

    :raises MacroNotFoundError: if there is no such macro for them.
    :raises ConversationNotFoundError: if the workspace has no such conversation.
    :raises MacroStepError: if a step could not be done, with its number and the reason; the write is undone.
    """
    macro = get(session, workspace_id, macro_id, runner.who)
    steps = steps_of(macro)
    if any(isinstance(step, SendReply) for step in steps):
        # Lanes are locked before conversations, wherever in the macro the reply stands.
        take_lane(session, workspace_id, conversation_id)
    there = named(session, workspace_id, runner.who)
    if not steps:
        raise MacroStepError(
            _l("This macro was made by a newer Lobby and cannot be run. Nothing was changed.")
        )
    doing = Doing(session, workspace_id, conversation_id, runner, adapter, now, accounts)
    for number, step in enumerate(steps, 1):
        try:
            if there.gone(step):
                raise MacroError(
                    _l("What it names is gone."), next_step=_l("Change the macro in the settings.")
                )
            doing.do(number, step)
        except ConversationNotFoundError:
            raise
        except LobbyError as error:
            raise MacroStepError(
                _l(
                    "%(macro)s stopped at step %(number)s, “%(step)s”, so nothing was changed. %(why)s",
                    macro=macro.name,
                    number=number,
                    step=there.words(step),
                    why=error.sentence,
                ),
                next_step=error.next_step,
            ) from error
    session.execute(
        sa.update(_MACROS).where(_MACROS.c.id == macro.id).values(uses=_MACROS.c.uses + 1, used_at=now)
    )
    return macro, doing.sent


class Doing:
    """A macro or a rule that is being run: each kind of step by the use case that people's presses call."""

    def __init__(
        self,
        session: Session,
        workspace_id: int,
        conversation_id: int,
        runner: Runner,
        adapter: ChannelAdapter | None,
        now: datetime,
        accounts: Accounts,
    ) -> None:
        self.session = session
        self.place: dict[str, Any] = {
            "workspace_id": workspace_id,
            "conversation_id": conversation_id,
            "accounts": accounts,
        }
        self.runner = runner
        self.adapter = adapter
        self.now = now
        self.sent: list[Message] = []

    @property
    def actor(self) -> dict[str, Any]:
        return {"author_id": self.runner.who.user_id, "now": self.now, "by": self.runner.by}

    def do(self, number: int, step: Step) -> None:
        if isinstance(step, AddLabel | RemoveLabel):
            add, remove = ((step.label,), ()) if isinstance(step, AddLabel) else ((), (step.label,))
            labels.set_labels(self.session, add=add, remove=remove, **self.place, **self.actor)
        elif isinstance(step, SendReply):
            self._send(number, step)
        elif isinstance(step, AddNote):
            key = f"{self.runner.key}-{number}"
            notes.add_note(self.session, text=step.text, reply_key=key, **self.place, **self.actor)
        else:
            set_fields(self.session, self._changes(step), **self.place, **self.actor)

    def _changes(self, step: Step) -> Changes:
        if isinstance(step, AssignTo):
            return {"assignee_id": step.person}
        if isinstance(step, AssignNobody):
            return {"assignee_id": None}
        if isinstance(step, GiveToTeam):
            return {"team_id": step.team}
        if isinstance(step, SnoozeUntil):
            return {"snooze": self._snooze(step)}
        if isinstance(step, Close):
            return {"status": ConversationStatus.CLOSED}
        if isinstance(step, MarkSpam):
            return {"spam": True}
        if self.runner.who.user_id is None:
            raise MacroError(_l("A program runs it, and has no conversations of its own."), next_step="")
        return {"assignee_id": self.runner.who.user_id}

    def _snooze(self, step: SnoozeUntil) -> Snooze:
        if step.when == "reply":
            return Snooze(SnoozeKind.REPLY)
        until = snoozing.presets(self.now, self.runner.zone).get(step.when)
        if until is None:
            raise SnoozeTimeError(_l("It is too late for that today."))
        return Snooze(SnoozeKind.UNTIL, until)

    def _send(self, number: int, step: SendReply) -> None:
        workspace_id, runner = self.place["workspace_id"], self.runner
        row = conversation_row(self.session, **self.place)
        shown = replies.seen(self.session, workspace_id, step.canned, runner.who)
        languages = [*replies.languages_for(self.session, row), *runner.languages]
        text = shown.texts.get(replies.preferred(shown.texts, languages), "")
        values = replies.values_for(self.session, row, runner.who.user_id)
        written = variables.text_of(variables.fill(variables.parse(text), values))
        variables.check_filled(written)
        key = f"{runner.key}-{number}"
        before = self._sent_before(key)
        if before:
            self.sent += before
            return
        made = replies.take_files(
            self.session, shown, workspace_id=workspace_id, user_id=runner.who.user_id, now=self.now
        )
        drafts = [Draft(uploads=tuple(one.id for one in made))] if made else []
        messages = queue_parts(
            self.session,
            author_id=runner.who.user_id,
            drafts=[*drafts, Draft(text=written)] if written else drafts,
            reply_key=key,
            adapter=self.adapter,
            now=self.now,
            by_person=runner.by is None,
            seen_id=runner.seen_id,
            voice=runner.voice,
            **self.place,
        )
        if runner.by is not None and runner.voice is Voice.PERSON:
            for message in messages:
                message.origin = Origin.API
            self.session.flush()
        replies.note_used(self.session, workspace_id, [step.canned], self.now)
        self.sent += messages

    def _sent_before(self, key: str) -> list[Message]:
        """Return what the same press sent already: its files would be new ones each time."""
        query = sa.select(Message).where(
            Message.conversation_id == self.place["conversation_id"], Message.reply_key == key
        )
        return list(self.session.scalars(query.order_by(Message.position)))
