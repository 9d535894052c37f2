"""The basis of every inbox view: the blueprint, the page's context, and its conversation."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import msgspec
from flask import Blueprint
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from host.channels.directory import Directory, current_directory
from host.core import clock, db
from host.inbox import presence, queries
from host.inbox.comments import posts, states, threads
from host.inbox.comments.posts import PostRow
from host.inbox.comments.threads import Others
from host.inbox.composition import recipients
from host.inbox.conversations import conversation_row
from host.inbox.list_positions import Position
from host.inbox.messages import Entry, named_audio
from host.inbox.pages import reply_window
from host.inbox.pages.arguments import Filter
from host.inbox.pages.comments.shown import Look, dressed, in_order, others_shown
from host.inbox.pages.conversation_view import ListedConversation, listed, name_of
from host.inbox.pages.message_view import ThreadEntry, shown
from host.inbox.queries import Counts, Order, Page, Row
from host.inbox.teams import teams
from host.inbox.teams.teams import InboxTeam
from host.models.inbox import Direction
from host.sdk.channel import ChannelAdapter
from host.sdk.messages import MessageKind
from host.web.request_helpers import current_user, seen_accounts
from host.web.template_filters import initials, tone

bp = Blueprint("inbox", __name__)

P = ParamSpec("P")
R = TypeVar("R", bound=ResponseReturnValue)


class InboxContext(msgspec.Struct, frozen=True):
    """The signed-in person, workspace, channels and time for which a page is rendered.

    :param session: a session for reading, valid within :func:`opened_inbox`.
    :param read: conversations already read, by id.
    :param read_teams: cache of :meth:`teams`; *read_posts*: cache of :meth:`post`.
    """

    session: Session
    directory: Directory
    workspace_id: int
    user_id: int
    now: datetime
    read: dict[int, Row] = msgspec.field(default_factory=dict)
    read_teams: list[Sequence[InboxTeam]] = msgspec.field(default_factory=list)
    read_posts: dict[int, PostRow] = msgspec.field(default_factory=dict)

    def adapter(self, row: Row) -> ChannelAdapter | None:
        return self.directory.adapter(row.channel)

    def row(self, conversation_id: int) -> Row:
        """Return the conversation in the path. ``workspace_view`` has checked that the person may see it.

        :raises ConversationNotFoundError: if the workspace has no such conversation.
        """
        known = self.read.get(conversation_id)
        return known or conversation_row(
            self.session, self.workspace_id, conversation_id, self.user_id, accounts=seen_accounts()
        )

    def seen_row(self, conversation_id: int) -> Row | None:
        """Return a conversation that is not in the path, if the signed-in person may see it."""
        row = self.read.get(conversation_id)
        row = row or queries.get_row(
            self.session, self.workspace_id, conversation_id, self.user_id, accounts=seen_accounts()
        )
        accounts = seen_accounts()
        return row if row is not None and (accounts is None or row.account.id in accounts) else None

    def listed(self, rows: Sequence[Row], filter_: Filter) -> list[ListedConversation]:
        """Return *rows* as shown in a list with *filter_*."""
        self.read.update((row.id, row) for row in rows)
        sort, ahead = filter_.order, queries.unseen_first(filter_, filter_.order)
        about = {row.post_id for row in rows if row.post_id is not None}
        known = posts.by_id(self.session, self.workspace_id, about)
        newest = states.newest(self.session, [row.id for row in rows if row.post_id is not None])
        writers = recipients.last_writers(
            self.session, [row.id for row in rows if self._has_participants(row)]
        )
        audio = named_audio(self.session, [row.id for row in rows if row.last_kind == MessageKind.AUDIO])
        return [
            listed(
                row,
                self.adapter(row),
                self.user_id,
                self.now,
                sort,
                known.get(row.post_id or 0),
                newest.get(row.id),
                writers.get(row.id, ""),
                unseen_first=ahead,
                is_audio_file=row.id in audio,
            )
            for row in rows
        ]

    def _has_participants(self, row: Row) -> bool:
        adapter = self.adapter(row)
        is_inbound = row.last_direction == Direction.INBOUND
        return is_inbound and adapter is not None and adapter.capabilities.copies is not None

    def page(self, filter_: Filter, before: Position | None) -> Page:
        """Return a page of the list, sorted by *filter_*."""
        arguments = self.session, self.workspace_id, self.user_id, filter_
        if filter_.order is Order.DUE:
            lengths = queries.targets(self.session, self.workspace_id)
            return queries.list_closing(*arguments, lengths, self.now, before=before, order=Order.DUE)
        if filter_.order is not Order.CLOSING:
            return queries.list_conversations(*arguments, before=before, order=filter_.order)
        accounts = queries.accounts(self.session, self.workspace_id)
        lengths = reply_window.stretches(accounts, self.directory, self.now)
        return queries.list_closing(*arguments, lengths, self.now, before=before)

    def here(self) -> list[dict[str, Any]]:
        """Return the presence of other people in conversations, for scripts."""
        found = presence.present(self.session, self.workspace_id, self.now, seen_accounts())
        return [
            {
                "conversation": one.conversation_id,
                "user": one.user_id,
                "name": one.name,
                "initials": initials(one.name),
                "tone": tone(one.user_id),
                "state": one.state,
            }
            for one in found
            if one.user_id != self.user_id
        ]

    def shown(
        self, row: Row, entries: Sequence[Entry], *, others: bool = False, whole: int | None = None
    ) -> list[ThreadEntry]:
        """Return entries as shown in a thread.

        :param others: whether to include other people's comments in threads below a post.
        :param whole: the top comment of a thread to show more of.
        """
        adapter = self.adapter(row)
        found = shown(entries, row, name_of(row, adapter), adapter, self.now)
        if row.post_id is None:
            return found
        look = Look(self.now, others, whole)
        return dressed(self.session, row, self.post(row), adapter, found, look)

    def others(self, row: Row, ids: Collection[int]) -> list[ThreadEntry]:
        """Return the messages of *ids* that are other people's comments in threads of *row*."""
        if row.post_id is None:
            return []
        found = threads.again(self.session, self.workspace_id, row.id, row.account.id, row.post_id, ids)
        return in_order(others_shown(Others(found), row, self.adapter(row), self.now))

    def others_before(
        self, row: Row, root: int, before: Position | None
    ) -> tuple[list[ThreadEntry], Position | None]:
        """Return other people's comments before a position in a thread, and the position of the next page.

        :param root: the thread's top comment.
        """
        top = None
        if row.post_id is not None:
            top = threads.root_of(self.session, row.account.id, row.post_id, root)
        if top is None:
            return [], None
        where = self.session, self.workspace_id, row.id, row.account.id
        found = threads.others(*where, [top], most={top.external_id: threads.MORE}, before=before)
        shown = others_shown(found, row, self.adapter(row), self.now)
        return in_order([one for one in shown if one.entry.id != root]), found.earlier.get(top.external_id)

    def post(self, row: Row) -> PostRow | None:
        """Return the post a conversation is about, or None."""
        if row.post_id is None:
            return None
        if row.post_id not in self.read_posts:
            self.read_posts.update(posts.by_id(self.session, self.workspace_id, [row.post_id]))
        return self.read_posts.get(row.post_id)

    def teams(self) -> Sequence[InboxTeam]:
        """Return the teams of the workspace, those of the signed-in person first, uncounted."""
        if not self.read_teams:
            self.read_teams.append(teams.inbox_teams(self.session, self.workspace_id, self.user_id))
        return self.read_teams[0]

    def counts(self, filter_: Filter) -> Counts:
        return queries.count(self.session, self.workspace_id, self.user_id, filter_)


@contextmanager
def opened_inbox(workspace_id: int) -> Iterator[InboxContext]:
    """Yield the context of the current request, with a session for reading."""
    user_id = current_user().id
    with db.read() as session:
        yield InboxContext(session, current_directory(), workspace_id, user_id, clock.now())


def with_conversation(
    view: Callable[Concatenate[int, Row, P], R],
) -> Callable[Concatenate[int, int, P], R]:
    """Load the conversation in the URL before a view of a workspace runs.

    For views that need its channel, account or contact without or before a write. Apply it below
    ``workspace_view``. The view gets a :class:`~host.inbox.queries.Row` instead of ``conversation_id``; a
    conversation of another workspace is a 404.
    """

    @wraps(view)
    def guarded(workspace_id: int, conversation_id: int, *args: P.args, **kwargs: P.kwargs) -> R:
        with db.read() as session:
            row = conversation_row(session, workspace_id, conversation_id, accounts=seen_accounts())
        return view(workspace_id, row, *args, **kwargs)

    return cast("Callable[Concatenate[int, int, P], R]", guarded)
