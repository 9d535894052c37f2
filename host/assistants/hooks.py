"""Hooks of assistants: event consumers, and blocks on other features' pages."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.assistants import assistants, suggestions, turns
from host.assistants import problems as found
from host.assistants.pages import suggestion as shown
from host.assistants.pages.overview import overview
from host.core.ports import AdapterDirectory, AssistantDirectory
from host.events.models import ActorKind
from host.events.reading import Recorded
from host.features.account_link import AccountLink
from host.features.automation_overview import AutomationOverview, OverviewAccount
from host.features.hookspecs import hookimpl
from host.features.problem import Problem
from host.features.today import AutomaticKind
from host.models.inbox import Message
from host.users.actor import Actor, UnitOfWork
from host.users.reach import Accounts

if TYPE_CHECKING:
    from host.inbox.pages.context import InboxContext
    from host.inbox.pages.reply_window import Composing
    from host.inbox.queries import Row


@hookimpl
def problems(session: Session) -> list[Problem]:
    """Return problems for the operator."""
    return [*found.find(session)]


@hookimpl
def runs_of(
    session: Session, events: Sequence[Recorded], directory: AdapterDirectory, now: datetime, since: datetime
) -> None:
    """Start and end turns; they are not automation runs."""
    turns.note(session, events, directory, now, since)


@hookimpl
def suggestion(inbox: InboxContext, row: Row, composing: Composing) -> shown.Suggestion | None:
    """Return an assistant's suggestion or activity in a conversation."""
    return shown.suggestion(inbox, row, composing)


@hookimpl
def suggestion_sent(
    session: Session, suggestion_id: int, message: Message, user_id: int, accounts: Accounts, now: datetime
) -> None:
    """Record the outcome of a suggestion that a person sent, unchanged or edited."""
    work = UnitOfWork(session, message.workspace_id, Actor(ActorKind.USER, user_id), now, accounts)
    suggestions.note_reply(work, suggestion_id, message)


@hookimpl
def on_accounts(session: Session, workspace_id: int) -> Mapping[int, AccountLink]:
    """Return the assistant's name and mode for each account that has one."""
    return {
        account_id: AccountLink("assistants.of_account", "bot", name, does)
        for account_id, (name, does) in assistants.on_accounts(session, workspace_id).items()
    }


@hookimpl
def automation_overview(
    session: Session, workspace_id: int, accounts: Sequence[OverviewAccount], directory: AssistantDirectory
) -> AutomationOverview:
    """Return the assistant of each account."""
    return overview(session, workspace_id, accounts, directory)


@hookimpl
def stopped_without(
    session: Session, workspace_id: int, channels: Collection[str]
) -> list[tuple[str, str, str]]:
    """Return the assistants on accounts of *channels*, each with one account."""
    return [
        ("assistant", assistant.name, place.account)
        for assistant in assistants.listing(session, workspace_id)
        if assistant.stopped_at is None
        for place in assistant.places
        if place.channel in channels
    ]


@hookimpl
def automatic_messages() -> Sequence[AutomaticKind]:
    """Return the messages of assistants, by the keys they are queued with."""
    return [AutomaticKind("assistant-", 40, _l("Assistants"))]
