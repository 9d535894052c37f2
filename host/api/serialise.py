"""Serialise messages, in one shape for all kinds, and the posts they comment on."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, cast

from flask import request
from sqlalchemy.orm import Session

from host.api import shapes
from host.api.http.declare import BASE
from host.api.http.versions import fills_times
from host.api.reading import camel_case
from host.inbox.comments.posts import PostRow
from host.inbox.comments.private import LedTo, led_to
from host.inbox.messages import Entry, File, Moderation, Reacted, load_messages
from host.models.inbox import Actor, DeliveryState, Direction
from host.users.reach import Accounts, includes

WAITS = frozenset({DeliveryState.QUEUED, DeliveryState.UNKNOWN})
ACCEPTED = frozenset({DeliveryState.SENT, DeliveryState.DELIVERED, DeliveryState.READ})


def some_messages(
    session: Session, workspace_id: int, ids: Collection[int], *, accounts: Accounts = None
) -> list[shapes.Message]:
    """Return those of the messages *ids* that belong to the workspace, in the order of their ids.

    :param accounts: only those of these accounts.
    """
    entries = [
        entry
        for entry in load_messages(session, workspace_id, None, ids, parts=False)
        if includes(accounts, entry.account_id)
    ]
    return shown(session, workspace_id, sorted(entries, key=attrgetter("id")), accounts=accounts)


def shown(
    session: Session, workspace_id: int, entries: Sequence[Entry], *, accounts: Accounts = None
) -> list[shapes.Message]:
    """Return messages of a workspace as the API shows them; one statement if there are private replies.

    :param accounts: those the key sees; what a private reply led to on another account is left out.
    """
    private = [one.id for one in entries if one.private and one.external_id]
    led = led_to(session, workspace_id, private, accounts)
    return [_shown(entry, led.get(entry.id)) for entry in entries]


def _shown(entry: Entry, led: LedTo | None) -> shapes.Message:
    return shapes.Message(
        id=entry.id,
        conversation_id=entry.conversation_id,
        account_id=entry.account_id,
        external_id=entry.external_id,
        direction=cast(Any, entry.direction),
        origin=entry.origin,
        kind=entry.kind,
        text=entry.text,
        content=_content(entry),
        attachments=[_attachment(file) for file in entry.files],
        reactions=[_reaction(one) for one in entry.reactions],
        reply_to=_quote(entry),
        private=entry.private,
        moderation=_moderation(entry.moderation),
        led_to=None
        if led is None
        else shapes.LedTo(
            conversation_id=led.conversation_id,
            message_id=led.message_id,
            read=led.state == DeliveryState.READ or led.answered,
            answered=led.answered,
        ),
        author=None
        if entry.author_id is None
        else shapes.Person(id=entry.author_id, name=entry.author_name or ""),
        state=cast(Any, entry.state),
        error=_problem(entry.error),
        waiting=_waiting(entry.waiting) if entry.state in WAITS else None,
        edited_at=entry.edited_at,
        edit_count=entry.edit_count,
        unsent_at=entry.unsent_at,
        send_at=entry.not_before,
        sent_at=None if _is_not_accepted(entry) and not fills_times(request) else entry.sent_at,
        created_at=entry.created_at,
    )


def _is_not_accepted(entry: Entry) -> bool:
    """Return whether it is ours and the provider has not accepted it, as far as is known."""
    ours = entry.direction == Direction.OUTBOUND and entry.external_id is None
    return ours and entry.state not in ACCEPTED


def _attachment(file: File) -> shapes.Attachment:
    return shapes.Attachment(
        id=file.id,
        kind=file.kind,
        name=file.name,
        content_type=file.content_type,
        size=file.size,
        width=file.width,
        height=file.height,
        url=f"{BASE}/attachments/{file.id}",
    )


def _content(entry: Entry) -> dict[str, Any]:
    """Return the content beyond the text; the host's names in camelCase, the provider's unchanged."""
    ours = {"quick_replies", "template"} if entry.direction == Direction.OUTBOUND else set()
    named = {
        camel_case(name): _renamed(value) if name in ours else value
        for name, value in (entry.content or {}).items()
        if name != "private" or not entry.private
    }
    return {**named, "imported": True} if entry.imported else named


def _renamed(value: Any) -> Any:
    if isinstance(value, dict):
        return {camel_case(name): _renamed(inner) for name, inner in value.items()}
    return [_renamed(inner) for inner in value] if isinstance(value, list) else value


def _reaction(found: Reacted) -> shapes.Reaction:
    return shapes.Reaction(
        actor=Actor(found.actor),
        emoji=found.emoji,
        name=found.name,
        author=found.author_name,
        state=cast(Any, found.state),
    )


def _quote(entry: Entry) -> shapes.Quote | None:
    if entry.reply_to is None:
        return None
    return shapes.Quote(
        external_id=entry.reply_to, message_id=None if entry.quoted is None else entry.quoted.id
    )


def _moderation(found: Moderation | None) -> shapes.Moderation | None:
    if found is None:
        return None
    return shapes.Moderation(
        state=cast(Any, found.stood),
        wanted=cast(Any, found.wanted),
        delivery=cast(Any, found.state),
        author=found.author_name or found.author or None,
        at=found.at,
        error=_problem(found.error),
    )


def _problem(error: dict[str, Any] | None) -> shapes.Problem | None:
    if not error:
        return None
    named = {name: str(error.get(name) or "") for name in ("code", "sentence", "cause", "next_step", "raw")}
    return shapes.Problem(**named)


def _waiting(waiting: dict[str, Any] | None) -> shapes.Waiting | None:
    if not waiting or not waiting.get("sentence"):
        return None
    return shapes.Waiting(sentence=str(waiting["sentence"]), until=_moment(waiting.get("until")))


def _moment(value: object) -> datetime | None:
    """Return ISO 8601 text as a time; None for anything else."""
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def shown_post(post: PostRow) -> shapes.Post:
    """Return a post as the API shows it."""
    return shapes.Post(
        id=post.id,
        account_id=post.account_id,
        external_id=post.external_id,
        kind=post.kind.value,
        text=post.text,
        url=post.url,
        owner=post.owner,
        published_at=post.published_at,
        ended_at=post.ended_at,
        gone_at=post.gone_at,
    )
