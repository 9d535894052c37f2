"""Plays one golden file of sending: what the host was given in, each HTTP request out, what the rows hold.

What differs from run to run (ids Meta gives out, signed addresses, boundaries) is written as ``<...>``.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import sqlalchemy as sa

from host.core import clock, db
from host.delivery.message_acts import send_due
from host.delivery.worker import drain
from host.inbox.apply.changes import Incoming, apply_changes
from host.inbox.drafts import Draft
from host.inbox.reacting import react
from host.inbox.reply import queue_parts
from host.media import links, uploads
from host.models.inbox import Attachment, Conversation, Message, Reaction
from host.queue import signals
from host.queue.signals import Signal
from host.sdk.channel import AccountRef
from host.sdk.http import Client, Response
from host.sdk.messages import IceBreaker, MenuItem, MessageKind, MessageReceived
from host.sdk.multipart import Multipart
from tests.helpers import do
from tests.instagram import world
from tests.instagram.world import ANA, Addon, Meta
from tests.media import samples

FILES = {
    "picture.png": samples.picture("PNG", dirty=False),
    "second.png": samples.picture("PNG", size=(50, 50), dirty=False),
    "third.png": samples.picture("PNG", size=(40, 40), dirty=False),
    "film.mov": samples.QUICKTIME,
    "note.wav": samples.WAV,
    "price list.pdf": samples.PDF,
}
DESK = "https://desk.example.com"


@dataclass
class _Directory:
    made: Any

    def adapter(self, key: str) -> Any:
        return self.made if key == "instagram" else None


@dataclass
class _Generation:
    directory: _Directory
    number: int = 1


@dataclass
class Recorder:
    """Every request that leaves, and its answer, as a golden file has them."""

    ig: Addon
    requests: list[dict[str, Any]] = field(default_factory=list)
    _names: dict[str, str] = field(default_factory=dict)

    def request(self, original: Callable[..., Response]) -> Callable[..., Response]:
        def wrapped(client: Client, method: str, url: str, **given: Any) -> Response:
            answer = original(client, method, url, **given)
            self.requests.append(self._shown(method, url, given, answer))
            return answer

        return wrapped

    def _shown(self, method: str, url: str, given: dict[str, Any], answer: Response) -> dict[str, Any]:
        parts = urlsplit(url)
        host, _slash, path = parts.path.lstrip("/").partition("/")
        query = dict(parse_qsl(parts.query)) | dict(given.get("params") or {})
        query = {name: value for name, value in query.items() if name != "appsecret_proof"}
        headers = {
            name: re.sub(r"Bearer .+", f"Bearer <token of the {_holder(host)}>", value)
            for name, value in (given.get("headers") or {}).items()
        }
        shown: dict[str, Any] = {"method": method, "host": host, "path": f"/{path}"}
        if query:
            shown["query"] = query
        form = given.get("multipart")
        headers["Content-Type"] = "application/json" if form is None else "multipart/form-data"
        if method == "GET":
            del headers["Content-Type"]
        shown["headers"] = headers
        if form is not None:
            shown["form"] = _form(form)
        elif given.get("json") is not None:
            shown["body"] = given["json"]
        shown["answer"] = {"status": answer.status, "body": answer.json()}
        told: dict[str, Any] = self.told(shown)
        return told

    def told(self, value: Any) -> Any:
        """Return *value* with what differs from run to run named."""
        if isinstance(value, dict):
            return {name: self.told(inner) for name, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.told(inner) for inner in value]
        if not isinstance(value, str):
            return value
        value = re.sub(rf"{DESK}/media/public/[\w.-]+", f"{DESK}/media/public/<signed>", value)
        value = re.sub(r"aWdf[\w=-]{20,}", lambda found: self._name("message id", found[0]), value)
        value = re.sub(r"\b687\d{12}\b", lambda found: self._name("attachment id", found[0]), value)
        return re.sub(r"\bA[\w-]{22}\b", "<trace id>", value)

    def _name(self, what: str, value: str) -> str:
        if value not in self._names:
            number = 1 + sum(name.startswith(f"<{what} ") for name in self._names.values())
            self._names[value] = f"<{what} {number}>"
        return self._names[value]


def _holder(host: str) -> str:
    return "account" if host == "graph.instagram.com" else "Page"


def _form(form: Multipart) -> dict[str, Any]:
    return {
        **{name: json.loads(value) if value[:1] == "{" else value for name, value in form.fields.items()},
        form.file_field: {"name": form.name, "type": form.content_type, "bytes": "<size>"},
    }


class Play:
    """One account, one customer who wrote, and the host between them and the stand-in for Meta."""

    def __init__(self, ig: Addon, account: AccountRef, meta: Meta, recorder: Recorder) -> None:
        self.adapter = ig.channel.InstagramAdapter()
        self.account = account
        self.generation = _Generation(_Directory(self.adapter))
        self.recorder = recorder
        meta.wrote()
        self.mid = next(iter(meta.box.world.messages))
        change = MessageReceived(ANA, self.mid, clock.now(), text="Hi")
        db.write(apply_changes, [Incoming(account, self.adapter, change, clock.now(), "k")])
        recorder.told(self.mid)

    @property
    def conversation(self) -> Conversation:
        with db.read() as session:
            return session.scalars(sa.select(Conversation)).one()

    def perform(self, given: dict[str, Any]) -> Any:
        """Do what a golden file's ``given`` says; return what an adapter gave back, where it did."""
        if "take" in given:
            assert self.adapter.take_thread(self.account, ANA, given["take"]) is None
        if "pass" in given:
            assert self.adapter.pass_thread(self.account, ANA, **given["pass"]) is None
        if "send" in given:
            self._send(given["send"], given.get("overflow", "split"))
        for emoji in given.get("react", ()):
            self._react(emoji)
        signals.current().clear()
        for name in given.get("show", ()):
            signals.current().offer(self.account, ANA, Signal(name))
            signals.current().flush(lambda: self.generation)
        if "ice_breakers" in given:
            wanted = {
                locale: tuple(IceBreaker(**one) for one in items)
                for locale, items in given["ice_breakers"].items()
            }
            return self.adapter.set_ice_breakers(self.account, wanted)
        if "menu" in given:
            wanted_menu = {
                locale: tuple(MenuItem(**one) for one in items) for locale, items in given["menu"].items()
            }
            return self.adapter.set_menu(self.account, wanted_menu)
        return None

    def _send(self, given: list[dict[str, Any]], overflow: Any) -> None:
        with db.read() as session:
            question = session.scalars(sa.select(Message.id)).one()
        drafts = []
        for one in given:
            content = dict(one.get("content", {}))
            for card in content.get("template", {}).get("elements", []):
                if "upload" in card:
                    card["upload"] = self._upload(card["upload"])
            drafts.append(
                Draft(
                    kind=MessageKind(one.get("kind", "text")),
                    text=one.get("text", "") * one.get("times", 1),
                    uploads=tuple(self._upload(name) for name in one.get("files", ())),
                    content=content,
                    reply_to=question if one.get("quotes") else None,
                )
            )
        do(
            queue_parts,
            self.account.workspace_id,
            self.conversation.id,
            drafts,
            reply_key="0123456789abcdef",
            adapter=self.adapter,
            overflow=overflow,
        )
        drain(self.generation, direction="out")

    def _react(self, emoji: str) -> None:
        with db.read() as session:
            question = session.scalars(sa.select(Message.id).order_by(Message.id)).first()
        do(
            react,
            self.account.workspace_id,
            question or 0,
            emoji,
            directory=self.generation.directory,
            conversation_id=self.conversation.id,
        )
        send_due(self.generation.directory)

    def _upload(self, name: str) -> str:
        return uploads.keep_upload(
            io.BytesIO(FILES[name]), name, workspace_id=self.account.workspace_id, user_id=None
        ).id

    def rows(self) -> dict[str, Any]:
        """Return what the database holds of ours afterwards."""
        with db.read() as session:
            messages = session.scalars(
                sa.select(Message).where(Message.direction == "outbound").order_by(Message.id)
            ).all()
            files = session.scalars(sa.select(Attachment).order_by(Attachment.id)).all()
            reactions = session.scalars(sa.select(Reaction)).all()
        found: dict[str, Any] = {"messages": [_message(one, files) for one in messages]}
        if reactions:
            found["reactions"] = [
                {"emoji": one.emoji, "state": one.state, "removed": one.removed_at is not None}
                for one in reactions
            ]
        told: dict[str, Any] = self.recorder.told({name: rows for name, rows in found.items() if rows})
        return told


def _message(message: Message, files: Any) -> dict[str, Any]:
    shown: dict[str, Any] = {"kind": message.kind, "state": message.state}
    for name in ("external_id", "text", "content", "reply_to"):
        value = getattr(message, name)
        if value:
            shown[name] = value
    if len(message.text) > 200:
        shown["text"] = f"{message.text[:20]}... ({len(message.text.encode())} bytes)"
    theirs = [one for one in files if one.message_id == message.id]
    if theirs:
        shown["files"] = [{"name": one.name, "content_type": one.content_type} for one in theirs]
    if message.error:
        shown["error"] = {name: message.error[name] for name in ("code", "sentence", "cause", "next_step")}
    return shown


def play(
    ig: Addon, account: AccountRef, meta: Meta, monkeypatch: pytest.MonkeyPatch, given: dict[str, Any]
) -> dict[str, Any]:
    """Play *given* and return the rest of its golden file."""
    monkeypatch.setattr(links, "_base", DESK if given.get("reachable") else None)
    meta.box.settings.fetch_media = bool(given.get("fetched", not given.get("reachable")))
    recorder = Recorder(ig)
    played = Play(ig, account, meta, recorder)
    monkeypatch.setattr(Client, "request", recorder.request(Client.request))
    for id_, kind in given.get("known_files", {}).items():
        held = {"igid": world.POTTERY, "kind": kind, "url": f"{DESK}/a-file"}
        meta.box.world.attachments[id_] = held
    if given.get("elsewhere"):
        meta.box.conversation(world.POTTERY, ANA).owner = given["elsewhere"]
    if given.get("fault"):
        meta.fault(**given["fault"], times=1)
    late = timedelta(hours=given.get("hours_later", 0))
    meta.box.clock.advance(late.total_seconds())
    with clock.travel(late):
        back = played.perform(json.loads(json.dumps(given)))
        found: dict[str, Any] = {"requests": recorder.requests, "rows": played.rows()}
    if back is not None:
        found["read_back"] = json.loads(json.dumps(back, default=lambda one: dict(_slots(one))))
    return {name: value for name, value in found.items() if value}


def _slots(one: Any) -> list[tuple[str, Any]]:
    return [(name, getattr(one, name)) for name in one.__slots__]
