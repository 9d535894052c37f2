"""Run the actions of a rule, by the same use cases that people's buttons call.

A refused action returns its reason and does not affect the others. Everything sent is subject to the limits
on automated messages: the reply window, the customer's opt-out, a person who is handling the conversation,
and a budget.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

from host.automation import addon_actions, buttons, texts
from host.automation import facts as talks
from host.automation.actions import (
    ActionContext,
    ActionRunner,
    AddonDoes,
    AssignNobody,
    AssignTo,
    GiveToTeam,
    kind_of,
)
from host.automation.condition_facts import EventFacts
from host.automation.deciding import BUDGET, may_speak
from host.automation.runs import DueRun
from host.core import clock
from host.core.errors import ConflictError, LobbyError
from host.events.kinds.conversations import CONVERSATION_CLOSED
from host.events.kinds.messages import MESSAGE_RECEIVED
from host.events.kinds.rules import RULE_CALLED, RULE_TOLD, OfRule
from host.events.models import ActorKind
from host.events.writing import Happened, record, together
from host.features import registry
from host.inbox.canned.replies import Viewer
from host.inbox.comments.private import queue_private
from host.inbox.conversation_actions import set_fields
from host.inbox.conversations import by_program
from host.inbox.drafts import Draft
from host.inbox.reacting import react
from host.inbox.reply import Voice, queue_parts
from host.models.inbox import CAMPAIGN_KEY, Contact, ConversationStatus, Direction, Handler
from host.models.users import Workspace
from host.rules import campaigns
from host.rules.body import (
    ANSWERS,
    SENDING,
    Action,
    Body,
    Call,
    GiveOut,
    NotifyPeople,
    ReplyPrivately,
    ReplyPublicly,
    Say,
    StartSequence,
)
from host.rules.campaigns import Took
from host.sdk.messages import MessageKind
from host.sdk.rules import React
from host.users import desk_language
from host.users.actor import UnitOfWork, person_or_desk
from host.working_hours import hours

AWAITED = "private_awaited"
"""Reason code: the public answer waits for the outcome of its rule's private reply."""
_GIVING = (AssignTo, AssignNobody, GiveToTeam, GiveOut)
"""Actions that may reassign the conversation."""


class NotDoneError(ConflictError):
    """An action of a rule was not done, for a reason from :data:`host.automation.words.REASONS`."""

    code = "rule_not_done"

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason


@dataclass(slots=True)
class ActionResults:
    """Results of the actions of one rule.

    :param steps: for each action, its kind and why it was not done; empty if it was.
    :param given: the team in which to assign the conversation, once the rule is done.
    :param private_id: the private reply; *public_id*: the public answer; *number*: the number of its text.
    """

    steps: list[tuple[str, str]] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)
    given: int | None = None
    private_id: int | None = None
    public_id: int | None = None
    number: int = 0

    @property
    def took(self) -> Took:
        """Return the result that a campaign stores."""
        tags = {one.__struct_config__.tag for one in ANSWERS}
        reason = next((why for what, why in self.steps if why not in {"", AWAITED} and what in tags), "")
        return Took(reason, self.private_id, self.public_id, self.number)

    @property
    def refused(self) -> str:
        """Return why the first refused action was not done; empty if all were done, or will be."""
        return refusal(self.steps)

    @property
    def awaited(self) -> list[int]:
        """Return the numbers of the public answers that wait for the outcome of the private reply."""
        return [number for number, (_what, why) in enumerate(self.steps, 1) if why == AWAITED]


def refusal(steps: Iterable[Sequence[str]]) -> str:
    """Return why the first refused step was not done; empty if all were done, or will be."""
    return next((why for _what, why in steps if why not in {"", AWAITED}), "")


@dataclass(slots=True)
class Acting:
    """A rule whose actions are running, in a locked conversation.

    :param due: the run, by whose id nothing is sent twice.
    """

    due: DueRun
    rule_id: int
    name: str
    body: Body
    about: EventFacts
    _unanswered: int = 0
    """Number of automated messages sent since the customer last wrote, once queried."""
    _private_was_sent: bool = False
    """Whether to give the public answers now, because the private reply was sent."""

    @property
    def work(self) -> UnitOfWork:
        """The unit of work of the rule."""
        return replace(self.due.work, actor=person_or_desk(None, self.name))

    @property
    def key(self) -> str:
        """How the keys of what this run sends begin."""
        kind = "rule-" if self.body.campaign is None else CAMPAIGN_KEY
        return f"{kind}{self.rule_id}-{self.due.run.id}"

    def do(self) -> ActionResults:
        """Run every action, in order."""
        done = ActionResults()
        workspace = self.due.session.get_one(Workspace, self.due.conversation.workspace_id)
        zone = clock.zone(workspace.timezone) if workspace.timezone in clock.zones() else clock.zone("UTC")
        context = ActionContext(
            viewer=Viewer(None, keeps=False),
            key=self.key,
            zone=zone,
            languages=(desk_language.of_workspace(workspace.language),),
            voice=Voice.NOTICE,
        )
        adapter = self.due.directory.adapter(self.due.conversation.channel)
        # Keep a reference: a session drops unreferenced objects, so each answer would reload the customer.
        _customer = self.due.session.get(Contact, self.due.conversation.contact_id)
        runner = ActionRunner(self.work, self.due.conversation.id, context, adapter)
        for number, action in enumerate(self.body.actions, 1):
            why = self._tried(number, action, runner, done)
            done.steps.append((kind_of(action), why))
        if done.private_id is None:
            # The public answer would announce a private reply that was not sent.
            done.steps = [(what, "no_private" if why == AWAITED else why) for what, why in done.steps]
        done.sent += [message.id for message in runner.sent]
        if self.body.campaign is not None and done.private_id is not None:
            # A keyword that was answered needs no attention; the next message reopens the conversation.
            with self._named():
                self._set({"status": ConversationStatus.CLOSED})
        return done

    def _named(self) -> AbstractContextManager[None]:
        """Return a block whose notes and lines say whether a campaign or a rule added them."""
        return nullcontext() if self.body.campaign is None else by_program(self.due.session, "campaign")

    def answer_publicly(self, numbers: Iterable[int]) -> ActionResults:
        """Give the public answers that waited until the private reply was sent.

        :param numbers: their positions among the actions, from 1. The steps of other actions stay empty.
        """
        done = ActionResults()
        self._private_was_sent = True
        for number in numbers:
            action = self.body.actions[number - 1]
            done.steps.append((kind_of(action), self._tried(number, action, None, done)))
        return done

    def _tried(self, number: int, action: Action, runner: ActionRunner | None, done: ActionResults) -> str:
        """Run an action; return why it was not done, or an empty string."""
        try:
            with self._named(), together(self.due.session), self.due.session.begin_nested():
                self._one(number, action, runner, done)
        except NotDoneError as error:
            return error.reason
        except LobbyError as error:
            return error.code
        return ""

    def _one(self, number: int, action: Action, runner: ActionRunner | None, done: ActionResults) -> None:
        if isinstance(action, SENDING):
            self._check_sending(number, action, done)
        elif isinstance(action, _GIVING) and self._is_taken():
            raise NotDoneError("assigned")
        match action:
            case Say():
                self._say(number, self._filled(action.text), done)
            case ReplyPublicly():
                self._publicly(number, action, done)
            case ReplyPrivately():
                self._privately(number, action, done)
            case GiveOut():
                self._set({"team_id": action.team})
                done.given = action.team
            case NotifyPeople():
                facts = OfRule(rule=self.rule_id, person=action.person, team=action.team)
                self._record(RULE_TOLD, facts)
            case Call():
                self._call(action.endpoint)
            case StartSequence():
                self._start(action.sequence)
            case AddonDoes():
                self._addon(number, action, done)
            case _:
                assert runner is not None, "only public answers are given later"
                runner.run(number, action)

    def _is_taken(self) -> bool:
        """Return whether a person assigned the conversation, so that no rule may reassign it.

        The exception is a rule that a person triggers, such as by a label: that is the person's decision.
        """
        if self.about.event.actor == ActorKind.USER:
            return False
        return (
            self.due.conversation.assignee_id is not None
            and self.due.conversation.handled_by == Handler.PERSON
        )

    def _check_may_speak(self, *, is_answer: bool = False, is_start: bool = False) -> None:
        """Refuse to send where automated messages are not allowed.

        :param is_answer: whether it answers the message of the event itself, which still makes sense an hour
            later.
        :param is_start: whether it starts a sequence, which is refused later where another automation is.
        :raises NotDoneError: with the reason.
        """
        tapped = self.about.event.message_id if self.about.row.message_kind == MessageKind.POSTBACK else None
        if tapped is not None and buttons.answered(self.due.session, [tapped]):
            raise NotDoneError("tap_answered")
        last = talks.last_inbound(self.due.session, self.due.conversation.id)
        known = None if last is None else talks.known(self.due.session, [last]).get(last)
        if known is None:
            raise NotDoneError("never_wrote")
        self._unanswered = talks.unanswered(self.due.session, self.due.conversation.id, last)
        adapter = self.due.directory.adapter(self.due.conversation.channel)
        hindrance = known.hindrance(adapter, self.due.now)
        if hindrance == "closed_by_team" and (self._is_about_closing() or self._private_was_sent):
            hindrance = ""
        if hindrance == "automation" and (is_answer or is_start):
            hindrance = ""  # answers to different messages don't exclude each other
        why = may_speak(
            self.due.now,
            hindrance=hindrance,
            may_be_late=is_answer,
            answers=self.about.row.sent_at if self.about.event.kind == MESSAGE_RECEIVED else None,
            person_at=known.row.person_at,
            is_persons=self.due.conversation.handled_by == Handler.PERSON,
            unanswered=self._unanswered,
        )
        if why:
            raise NotDoneError(why)

    def _check_sending(self, number: int, action: Action, done: ActionResults) -> None:
        """Refuse an action that sends where automated messages are not allowed. Only the first of two answers
        is fully checked.

        :raises NotDoneError: with the reason.
        """
        both = self.body.actions[max(0, number - 2) : number]
        asked = (
            done.steps
            and len(both) == 2
            and all(isinstance(one, ANSWERS) for one in both)
            and not done.steps[-1][1]
        )
        if not asked:
            self._check_may_speak(
                is_answer=isinstance(action, ANSWERS), is_start=isinstance(action, StartSequence)
            )
        elif self._unanswered + len(done.sent) >= BUDGET:  # no one else can send while it is locked
            raise NotDoneError("budget")

    def _is_about_closing(self) -> bool:
        return self.about.event.kind == CONVERSATION_CLOSED

    def _filled(self, text: str) -> str:
        if "{{" not in text:
            return text  # it needs no look-ups
        theirs = hours.of_team(
            self.due.session, self.due.conversation.workspace_id, self.due.conversation.team_id
        )
        opens = None if theirs.is_open(self.due.now) else theirs.opens_at(self.due.now)
        adapter = self.due.directory.adapter(self.due.conversation.channel)
        filled = texts.filled(
            text, talks.values(self.due.session, self.due.conversation, adapter, opens, self.due.now)
        )
        if filled is None:
            raise NotDoneError("unfilled")
        return filled

    def _say(self, number: int, text: str, done: ActionResults) -> None:
        self._queue(number, Draft(text=text), done)

    def _queue(self, number: int, draft: Draft, done: ActionResults, voice: Voice = Voice.NOTICE) -> int:
        """Queue a draft; return the id of its last message.

        :param voice: a notice leaves the customer waiting; an answer does not.
        """
        messages = queue_parts(
            self.work,
            self.due.conversation.id,
            [draft],
            reply_key=f"{self.key}-{number}",
            adapter=self.due.directory.adapter(self.due.conversation.channel),
            by_person=False,
            voice=voice,
            held=self.due.held,
        )
        done.sent += [message.id for message in messages]
        return messages[-1].id

    def _answered(self) -> int:
        """Return the id of the message to answer: the one the event is about.

        :raises NotDoneError: if that is not the customer's, or was deleted.
        """
        message_id = self.about.event.message_id
        if message_id is None or self.about.row.direction != Direction.INBOUND:
            raise NotDoneError("nothing_to_do")
        if self.about.row.unsent_at is not None:
            raise NotDoneError("taken_back")
        return message_id

    def _publicly(self, number: int, action: ReplyPublicly, done: ActionResults) -> None:
        adapter, message_id = self.due.directory.adapter(self.due.conversation.channel), self._answered()
        if adapter is None or not adapter.capabilities.public:
            raise NotDoneError("not_public")
        if not self._private_was_sent and any(isinstance(one, ReplyPrivately) for one in self.body.actions):
            raise NotDoneError(AWAITED)  # it may announce a reply that was not sent
        turn = campaigns.next_turn(self.due.session, self.rule_id) % len(action.texts)
        draft = Draft(text=self._filled(action.texts[turn]), reply_to=message_id)
        done.public_id = self._queue(number, draft, done, Voice.AUTOMATION)
        done.number = turn + 1

    def _privately(self, number: int, action: ReplyPrivately, done: ActionResults) -> None:
        adapter, message_id = self.due.directory.adapter(self.due.conversation.channel), self._answered()
        if adapter is None or adapter.capabilities.private_replies is None:
            raise NotDoneError("not_public")
        message = queue_private(
            self.work,
            self.due.conversation.id,
            message_id,
            self._filled(action.text),
            quick_replies=[{"title": one, "payload": one} for one in action.quick_replies],
            reply_key=f"{self.key}-{number}",
            adapter=adapter,
            by_person=False,
            voice=Voice.AUTOMATION,
            held=self.due.held,
        )
        done.private_id = message.id
        done.sent.append(message.id)

    def _call(self, endpoint_id: int) -> None:
        where = {"session": self.due.session, "workspace_id": self.due.conversation.workspace_id}
        addresses = registry.hooks().addresses(**where)
        if addresses is None:
            raise NotDoneError("webhooks_off")
        if endpoint_id not in addresses:
            raise NotDoneError("endpoint_gone")
        self._record(RULE_CALLED, OfRule(rule=self.rule_id, endpoint=endpoint_id))

    def _start(self, sequence_id: int) -> None:
        why = registry.hooks().start_sequence(
            session=self.due.session,
            sequence_id=sequence_id,
            conversation=self.due.conversation,
            by="rule",
            directory=self.due.directory,
            now=self.due.now,
            held=self.due.held,
        )
        if why is None:
            raise NotDoneError("sequences_off")
        if why:
            raise NotDoneError(why)

    def _addon(self, number: int, action: AddonDoes, done: ActionResults) -> None:
        named = action.name, self.due.conversation.channel
        wanted = addon_actions.planned(self.due.session, self.due.directory, *named, self.about)
        if isinstance(wanted, str):
            raise NotDoneError(wanted)
        if isinstance(wanted, React):
            message_id = self.about.event.message_id
            if message_id is None:
                raise NotDoneError("nothing_to_do")
            react(
                self.work,
                message_id,
                wanted.emoji,
                directory=self.due.directory,
                conversation_id=self.due.conversation.id,
                by_itself=True,
            )
        else:
            self._say(number, wanted.text, done)

    def _set(self, changes: Any) -> None:
        set_fields(self.work, self.due.conversation.id, changes)

    def _record(self, kind: str, facts: OfRule) -> None:
        ids = self.due.conversation.account_id, self.due.conversation.id, self.about.event.message_id
        record(
            self.due.session,
            Happened(
                self.due.conversation.workspace_id, kind, "", *ids, actor_kind=ActorKind.SYSTEM, facts=facts
            ),
        )
