"""Tools an assistant may use: the desk's own, those of addons, and other programs.

Whose conversation it is, is filled in by the desk and never by the model. What may be done follows from the
tool's effect, not from what anybody says: one that *asks* is done only once a person said so.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import quote, urlsplit

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host import __version__
from host.automation.assistants import hanging, keeping, tool_keeping
from host.automation.assistants.hanging import HangsError
from host.automation.assistants.tool_keeping import BUILT_IN, Reached
from host.automation.assistants.values import Body, Source, ToolOffer
from host.core import clock, db
from host.core.cleaning import clean
from host.core.errors import ConflictError, LobbyError, NotFoundError
from host.core.ports import AssistantDirectory
from host.core.secrets import Secret
from host.inbox import labels
from host.inbox.contacts import attributes
from host.inbox.conversation_actions import set_fields
from host.inbox.conversations import by_assistant
from host.models.assistants import (
    Assistant,
    AssistantCall,
    AssistantTool,
    AssistantTurn,
    CallState,
)
from host.models.channels import ChannelAccount
from host.models.channels import ref as account_ref
from host.models.inbox import Contact, ContactIdentity, Conversation, ConversationStatus
from host.models.labels import Label
from host.sdk.errors import SecretUnreadableError
from host.sdk.http import Client, FetchError, ForbiddenAddressError, TooMuchError
from host.sdk.rules import AssistantTool as BroughtTool
from host.sdk.rules import ToolEffect, UsedFor
from host.users.reach import ALL_ACCOUNTS

log = logging.getLogger(__name__)

SECONDS = 10.0
MAX_BYTES = 64 * 1024
MOST_TOLD = 8_000
"""Most letters of what a tool says that a model is told, and that are kept."""
MOST_LABELS = 100
_NO_ARGUMENTS: Mapping[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}

ASKED = "A person of the team will decide about this. It is not done, and you do not know whether it will be."
UNKNOWN = "There is no such tool."
TRIAL = "Nothing was done, because this is a trial."
_EFFECTS = {
    "contact": ToolEffect.READS,
    "label": ToolEffect.REVERSIBLE,
    "hand_over": ToolEffect.REVERSIBLE,
    "close": ToolEffect.ASKS,
}


class CallGoneError(NotFoundError):
    """There is no such use of a tool in this conversation."""

    code = "assistant_call_not_found"
    default_sentence = _l("What the assistant asked for does not exist here.")
    default_next_step = ""


class CallDecidedError(ConflictError):
    """Somebody decided about it already, or nobody has to."""

    code = "assistant_call_decided"
    default_sentence = _l("Somebody has decided about this already.")
    default_next_step = _l("Reload the page to see what became of it.")


class _FailedError(Exception):
    """A tool failed; the text is for the model, without secrets."""


# ---- which it is offered -------------------------------------------------------------------------------


def offers(
    session: Session, assistant_id: int, body: Body, brought: Brought | None = None
) -> list[ToolOffer]:
    """Return the tools an assistant may use: those of desk and addons that *body* names, then its own.

    :param brought: what addons bring for the channel of the conversation; None: there is no conversation.
    """
    found = [_built_in(session, assistant_id, name) for name in BUILT_IN if name in body.builtin]
    of_addons = [
        ToolOffer(name, f"{one.title}. {one.about}", one.parameters, one.effect)
        for name, one in (brought or {}).items()
        if one.name in body.builtin
    ]
    own = [tool_keeping.offer(row) for row in tool_keeping.all_of(session, assistant_id)]
    return [one for one in found if one is not None] + of_addons + own


Brought = Mapping[str, BroughtTool]
"""Tools of addons by the names models ask for them with."""


def brought_for(directory: AssistantDirectory, channel: str) -> Brought:
    """Return the tools that addons bring for conversations of a channel."""
    return {tool_keeping.asked_as(one): one for one in directory.tools.values() if one.channel == channel}


def _built_in(session: Session, assistant_id: int, name: str) -> ToolOffer | None:
    effect = _EFFECTS[name]
    if name == "contact":
        about = "What is known of the customer who writes: name, handle, details, labels of the conversation."
        return ToolOffer(name, about, _NO_ARGUMENTS, effect)
    if name == "hand_over":
        reason = {"type": "string", "description": "Why, in a few words for the team.", "maxLength": 200}
        schema = {"type": "object", "properties": {"because": reason}, "additionalProperties": False}
        return ToolOffer(name, "Give the conversation to a person of the team.", schema, effect)
    if name == "close":
        about = "Close the conversation, because nothing is left to do. A person decides about it."
        return ToolOffer(name, about, _NO_ARGUMENTS, effect)
    mine = sa.select(Label.name).where(Label.workspace_id == _workspace_of(assistant_id))
    called = session.scalars(mine.order_by(Label.name).limit(MOST_LABELS)).all()
    if not called:
        return None
    chosen = {"type": "string", "enum": list(called)}
    schema = {
        "type": "object",
        "properties": {"label": chosen},
        "required": ["label"],
        "additionalProperties": False,
    }
    return ToolOffer(name, "Put a label on the conversation.", schema, effect)


def _workspace_of(assistant_id: int) -> sa.ScalarSelect[int]:
    return sa.select(Assistant.workspace_id).where(Assistant.id == assistant_id).scalar_subquery()


# ---- doing what a model asks ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Begun:
    """A use that is noted.

    :param result: what the same use said before, in a try of this turn that was cut short.
    """

    id: int
    key: str
    result: str | None = None


@dataclass(frozen=True, slots=True)
class _Tool:
    """A tool that can be used.

    :param use: takes the arguments and the key of the use; raises :class:`_FailedError`.
    """

    effect: ToolEffect
    use: Callable[[Mapping[str, Any], str], str]


@dataclass(frozen=True, slots=True)
class Use:
    """A use of a tool, as the playground shows it.

    :param told: what the model was told.
    """

    tool: str
    arguments: Mapping[str, Any]
    told: str
    took_ms: int


@dataclass(slots=True)
class Runner:
    """Does what a model asks of tools in one turn; see :class:`.values.CallTool`. It never raises.

    Each use is noted in a small write before it is done, and what came of it in another. A turn that is tried
    again finds what its first try did: the same use has the same key, and what is done is not done again.

    :param by: the name of the assistant, for the lines in the conversation.
    :param offered: the tools of this turn; others are not there.
    :param first_number: of what tools say, when an answer rests on it: it goes on behind the sources.
    :param brought: the tools of addons for the channel of the conversation.
    :param turn_id: None: this is a trial, in which tools that only read are used and nothing is noted.
    :param conversation_id: None: there is none, and no customer.
    :param account_id: in a trial: the account it is played on; None: on none.
    :param in_shadow: whether nothing may come of the turn: tools that read are used, and nobody is asked.
    :ivar sources: what tools that read said, as sources an answer may rest on.
    :ivar wants_person: why the model wants a person to answer; None: it does not.
    :ivar asked: whether a person has to decide about something.
    :ivar uses: what was asked for, in order.
    """

    workspace_id: int
    assistant_id: int
    offered: Sequence[ToolOffer]
    by: str
    first_number: int = 1
    brought: Brought = field(default_factory=dict)
    turn_id: int | None = None
    conversation_id: int | None = None
    account_id: int | None = None
    in_shadow: bool = False
    sources: list[Source] = field(default_factory=list)
    wants_person: str | None = None
    asked: bool = False
    uses: list[Use] = field(default_factory=list)
    _taken: set[int] = field(default_factory=set)

    def __call__(self, name: str, arguments: Mapping[str, Any], /) -> str:
        """Do what the model asks, and return what it is told."""
        began = clock.monotonic()
        try:
            told = self._use(name, arguments)
        except Exception as error:  # noqa: BLE001 - the model is told that it failed, whatever it was
            log.warning("the tool %s failed: %s", name, type(error).__name__)
            told = "The tool failed."
        self.uses.append(Use(name, dict(arguments), told, round(1000 * (clock.monotonic() - began))))
        return told

    def _use(self, name: str, arguments: Mapping[str, Any]) -> str:
        offer = next((one for one in self.offered if one.name == name), None)
        tool = None if offer is None else self._tool(name)
        if offer is None or tool is None:
            return UNKNOWN
        # What holds is what the tool may do now, not what it could when the turn began.
        effect = tool.effect
        if self.turn_id is None and effect is not ToolEffect.READS:
            return TRIAL
        if self.in_shadow and effect is not ToolEffect.READS and name != "hand_over":
            return TRIAL  # to hand over does nothing by itself, and is what it would have done
        asks = effect is ToolEffect.ASKS
        begun = self._begin(name, arguments, CallState.ASKED if asks else CallState.BEGUN)
        if asks:
            self.asked = True
            return ASKED
        began = clock.monotonic()
        state = CallState.DONE
        if begun.result is not None:
            return self._told(offer, begun.result, effect)
        try:
            result = tool.use(arguments, begun.key)
        except (_FailedError, LobbyError) as error:
            state, result = CallState.FAILED, str(error)
        self._end(begun.id, state, result, round(1000 * (clock.monotonic() - began)))
        return (
            f"The tool failed: {result}" if state is CallState.FAILED else self._told(offer, result, effect)
        )

    def _told(self, offer: ToolOffer, result: str, effect: ToolEffect) -> str:
        """Return what the model is told: what was read has a number, so that an answer can name it."""
        if effect is not ToolEffect.READS or not result:
            return result or "Done."
        number = self.first_number + len(self.sources)
        title = offer.about.partition(". ")[0] if offer.name not in BUILT_IN else "What is known of them"
        kind = "contact" if offer.name == "contact" else "tool"
        self.sources.append(Source(number, title, result, kind=kind))
        return f"[{number}] {title} (now)\n{result}"

    def _tool(self, name: str) -> _Tool | None:
        if name in BUILT_IN:
            return _Tool(_EFFECTS[name], partial(self._use_built_in, name))
        if name in self.brought:
            return _brought(
                self.brought[name], self.workspace_id, self.conversation_id, trial_on=self.account_id
            )
        return _program(name, self.workspace_id, self.assistant_id, self.conversation_id)

    def _use_built_in(self, name: str, arguments: Mapping[str, Any], _key: str) -> str:
        if name == "contact":
            with db.read() as session:
                return known(session, self.workspace_id, self.conversation_id)
        if name == "hand_over":
            self.wants_person = " ".join(str(arguments.get("because", "")).split())[:200]
            return "A person of the team will answer. Hand over now, and write nothing to the customer."
        return db.write(self._label, str(arguments.get("label", "")))

    def _label(self, session: Session, name: str) -> str:
        query = sa.select(Label.id).where(Label.workspace_id == self.workspace_id, Label.name == name)
        label = session.scalar(query)
        if label is None or self.conversation_id is None:
            raise _FailedError("there is no such label")
        with by_assistant(session):
            labels.set_labels(
                session,
                workspace_id=self.workspace_id,
                conversation_id=self.conversation_id,
                add=[label],
                author_id=None,
                now=clock.now(),
                by=self.by,
                accounts=ALL_ACCOUNTS,
            )
        return "The label is on the conversation."

    def _begin(self, name: str, arguments: Mapping[str, Any], state: CallState) -> _Begun:
        if self.turn_id is None:
            return _Begun(0, f"trial-{clock.now():%Y%m%d%H%M%S%f}")
        begun = db.write(_begin, self.turn_id, name, dict(arguments), state, frozenset(self._taken))
        self._taken.add(begun.id)
        return begun

    def _end(self, call_id: int, state: CallState, result: str, ms: int) -> None:
        if self.turn_id is not None:
            db.write(_end, call_id, state, result, ms)


def _begin(
    session: Session,
    turn_id: int,
    name: str,
    arguments: dict[str, Any],
    state: CallState,
    taken: frozenset[int],
) -> _Begun:
    """Note a use that begins, or find the one a try before this one began."""
    query = sa.select(AssistantCall).where(AssistantCall.turn_id == turn_id).order_by(AssistantCall.number)
    rows = session.scalars(query.with_for_update()).all()
    for row in rows:
        same = (row.tool, row.arguments) == (name, arguments)
        # What failed may have been done all the same: it is tried again with its key.
        if same and (row.id not in taken or row.state == CallState.FAILED):
            return _Begun(row.id, row.key, row.result if row.state == CallState.DONE else None)
    number = max((row.number for row in rows), default=0) + 1
    row = AssistantCall(
        turn_id=turn_id,
        number=number,
        tool=name,
        arguments=arguments,
        state=state,
        result="",
        key=f"{turn_id}-{number}",
        took_ms=0,
        at=clock.now(),
    )
    session.add(row)
    session.flush()
    return _Begun(row.id, row.key)


def _end(session: Session, call_id: int, state: CallState, result: str, ms: int) -> None:
    """Note what came of a use. A turn that is gone meanwhile has none."""
    session.execute(
        sa.update(AssistantCall)
        .where(AssistantCall.id == call_id)
        .values(state=state, result=result, took_ms=ms)
    )


# ---- whom it is about ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Whom:
    """The customer and the conversation, as another program is told of them."""

    contact: Mapping[str, Any] | None
    conversation: Mapping[str, Any] | None


def whom(session: Session, workspace_id: int, conversation_id: int | None) -> Whom:
    """Return whose conversation it is; nobody's: in a trial."""
    query = (
        sa.select(Conversation.contact_id, ContactIdentity.username, ContactIdentity.external_id)
        .join(ContactIdentity, ContactIdentity.id == Conversation.identity_id)
        .where(Conversation.id == conversation_id, Conversation.workspace_id == workspace_id)
    )
    row = None if conversation_id is None else session.execute(query).one_or_none()
    if row is None:
        return Whom(None, None)
    contact = {"id": row.contact_id, "handle": row.username, "external_id": row.external_id}
    return Whom(contact, {"id": conversation_id})


def known(session: Session, workspace_id: int, conversation_id: int | None) -> str:
    """Return what is known of the customer, a line for each thing; empty: nothing is."""
    query = (
        sa.select(Contact, ContactIdentity)
        .join(Conversation, Conversation.contact_id == Contact.id)
        .join(ContactIdentity, ContactIdentity.id == Conversation.identity_id)
        .where(Conversation.id == conversation_id, Conversation.workspace_id == workspace_id)
    )
    row = None if conversation_id is None else session.execute(query).one_or_none()
    if row is None or conversation_id is None:
        return ""
    contact, identity = row
    values = attributes.values_of(session, [contact.id]).get(contact.id, {})
    mine = sa.select(Label.name).where(
        Label.workspace_id == workspace_id, Label.id.in_(labels.having(session, conversation_id))
    )
    lines = {
        "Name": contact.name or identity.name or "",
        "Handle": identity.username or "",
        **{
            one.name: value
            for one, value in attributes.named(attributes.all_of(session, workspace_id), values)
        },
        "Labels": ", ".join(session.scalars(mine.order_by(Label.name))),
    }
    return "\n".join(f"{name}: {' '.join(value.split())}" for name, value in lines.items() if value)


def used_for(
    session: Session,
    workspace_id: int,
    conversation_id: int | None,
    key: str,
    *,
    trial_on: int | None = None,
) -> UsedFor | None:
    """Return whom a tool of an addon is used for; None: nobody, and on no account.

    :param trial_on: the account a trial is played on. It has no customer.
    """
    if conversation_id is None and trial_on is not None:
        played_on = session.get(ChannelAccount, trial_on)
        if played_on is None or played_on.workspace_id != workspace_id:
            return None
        return UsedFor(account_ref(played_on), "", None, {}, key)
    query = (
        sa.select(ChannelAccount, ContactIdentity)
        .join(Conversation, Conversation.account_id == ChannelAccount.id)
        .join(ContactIdentity, ContactIdentity.id == Conversation.identity_id)
        .where(Conversation.id == conversation_id, Conversation.workspace_id == workspace_id)
    )
    row = None if conversation_id is None else session.execute(query).one_or_none()
    if row is None:
        return None
    account, customer = row
    return UsedFor(account_ref(account), customer.external_id, customer.username, customer.profile or {}, key)


# ---- addons and other programs -------------------------------------------------------------------------


def _brought(
    tool: BroughtTool, workspace_id: int, conversation_id: int | None, *, trial_on: int | None = None
) -> _Tool:
    def use(arguments: Mapping[str, Any], key: str) -> str:
        with db.read() as session:
            about = used_for(session, workspace_id, conversation_id, key, trial_on=trial_on)
        if about is None:
            raise _FailedError("there is no customer in a trial")
        try:
            said = hanging.within(SECONDS, tool.name, lambda: str(tool.use(about, arguments)))
            return clean(said).strip()[:MOST_TOLD]
        except HangsError:
            raise _FailedError("it does not answer in time, and nobody knows whether it was done") from None
        except Exception as error:
            log.exception("the tool %s of an addon failed", tool.name)
            raise _FailedError("nothing else is known") from error

    return _Tool(tool.effect, use)


def _program(name: str, workspace_id: int, assistant_id: int, conversation_id: int | None) -> _Tool | None:
    with db.read() as session:
        query = sa.select(AssistantTool).where(
            AssistantTool.assistant_id == assistant_id,
            AssistantTool.workspace_id == workspace_id,
            AssistantTool.name == name,
        )
        row = session.scalars(query).one_or_none()
        reached = None if row is None else tool_keeping.reached(row)
    if reached is None:
        return None

    def use(arguments: Mapping[str, Any], key: str) -> str:
        with db.read() as session:
            about = whom(session, workspace_id, conversation_id)
        return post(reached, arguments, about, key)

    return _Tool(reached.effect, use)


def post(
    tool: Reached, arguments: Mapping[str, Any], about: Whom, key: str, *, is_trial: bool = False
) -> str:
    """Have another program do something, and return what it says, without its secret.

    :raises _FailedError: if it did not, or nobody knows.
    """
    host = urlsplit(tool.url).hostname or ""
    client = Client(frozenset({host}), connect_timeout=5, read_timeout=SECONDS, total_timeout=SECONDS)
    headers = {"User-Agent": f"Lobby/{__version__} (tools)", "Idempotency-Key": key}
    if tool.secret:
        headers[tool.header] = tool.secret.reveal()
    body = {
        "tool": tool.name,
        "arguments": dict(arguments),
        "contact": about.contact,
        "conversation": about.conversation,
        "trial": is_trial,
    }
    try:
        answer = client.request("POST", tool.url, json=body, headers=headers, max_bytes=MAX_BYTES)
    except ForbiddenAddressError:
        raise _FailedError("its address may not be reached") from None
    except TooMuchError:
        raise _FailedError("its answer is too large") from None
    except FetchError as error:
        raise _FailedError(scrubbed(error.reason, tool.secret)) from None
    except ValueError:
        raise _FailedError("the arguments cannot be sent") from None
    said = scrubbed(answer.body.decode("utf-8", "replace"), tool.secret)
    if not 200 <= answer.status < 300:
        raise _FailedError(f"it answered {answer.status}. {said[:300]}".strip())
    return said


def scrubbed(text: str, secret: Secret | None) -> str:
    """Return what a program said as a model and people see it: without its secret, in whatever spelling."""
    if secret:
        given = secret.reveal()
        bare = given.split(" ")[-1]  # of "Bearer ..." the program may say the second half
        for one in (given, bare) if len(bare) >= 6 else (given,):
            for spelled in {one, quote(one, safe=""), json.dumps(one)[1:-1]}:
                text = text.replace(spelled, "…")
    return clean(text).strip()[:MOST_TOLD]


# ---- what a person decides -----------------------------------------------------------------------------


def waiting(session: Session, turn_id: int) -> Sequence[AssistantCall]:
    """Return the uses of tools in a turn that a person is to decide about."""
    query = sa.select(AssistantCall).where(
        AssistantCall.turn_id == turn_id, AssistantCall.state == CallState.ASKED
    )
    return session.scalars(query.order_by(AssistantCall.number)).all()


def decide(
    session: Session, *, workspace_id: int, conversation_id: int, call_id: int, is_allowed: bool
) -> AssistantCall:
    """Say whether a tool may do what the assistant asked for; :func:`carry_out` does it then.

    :raises CallGoneError: if there is no such use in this conversation.
    :raises CallDecidedError: if somebody decided already.
    """
    query = (
        sa.select(AssistantCall)
        .join(AssistantTurn, AssistantTurn.id == AssistantCall.turn_id)
        .where(
            AssistantCall.id == call_id,
            AssistantTurn.conversation_id == conversation_id,
            AssistantTurn.workspace_id == workspace_id,
        )
    )
    lock = query.with_for_update(of=AssistantCall).execution_options(populate_existing=True)
    row = session.scalars(lock).one_or_none()
    if row is None:
        raise CallGoneError()
    if row.state != CallState.ASKED:
        raise CallDecidedError()
    row.state = CallState.ALLOWED if is_allowed else CallState.REFUSED
    session.flush()
    return row


def carry_out(call_id: int, directory: AssistantDirectory, *, author_id: int | None) -> AssistantCall | None:
    """Do what a person allowed, with the arguments they saw, and return what came of it.

    None: nobody allowed it, or it is being done. It is called outside any write.
    """
    found = db.write(_take_up, call_id)
    if found is None:
        return None
    row, turn = found
    began = clock.monotonic()
    state = CallState.DONE
    try:
        result = _carried_out(row, turn, directory, author_id)
    except (_FailedError, LobbyError, SecretUnreadableError) as error:
        state = CallState.FAILED
        result = "its secret cannot be read" if isinstance(error, SecretUnreadableError) else str(error)
    ms = round(1000 * (clock.monotonic() - began))
    db.write(_end, row.id, state, result, ms)
    with db.read() as session:
        return session.get(AssistantCall, call_id)


def _take_up(session: Session, call_id: int) -> tuple[AssistantCall, AssistantTurn] | None:
    query = sa.select(AssistantCall).where(AssistantCall.id == call_id)
    row = session.scalars(query.with_for_update().execution_options(populate_existing=True)).one_or_none()
    if row is None or row.state != CallState.ALLOWED:
        return None
    row.state = CallState.BEGUN
    session.flush()
    return row, session.get_one(AssistantTurn, row.turn_id)


def _carried_out(
    row: AssistantCall, turn: AssistantTurn, directory: AssistantDirectory, author_id: int | None
) -> str:
    if row.tool == "close":

        def close(session: Session) -> None:
            set_fields(
                session,
                {"status": ConversationStatus.CLOSED},
                workspace_id=turn.workspace_id,
                conversation_id=turn.conversation_id,
                author_id=author_id,
                now=clock.now(),
                accounts=ALL_ACCOUNTS,
            )

        db.write(close)
        return "The conversation is closed."
    with db.read() as session:
        account = session.get_one(ChannelAccount, turn.account_id)
    brought = brought_for(directory, account.channel).get(row.tool)
    if brought is not None:
        tool: _Tool | None = _brought(brought, turn.workspace_id, turn.conversation_id)
    else:
        tool = _program(row.tool, turn.workspace_id, turn.assistant_id, turn.conversation_id)
    if tool is None:
        raise _FailedError("there is no such tool any more")
    return tool.use(row.arguments, row.key)


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of trying a tool."""

    is_good: bool
    said: str
    ms: int


def try_one(
    workspace_id: int,
    assistant_id: int,
    tool_id: int,
    arguments: Mapping[str, Any],
    *,
    send: Callable[..., str] | None = None,
) -> Tried:
    """Use a tool of an assistant once, for nobody: the program is told that it is a trial.

    :raises AssistantNotFoundError, ToolNotFoundError: if there is none.
    :raises ToolError: if the arguments are not what it takes, or its secret cannot be read.
    """
    with db.read() as session:
        keeping.get(session, workspace_id, assistant_id)
        row = tool_keeping.get(session, workspace_id, assistant_id, tool_id)
        tool_keeping.check_arguments(row, arguments)
        try:
            reached = tool_keeping.reached(row)
        except SecretUnreadableError:
            raise tool_keeping.ToolError(
                _l("The secret of this tool cannot be read, so it was not tried."),
                next_step=_l("Enter the secret again."),
                field="secret",
            ) from None
    return try_it(reached, arguments, send=send or post)


def try_it(tool: Reached, arguments: Mapping[str, Any], *, send: Callable[..., str] = post) -> Tried:
    """Use a tool once, for nobody: the program is told that it is a trial."""
    began = clock.monotonic()
    key = f"trial-{clock.now():%Y%m%d%H%M%S%f}"
    try:
        said, is_good = send(tool, arguments, Whom(None, None), key, is_trial=True), True
    except _FailedError as error:
        said, is_good = str(error), False
    return Tried(is_good, said, round(1000 * (clock.monotonic() - began)))
