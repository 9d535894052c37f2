"""Do the steps of runs, each in the write that moves the run.

The customer's ordered queue and the conversation are locked, as for any reply. Then it is checked again
whether automation may write at all: publishing proved nominal times only. A run goes on until it waits or
ends.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from collections.abc import Sequence as Many
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.automation import addon_actions, buttons, condition_facts
from host.automation import facts as talks
from host.automation.actions import ActionContext, ActionRunner, AddonDoes, RunMacro, SetAttribute
from host.automation.condition_facts import Event
from host.automation.conditions import Facts
from host.automation.deciding import BUDGET, RunKind
from host.core import clock
from host.core.errors import LobbyError
from host.core.ports import RuleDirectory
from host.events.kinds.messages import MESSAGE_RECEIVED
from host.events.kinds.sequences import SEQUENCE_ENDED, OfSequence
from host.events.models import ActorKind
from host.events.writing import Happened, record, together
from host.inbox.apply import responders
from host.inbox.canned import macros
from host.inbox.canned.replies import Viewer
from host.inbox.contacts import details
from host.inbox.conversation_actions import hand_over, handle, set_fields
from host.inbox.conversations import by_program, locked_conversation, publish_conversation
from host.inbox.drafts import Draft
from host.inbox.errors import ConversationNotFoundError
from host.inbox.reacting import react
from host.inbox.reply import HeldLocks, Voice, queue_parts, take_lane
from host.models.automation import AutomationRun, RunState
from host.models.inbox import Contact, Conversation, ConversationStatus, Handler, Message
from host.models.users import Workspace
from host.sdk.capabilities import QuickReplyLimits, TemplateLimits
from host.sdk.messages import MessageKind
from host.sdk.rules import SendText
from host.sequences.body import Act, Ask, Body, Call, Wait, read
from host.sequences.decisions import Decider, Heard
from host.sequences.models import (
    ENDED_BY_TEAM,
    FEATURE_OFF,
    MOVED,
    Sequence,
    SequenceAnswer,
    SequenceRun,
    SequenceVersion,
    SequenceVisit,
    WaitsFor,
)
from host.users.actor import DESK, UnitOfWork, person_or_desk
from host.working_hours import hours
from host.working_hours.hours import Hours


def body_of(session: Session, sequence_id: int, version: int) -> Body | None:
    """Return a version's definition; None if a newer Lobby wrote it."""
    query = sa.select(sa.cast(SequenceVersion.body, sa.Text)).where(
        SequenceVersion.sequence_id == sequence_id, SequenceVersion.number == version
    )
    text = session.scalar(query)
    return None if text is None else body_in(text)


@lru_cache(maxsize=512)
def body_in(text: str) -> Body | None:
    """Return the definition in a stored JSON text, cached; None if a newer Lobby wrote it."""
    return read(json.loads(text))


def locked_run(session: Session, conversation_id: int, run_id: int | None = None) -> SequenceRun | None:
    """Return the run in a locked conversation, locked until the write ends; None if there is none.

    :param run_id: the only run that is wanted; None: any.
    """
    mine = [] if run_id is None else [SequenceRun.id == run_id]
    query = (
        sa.select(SequenceRun)
        .where(
            SequenceRun.conversation_id == conversation_id, SequenceRun.active_contact_id.is_not(None), *mine
        )
        .order_by(SequenceRun.id.desc())
        .limit(1)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return session.scalars(query).one_or_none()


def stopping(session: Session, run: SequenceRun, conversation: Conversation) -> str:
    """Return why a run must not go on in a locked conversation, a key of the reasons; empty: it may."""
    workspace = session.get_one(Workspace, conversation.workspace_id)
    contact = session.get_one(Contact, conversation.contact_id, populate_existing=True)
    if workspace.archived_at is not None or workspace.deleting_at is not None:
        return "archived"
    if conversation.spam_at is not None:
        return "spam"
    if not contact.accepts_automatic:
        return "opted_out"
    if responders.is_held(conversation, clock.now()):
        return "answered_elsewhere"
    if conversation.status != ConversationStatus.OPEN:
        return "closed_by_team"
    if conversation.handled_by == Handler.PERSON:
        return "person"
    by_people = sa.select(Message.id).where(
        Message.conversation_id == conversation.id,
        Message.sent_at >= run.started_at,
        *talks.by_people(),
    )
    return "person" if session.scalar(by_people.limit(1)) is not None else ""


@dataclass(slots=True)
class Walk(Decider):
    """A run that goes on in its locked conversation, and writes to the database.

    :param held: the locks of this write for sending, lane first.
    """

    session: Session
    run: SequenceRun
    name: str
    body: Body
    conversation: Conversation
    directory: RuleDirectory
    now: datetime
    held: HeldLocks | None = None
    _sent: list[int] = field(default_factory=list)
    """Our messages of this write."""

    @property
    def work(self) -> UnitOfWork:
        """The unit of work of the sequence."""
        return UnitOfWork(self.session, self.run.workspace_id, person_or_desk(None, self.name), self.now)

    # ---- what moves it ---------------------------------------------------------------------------------

    def hear(self, message: Message) -> bool:
        """Go on with a message of the customer; return whether the run took it."""
        payload = message.content.get("payload") if isinstance(message.content, Mapping) else None
        if self.take(Heard(message.id, message.text or "", payload if isinstance(payload, str) else "")):
            return True
        if self.run.reason != MOVED or self.run.waits_for == WaitsFor.PERSON:
            return False
        self.run.message_id = message.id  # it was written before the step's question
        self.go_on()
        return True

    def go_on(self) -> None:
        if self.run.reason != MOVED:
            Decider.go_on(self)
            return
        self.run.due_at = None
        if not self._is_stopped():
            self.run.reason = None
            self._go("moved", self.run.step)

    def check(self, *, closed: bool = False) -> None:
        """End or pause the run if something of the team's stops it; resume it if nothing does any more.

        :param closed: whether the team closed the conversation during the run. The customer may have written
            since, which opens it again.
        """
        if closed:
            self.end("stopped", "closed_by_team")
        elif not self._is_stopped() and self.run.waits_for == WaitsFor.PERSON:
            self._resume()

    def _resume(self) -> None:
        if self.run.reason == MOVED:
            self.go_on()
            return
        step = self.body.step(self.run.step)
        if isinstance(step, Ask | Wait | Call):
            self._wait(step)
        else:
            self.leave_to_people("step_gone")

    # ---- ends ------------------------------------------------------------------------------------------

    def end(self, outcome: str, reason: str | None = None) -> None:
        """End the run; the conversation is nobody's again."""
        self._note_end(outcome, reason)
        if self.conversation.handled_by == Handler.AUTOMATION:
            handle(self.work, self.conversation, Handler.NOBODY, because="ended")

    def leave_to_people(self, reason: str, team: int = 0, outcome: str = "people") -> None:
        """End the run and hand the conversation to people, for whose answer the customer waits."""
        self._note_end(outcome, reason or None)
        self._let_leave()
        team_id = team or self.body.team
        try:
            with self.session.begin_nested():
                self._hand_over({"team_id": team_id} if team_id else {})
        except LobbyError:  # the team was deleted
            self._hand_over({})

    def _let_leave(self) -> None:
        """Let the messages of this write leave although people have the conversation from now on.

        What was queued before and has not left is held back, as when a person takes over.
        """
        if not self._sent:
            return
        run = self.run
        last = AutomationRun(
            workspace_id=run.workspace_id,
            kind=RunKind.SEQUENCE_PEOPLE,
            automation_id=run.id,
            automation_version=run.version,
            conversation_id=run.conversation_id,
            message_id=run.message_id,
            cause_id=run.cause_id,
            root_id=run.root_id,
            depth=run.depth,
            state=RunState.DONE,
            attempts=0,
            facts={"sent": self._sent},
            sent_id=self._sent[-1],
            created_at=self.now,
            done_at=self.now,
        )
        self.session.add(last)
        self.session.flush()

    def _note_end(self, outcome: str, reason: str | None) -> None:
        run = self.run
        run.end(outcome, reason, self.now)
        self.session.flush()
        facts = OfSequence(
            sequence=run.sequence_id,
            run=run.id,
            version=run.version,
            step=run.step,
            outcome=outcome,
            reason=reason or "",
        )
        record(
            self.session,
            Happened(
                run.workspace_id,
                SEQUENCE_ENDED,
                account_id=self.conversation.account_id,
                conversation_id=self.conversation.id,
                actor_kind=ActorKind.SYSTEM,
                facts=facts,
            ),
        )

    def _hand_over(self, changes: Any) -> None:
        with by_program(self.session, "sequence"):
            why = FEATURE_OFF if self.run.reason == FEATURE_OFF else ""
            hand_over(self.work, self.conversation.id, changes, why=why)

    def _is_stopped(self) -> bool:
        """Return whether the run must not go on; then end it, or pause it where a person writes."""
        if self.run.reason == ENDED_BY_TEAM:
            self.end("stopped", ENDED_BY_TEAM)
            return True
        why = stopping(self.session, self.run, self.conversation)
        if why == "person" and self.body.person == "pause" and self.conversation.handled_by == Handler.PERSON:
            self.run.waits_for, self.run.due_at = WaitsFor.PERSON, None
            return True
        if why == "person" and self.body.person == "pause":
            why = ""  # they left it to automation again
        if why:
            self.end("stopped", why)
        return bool(why)

    # ---- the steps -------------------------------------------------------------------------------------

    def _flush(self) -> None:
        self.session.flush()

    def _together(self) -> AbstractContextManager[Any]:
        return together(self.session)

    def _leave(self, way: str) -> None:
        if self.run.number:
            self._visit().way = way

    def _note_visit(self) -> None:
        run = self.run
        self.session.add(SequenceVisit(run_id=run.id, number=run.number, step=run.step, at=self.now))
        self.session.flush()

    def _visit(self) -> SequenceVisit:
        return self.session.get_one(SequenceVisit, (self.run.id, self.run.number))

    def _close(self) -> None:
        with by_program(self.session, "sequence"):
            set_fields(self.work, self.conversation.id, {"status": ConversationStatus.CLOSED})

    def _note_refused(self, why: str) -> None:
        self._visit().refused = why

    def _note_wait(self) -> None:
        self.session.flush()
        conversation = self.conversation
        if conversation.handled_by == Handler.AUTOMATION and conversation.waiting_since is not None:
            # They wait for the sequence: an assistant must not hand them to people meanwhile.
            conversation.waiting_since = None
            self.session.flush()
            publish_conversation(self.session, conversation)

    def _open_from(self, since: datetime) -> datetime | None:
        theirs = self._hours()
        return since if theirs.is_open(since) else theirs.opens_at(since)

    def _hours(self) -> Hours:
        return hours.of_team(self.session, self.run.workspace_id, self.conversation.team_id)

    def _facts(self) -> Facts | None:
        seen = self._seen()
        return None if seen is None else seen.facts

    def _seen(self) -> condition_facts.EventFacts | None:
        event = Event(
            self.run.id,
            self.run.workspace_id,
            MESSAGE_RECEIVED,
            self.conversation.id,
            self.run.message_id,
            str(ActorKind.CUSTOMER),
        )
        asked = {self.run.workspace_id: [self.body]}
        needs = condition_facts.needs([self.body])
        found = condition_facts.seen(self.session, [event], needs, self.directory, self.now, asked)
        return found.get(self.run.id)

    def _act(self, step: Act) -> str:
        action = step.action
        if isinstance(action, AddonDoes):
            return self._run_addon(action.name)
        assert not isinstance(action, SetAttribute), "stored by the decider"
        context = ActionContext(
            viewer=Viewer(None, keeps=False),
            key=f"sequence-{self.run.id}-{self.run.number}",
            zone=clock.zone(self._hours().timezone),
            voice=Voice.AUTOMATION,
        )
        where = self.work, self.conversation.id
        adapter = self.directory.adapter(self.conversation.channel)
        try:
            with by_program(self.session, "sequence"), self.session.begin_nested():
                if isinstance(action, RunMacro):
                    if self._unanswered() >= BUDGET and macros.sends(
                        self.session, self.run.workspace_id, action.macro, context.viewer
                    ):
                        return "budget"
                    _macro, sent = macros.run(*where, action.macro, context=context, adapter=adapter)
                else:
                    runner = ActionRunner(*where, context, adapter)
                    runner.run(1, action)
                    sent = runner.sent
        except LobbyError as error:
            return error.code
        self._note_sent(sent)
        return ""

    def _run_addon(self, name: str) -> str:
        """Run an action of an addon; return why it was not done, or an empty string."""
        seen = self._seen()
        if seen is None:
            return "nothing_to_do"
        wanted = addon_actions.planned(self.session, self.directory, name, self.conversation.channel, seen)
        if isinstance(wanted, str):
            return wanted
        if isinstance(wanted, SendText):
            if self._unanswered() >= BUDGET:
                return "budget"
            return self._send(wanted.text, {}, Voice.AUTOMATION)
        if self.run.message_id is None:
            return "nothing_to_do"
        try:
            with self.session.begin_nested():
                react(
                    self.work,
                    self.run.message_id,
                    wanted.emoji,
                    directory=self.directory,
                    conversation_id=self.conversation.id,
                    by_itself=True,
                )
        except LobbyError as error:
            return error.code
        return ""

    # ---- questions -------------------------------------------------------------------------------------

    def _keep(self, name: str, value: str, message_id: int | None) -> None:
        row = self.session.get(SequenceAnswer, (self.run.id, name))
        if row is None:
            row = SequenceAnswer(run_id=self.run.id, name=name, value=value, message_id=message_id)
            self.session.add(row)
        row.value, row.message_id = value, message_id
        self.session.flush()

    def _store(self, attribute_id: int, value: str) -> None:
        try:
            with self.session.begin_nested():
                changes = {details.field_of(attribute_id): value}
                details.change(self.work, self.conversation.contact_id, changes)
        except LobbyError as error:
            self._visit().refused = error.code

    def _answers(self) -> dict[str, str]:
        kept = sa.select(SequenceAnswer).where(SequenceAnswer.run_id == self.run.id)
        return {row.name: row.value for row in self.session.scalars(kept)}

    # ---- sending ---------------------------------------------------------------------------------------

    def _quick_reply_limits(self) -> QuickReplyLimits | None:
        adapter = self.directory.adapter(self.conversation.channel)
        return None if adapter is None else adapter.capabilities.quick_replies

    def _card_limits(self) -> TemplateLimits | None:
        adapter = self.directory.adapter(self.conversation.channel)
        return None if adapter is None else adapter.capabilities.template

    def _person(self) -> str:
        adapter = self.directory.adapter(self.conversation.channel)
        assert adapter is not None  # it has quick replies
        return buttons.person_title(self.session, self.run.workspace_id, adapter.capabilities)

    def _language(self) -> str | None:
        return self.session.get_one(Workspace, self.run.workspace_id).language

    def _unanswered(self) -> int:
        return talks.unanswered(self.session, self.conversation.id)

    def _values(self) -> Mapping[str, str]:
        theirs = self._hours()
        opens = None if theirs.is_open(self.now) else theirs.opens_at(self.now)
        adapter = self.directory.adapter(self.conversation.channel)
        return talks.values(self.session, self.conversation, adapter, opens, self.now)

    def _send(self, text: str, content: Mapping[str, Any], voice: Voice, *, part: str = "") -> str:
        return self._send_draft(Draft(text=text, content=content), voice, part=part)

    def _send_cards(self, elements: Many[Mapping[str, Any]]) -> str:
        content = {"template": {"elements": list(elements)}}
        return self._send_draft(Draft(kind=MessageKind.TEMPLATE, content=content), Voice.AUTOMATION)

    def _send_draft(self, draft: Draft, voice: Voice, *, part: str = "") -> str:
        key = f"sequence-{self.run.id}-{self.run.number}{part and f'-{part}'}"
        try:
            messages = queue_parts(
                self.work,
                self.conversation.id,
                [draft],
                reply_key=key,
                adapter=self.directory.adapter(self.conversation.channel),
                by_person=False,
                voice=voice,
                held=self.held,
            )
        except LobbyError as error:
            # Raised before any write: the account, the customer or the channel does not allow it.
            return error.code
        self._note_sent(messages)
        return ""

    def _note_sent(self, messages: Many[Message]) -> None:
        if messages:
            self._visit().message_id = messages[-1].id
            self._sent += [one.id for one in messages]


def walk(
    work: UnitOfWork,
    run: SequenceRun,
    conversation: Conversation,
    directory: RuleDirectory,
    held: HeldLocks | None,
) -> Walk | None:
    """Return a run that can go on; None after it was ended, because its version cannot be read."""
    session, now = work.session, work.now
    name = session.scalar(sa.select(Sequence.name).where(Sequence.id == run.sequence_id)) or ""
    body = body_of(session, run.sequence_id, run.version)
    if body is not None:
        return Walk(session, run, name, body, conversation, directory, now, held)
    empty = Walk(session, run, name, Body(steps=()), conversation, directory, now, held)
    empty.leave_to_people("unreadable", outcome="failed")
    return None


def locked_walk(
    session: Session,
    run_id: int,
    directory: RuleDirectory,
    now: datetime,
    is_wanted: Callable[[SequenceRun], bool],
) -> Walk | None:
    """Return a run that can go on, with its lane, conversation and row locked in that order.

    None if it ended, is deleted, or is not wanted; *is_wanted* is asked before and after locking.
    """
    seen = session.get(SequenceRun, run_id)
    if seen is None or not is_wanted(seen):
        return None
    try:
        recipient = take_lane(session, seen.workspace_id, seen.conversation_id)
        work = UnitOfWork(session, seen.workspace_id, DESK, now)
        conversation = locked_conversation(work, seen.conversation_id)
    except ConversationNotFoundError:
        return None  # the run is deleted with it
    run = locked_run(session, conversation.id, run_id)
    if run is None or not is_wanted(run):
        return None
    work = UnitOfWork(session, run.workspace_id, DESK, now)
    return walk(work, run, conversation, directory, HeldLocks(conversation, recipient))
