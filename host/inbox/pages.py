"""What the inbox page and its fragments are made of, gathered with as few queries as it takes."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from flask import current_app, render_template
from sqlalchemy.orm import Session

from host import clock
from host.channels.directory import Directory
from host.inbox import durations, excerpts, kinds, person, present, queries, scripts, threads, windows
from host.inbox import tools as tools_module
from host.inbox.blueprint import bp
from host.inbox.errors import ConversationNotFoundError
from host.inbox.models import Direction
from host.inbox.present import Listed, Shown, listed, name_of, shown
from host.inbox.queries import Counts, Filter, Row
from host.inbox.tools import NO_TOOLS, Tools, tools_of
from host.sdk.channel import ChannelAdapter


@bp.context_processor
def _pieces() -> dict[str, Any]:
    """Give the templates what they lay rows out with."""
    return {
        "activity": present.activity,
        "edges": excerpts.edges,
        "tail": excerpts.tail,
        "start": excerpts.start,
        "is_note": present.is_note,
        "kind_label": lambda kind: kinds.look(kind).label,
        "moment_of": lambda at: durations.moment(at, clock.now()),
        "known_endpoints": current_app.view_functions,
        "scripts_of_inbox": scripts.INBOX,
        "words_of_tools": tools_module.words,
        "voice_problems": tools_module.voice_problems,
    }


@dataclass(frozen=True, slots=True)
class Desk:
    """Who looks, at which workspace, when, and with which channels."""

    session: Session
    directory: Directory
    workspace_id: int
    user_id: int
    now: datetime

    def adapter(self, row: Row) -> ChannelAdapter | None:
        return self.directory.adapter(row.channel)

    def row(self, conversation_id: int) -> Row:
        """Return a conversation.

        :raises ConversationNotFoundError: if the workspace has no such one.
        """
        row = queries.get_row(self.session, self.workspace_id, conversation_id)
        if row is None:
            raise ConversationNotFoundError()
        return row

    def listed(self, rows: Sequence[Row]) -> list[Listed]:
        return [listed(row, self.adapter(row), self.user_id, self.now) for row in rows]

    def shown(self, row: Row, entries: Sequence[threads.Entry]) -> list[Shown]:
        return shown(entries, row, self.adapter(row), self.now)

    def counts(self, filter_: Filter) -> Counts:
        return queries.count(self.session, self.workspace_id, self.user_id, filter_)


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a thread: whom with, who takes care of it, what can be done."""

    row: Row
    name: str
    handle: str
    label: str
    members: Sequence[queries.Member]
    user_id: int


@dataclass(frozen=True, slots=True)
class Draft:
    """What a form holds when the page is drawn: nothing, or what could not be sent.

    :param reply_to: id of the message it quotes.
    :param react_to: id of the message to choose a reaction for, where no script opens the picker.
    """

    text: str = ""
    problem: str = ""
    next_step: str = ""
    mode: str = "reply"
    reply_to: int | None = None
    react_to: int | None = None


def head(desk: Desk, row: Row) -> Head:
    adapter = desk.adapter(row)
    name = name_of(row, adapter)
    listed_ = listed(row, adapter, desk.user_id, desk.now)
    return Head(
        row=row,
        name=name,
        handle=listed_.handle,
        label=listed_.label,
        members=queries.members(desk.session, desk.workspace_id),
        user_id=desk.user_id,
    )


def render_head(desk: Desk, row: Row, filter_: Filter) -> str:
    """Return the head of a thread as HTML."""
    return render_template("inbox/_head.html", head=head(desk, row), filter=filter_)


def render_contact(desk: Desk, row: Row, filter_: Filter) -> str:
    """Return the contact pane as HTML."""
    about = person.load(desk.session, row, desk.adapter(row))
    return render_template("inbox/_contact.html", head=head(desk, row), filter=filter_, about=about)


def composer_values(desk: Desk, row: Row, draft: Draft | None = None) -> dict[str, object]:
    """Return what the template of the composer needs."""
    adapter = desk.adapter(row)
    name = name_of(row, adapter)
    draft = draft or Draft()
    tools = tools_for(desk, row)
    return {
        "row": row,
        "name": name,
        "label": row.channel if adapter is None else adapter.label,
        "composing": windows.composing(adapter, row, name, desk.now),
        "tools": tools,
        "quoted": quoted(desk, row, draft.reply_to) if tools.quote and draft.reply_to else None,
        "reacting_to": reacting_to(desk, row, draft.react_to) if tools.reactions and draft.react_to else None,
        "draft": draft,
        "reply_key": uuid.uuid4().hex,
        "note_key": uuid.uuid4().hex,
    }


def tools_for(desk: Desk, row: Row) -> Tools:
    """Return what may be added to a reply now; nothing while none can be sent."""
    adapter = desk.adapter(row)
    if adapter is None:
        return NO_TOOLS
    composing = windows.composing(adapter, row, "", desk.now)
    if not composing.can_reply:
        return NO_TOOLS
    tools = tools_of(adapter.capabilities_of(row.account), row.account.settings)
    # These go out without a tag that would tell a person from a program, so they need the whole window.
    return replace(tools, reactions=(), typing=False) if composing.people_only else tools


def quoted(desk: Desk, row: Row, message_id: int) -> Shown | None:
    """Return the message a reply is to quote; None if the conversation has no such one."""
    entries = threads.load_messages(desk.session, desk.workspace_id, row.id, [message_id])
    return next(iter(desk.shown(row, entries)), None)


def reacting_to(desk: Desk, row: Row, message_id: int) -> Shown | None:
    """Return the customer's message to react to; None if the conversation has no such one."""
    shown_ = quoted(desk, row, message_id)
    if shown_ is None or shown_.entry.direction != Direction.INBOUND:
        return None
    entry = shown_.entry
    return shown_ if entry.addressable and entry.unsent_at is None and not entry.hidden else None


def render_messages(desk: Desk, row: Row, entries: Sequence[Shown]) -> str:
    """Return entries of a thread as HTML."""
    adapter = desk.adapter(row)
    label = row.channel if adapter is None else adapter.label
    return render_template(
        "inbox/_messages.html", thread_entries=entries, row=row, label=label, tools=tools_for(desk, row)
    )
