"""A desk whose customers are asked after closings, run step by step."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import pytest
import sqlalchemy as sa

from host.addons import setting_forms
from host.addons.package.manifest import read_manifest
from host.addons.running import contributions
from host.addons.running.listening import ListenerConsumer
from host.channels.directory import Directory
from host.core import clock, db, migrations
from host.events import reading
from host.events.reading import BEGINNING
from host.inbox import outcome
from host.inbox.conversation_actions import set_fields
from host.models.inbox import Conversation, ConversationStatus, DeliveryState, Direction, Message, Origin
from host.sdk import desk as sdk_desk
from host.sdk._forms import values as form_values
from host.sdk.capabilities import Capabilities, QuickReplyLimits
from host.sdk.desk import Grant
from host.sdk.events import Listener
from host.sdk.messages import MessageKind
from tests.automation.automated import Automated
from tests.helpers import do, do_desk
from tests.inbox import toys
from tests.inbox.desks import open_desk

ADDON = Path(__file__).resolve().parents[2] / "addons/satisfaction"
MANIFEST = read_manifest(ADDON)
SLUG = MANIFEST.slug


class Asking(toys.Windowed):
    """A toy with quick replies and a reply window."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        text_limit_bytes=1000, quick_replies=QuickReplyLimits(most=13, title_length=20, payload_length=1000)
    )


def module(name: str) -> ModuleType:
    """Import a module of the addon as Lobby does: under a name of its own."""
    package = ADDON / "satisfaction"
    if "satisfaction_under_test" not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            "satisfaction_under_test", package / "__init__.py", submodule_search_locations=[str(package)]
        )
        assert spec is not None
        sys.modules["satisfaction_under_test"] = importlib.util.module_from_spec(spec)
    return importlib.import_module(f"satisfaction_under_test.{name}")


class Survey(Automated):
    """A desk with the addon on it; the listener hears what happened when told."""

    def __init__(self, data: Path) -> None:
        super().__init__(open_desk(data, Asking()))
        self.asking = module("asking")
        self.keeping = module("keeping")
        self.models = module("models")
        self.heard_until = BEGINNING
        listener = Listener(
            "satisfaction.asking", self.asking.EVENTS, self.asking.handle, writes_to=self.asking.writes_to
        )
        generation: Any = SimpleNamespace(
            each=lambda kind: [(SLUG, listener)] if kind is contributions.LISTENERS else [],
            app=SimpleNamespace(extensions={"lobby.config": SimpleNamespace(public_url="https://a.example")}),
        )
        self.listener = ListenerConsumer(lambda: generation, SLUG, listener.name, listener.batch)
        self.turn(on=True)
        self.fill_in(self.desk.workspace, enabled=True)

    def turn(self, *, on: bool) -> None:
        """Have the addon run, or not."""
        grant = Grant(MANIFEST.name, MANIFEST.declares.writes, MANIFEST.declares.reads)
        sdk_desk.provide(self.desk.generation.directory, {SLUG: grant} if on else {})

    def fill_in(self, workspace: int, **values: Any) -> None:
        do_desk(setting_forms.save, SLUG, workspace, MANIFEST.forms.workspace, values)

    def hear(self) -> None:
        """Have the listener handle what happened since the last time."""
        reading.number_all()
        more = True
        while more:
            with db.read() as session:
                batch = reading.after(session, self.heard_until, self.listener.batch)
            self.listener.work(self.listener.chosen(batch.events))
            self.heard_until, more = batch.end, batch.more
        self.send()

    def send(self) -> None:
        """Have the provider take what waits."""
        with db.read() as session:
            waiting = list(
                session.scalars(sa.select(Message.id).where(Message.state == DeliveryState.QUEUED))
            )
        for id_ in waiting:
            db.write(outcome.record_sent, id_, f"sent-{id_}")

    def close(self, contact: str = "ana") -> None:
        self._set(contact, ConversationStatus.CLOSED)

    def reopen(self, contact: str = "ana") -> None:
        self._set(contact, ConversationStatus.OPEN)

    def _set(self, contact: str, status: ConversationStatus) -> None:
        conversation = self.talk(contact)
        do(set_fields, conversation.workspace_id, conversation.id, {"status": status}, actor=self.desk.mia.id)

    def talked(self, contact: str = "ana") -> None:
        """Have a customer write, Mia answer and close, and the addon hear of it."""
        self.said(contact)
        self.scene.reply(contact, "Yes.", clock.now())
        self.close(contact)
        self.hear()

    def buttons(self, contact: str = "ana") -> list[tuple[str, str]]:
        """Return title and payload of the buttons of the newest question."""
        with db.read() as session:
            query = sa.select(Message.content).where(
                Message.conversation_id == self.scene.conversation(contact),
                Message.direction == Direction.OUTBOUND,
                Message.origin == Origin.SYSTEM,
            )
            contents = session.scalars(query.order_by(Message.id.desc()))
            offered = next(one["quick_replies"] for one in contents if one.get("quick_replies"))
        return [(one["title"], one["payload"]) for one in offered]

    def tap(self, score: int, contact: str = "ana", *, by: str = "", **values: Any) -> None:
        """Have a customer tap a button of the newest question.

        :param contact: whose question it is.
        :param by: the customer who taps; empty: the same.
        """
        title, payload = self.buttons(contact)[score - 1]
        self.tap_payload(title, payload, by or contact, **values)

    def tap_payload(self, title: str, payload: str, contact: str = "ana", **values: Any) -> None:
        content = {"payload": payload}
        self.said(contact, text=title, kind=MessageKind.QUICK_REPLY, content=content, **values)

    def rows(self) -> list[tuple[str, int | None, str | None]]:
        """Return outcome, score and comment of each closing."""
        row = self.models.SatisfactionAnswer
        with db.read() as session:
            query = sa.select(row.outcome, row.score, row.comment).order_by(row.id)
            return [tuple(one) for one in session.execute(query)]

    def state(self, contact: str = "ana") -> tuple[str, int, bool]:
        """Return status, unread messages, and whether the customer waits."""
        found: Conversation = self.talk(contact)
        return found.status, found.unread_count, found.waiting_since is not None


def _survey(database: db.Database, data: Path) -> Iterator[Survey]:
    url = database.url.render_as_string(hide_password=False)
    with migrations.locked(url) as engine:
        migrations.upgrade(engine, ADDON / "migrations", migrations.addon_version_table(SLUG))
    form_values.use({SLUG: form_values.Forms(MANIFEST.forms.workspace)})
    yield Survey(data)
    form_values.use({})
    sdk_desk.provide(Directory(()), {})


@pytest.fixture
def survey(database: db.Database, data: Path) -> Iterator[Survey]:
    yield from _survey(database, data)


@pytest.fixture
def any_survey(any_database: db.Database, tmp_path: Path) -> Iterator[Survey]:
    """The same, on each kind of database."""
    (tmp_path / "data").mkdir(exist_ok=True)
    yield from _survey(any_database, tmp_path / "data")
