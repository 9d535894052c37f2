"""Plays one kind of event: webhooks in; what the host stored, what an agent sees and the API returns out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa

from host.channels.directory import Directory
from host.core import clock, db
from host.delivery.posts import look_up_due
from host.delivery.worker import drain
from host.events import reading
from host.events.bodies.building import build
from host.events.bodies.choosing import heard
from host.inbox.contacts.models import ContactEntry
from host.models.channels import ChannelAccount
from host.models.inbox import Attachment, Conversation, Mark, Message, Reaction
from host.models.queue import InboundEvent
from host.queue.journal import Journal
from host.sdk.channel import AccountRef
from host.sdk.messages import Post, Program
from tests import helpers
from tests.api.golden import told
from tests.instagram import receiving, world
from tests.instagram.receiving import Kind
from tests.instagram.world import Addon

SHOWN: dict[Any, tuple[str, ...]] = {
    Conversation: (
        *("status", "unread_count", "last_message_at", "last_direction", "last_kind", "last_preview"),
        "last_inbound_at",
    ),
    Message: (
        *("external_id", "direction", "origin", "kind", "text", "content", "reply_to", "state", "sent_at"),
        *("edited_at", "edit_count", "unsent_at"),
    ),
    Attachment: ("kind", "name", "url", "state"),
    Reaction: ("external_id", "actor", "emoji", "name", "at", "removed_at", "state"),
    Mark: ("external_id", "kind", "at", "number", "text"),
    ContactEntry: ("kind", "text", "at"),
    InboundEvent: ("kind", "state", "reason"),
}


def envelopes_of(kind: Kind, *, before: bool = True) -> list[bytes]:
    """Return the webhook bodies of *kind*, in order."""
    bodies = []
    for number, event in enumerate((*(kind.before if before else ()), *kind.events)):
        inside = kind.container if event in kind.events else "messaging"
        entry = {"id": kind.entry, "time": receiving.AT + number * kind.apart * 1000, inside: [event]}
        bodies.append(world.payload(entry))
    return bodies


@dataclass
class Stage:
    """A desk at the time of the events, on a database of its own."""

    ig: Addon
    account: AccountRef
    journal: Journal
    browser: helpers.Browser
    directory: Directory

    def deliver(self, bodies: Iterable[bytes]) -> None:
        for body in bodies:
            accepted = self.ig.webhook.verification.authenticate(world.post(body))
            self.journal.ingest(
                source="/addons/instagram/webhook",
                channel="instagram",
                raw=body,
                remote="",
                envelopes=accepted.envelopes,
            )
            drain(SimpleNamespace(directory=self.directory, number=1), direction="in")

    def changes(self, bodies: Sequence[bytes]) -> list[dict[str, Any]]:
        """Return what the adapter makes of *bodies*."""
        found = []
        for body in bodies:
            for envelope in self.ig.webhook.verification.authenticate(world.post(body)).envelopes:
                adapter = self.directory.adapter(envelope.channel or "instagram")
                if envelope.account_id is not None and adapter is not None:
                    found += [_change(change) for change in adapter.parse(envelope)]
        return found

    def stored(self) -> dict[str, Any]:
        """Return every row there is, by table, without what differs from run to run."""
        with db.read() as session:
            return {
                model.__tablename__: rows
                for model, names in SHOWN.items()
                if (
                    rows := [
                        {name: _plain(value) for name in names if (value := getattr(row, name)) not in EMPTY}
                        for row in session.scalars(sa.select(model).order_by(*_order(model)))
                    ]
                )
            }

    def seen(self) -> list[str]:
        """Return what an agent sees of the conversation: each entry's name, then its words."""
        with db.read() as session:
            found = session.scalars(sa.select(Conversation.id)).one_or_none()
        if found is None:
            return []
        page = self.browser.get(f"/w/{self.account.workspace_id}/inbox/{found}").get_data(as_text=True)
        return _Entries(page).found

    def told(self) -> list[dict[str, Any]]:
        """Return what the API tells of the conversation's messages."""
        with db.read() as session:
            ids = session.scalars(sa.select(Message.id).order_by(Message.sent_at, Message.id)).all()
        return told(self.account.workspace_id, ids)

    def posted(self) -> list[dict[str, Any]]:
        """Return what programs are told that hear of every message and of all that is Instagram's own."""
        db.write(reading.number)
        with db.read() as session:
            events = reading.after(session, reading.BEGINNING, 200).events
            made = list(build(session, events, self.directory, "https://desk.example"))
        names = ["message.*", "instagram.*"]
        chosen = [one for _, bodies in made for one in heard(names, bodies, both_names=False)]
        text = f"[{','.join(one.body.body for one in chosen)}]"
        with db.read() as session:
            for uuid in session.scalars(sa.select(ChannelAccount.uuid)):
                text = text.replace(uuid, "CHANNEL")
        found: list[dict[str, Any]] = json.loads(NOTED_HERE.sub('"timestamp":"NOW"', text))
        return found


NOTED_HERE = re.compile(r'"timestamp":"2025-10-09T08:5[4-9][^"]*"')
"""A time at which the desk noted something itself: a minute after the events."""
EMPTY: tuple[Any, ...] = (None, "", 0, {}, [])


def _order(model: Any) -> tuple[Any, ...]:
    return (model.sent_at, model.external_id) if model is Message else (model.id,)


def _plain(value: Any) -> Any:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value


def _change(change: Any) -> dict[str, Any]:
    """Return a change with what is not as it is by default."""
    found: dict[str, Any] = {"change": type(change).__name__}
    for field in fields(change):
        value = getattr(change, field.name)
        default = field.default_factory() if field.default_factory is not MISSING else field.default
        if value == default or field.name == "carried_by":
            continue
        if field.name == "what":
            value = {name: one for name, one in value.items() if name != "until"}
        if field.name == "attachments":
            value = [{"kind": each.kind, "url": each.url, "name": each.name} for each in value]
        found[field.name] = asdict(value) if isinstance(value, Program | Post) else _plain(value)
    return found


class _Entries(HTMLParser):
    """The entries of a thread: the label and the words of each, without times, icons and tools."""

    SKIPPED = frozenset({"svg", "time", "script", "template"})
    VOID = frozenset({"br", "hr", "img", "input", "link", "meta", "source", "track", "use", "wbr"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self._depth = self._skipping = 0
        self._words: list[str] = []
        self._label = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "li" and "data-message" in given:
            self._depth, self._words, self._label = 1, [], given.get("aria-label") or ""
        elif self._depth and tag == "li":
            self._depth += 1
        if self._depth and tag == "img" and given.get("alt"):
            self._words.append(f"[{given['alt']}]")
        if self._depth and not self._skipping and given.get("role") == "img" and given.get("aria-label"):
            self._words.append(f"[{given['aria-label']}]")
        if self._depth and tag in {"audio", "video"}:
            self._words.append(f"[{given.get('aria-label') or tag}]")
        if tag not in self.VOID and (self._skipping or (self._depth and self._is_aside(tag, given))):
            self._skipping += 1

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Nothing ends here that has begun: ``<use/>`` in an icon."""

    def _is_aside(self, tag: str, given: dict[str, str | None]) -> bool:
        classes = {"avatar", "msg-actions"} & set((given.get("class") or "").split())
        return tag in self.SKIPPED or bool(classes) or given.get("aria-hidden") == "true"

    def handle_endtag(self, tag: str) -> None:
        if self._skipping:
            self._skipping -= 1
        if tag == "li" and self._depth:
            self._depth -= 1
            if not self._depth:
                words = " ".join(" ".join(self._words).split())
                self.found.append(f"{self._label}: {words}" if self._label else words)

    def handle_data(self, data: str) -> None:
        if self._depth and not self._skipping:
            self._words.append(data)


def set_stage(ig: Addon, account: AccountRef, folder: Path) -> Stage:
    """Return a stage with nothing played; its journal runs."""
    ig.connect.comments_switch.open_for(account)  # so that one of everything gets through
    directory = Directory((ig.channel.InstagramAdapter(), ig.comments.channel.CommentsAdapter()))
    generation = helpers.StandInGeneration(directory=directory)
    app = helpers.build_app(folder, generation=generation, settings=None)
    user = helpers.make_user(workspace=account.workspace_id)
    journal = Journal(folder / "spool", wake=lambda _: None)
    journal.start()
    return Stage(ig, account, journal, helpers.client_for(app, user), directory)


def moment() -> timedelta:
    """Return how far the clock has to move to stand a minute after the first event."""
    return datetime.fromtimestamp(receiving.AT / 1000, UTC) + timedelta(minutes=1) - clock.now()


def play(stage: Stage, kind: Kind) -> dict[str, Any]:
    """Play *kind* and return its golden file."""
    bodies = envelopes_of(kind)
    stage.deliver(bodies)
    look_up_due(stage.directory)
    return {
        "about": kind.about,
        "payloads": [json.loads(body) for body in bodies],
        "changes": stage.changes(envelopes_of(kind, before=False)),
        "stored": stage.stored(),
        "seen": stage.seen(),
        "api": stage.told(),
        "posted": stage.posted(),
    }
