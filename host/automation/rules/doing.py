"""Do what a rule says: each action by the use case that people's own presses call.

An action that is refused leaves the others as they are, and says why. What is sent obeys what everything does
that no person writes: the reply window, the customer's wish, a person who has the word, and a budget.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from host.automation import facts as talks
from host.automation import texts
from host.automation.deciding import BUDGET, may_speak
from host.automation.rules import campaigns
from host.automation.rules.body import (
    ANSWERS,
    SENDING,
    Action,
    AddonDoes,
    Body,
    Call,
    GiveOut,
    ReplyPrivately,
    ReplyPublicly,
    Say,
    Tell,
)
from host.automation.rules.campaigns import Took
from host.automation.rules.facts import Seen
from host.core import clock
from host.core.errors import ConflictError, LobbyError
from host.core.ports import RuleDirectory
from host.inbox.canned.macros import AssignNobody, AssignTo, Doing, GiveToTeam, Runner
from host.inbox.canned.replies import Who
from host.inbox.comments.private import queue_private
from host.inbox.conversation_actions import set_fields
from host.inbox.drafts import Draft
from host.inbox.reacting import react
from host.inbox.reply import Held, Voice, queue_parts
from host.models.inbox import Contact, Conversation, ConversationStatus, Direction, Handler
from host.models.outgoing import Endpoint
from host.models.record import ActorKind
from host.models.users import Workspace
from host.record import catalogue
from host.record.catalogue import OfRule
from host.record.writing import Happened, record, together
from host.sdk.rules import React, SendText
from host.users import desk_language, hours
from host.users.reach import ALL_ACCOUNTS

log = logging.getLogger(__name__)

AWAITED = "private_awaited"
"""The reason of a public answer that waits for the outcome of the private reply of its rule."""
_GIVING = (AssignTo, AssignNobody, GiveToTeam, GiveOut)
"""The actions after which somebody may not have the conversation any more."""


class NotDoneError(ConflictError):
    """An action of a rule is not done, for a reason of :data:`host.automation.words.REASONS`."""

    code = "rule_not_done"

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason


@dataclass(slots=True)
class Done:
    """What became of the actions of one rule.

    :param steps: of each, what it does and why it was not done; empty: it was.
    :param given: the team to give the conversation out in, once the rule is done.
    :param private_id: the private reply, *public_id* the public answer and *number* which text of it.
    """

    steps: list[tuple[str, str]] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)
    given: int | None = None
    private_id: int | None = None
    public_id: int | None = None
    number: int = 0

    @property
    def took(self) -> Took:
        """Return what of it a campaign keeps."""
        tags = {one.__struct_config__.tag for one in ANSWERS}
        reason = next((why for what, why in self.steps if why not in {"", AWAITED} and what in tags), "")
        return Took(reason, self.private_id, self.public_id, self.number)

    @property
    def refused(self) -> str:
        """Return why the first action was not done that was not; empty: all were, or will be."""
        return refusal(self.steps)

    @property
    def awaited(self) -> list[int]:
        """Return the numbers of the public answers that wait for the outcome of the private reply."""
        return [number for number, (_what, why) in enumerate(self.steps, 1) if why == AWAITED]


def refusal(steps: Iterable[Sequence[str]]) -> str:
    """Return why the first of *steps* was not done that was not; empty: all were, or will be."""
    return next((why for _what, why in steps if why not in {"", AWAITED}), "")


@dataclass(slots=True)
class Acting:
    """A rule that is being done, in a conversation that is locked.

    :param key: of this run: what is sent and noted with it is there once.
    :param held: what this write has locked for what is sent; None: the conversation alone.
    """

    session: Session
    conversation: Conversation
    rule_id: int
    name: str
    body: Body
    about: Seen
    key: str
    directory: RuleDirectory
    now: datetime
    held: Held | None = None
    _unanswered: int = 0
    """How many messages went out by themselves, when it was asked, since the customer wrote."""
    _private_was_sent: bool = False
    """Whether the public answers are to be given now, for the private reply was sent."""

    def do(self) -> Done:
        """Do every action, in order."""
        done = Done()
        workspace = self.session.get_one(Workspace, self.conversation.workspace_id)
        zone = clock.zone(workspace.timezone) if workspace.timezone in clock.zones() else clock.zone("UTC")
        runner = Runner(
            who=Who(None, keeps=False),
            key=self.key,
            zone=zone,
            languages=(desk_language.of_workspace(workspace.language),),
            by=self.name,
            voice=Voice.NOTICE,
        )
        adapter = self.directory.adapter(self.conversation.channel)
        # A session forgets what nobody holds: each of several answers would read the customer anew.
        _customer = self.session.get(Contact, self.conversation.contact_id)
        steps = Doing(
            self.session,
            self.conversation.workspace_id,
            self.conversation.id,
            runner,
            adapter,
            self.now,
            ALL_ACCOUNTS,
        )
        for number, action in enumerate(self.body.actions, 1):
            why = self._tried(number, action, steps, done)
            done.steps.append((str(action.__struct_config__.tag), why))
        if done.private_id is None:
            # What waited for it would announce what does not come.
            done.steps = [(what, "no_private" if why == AWAITED else why) for what, why in done.steps]
        done.sent += [message.id for message in steps.sent]
        if self.body.campaign is not None and done.private_id is not None:
            # Nobody has to look at a word that was answered; what they write next opens it again.
            self._set({"status": ConversationStatus.CLOSED})
        return done

    def answer_publicly(self, numbers: Iterable[int]) -> Done:
        """Give the public answers that waited for the private reply, which was sent.

        :param numbers: their places among the actions, from 1. Of the others the steps say nothing.
        """
        done = Done()
        self._private_was_sent = True
        for number in numbers:
            action = self.body.actions[number - 1]
            done.steps.append((str(action.__struct_config__.tag), self._tried(number, action, None, done)))
        return done

    def _tried(self, number: int, action: Action, steps: Doing | None, done: Done) -> str:
        """Do an action; return why it was not done, empty: it was."""
        try:
            with together(self.session), self.session.begin_nested():
                self._one(number, action, steps, done)
        except NotDoneError as error:
            return error.reason
        except LobbyError as error:
            return error.code
        return ""

    def _one(self, number: int, action: Action, steps: Doing | None, done: Done) -> None:
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
            case Tell():
                facts = OfRule(rule=self.rule_id, person=action.person, team=action.team)
                self._record(catalogue.RULE_TOLD, facts)
            case Call():
                if self.session.get(Endpoint, action.endpoint) is None:
                    raise NotDoneError("endpoint_gone")
                self._record(catalogue.RULE_CALLED, OfRule(rule=self.rule_id, endpoint=action.endpoint))
            case AddonDoes():
                self._addon(number, action, done)
            case _:
                assert steps is not None, "only public answers are given later"
                steps.do(number, action)

    def _is_taken(self) -> bool:
        """Tell whether somebody has the conversation by a person's hand: no rule takes it from them.

        But for one that a person starts, as by a label: that is their own word.
        """
        if self.about.event.actor == ActorKind.USER:
            return False
        return self.conversation.assignee_id is not None and self.conversation.handled_by == Handler.PERSON

    def _check_may_speak(self, *, is_answer: bool = False) -> None:
        """Refuse to send where nothing automatic may.

        :param is_answer: it answers the message of the event itself, which is not odd an hour later.
        :raises NotDoneError: which says why.
        """
        last = talks.last_inbound(self.session, self.conversation.id)
        known = None if last is None else talks.known(self.session, [last]).get(last)
        if known is None:
            raise NotDoneError("never_wrote")
        self._unanswered = talks.unanswered(self.session, self.conversation.id, last)
        adapter = self.directory.adapter(self.conversation.channel)
        hindrance = known.hindrance(adapter, self.now)
        if hindrance == "closed_by_team" and (self._is_about_closing() or self._private_was_sent):
            hindrance = ""
        if hindrance == "automation" and is_answer:
            hindrance = ""  # an answer to one message goes beside another to the one before
        why = may_speak(
            self.now,
            hindrance=hindrance,
            may_be_late=is_answer,
            answers=self.about.row.sent_at if self.about.event.kind == catalogue.MESSAGE_RECEIVED else None,
            person_at=known.row.person_at,
            is_persons=self.conversation.handled_by == Handler.PERSON,
            unanswered=self._unanswered,
        )
        if why:
            raise NotDoneError(why)

    def _check_sending(self, number: int, action: Action, done: Done) -> None:
        """Refuse an action that sends where nothing automatic may; of two answers only the first asks it all.

        :raises NotDoneError: which says why.
        """
        both = self.body.actions[max(0, number - 2) : number]
        asked = (
            done.steps
            and len(both) == 2
            and all(isinstance(one, ANSWERS) for one in both)
            and not done.steps[-1][1]
        )
        if not asked:
            self._check_may_speak(is_answer=isinstance(action, ANSWERS))
        elif self._unanswered + len(done.sent) >= BUDGET:  # nobody else sends while it is locked
            raise NotDoneError("budget")

    def _is_about_closing(self) -> bool:
        return self.about.event.kind == catalogue.CONVERSATION_CLOSED

    def _filled(self, text: str) -> str:
        if "{{" not in text:
            return text  # nothing has to be looked up for it
        theirs = hours.of_team(self.session, self.conversation.workspace_id, self.conversation.team_id)
        opens = None if theirs.is_open(self.now) else theirs.opens_at(self.now)
        filled = texts.filled(text, talks.values(self.session, self.conversation, opens, self.now))
        if filled is None:
            raise NotDoneError("unfilled")
        return filled

    def _say(self, number: int, text: str, done: Done) -> None:
        self._queue(number, Draft(text=text), done)

    def _queue(self, number: int, draft: Draft, done: Done, voice: Voice = Voice.NOTICE) -> int:
        """Queue a draft; return the id of the last message it became.

        :param voice: a notice leaves the customer waiting; an answer does not.
        """
        messages = queue_parts(
            self.session,
            workspace_id=self.conversation.workspace_id,
            conversation_id=self.conversation.id,
            author_id=None,
            drafts=[draft],
            reply_key=f"{self.key}-{number}",
            adapter=self.directory.adapter(self.conversation.channel),
            now=self.now,
            by_person=False,
            voice=voice,
            held=self.held,
            accounts=ALL_ACCOUNTS,
        )
        done.sent += [message.id for message in messages]
        return messages[-1].id

    def _answered(self) -> int:
        """Return the id of the message that is answered: the one the event is about.

        :raises NotDoneError: if that is none of the customer's, or is there no more.
        """
        message_id = self.about.event.message_id
        if message_id is None or self.about.row.direction != Direction.INBOUND:
            raise NotDoneError("nothing_to_do")
        if self.about.row.unsent_at is not None:
            raise NotDoneError("taken_back")
        return message_id

    def _publicly(self, number: int, action: ReplyPublicly, done: Done) -> None:
        adapter, message_id = self.directory.adapter(self.conversation.channel), self._answered()
        if adapter is None or not adapter.capabilities.public:
            raise NotDoneError("not_public")
        if not self._private_was_sent and any(isinstance(one, ReplyPrivately) for one in self.body.actions):
            raise NotDoneError(AWAITED)  # it may announce what does not come
        turn = campaigns.next_turn(self.session, self.rule_id) % len(action.texts)
        draft = Draft(text=self._filled(action.texts[turn]), reply_to=message_id)
        done.public_id = self._queue(number, draft, done, Voice.AUTOMATION)
        done.number = turn + 1

    def _privately(self, number: int, action: ReplyPrivately, done: Done) -> None:
        adapter, message_id = self.directory.adapter(self.conversation.channel), self._answered()
        if adapter is None or adapter.capabilities.private_replies is None:
            raise NotDoneError("not_public")
        message = queue_private(
            self.session,
            workspace_id=self.conversation.workspace_id,
            conversation_id=self.conversation.id,
            message_id=message_id,
            author_id=None,
            text=self._filled(action.text),
            quick_replies=[{"title": one, "payload": one} for one in action.quick_replies],
            reply_key=f"{self.key}-{number}",
            adapter=adapter,
            now=self.now,
            by_person=False,
            voice=Voice.AUTOMATION,
            held=self.held,
            accounts=ALL_ACCOUNTS,
        )
        done.private_id = message.id
        done.sent.append(message.id)

    def _addon(self, number: int, action: AddonDoes, done: Done) -> None:
        brought = self.directory.action(action.name)
        if brought is None:
            raise NotDoneError("addon_off")
        if brought.channel != self.conversation.channel:
            raise NotDoneError("other_channel")
        try:
            wanted: object = brought.plan(self.about.about())
        except Exception:
            log.exception("the action %s failed", action.name)
            raise NotDoneError("addon_failed") from None
        if wanted is None:
            raise NotDoneError("nothing_to_do")
        said = wanted.emoji if isinstance(wanted, React) else getattr(wanted, "text", None)
        if not isinstance(wanted, React | SendText) or not isinstance(said, str) or not said:
            log.error("the action %s planned a %s that cannot be done", action.name, type(wanted).__name__)
            raise NotDoneError("addon_failed")
        if isinstance(wanted, React):
            message_id = self.about.event.message_id
            if message_id is None:
                raise NotDoneError("nothing_to_do")
            react(
                self.session,
                workspace_id=self.conversation.workspace_id,
                conversation_id=self.conversation.id,
                message_id=message_id,
                emoji=wanted.emoji,
                author_id=None,
                directory=self.directory,
                now=self.now,
                accounts=ALL_ACCOUNTS,
            )
        else:
            self._say(number, wanted.text, done)

    def _set(self, changes: Any) -> None:
        set_fields(
            self.session,
            changes,
            workspace_id=self.conversation.workspace_id,
            conversation_id=self.conversation.id,
            author_id=None,
            by=self.name,
            now=self.now,
            accounts=ALL_ACCOUNTS,
        )

    def _record(self, kind: str, facts: OfRule) -> None:
        ids = self.conversation.account_id, self.conversation.id, self.about.event.message_id
        record(
            self.session,
            Happened(
                self.conversation.workspace_id, kind, "", *ids, actor_kind=ActorKind.SYSTEM, facts=facts
            ),
        )
