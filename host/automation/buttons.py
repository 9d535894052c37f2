"""Answers to taps on the ice breakers and menu items of an account.

The provider keeps the questions and items, and sends only the payload of the one that was tapped. So an
answer belongs to a payload: a question with another payload is another question, and has its own answer.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.automation import settings, texts
from host.automation.deciding import Answer, RunKind, Settings
from host.channels.button_payloads import digest, remember_payloads
from host.core.errors import InvalidError
from host.inbox.drafts import Draft
from host.inbox.sendable import told_apart
from host.inbox.teams import teams
from host.inbox.teams.errors import TeamNotFoundError
from host.models.automation import AccountAutomation, AutomationRun, ButtonAnswer, RunState
from host.models.channels import ChannelAccount
from host.models.inbox import Message
from host.models.users import Workspace
from host.sdk.capabilities import Capabilities
from host.sdk.messages import MessageKind
from host.users.actor import UnitOfWork

PERSON_PAYLOAD = "lobby:person"
"""Payload of the button *Talk to a person*."""
LONGEST_LINK = 1000
NOTHING = Answer()
_ADDRESS = re.compile(r"https://[^\s/]+\S*")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class AnswerError(InvalidError):
    """The answer of an ice breaker or menu item is invalid; *field* names the field of :class:`Answer`."""

    code = "button_answer"
    title = _l("Invalid answer")
    default_sentence = _l("This answer can't be sent, so nothing was saved.")
    default_next_step = ""


class TapCount(NamedTuple):
    """How often a question or item was tapped, and how many of the taps were answered."""

    taps: int = 0
    answered: int = 0


class TappedButton(NamedTuple):
    """The button that a customer's message is a tap on."""

    id: int
    answer: Answer


# ---- keeping -------------------------------------------------------------------------------------------


def checked(session: Session, workspace_id: int, answer: Answer, capabilities: Capabilities) -> Answer:
    """Return *answer* validated.

    :raises AnswerError: with the field.
    """
    text = answer.text
    if text.strip():
        try:
            text = texts.checked(text, capabilities.text_limit)
        except InvalidError as error:
            raise AnswerError(error.sentence, next_step=error.next_step, field="text") from None
    else:
        text = ""
    replies = tuple(" ".join(one.split()) for one in answer.quick_replies if one.strip())
    if replies:
        _check_replies(replies, text, capabilities)
    link, title = answer.link.strip(), " ".join(answer.link_title.split())
    if link or title:
        _check_link(link, title, text, replies, capabilities)
    if answer.team_id is not None:
        try:
            teams.get(session, workspace_id, answer.team_id)
        except TeamNotFoundError:
            raise AnswerError(_l("This team was deleted. Choose another."), field="team_id") from None
    return Answer(text, replies, title, link, answer.hands_over, answer.team_id)


def _check_replies(replies: Sequence[str], text: str, capabilities: Capabilities) -> None:
    limits = capabilities.quick_replies
    if limits is None:
        raise AnswerError(_l("This channel has no quick replies."), field="quick_replies")
    if not text:
        raise AnswerError(_l("Quick replies need a text above them."), field="quick_replies")
    if len(replies) > limits.most - 1:  # the last one is Talk to a person
        raise AnswerError(_l("You can add at most %(most)s.", most=limits.most - 1), field="quick_replies")
    longest = max(replies, key=len)
    if len(longest) > limits.title_length:
        raise AnswerError(
            _l("“%(text)s” is longer than %(most)s characters.", text=longest, most=limits.title_length),
            field="quick_replies",
        )
    if any(_CONTROL.search(one) for one in replies):
        raise AnswerError(_l("This contains invalid characters."), field="quick_replies")
    if len({one.casefold() for one in replies}) < len(replies):
        raise AnswerError(_l("A quick reply is there twice."), field="quick_replies")


def _check_link(link: str, title: str, text: str, replies: Sequence[str], capabilities: Capabilities) -> None:
    limits = capabilities.buttons
    if limits is None:
        raise AnswerError(_l("This channel has no link buttons."), field="link")
    if not _ADDRESS.fullmatch(link) or _CONTROL.search(link) or len(link) > LONGEST_LINK:
        raise AnswerError(_l("Enter a web address that starts with https://."), field="link")
    if not title or len(title) > limits.title_length or _CONTROL.search(title):
        raise AnswerError(
            _l("Enter a label of at most %(most)s characters.", most=limits.title_length), field="link_title"
        )
    if not text:
        raise AnswerError(_l("A link needs a text above it."), field="link")
    if len(text) > limits.text_length:
        raise AnswerError(
            _l("A text with a link can have at most %(most)s characters.", most=limits.text_length),
            field="text",
        )
    if replies:
        raise AnswerError(_l("Use either quick replies or a link."), field="link")


def of_list(session: Session, account_id: int, name: str) -> dict[str, Answer]:
    """Return the answers of an account's list by digest; *name*: ``ice_breakers`` or ``menu``."""
    rows = session.scalars(
        sa.select(ButtonAnswer).where(ButtonAnswer.account_id == account_id, ButtonAnswer.list_name == name)
    )
    return {row.digest: _answer(row) for row in rows}


def keep(
    work: UnitOfWork,
    account_id: int,
    name: str,
    payloads: Collection[str],
    answers: Mapping[str, Answer] | None = None,
) -> None:
    """Store the payloads of an account's list, as the provider has it now, and the answers to taps on them.

    :param name: ``ice_breakers`` or ``menu``.
    :param answers: checked answers by payload; None: each payload keeps its answer.
    """
    remember_payloads(work, account_id, name, payloads)
    session = work.session
    account = session.get(ChannelAccount, account_id, with_for_update={"key_share": True})
    if account is None:
        return
    query = sa.select(ButtonAnswer).where(
        ButtonAnswer.account_id == account_id, ButtonAnswer.list_name == name
    )
    rows = {row.digest: row for row in session.scalars(query)}
    wanted = {digest(payload): payload for payload in payloads if payload}
    for key, row in rows.items():
        if key not in wanted:
            session.delete(row)
    session.flush()
    for key, payload in wanted.items():
        kept = rows.get(key)
        row = kept or ButtonAnswer(
            workspace_id=account.workspace_id,
            account_id=account_id,
            list_name=name,
            digest=key,
        )
        if kept is None or answers is not None:
            _fill(row, (answers or {}).get(payload, NOTHING))
        session.add(row)
    session.flush()
    _note_buttons(session, account, work.now)


def _fill(row: ButtonAnswer, answer: Answer) -> None:
    row.text, row.quick_replies = answer.text, list(answer.quick_replies)
    row.link_title, row.link = answer.link_title, answer.link
    row.hands_over, row.team_id = answer.hands_over, answer.team_id


def _note_buttons(session: Session, account: ChannelAccount, now: datetime) -> None:
    """Note whether the account has buttons, so that other accounts cost no statement for each batch."""
    query = sa.select(ButtonAnswer.id).where(ButtonAnswer.account_id == account.id).limit(1)
    there = session.scalar(query) is not None
    row = session.get(AccountAutomation, account.id, populate_existing=True)
    if row is not None:
        row.has_buttons = there
    elif there:
        row = settings.new_row(Settings(account.id, account.workspace_id), now)
        row.has_buttons = True
        session.add(row)
    session.flush()


def _answer(row: Any) -> Answer:
    return Answer(row.text, tuple(row.quick_replies), row.link_title, row.link, row.hands_over, row.team_id)


# ---- taps ----------------------------------------------------------------------------------------------


def tapped(session: Session, messages: Collection[int]) -> dict[int | None, TappedButton]:
    """Return the buttons that customers tapped by *messages*, by the message's id. Two statements at most."""
    if not messages:
        return {}
    taps = session.execute(
        sa.select(Message.id, Message.account_id, Message.content).where(
            Message.id.in_(messages), Message.kind == MessageKind.POSTBACK
        )
    ).all()
    keys = {row.id: (row.account_id, digest(payload)) for row in taps if (payload := _payload(row.content))}
    if not keys:
        return {}
    query = sa.select(ButtonAnswer).where(
        ButtonAnswer.account_id.in_({account_id for account_id, _key in keys.values()}),
        ButtonAnswer.digest.in_({key for _account, key in keys.values()}),
    )
    # Of a payload in both lists, the answer counts; of two, that of the ice breaker.
    rows = sorted(
        session.scalars(query), key=lambda row: (not _answer(row).is_empty, row.list_name != "menu")
    )
    found = {(row.account_id, row.digest): TappedButton(row.id, _answer(row)) for row in rows}
    return {id_: found[key] for id_, key in keys.items() if key in found}


def _payload(content: Any) -> str:
    payload = content.get("payload") if isinstance(content, Mapping) else None
    return payload if isinstance(payload, str) else ""


def by_id(session: Session, button_id: int) -> Answer | None:
    """Return the current answer of a button; None if it was changed or deleted."""
    row = session.get(ButtonAnswer, button_id, populate_existing=True)
    return None if row is None else _answer(row)


def answered(session: Session, messages: Collection[int], *, due: bool = True) -> dict[int, bool]:
    """Return the taps among *messages* that are answered, each with whether that needs nobody of the team.

    :param due: whether those count that are about to be answered.
    """
    if not messages:
        return {}
    query = sa.select(AutomationRun.message_id, AutomationRun.facts).where(
        AutomationRun.message_id.in_(messages),
        AutomationRun.conversation_id.in_(sa.select(Message.conversation_id).where(Message.id.in_(messages))),
        AutomationRun.kind == RunKind.TAP,
        sa.or_(AutomationRun.outcome == "answer", AutomationRun.state == RunState.DUE if due else sa.false()),
    )
    return {id_: not facts.get("hands_over") for id_, facts in session.execute(query)}


def counted(session: Session, account_id: int, name: str, since: datetime) -> dict[str, TapCount]:
    """Return the counts of the taps on an account's list since then, by digest."""
    query = (
        sa.select(
            ButtonAnswer.digest,
            sa.func.count(),
            sa.func.sum(sa.case((AutomationRun.state == RunState.DONE, 1), else_=0)),
        )
        .join(
            AutomationRun,
            sa.and_(
                AutomationRun.kind == RunKind.TAP,
                AutomationRun.automation_id == ButtonAnswer.id,
                AutomationRun.done_at >= since,
            ),
        )
        .where(ButtonAnswer.account_id == account_id, ButtonAnswer.list_name == name)
        .group_by(ButtonAnswer.digest)
    )
    return {key: TapCount(taps, int(done)) for key, taps, done in session.execute(query)}


# ---- sending -------------------------------------------------------------------------------------------


def draft_of(answer: Answer, text: str, capabilities: Capabilities, person: str) -> Draft:
    """Return the message to send. Pure.

    :param text: the text of the answer, filled.
    :param person: the title of the button *Talk to a person*, which stands last where a team doesn't get the
        conversation anyway, and the channel can show it.
    """
    talk = [] if answer.hands_over else [{"title": person, "payload": PERSON_PAYLOAD}]
    if answer.link:
        limits = capabilities.buttons
        if limits is None or len(text) > limits.text_length:
            return Draft(text=f"{text}\n{answer.link}")
        buttons = [{"title": answer.link_title, "url": answer.link}, *talk][: limits.buttons]
        return Draft(MessageKind.TEMPLATE, content={"template": {"text": text, "buttons": buttons}})
    offers = capabilities.quick_replies
    if offers is None:
        return Draft(text=text)
    titles = [one[: offers.title_length] for one in answer.quick_replies[: offers.most - 1]]
    replies = told_apart([*({"title": one, "payload": one} for one in titles), *talk])
    return Draft(text=text, content={"quick_replies": replies} if replies else {})


def person_title(session: Session, workspace_id: int, capabilities: Capabilities) -> str:
    """Return the title of *Talk to a person* in the workspace's language, as long as the channel allows."""
    limits = capabilities.quick_replies or capabilities.buttons
    most = 20 if limits is None else limits.title_length
    said = texts.in_language(texts.PERSON, session.get_one(Workspace, workspace_id).language)
    return said if len(said) <= most else said[: most - 1].rstrip() + "…"
