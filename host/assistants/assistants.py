"""Manage the assistants of a workspace: their names, versions, and modes on accounts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext, pgettext
from msgspec import UNSET, UnsetType
from sqlalchemy.orm import Session

from host.assistants import events
from host.assistants.models import (
    Assistant,
    AssistantAccount,
    AssistantCase,
    AssistantTurn,
    AssistantVersion,
    LanguageModel,
    Mode,
    TurnOutcome,
    TurnState,
)
from host.assistants.values import Body, Cap, Limits
from host.automation.deciding import GREETED, Sent
from host.core.backports.values import replace
from host.core.cleaning import clean
from host.core.errors import InvalidError, NotFoundError
from host.events.kinds.assistants import (
    ASSISTANT_RESUMED,
    ASSISTANT_STOPPED,
    OfAssistant,
)
from host.events.writing import publish
from host.inbox import conversation_actions, names
from host.models.channels import AccountState, ChannelAccount
from host.models.inbox import Conversation, ConversationStatus, Handler
from host.sdk import strictjson
from host.users.actor import DESK, UnitOfWork
from host.users.workspaces import SavedMeanwhileError

MOST = 20
"""Most assistants of a workspace."""
LONGEST_NAME = 40
LONGEST_PROMPT = 4_000
LONGEST_ANNOUNCEMENT = 200
LONGEST_HANDOFF = 300
MOST_PHRASES = 30
LONGEST_PHRASE = 200
PAUSES = range(1, 31)
"""Allowed pauses in seconds between a customer's last message and reading their messages."""
SECONDS = range(5, 61)
"""Allowed seconds for one answer."""
CALLS = range(11)
"""Allowed number of tool calls for one answer."""
NEEDED = range(10, 1001)
"""Allowed number of accepted suggestions before it may answer automatically."""
USUALLY_NEEDED = 50
LARGEST = 10**15
"""Largest limit of turns, tokens or millionths of money."""
AT_ONCE = 200
"""Most conversations handed to people in the write that stops an assistant."""
TAKES = (Sent.MESSAGE, Sent.STORY_REPLY, Sent.TAP, Sent.MENTION)
"""Kinds of messages an assistant may answer."""

MODES = {
    Mode.OFF: _l("Off"),
    Mode.SHADOW: _l("Shadow"),
    Mode.SUGGEST: _l("Suggest"),
    Mode.ANSWER: _l("Answer"),
}
"""Modes of an assistant on an account, in words."""

STOPPED = _l("Stopped")

_CHUNK = 500
"""Conversations per statement."""
OPEN = (TurnState.WAITING, TurnState.THINKING, TurnState.READY)
"""States of a turn that is not finished."""


class AssistantNotFoundError(NotFoundError):
    """The workspace has no such assistant."""

    code = "assistant_not_found"
    title = _l("Assistant not found")
    default_sentence = _l("This assistant does not exist. Someone may have deleted it.")
    default_next_step = lazy_pgettext("assistant", "Choose another one.")
    program_step = ""


class AssistantError(InvalidError):
    """An assistant has an invalid setting; ``field`` names it."""

    code = "assistant_invalid"
    title = _l("The assistant was not saved")
    default_next_step = _l("Fix it, then save again.")
    program_step = _l("Correct it and send it again.")


class AccountNotThereError(NotFoundError):
    """The account is not in this workspace, or it is disconnected."""

    code = "assistant_account"
    title = _l("Account not found")
    default_sentence = _l("This account is disconnected or doesn't exist, so nothing was changed.")
    default_next_step = _l("Connect it under Settings → Channels, then try again.")
    program_step = ""
    place = "account_id"


class NotEarnedError(AssistantError):
    """The assistant may not answer automatically yet: too few of its suggestions were accepted."""

    code = "assistant_not_earned"
    title = _l("It can't answer yet")
    default_sentence = _l("Too few suggestions were accepted unchanged, so nothing was changed.")
    default_next_step = _l("Let it suggest for longer, or type the account name to allow answers now.")
    program_step = ""


class OtherNameError(AssistantError):
    """The typed text is not the name of the account."""

    code = "assistant_typed_name"
    title = _l("Name doesn't match")
    default_sentence = _l("The name you typed doesn't match the account, so nothing was changed.")
    default_next_step = _l("Type the name exactly as shown in the table.")
    program_step = _l("Send the name of the account exactly as the API returns it.")


class AccountMode(msgspec.Struct, frozen=True):
    """The mode of an assistant on an account.

    :param answers_on: kinds of messages it answers, names of :class:`host.automation.deciding.Sent`.
    :param opened_by: name of the person who let it answer before it had earned that; empty if nobody did.
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


class AssistantSummary(msgspec.Struct, frozen=True):
    """An assistant in the list.

    :param places: the accounts where it is not off.
    """

    id: int
    name: str
    version: int
    changed_at: datetime
    stopped_at: datetime | None
    model_id: int | None
    places: Sequence[AccountMode]


class ModeChange(msgspec.Struct, frozen=True):
    """The result of changing a mode.

    :param before: the previous mode of this assistant on the account.
    :param taken_from: name of the assistant that had the account before; empty if none had.
    :param opened: whether a person let it answer before it had earned that.
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

    :param lock: lock it until the write ends.
    :raises AssistantNotFoundError: if there is none.
    """
    query = sa.select(Assistant).where(Assistant.id == assistant_id, Assistant.workspace_id == workspace_id)
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    found = session.scalars(query).one_or_none()
    if found is None:
        raise AssistantNotFoundError()
    return found


def listing(session: Session, workspace_id: int) -> list[AssistantSummary]:
    """Return the assistants of a workspace, oldest first. Two statements."""
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
    its: dict[int, list[AccountMode]] = {}
    for one in places(session, workspace_id).values():
        if one.mode != Mode.OFF:
            its.setdefault(one.assistant_id, []).append(one)
    return [
        AssistantSummary(row.id, row.name, row.version, at, row.stopped_at, row.model_id, its.get(row.id, ()))
        for row, at in session.execute(query)
    ]


def places(session: Session, workspace_id: int) -> dict[int, AccountMode]:
    """Return the modes on the connected accounts of a workspace, by account. One statement."""
    query = (
        sa.select(AssistantAccount, ChannelAccount.channel, ChannelAccount.handle, ChannelAccount.name)
        .join(ChannelAccount, ChannelAccount.id == AssistantAccount.account_id)
        .where(
            AssistantAccount.workspace_id == workspace_id, ChannelAccount.state != AccountState.DISCONNECTED
        )
        .order_by(AssistantAccount.account_id)
    )
    return {
        row.account_id: AccountMode(
            row.account_id,
            channel,
            handle or name,
            row.assistant_id,
            _mode(row.mode),
            # Kinds that only another release knows are not answered here.
            frozenset(Sent(one) for one in row.answers_on if one in set(Sent)),
            row.needed,
            row.opened_by or "",
            row.changed_at,
        )
        for row, channel, handle, name in session.execute(query)
    }


def at_work(places: Mapping[int, AccountMode], assistant_id: int) -> dict[int, AccountMode]:
    """Return those of *places* where an assistant is not off."""
    return {
        id_: one for id_, one in places.items() if one.assistant_id == assistant_id and one.mode != Mode.OFF
    }


def on_accounts(session: Session, workspace_id: int) -> dict[int, tuple[str, str]]:
    """Return the assistant's name and its mode in words, for each account that has one."""
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
    """Return a mode by its name, or off if only another release knows it."""
    return Mode(name) if name in set(Mode) else Mode.OFF


def create(work: UnitOfWork, *, name: str) -> Assistant:
    """Create an assistant that is on no account yet, and return it.

    :raises AssistantError: if it has no name, or there are :data:`MOST`.
    """
    name = _checked_name(name)
    count = sa.select(sa.func.count()).where(Assistant.workspace_id == work.workspace_id)
    if (work.session.scalar(count) or 0) >= MOST:
        raise AssistantError(_l("You have reached the limit of 20 assistants."), field="name")
    row = Assistant(
        workspace_id=work.workspace_id, name=name, version=1, knowledge_version=0, created_at=work.now
    )
    work.session.add(row)
    work.session.flush()
    add_version(work, row, plain(Body()))
    work.audit("assistant.added", row.name)
    return row


def add_version(work: UnitOfWork, row: Assistant, body: Mapping[str, Any]) -> None:
    """Store *body* as the version of the locked assistant *row* that it counts now."""
    by = {"author": work.actor.author[:255], "at": work.now}
    work.session.add(AssistantVersion(assistant_id=row.id, number=row.version, body=body, **by))
    work.session.flush()


def rename(work: UnitOfWork, assistant_id: int, *, name: str) -> Assistant:
    """Rename an assistant and return it.

    :raises AssistantNotFoundError: if there is none.
    :raises AssistantError: if the name is invalid.
    """
    row = get(work.session, work.workspace_id, assistant_id, lock=True)
    _rename(work, row, name)
    return row


def _rename(work: UnitOfWork, row: Assistant, name: str) -> None:
    before, row.name = row.name, _checked_name(name)
    work.session.flush()
    if row.name != before:
        work.audit("assistant.renamed", row.name, details={"before": before})


def change(
    work: UnitOfWork,
    assistant_id: int,
    *,
    model_id: int | UnsetType | None = UNSET,
    stopped: bool | UnsetType = UNSET,
) -> Assistant:
    """Change the settings of an assistant that are not UNSET, and return it.

    :param model_id: the model it uses; None for no model.
    :param stopped: see :func:`stop` and :func:`resume`.
    :raises AssistantNotFoundError: if there is none.
    :raises AssistantError: if the workspace has no such model.
    """
    row = get(work.session, work.workspace_id, assistant_id, lock=True)
    if model_id is not UNSET:
        choose_model(work, row, model_id)
    if stopped is True:
        stop(work, row)
    elif stopped is False:
        resume(work, row)
    return row


def delete(work: UnitOfWork, assistant_id: int) -> str:
    """Delete an assistant and its knowledge, and return its name. Messages it sent stay.

    :raises AssistantNotFoundError: if there is none.
    :raises AssistantError: if it has more conversations than one write can hand to people.
    """
    row = get(work.session, work.workspace_id, assistant_id, lock=True)
    if _stop(work, row) >= AT_ONCE and _theirs(work.session, _accounts_of(row), 1):
        raise AssistantError(
            _l("It still has conversations, so it was not deleted."),
            next_step=_l("Stop it, wait until all its conversations are with people, then delete it."),
        )
    work.session.execute(sa.delete(Assistant).where(Assistant.id == row.id))
    work.session.expunge(row)
    work.audit("assistant.deleted", row.name)
    return row.name


def choose_model(work: UnitOfWork, assistant: Assistant, model_id: int | None) -> LanguageModel | None:
    """Set the model of the locked *assistant*; None for no model. Return the model.

    :raises AssistantError: if the workspace has no such model.
    """
    model = None if model_id is None else work.session.get(LanguageModel, model_id)
    if model_id is not None and (model is None or model.workspace_id != work.workspace_id):
        raise AssistantError(_l("This model was deleted."), field="model")
    before, assistant.model_id, assistant.lost_model = assistant.model_id, model_id, None
    work.session.flush()
    if model_id != before:
        details = {"model": pgettext("language model", "none") if model is None else model.name}
        work.audit("assistant.model", assistant.name, details=details)
    return model


def _checked_name(name: str) -> str:
    refusal: InvalidError = AssistantError(
        _l("The name must have 1 to 40 characters, so nothing was saved."),
        next_step=lazy_pgettext("assistant", "Give it a name."),
        field="name",
    )
    return names.checked(name, refusal, longest=LONGEST_NAME)


# ---- versions -----------------------------------------------------------------------------------------


def plain(body: Body) -> dict[str, Any]:
    """Return *body* as it is stored."""
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(body))  # tuples become lists
    return found


def read(stored: Any) -> Body | None:
    """Return a stored version, or None if a newer release wrote it."""
    try:
        return strictjson.convert(stored, Body)
    except msgspec.ValidationError:
        return None


def body_of(session: Session, assistant: Assistant, number: int | None = None) -> Body | None:
    """Return the current version of an assistant, or version *number*; None if it cannot be read."""
    number = assistant.version if number is None else number
    row = session.get(AssistantVersion, (assistant.id, number))
    return None if row is None else read(row.body)


def versions(session: Session, assistant_id: int, most: int = 50) -> Sequence[AssistantVersion]:
    """Return the versions of an assistant, newest first."""
    query = sa.select(AssistantVersion).where(AssistantVersion.assistant_id == assistant_id)
    return session.scalars(query.order_by(AssistantVersion.number.desc()).limit(most)).all()


def save_version(
    work: UnitOfWork, assistant_id: int, *, body: Body, version: int | None = None, name: str | None = None
) -> Assistant:
    """Save *body* as the new version of an assistant, and return the assistant.

    :param version: the version the page showed; None to overwrite any version.
    :param name: a new name; None to keep its name.
    :raises AssistantNotFoundError: if there is none.
    :raises SavedMeanwhileError: if a newer version than *version* was saved.
    :raises AssistantError: as :func:`checked`, or if the name is invalid.
    """
    row = get(work.session, work.workspace_id, assistant_id, lock=True)
    if version is not None and version != row.version:
        raise SavedMeanwhileError()
    kept = plain(checked(body))
    before = work.session.get(AssistantVersion, (row.id, row.version))
    changed = before is None or kept != before.body
    if changed:
        row.version += 1
        add_version(work, row, kept)
    if name is not None:
        _rename(work, row, name)
    if changed:
        work.audit("assistant.changed", row.name, details={"version": row.version})
    return row


def checked(body: Body) -> Body:
    """Return a valid *body*, normalized for storage.

    :raises AssistantError: if a part of it is too long or out of range; ``field`` names it, such as
        ``prompt`` or ``day.turns``.
    """
    body = msgspec.structs.replace(
        body,
        prompt=_text(body.prompt),
        announcement=" ".join(clean(body.announcement).split()),
        handoff=" ".join(clean(body.handoff).split()),
        phrases=tuple(text for one in body.phrases if (text := " ".join(clean(one).split()))),
    )
    _check(
        len(body.prompt) <= LONGEST_PROMPT, "prompt", _l("The prompt is longer than 4,000 characters."), 4_000
    )
    _check(
        len(body.announcement) <= LONGEST_ANNOUNCEMENT,
        "announcement",
        _l("The announcement is longer than 200 characters."),
        LONGEST_ANNOUNCEMENT,
    )
    _check(
        len(body.handoff) <= LONGEST_HANDOFF,
        "handoff",
        _l("The message at a handoff is longer than 300 characters."),
        LONGEST_HANDOFF,
    )
    _check(len(body.phrases) <= MOST_PHRASES, "phrases", _l("There are more than 30 phrases."), MOST_PHRASES)
    _check(
        all(len(one) <= LONGEST_PHRASE for one in body.phrases),
        "phrases",
        _l("A phrase is longer than 200 characters."),
        LONGEST_PHRASE,
    )
    _check(body.pause in PAUSES, "pause", _l("The pause must be 1 to 30 seconds."))
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
            _check(fits, f"{which}.{name}", _l("A limit must be 0 or more. 0 means no limit."))
    _check(limits.seconds in SECONDS, "seconds", _l("The answer time must be 5 to 60 seconds."))
    _check(limits.calls in CALLS, "calls", _l("The number of tool calls per answer must be 0 to 10."))


def _check(fits: bool, field: str, sentence: object, limit: int | None = None) -> None:
    if not fits:
        raise AssistantError(sentence, field=field, limit=limit)


def _text(text: str) -> str:
    """Return a multi-line text, normalized for storage."""
    return clean(text).replace("\r\n", "\n").replace("\r", "\n").strip()


# ---- modes on accounts --------------------------------------------------------------------------------


def earned(session: Session, assistant_id: int, accounts: Collection[int]) -> dict[int, int]:
    """Return how many suggestions of an assistant were accepted unchanged, by account. One statement.

    A suggestion that was not accepted counts too if a person rated it right, and so does an answer in shadow
    mode. Those a program accepted don't count. Accounts with none are left out.
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

    :param lock: lock it until the write ends.
    :raises AccountNotThereError: if it is missing or disconnected.
    """
    row = session.get(
        ChannelAccount,
        account_id,
        with_for_update={"key_share": True} if lock else None,
        populate_existing=True,
    )
    if row is None or row.workspace_id != workspace_id or row.state == AccountState.DISCONNECTED:
        raise AccountNotThereError()
    return row


def set_mode(
    work: UnitOfWork,
    assistant_id: int,
    account_id: int,
    *,
    mode: str,
    answers_on: Collection[Sent],
    needed: int,
    typed_name: str | None = None,
) -> ModeChange:
    """Set the mode of an assistant on an account, taking the account from another assistant.

    :param mode: the name of a :class:`Mode`.
    :param answers_on: kinds of messages it answers; default: messages, replies to stories, taps.
    :param needed: accepted suggestions required before it may answer automatically.
    :param typed_name: the name of the account, typed to let it answer earlier.
    :raises AssistantNotFoundError: if there is none.
    :raises AccountNotThereError: if the account is missing or disconnected.
    :raises OtherNameError: if *typed_name* is not its name.
    :raises NotEarnedError: if it may not answer yet.
    :raises AssistantError: if there is no such mode, or *needed* is not in :data:`NEEDED`.
    """
    session = work.session
    assistant = get(session, work.workspace_id, assistant_id, lock=True)
    account = account_of(session, work.workspace_id, account_id, lock=True)
    _check(mode in set(Mode), "mode", _l("Invalid assistant mode."))
    mode = Mode(mode)
    _check(needed in NEEDED, "needed", _l("The number of suggestions must be 10 to 1,000."))
    name = account.handle or account.name
    row = session.get(AssistantAccount, account_id, populate_existing=True)
    here = row is not None and row.assistant_id == assistant.id
    before = _mode(row.mode) if row is not None and here else Mode.OFF
    if mode == Mode.OFF and not here:
        # Don't change the mode of another assistant that has the account.
        return ModeChange(name, before, mode, changed=False)
    opened_by = row.opened_by if row is not None and here else None
    was_opened_by = opened_by
    if mode == Mode.OFF or (mode != Mode.ANSWER and before == Mode.ANSWER):
        opened_by = None
    elif mode == Mode.ANSWER and before != Mode.ANSWER:
        if typed_name is not None:
            _check_name(account, typed_name)
            opened_by = opened_by or work.actor.author[:255]
        opened_by = _opened(session, assistant, account, needed, opened_by)
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
        row = AssistantAccount(account_id=account_id, workspace_id=work.workspace_id, changed_at=work.now)
        session.add(row)
    for key, value in wanted.items():
        setattr(row, key, value)
    if changed:
        row.changed_at = work.now
    session.flush()
    if mode == Mode.OFF or not here or (mode == Mode.SHADOW) != (before == Mode.SHADOW):
        # Turns from shadow mode are never shown, and shown suggestions never count as shadow.
        discard(session, AssistantTurn.account_id == account_id, "mode", work.now)
    if spoke and not (here and mode == Mode.ANSWER):
        _give_to_people(work, [account_id])
    if other is not None:
        events.of_mode(work, other, account_id, mode=Mode.OFF, before=other_before)
    if mode != before:
        events.of_mode(work, assistant, account_id, mode=mode, before=before)
    done = ModeChange(
        name,
        before,
        mode,
        changed=changed,
        taken_from="" if other is None else other.name,
        opened=opened_by is not None and was_opened_by is None,
    )
    if changed:
        _audit(work, assistant, done, needed)
    return done


def _audit(work: UnitOfWork, assistant: Assistant, done: ModeChange, needed: int) -> None:
    details = {"account": done.account, "mode": done.mode, "needed": needed}
    if done.taken_from:
        details["taken_from"] = done.taken_from
    if done.opened:  # unlocked and started in one call: a page does it with two
        work.audit("assistant.opened", assistant.name, details=details | {"mode": done.before})
    work.audit("assistant.mode", assistant.name, details=details | {"before": done.before})


def _opened(
    session: Session, assistant: Assistant, account: ChannelAccount, needed: int, by: str | None
) -> str | None:
    """Return who lets *assistant* answer on *account* before it earned that, or None if it has earned it.

    :param by: who does, or did before, see :func:`unlock`.
    """
    if earned(session, assistant.id, [account.id]).get(account.id, 0) >= needed:
        return None
    if by is None:
        raise NotEarnedError(field="mode")
    return by


def _check_name(account: ChannelAccount, typed_name: str) -> None:
    typed = _folded(typed_name)
    if not typed or typed not in {_folded(account.name), _folded(account.handle)}:
        raise OtherNameError(field="typed_name")


def unlock(work: UnitOfWork, assistant_id: int, account_id: int, *, typed_name: str) -> str:
    """Allow an assistant to answer on an account before it earned that; return the name of the account.

    It starts nothing: the mode stays as it is until :func:`set_mode`.

    :param typed_name: the name of the account, typed to confirm.
    :raises AssistantNotFoundError: if there is none.
    :raises AccountNotThereError: if the account is missing or disconnected, or the assistant is off there.
    :raises OtherNameError: if *typed_name* is not its name.
    """
    assistant = get(work.session, work.workspace_id, assistant_id, lock=True)
    account = account_of(work.session, work.workspace_id, account_id, lock=True)
    row = work.session.get(AssistantAccount, account_id, populate_existing=True)
    if row is None or row.assistant_id != assistant.id or row.mode == Mode.OFF:
        raise AccountNotThereError()
    _check_name(account, typed_name)
    name = account.handle or account.name
    if row.mode != Mode.ANSWER and row.opened_by is None:
        row.opened_by = work.actor.author[:255]
        details = {"account": name, "mode": row.mode, "needed": row.needed}
        work.audit("assistant.opened", assistant.name, details=details)
    work.session.flush()
    return name


def _folded(name: str | None) -> str:
    return " ".join(clean(name or "").casefold().split()).removeprefix("@")


def _other(session: Session, row: AssistantAccount) -> Assistant | None:
    """Return the other assistant that has an account, or None if it is off there."""
    return None if row.mode == Mode.OFF else session.get(Assistant, row.assistant_id)


# ---- stopping ------------------------------------------------------------------------------------------


def stop(work: UnitOfWork, assistant: Assistant) -> int:
    """Stop the locked *assistant* immediately: it no longer thinks, suggests or sends.

    Return how many of its conversations were handed to people. They are :data:`AT_ONCE` at most, to keep the
    write short; a scheduled job hands over the others.
    """
    goes = assistant.stopped_at is None
    handed = _stop(work, assistant)
    if goes:
        work.audit("assistant.stopped", assistant.name, details={"conversations": handed})
    return handed


def _stop(work: UnitOfWork, assistant: Assistant) -> int:
    if assistant.stopped_at is None:
        assistant.stopped_at = work.now
        publish(work, ASSISTANT_STOPPED, OfAssistant(assistant=assistant.id))
        work.session.flush()
    discard(work.session, AssistantTurn.assistant_id == assistant.id, "stopped", work.now)
    return _give_to_people(work, _accounts_of(assistant))


def resume(work: UnitOfWork, assistant: Assistant) -> bool:
    """Resume the locked *assistant*. Return whether it was stopped."""
    was = assistant.stopped_at is not None
    assistant.stopped_at = None
    if was:
        publish(work, ASSISTANT_RESUMED, OfAssistant(assistant=assistant.id))
        work.audit("assistant.resumed", assistant.name)
    work.session.flush()
    return was


def _accounts_of(assistant: Assistant) -> sa.Select[Any]:
    return sa.select(AssistantAccount.account_id).where(AssistantAccount.assistant_id == assistant.id)


def discard(session: Session, which: sa.ColumnElement[bool], reason: str, now: datetime, **more: Any) -> None:
    """Discard unfinished turns. A thread that is working on one can no longer write its result."""
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


def forget_cases(session: Session, conversations: Collection[int]) -> int:
    """Delete cases of assistants created from *conversations*, and return how many there were."""
    forgotten = 0
    for start in range(0, len(conversations), _CHUNK):
        some = list(conversations)[start : start + _CHUNK]
        deleted: Any = session.execute(
            sa.delete(AssistantCase).where(AssistantCase.conversation_id.in_(some))
        )
        forgotten += deleted.rowcount
    return forgotten


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


def _give_to_people(work: UnitOfWork, accounts: Any) -> int:
    """Hand open automated conversations of *accounts* to people, and return how many."""
    found = _theirs(work.session, accounts, AT_ONCE)
    # Also those on accounts that whoever stops it does not see.
    desk = UnitOfWork(work.session, work.workspace_id, DESK, work.now)
    for id_ in found:
        conversation_actions.hand_over(desk, id_, {}, why="stopped")
    return len(found)


def seen(shown: AssistantSummary, accounts: frozenset[int] | None) -> AssistantSummary:
    """Return *shown* with only the accounts a person may see; *accounts* None for all."""
    if accounts is None:
        return shown
    return replace(shown, places=[one for one in shown.places if one.account_id in accounts])
