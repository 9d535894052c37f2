"""Keep the assistants of a workspace: their names, what each says, and what they do on which account."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext
from sqlalchemy.orm import Session

from host.automation.assistants import events
from host.automation.assistants.values import Body, Cap, Limits
from host.automation.deciding import GREETED, Sent
from host.core.cleaning import clean
from host.core.errors import InvalidError, NotFoundError
from host.inbox import conversation_actions, names
from host.models.assistants import (
    Assistant,
    AssistantAccount,
    AssistantTurn,
    AssistantVersion,
    LanguageModel,
    Mode,
    TurnOutcome,
    TurnState,
)
from host.models.channels import AccountState, ChannelAccount
from host.models.inbox import Conversation, ConversationStatus, Handler
from host.record import catalogue
from host.sdk import strictjson
from host.users.reach import ALL_ACCOUNTS
from host.users.workspaces import SavedMeanwhileError

MOST = 20
"""Most assistants of a workspace."""
LONGEST_NAME = 40
LONGEST_PROMPT = 4_000
LONGEST_ANNOUNCEMENT = 200
MOST_PHRASES = 30
LONGEST_PHRASE = 200
PAUSES = range(1, 31)
"""Seconds without a word of the customer after which it may read what they wrote."""
SECONDS = range(5, 61)
"""How long one answer may take."""
CALLS = range(11)
"""How often it may use tools for one answer."""
NEEDED = range(10, 1001)
"""How many suggestions may be asked for before it answers by itself."""
USUALLY_NEEDED = 50
LARGEST = 10**15
"""The largest number of turns, tokens or millionths of money that a limit may be."""
AT_ONCE = 200
"""Most conversations that are handed to people in the write that stops an assistant."""
TAKES = (Sent.MESSAGE, Sent.STORY_REPLY, Sent.TAP, Sent.MENTION)
"""What an assistant may answer."""

MODES = {
    Mode.OFF: _l("Off"),
    Mode.SHADOW: _l("Shadow"),
    Mode.SUGGEST: _l("Suggest"),
    Mode.ANSWER: _l("Answer"),
}
"""What an assistant does on an account, in words."""

STOPPED = _l("Stopped")

OPEN = (TurnState.WAITING, TurnState.THINKING, TurnState.READY)
"""A turn that something may still come of."""


class AssistantNotFoundError(NotFoundError):
    """There is no such assistant in this workspace."""

    code = "assistant_not_found"
    title = _l("No such assistant")
    default_sentence = _l("This assistant does not exist. Somebody may have deleted it.")
    default_next_step = lazy_pgettext("assistant", "Choose another one.")


class AssistantError(InvalidError):
    """An assistant cannot be kept like that; ``field`` names what is wrong."""

    code = "assistant_invalid"
    title = _l("The assistant was not saved")
    default_next_step = _l("Change it, then save again.")


class AccountNotThereError(NotFoundError):
    """The account is not in this workspace, or it was disconnected."""

    code = "assistant_account"
    title = _l("No such account")
    default_sentence = _l("This account is disconnected or not there, so nothing was changed.")
    default_next_step = _l("Connect it under Settings → Channels, then choose again.")


class NotEarnedError(AssistantError):
    """An assistant is to answer by itself, and too few of its suggestions were taken."""

    code = "assistant_not_earned"
    title = _l("It may not answer yet")
    default_sentence = _l("Too few of its suggestions were taken as they stood, so nothing was changed.")
    default_next_step = _l("Let it suggest for longer, or type the name of the account to open it now.")


class OtherNameError(AssistantError):
    """What was typed is not the name of the account."""

    code = "assistant_typed_name"
    title = _l("That is not its name")
    default_sentence = _l("What you typed is not the name of the account, so nothing was changed.")
    default_next_step = _l("Type the name as it stands in the table.")


@dataclass(frozen=True, slots=True)
class Place:
    """What an assistant does on an account.

    :param answers_on: what a customer has to send for it.
    :param opened_by: who let it answer before it had earned that; empty: nobody did.
    """

    account_id: int
    channel: str
    account: str
    assistant_id: int
    mode: Mode
    answers_on: frozenset[Sent]
    needed: int
    opened_by: str
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Shown:
    """An assistant as it stands in the list.

    :param places: the accounts where it is not off.
    """

    id: int
    name: str
    version: int
    changed_at: datetime
    stopped_at: datetime | None
    model_id: int | None
    places: Sequence[Place]


@dataclass(frozen=True, slots=True)
class Placed:
    """What became of a choice of mode.

    :param before: the mode of this assistant there until now.
    :param taken_from: the name of the assistant that had the account; empty: none had.
    :param opened: whether somebody let it answer before it had earned that.
    """

    account: str
    before: Mode
    mode: Mode
    changed: bool
    taken_from: str = ""
    opened: bool = False


# ---- assistants ----------------------------------------------------------------------------------------


def get(session: Session, workspace_id: int, assistant_id: int, lock: bool = False) -> Assistant:
    """Return an assistant of the workspace.

    :param lock: until the write ends.
    :raises AssistantNotFoundError: if there is none.
    """
    query = sa.select(Assistant).where(Assistant.id == assistant_id, Assistant.workspace_id == workspace_id)
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    found = session.scalars(query).one_or_none()
    if found is None:
        raise AssistantNotFoundError()
    return found


def listing(session: Session, workspace_id: int) -> list[Shown]:
    """Return the assistants of a workspace, the oldest first. Two statements."""
    query = (
        sa.select(Assistant, AssistantVersion.at)
        .join(
            AssistantVersion,
            sa.and_(
                AssistantVersion.assistant_id == Assistant.id, AssistantVersion.number == Assistant.version
            ),
        )
        .where(Assistant.workspace_id == workspace_id)
        .order_by(Assistant.id)
        .limit(MOST)
    )
    its: dict[int, list[Place]] = {}
    for one in places(session, workspace_id).values():
        if one.mode != Mode.OFF:
            its.setdefault(one.assistant_id, []).append(one)
    return [
        Shown(row.id, row.name, row.version, at, row.stopped_at, row.model_id, its.get(row.id, ()))
        for row, at in session.execute(query)
    ]


def places(session: Session, workspace_id: int) -> dict[int, Place]:
    """Return what assistants do on the connected accounts of a workspace, by account. One statement."""
    query = (
        sa.select(AssistantAccount, ChannelAccount.channel, ChannelAccount.handle, ChannelAccount.name)
        .join(ChannelAccount, ChannelAccount.id == AssistantAccount.account_id)
        .where(
            AssistantAccount.workspace_id == workspace_id, ChannelAccount.state != AccountState.DISCONNECTED
        )
        .order_by(AssistantAccount.account_id)
    )
    return {
        row.account_id: Place(
            row.account_id,
            channel,
            handle or name,
            row.assistant_id,
            _mode(row.mode),
            # What only another release knows is nothing it answers here.
            frozenset(Sent(one) for one in row.answers_on if one in set(Sent)),
            row.needed,
            row.opened_by or "",
            row.changed_at,
        )
        for row, channel, handle, name in session.execute(query)
    }


def on_accounts(session: Session, workspace_id: int) -> dict[int, tuple[str, str]]:
    """Return of each account that an assistant looks after: its name, and what it does there, in words."""
    query = (
        sa.select(AssistantAccount.account_id, AssistantAccount.mode, Assistant.name, Assistant.stopped_at)
        .join(Assistant, Assistant.id == AssistantAccount.assistant_id)
        .join(ChannelAccount, ChannelAccount.id == AssistantAccount.account_id)
        .where(Assistant.workspace_id == workspace_id, ChannelAccount.state != AccountState.DISCONNECTED)
    )
    return {
        account_id: (name, str(MODES[mode] if stopped_at is None else STOPPED))
        for account_id, named, name, stopped_at in session.execute(query)
        if (mode := _mode(named)) != Mode.OFF
    }


def _mode(name: str) -> Mode:
    """Return a mode by its name; one that only another release knows is off."""
    return Mode(name) if name in set(Mode) else Mode.OFF


def create(session: Session, *, workspace_id: int, name: str, author: str, now: datetime) -> Assistant:
    """Add an assistant that is on no account yet, and return it.

    :raises AssistantError: if it has no name, or there are :data:`MOST`.
    """
    name = _checked_name(name)
    count = sa.select(sa.func.count()).where(Assistant.workspace_id == workspace_id)
    if (session.scalar(count) or 0) >= MOST:
        raise AssistantError(_l("There are 20 assistants already, which is the most."), field="name")
    row = Assistant(workspace_id=workspace_id, name=name, version=1, knowledge_version=0, created_at=now)
    session.add(row)
    session.flush()
    first = {"body": plain(Body()), "author": author[:255], "at": now}
    session.add(AssistantVersion(assistant_id=row.id, number=1, **first))
    session.flush()
    return row


def rename(session: Session, *, workspace_id: int, assistant_id: int, name: str) -> Assistant:
    """Give an assistant another name and return it.

    :raises AssistantNotFoundError: if there is none.
    :raises AssistantError: if the name cannot be one.
    """
    row = get(session, workspace_id, assistant_id, lock=True)
    row.name = _checked_name(name)
    session.flush()
    return row


def delete(
    session: Session, *, workspace_id: int, assistant_id: int, now: datetime, author_id: int | None = None
) -> str:
    """Delete an assistant with all it knows, and return its name. What it sent stays.

    :raises AssistantNotFoundError: if there is none.
    :raises AssistantError: if it has more conversations than one write hands to people.
    """
    row = get(session, workspace_id, assistant_id, lock=True)
    if stop(session, row, now, author_id) >= AT_ONCE and _theirs(session, _accounts_of(row), 1):
        raise AssistantError(
            _l("It still has conversations, so it was not deleted."),
            next_step=_l("Stop it, wait until people have them all, then delete it."),
        )
    name = row.name
    session.execute(sa.delete(Assistant).where(Assistant.id == row.id))
    session.expunge(row)
    return name


def choose_model(session: Session, assistant: Assistant, model_id: int | None) -> LanguageModel | None:
    """Have the locked *assistant* ask a model from now on; None: none. Return the model.

    :raises AssistantError: if the workspace has no such model.
    """
    model = None if model_id is None else session.get(LanguageModel, model_id)
    if model_id is not None and (model is None or model.workspace_id != assistant.workspace_id):
        raise AssistantError(_l("This model is not set up any more."), field="model")
    assistant.model_id = model_id
    session.flush()
    return model


def _checked_name(name: str) -> str:
    refusal: InvalidError = AssistantError(
        _l("An assistant needs a name of at most 40 letters, so nothing was saved."),
        next_step=lazy_pgettext("assistant", "Give it a name."),
        field="name",
    )
    return names.checked(name, refusal, longest=LONGEST_NAME)


# ---- what it says --------------------------------------------------------------------------------------


def plain(body: Body) -> dict[str, Any]:
    """Return *body* as it is stored."""
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(body))  # tuples become lists
    return found


def read(stored: Any) -> Body | None:
    """Return what was stored of a version; None: a newer release made it."""
    try:
        return strictjson.convert(stored, Body)
    except msgspec.ValidationError:
        return None


def body_of(session: Session, assistant: Assistant, number: int | None = None) -> Body | None:
    """Return what an assistant says, or said in the version *number*; None: no such version can be read."""
    number = assistant.version if number is None else number
    row = session.get(AssistantVersion, (assistant.id, number))
    return None if row is None else read(row.body)


def versions(session: Session, assistant_id: int, most: int = 50) -> Sequence[AssistantVersion]:
    """Return what an assistant says and said, the newest first."""
    query = sa.select(AssistantVersion).where(AssistantVersion.assistant_id == assistant_id)
    return session.scalars(query.order_by(AssistantVersion.number.desc()).limit(most)).all()


def save_version(
    session: Session,
    *,
    workspace_id: int,
    assistant_id: int,
    body: Body,
    author: str,
    now: datetime,
    version: int | None = None,
) -> Assistant:
    """Have an assistant say *body* from now on; what it said before is kept. Return it.

    :param version: the one the page showed; None: it does not matter what was saved since.
    :raises AssistantNotFoundError: if there is none.
    :raises SavedMeanwhileError: if somebody saved since *version*.
    :raises AssistantError: as :func:`checked`.
    """
    row = get(session, workspace_id, assistant_id, lock=True)
    if version is not None and version != row.version:
        raise SavedMeanwhileError()
    kept = plain(checked(body))
    before = session.get(AssistantVersion, (row.id, row.version))
    if before is None or kept != before.body:
        row.version += 1
        values = {"body": kept, "author": author[:255], "at": now}
        session.add(AssistantVersion(assistant_id=row.id, number=row.version, **values))
    session.flush()
    return row


def checked(body: Body) -> Body:
    """Return *body* as it is kept, or refuse it.

    :raises AssistantError: if a part of it is too long or out of its bounds; ``field`` names it, such as
        ``prompt`` or ``day.turns``.
    """
    body = msgspec.structs.replace(
        body,
        prompt=_text(body.prompt),
        announcement=" ".join(clean(body.announcement).split()),
        phrases=tuple(text for one in body.phrases if (text := " ".join(clean(one).split()))),
    )
    _check(
        len(body.prompt) <= LONGEST_PROMPT, "prompt", _l("The prompt is longer than 4,000 letters."), 4_000
    )
    _check(
        len(body.announcement) <= LONGEST_ANNOUNCEMENT,
        "announcement",
        _l("The announcement is longer than 200 letters."),
        LONGEST_ANNOUNCEMENT,
    )
    _check(len(body.phrases) <= MOST_PHRASES, "phrases", _l("There are more than 30 phrases."), MOST_PHRASES)
    _check(
        all(len(one) <= LONGEST_PHRASE for one in body.phrases),
        "phrases",
        _l("A phrase is longer than 200 letters."),
        LONGEST_PHRASE,
    )
    _check(body.pause in PAUSES, "pause", _l("The pause is a number of seconds from 1 to 30."))
    _check_limits(body.limits)
    return body


def _check_limits(limits: Limits) -> None:
    caps: dict[str, Cap] = {
        "conversation": limits.conversation,
        "day": limits.day,
        "month": limits.month,
    }
    for which, cap in caps.items():
        for name in ("turns", "tokens", "money"):
            fits = 0 <= getattr(cap, name) <= LARGEST
            _check(fits, f"{which}.{name}", _l("A limit is a number from 0, which is no limit."))
    _check(limits.seconds in SECONDS, "seconds", _l("An answer may take from 5 to 60 seconds."))
    _check(limits.calls in CALLS, "calls", _l("Tools are used from 0 to 10 times for an answer."))


def _check(fits: bool, field: str, sentence: object, limit: int | None = None) -> None:
    if not fits:
        raise AssistantError(sentence, field=field, limit=limit)


def _text(text: str) -> str:
    """Return a text of several lines as it is kept."""
    return clean(text).replace("\r\n", "\n").replace("\r", "\n").strip()


# ---- where it does what --------------------------------------------------------------------------------


def earned(session: Session, assistant_id: int, accounts: Collection[int]) -> dict[int, int]:
    """Return how many suggestions of an assistant were taken as they stood, by account. One statement.

    One that nobody took counts, too, where somebody said that it is right, and so does what it would have
    said in shadow. What a program took does not. Accounts with none are left out.
    """
    if not accounts:
        return {}
    turns = AssistantTurn
    right = sa.and_(
        turns.right.is_(True),
        sa.or_(turns.outcome.is_(None), turns.outcome != TurnOutcome.TAKEN),
        turns.state.not_in((TurnState.HANDED_OVER, TurnState.FAILED)),
    )
    query = (
        sa.select(turns.account_id, sa.func.count())
        .where(
            turns.account_id.in_(accounts),
            turns.assistant_id == assistant_id,
            sa.or_(turns.outcome == TurnOutcome.TAKEN, right),
        )
        .group_by(turns.account_id)
    )
    return {row[0]: row[1] for row in session.execute(query)}


def account_of(session: Session, workspace_id: int, account_id: int, lock: bool = False) -> ChannelAccount:
    """Return a connected account of the workspace.

    :param lock: until the write ends.
    :raises AccountNotThereError: if it is not there or disconnected.
    """
    row = session.get(ChannelAccount, account_id, with_for_update=lock or None, populate_existing=True)
    if row is None or row.workspace_id != workspace_id or row.state == AccountState.DISCONNECTED:
        raise AccountNotThereError()
    return row


def set_mode(
    session: Session,
    *,
    workspace_id: int,
    assistant_id: int,
    account_id: int,
    mode: Mode,
    answers_on: Collection[Sent],
    needed: int,
    by: str,
    now: datetime,
    author_id: int | None = None,
    typed_name: str | None = None,
) -> Placed:
    """Choose what an assistant does on an account. It takes the account from another one.

    :param answers_on: what a customer has to send for it; nothing: a message, a reply to a story, a tap.
    :param needed: how many suggestions have to be taken before it may answer by itself.
    :param by: the name of who chose; *author_id* is theirs, None: a program's.
    :param typed_name: the name of the account, typed to let it answer before that.
    :raises AssistantNotFoundError: if there is none.
    :raises AccountNotThereError: if the account is not there or disconnected.
    :raises OtherNameError: if *typed_name* is not its name.
    :raises NotEarnedError: if it may not answer yet.
    :raises AssistantError: if *needed* is none of :data:`NEEDED`.
    """
    assistant = get(session, workspace_id, assistant_id, lock=True)
    account = account_of(session, workspace_id, account_id, lock=True)
    _check(needed in NEEDED, "needed", _l("The number of suggestions is one from 10 to 1,000."))
    name = account.handle or account.name
    row = session.get(AssistantAccount, account_id, populate_existing=True)
    here = row is not None and row.assistant_id == assistant.id
    before = _mode(row.mode) if row is not None and here else Mode.OFF
    if mode == Mode.OFF and not here:
        return Placed(name, before, mode, changed=False)  # another one may have it: that is not ours to end
    opened_by = row.opened_by if row is not None and here else None
    if mode != Mode.ANSWER:
        opened_by = None
    elif before != Mode.ANSWER:
        opened_by = _opened(session, assistant, account, needed, typed_name, by)
    other = None if row is None or here else _other(session, row)
    other_before = _mode(row.mode) if row is not None else Mode.OFF
    wanted = {
        "assistant_id": assistant.id,
        "mode": mode,
        "answers_on": sorted({one for one in answers_on if one in TAKES} or GREETED),
        "needed": needed,
        "opened_by": opened_by,
    }
    changed = row is None or any(getattr(row, key) != value for key, value in wanted.items())
    spoke = row is not None and row.mode == Mode.ANSWER
    if row is None:
        row = AssistantAccount(account_id=account_id, workspace_id=workspace_id, changed_at=now)
        session.add(row)
    for key, value in wanted.items():
        setattr(row, key, value)
    if changed:
        row.changed_at = now
    session.flush()
    if mode == Mode.OFF or not here or (mode == Mode.SHADOW) != (before == Mode.SHADOW):
        # What was thought in shadow is never shown, and what was shown is no shadow.
        discard(session, AssistantTurn.account_id == account_id, "mode", now)
    if spoke and not (here and mode == Mode.ANSWER):
        _give_to_people(session, workspace_id, [account_id], now)
    opened = opened_by is not None and before != Mode.ANSWER
    told: dict[str, Any] = {"account_id": account_id, "author_id": author_id}
    if other is not None:
        told |= {"mode": Mode.OFF, "before": other_before}
        events.of_assistant(session, other, catalogue.ASSISTANT_MODE_CHANGED, **told)
    if mode != before:
        told |= {"mode": mode, "before": before}
        events.of_assistant(session, assistant, catalogue.ASSISTANT_MODE_CHANGED, **told)
    taken_from = "" if other is None else other.name
    return Placed(name, before, mode, changed=changed, taken_from=taken_from, opened=opened)


def _opened(
    session: Session,
    assistant: Assistant,
    account: ChannelAccount,
    needed: int,
    typed_name: str | None,
    by: str,
) -> str | None:
    """Return who lets *assistant* answer on *account* before it earned that; None: it has earned it."""
    if typed_name is not None:
        typed = _folded(typed_name)
        if not typed or typed not in {_folded(account.name), _folded(account.handle)}:
            raise OtherNameError(field="typed_name")
    if earned(session, assistant.id, [account.id]).get(account.id, 0) >= needed:
        return None
    if typed_name is None:
        raise NotEarnedError(field="mode")
    return by[:255]


def _folded(name: str | None) -> str:
    return " ".join(clean(name or "").casefold().split()).removeprefix("@")


def _other(session: Session, row: AssistantAccount) -> Assistant | None:
    """Return the assistant that has an account; None: it is off there."""
    return None if row.mode == Mode.OFF else session.get(Assistant, row.assistant_id)


# ---- stopping ------------------------------------------------------------------------------------------


def stop(session: Session, assistant: Assistant, now: datetime, author_id: int | None = None) -> int:
    """Stop the locked *assistant* at once: it thinks, suggests and sends nothing more.

    :param author_id: the member who does it; None: a program.

    Return how many of its conversations were handed to people. They are :data:`AT_ONCE` at most, so that the
    write stays short; the others are handed over by a chore.
    """
    if assistant.stopped_at is None:
        assistant.stopped_at = now
        events.of_assistant(session, assistant, catalogue.ASSISTANT_STOPPED, author_id=author_id)
        session.flush()
    discard(session, AssistantTurn.assistant_id == assistant.id, "stopped", now)
    return _give_to_people(session, assistant.workspace_id, _accounts_of(assistant), now)


def resume(session: Session, assistant: Assistant, author_id: int | None = None) -> bool:
    """Let the locked *assistant* go on. Return whether it was stopped."""
    was = assistant.stopped_at is not None
    assistant.stopped_at = None
    if was:
        events.of_assistant(session, assistant, catalogue.ASSISTANT_RESUMED, author_id=author_id)
    session.flush()
    return was


def _accounts_of(assistant: Assistant) -> sa.Select[Any]:
    return sa.select(AssistantAccount.account_id).where(AssistantAccount.assistant_id == assistant.id)


def discard(session: Session, which: sa.ColumnElement[bool], reason: str, now: datetime, **more: Any) -> None:
    """Discard those turns that something may still come of. Who thinks about one writes nothing any more."""
    thinks = AssistantTurn.state == TurnState.THINKING
    session.execute(
        sa.update(AssistantTurn)
        .where(which, AssistantTurn.state.in_(OPEN))
        .values(
            state=TurnState.DISCARDED,
            reason=reason,
            done_at=now,
            due_at=None,
            lease_until=None,
            fence=sa.case((thinks, AssistantTurn.fence + 1), else_=AssistantTurn.fence),
            **more,
        )
        .execution_options(synchronize_session=False)
    )


def _theirs(session: Session, accounts: Any, most: int) -> Sequence[int]:
    query = (
        sa.select(Conversation.id)
        .where(
            Conversation.account_id.in_(accounts),
            Conversation.status == ConversationStatus.OPEN,
            Conversation.handled_by == Handler.AUTOMATION,
        )
        .order_by(Conversation.id)
        .limit(most)
    )
    return session.scalars(query).all()


def _give_to_people(session: Session, workspace_id: int, accounts: Any, now: datetime) -> int:
    """Hand open conversations of *accounts* that automation has to people; return how many."""
    found = _theirs(session, accounts, AT_ONCE)
    for id_ in found:
        named: dict[str, Any] = {"workspace_id": workspace_id, "conversation_id": id_}
        conversation_actions.hand_over(
            session, {}, **named, by=None, now=now, why="stopped", accounts=ALL_ACCOUNTS
        )
    return len(found)


def seen(shown: Shown, accounts: frozenset[int] | None) -> Shown:
    """Return *shown* with the places alone that somebody who sees *accounts* may see; None: all."""
    if accounts is None:
        return shown
    return replace(shown, places=[one for one in shown.places if one.account_id in accounts])
