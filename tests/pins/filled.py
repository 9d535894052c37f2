"""A desk with one of everything, at a moment that does not pass: what the pins of pages open."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from host.addons.metrics import in_process
from host.channels.directory import Directory
from host.core import clock, db, migrations, storage
from host.live.hub import Hub
from host.media import links
from host.models.users import Role
from host.sdk import clock as sdk_clock
from host.users import invitations
from tests import conftest, helpers
from tests.api.desks import ApiDesk, Program, endpoint_ids, kept_ids, make_key
from tests.helpers import do, make_config
from tests.inbox.desks import Desk
from tests.inbox.scenes import Scene, whole
from tests.instagram import world
from tests.pins.pinning import ADDONS, SHIPPED, shipped_generation

AT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
PLACE = re.compile(r"<(?:\w+:)?(\w+)>")


@dataclass
class FilledDesk:
    """A desk with one of everything.

    :ivar ids: what stands in the places of addresses.
    :ivar people: who opens pages, by a word for their role.
    """

    app: Flask
    database: db.Database
    ids: Mapping[str, Any]
    people: Mapping[str, helpers.Browser]

    def pages(self) -> Iterator[tuple[str, str]]:
        """Yield rule and address of each page somebody may ask for, in their order."""
        for rule in sorted(self.app.url_map.iter_rules(), key=lambda one: one.rule):
            if "GET" in (rule.methods or ()) and not rule.rule.startswith(("/api/", "/static/")):
                if "stream" in rule.endpoint or rule.arguments - set(self.ids):
                    continue
                yield rule.rule, PLACE.sub(lambda place: str(self.ids[place[1]]), rule.rule)

    def open(self, who: str, address: str) -> tuple[TestResponse, int]:
        """Return what the desk answers to a GET, and how many statements it sent to the database."""
        sent = 0

        def count(*_: Any) -> None:
            nonlocal sent
            sent += 1

        engines = self.database.engines
        for engine in engines:
            sa.event.listen(engine, "before_cursor_execute", count)
        try:
            return self.people[who].get(address), sent
        finally:
            for engine in engines:
                sa.event.remove(engine, "before_cursor_execute", count)


@contextmanager
def filled_desk(migrated_file: Path, folder: Path) -> Iterator[FilledDesk]:
    """Fill a desk in *folder* whose clock stands still.

    :param migrated_file: an SQLite file with the host's tables.
    """
    path = folder / "lobby.sqlite3"
    shutil.copy(migrated_file, path)
    url = f"sqlite:///{path}"
    with migrations.locked(url) as engine:
        for slug in SHIPPED:
            migrations.upgrade(engine, ADDONS / slug / "migrations", migrations.addon_version_table(slug))
    with pytest.MonkeyPatch.context() as patch:
        stood = clock.monotonic()
        # Addons have a name of their own for it; without it, pages would change a week after AT.
        for module in (clock, sdk_clock):
            patch.setattr(module, "now", lambda: AT + clock.offset())
        # What is looked up again after a while would be so in the middle of a page, sometimes.
        patch.setattr(clock, "monotonic", lambda: stood)
        for database in conftest._use(url):
            yield _fill(folder, database)


def _fill(folder: Path, database: db.Database) -> FilledDesk:
    config = make_config(folder)
    storage.use(storage.FolderStore(folder / "attachments"))
    # What tests before may have left in this process shows on pages.
    links.use(config)
    in_process.reset()
    generation = shipped_generation(config, SimpleNamespace(hub=Hub()))
    workspace = helpers.make_workspace("Sample Pottery")
    release = generation.releases["instagram"]
    addon = world.Addon(release, {})
    account = world.connect(addon, workspace_id=workspace)
    owner = helpers.make_user(name="Ola O.", workspace=workspace, role=Role.OWNER)
    agent = helpers.make_user(name="Ari A.", workspace=workspace)
    admin = helpers.make_user(name="Ada D.", is_admin=True)
    adapter = generation.directory.adapter("instagram")
    assert adapter is not None
    desk = Desk(
        make_app=lambda: generation.app,
        hub=Hub(),
        workspace=workspace,
        account=account,
        mia=agent,
        generation=SimpleNamespace(directory=Directory((adapter,))),
    )
    desk.sign_in()
    scene = whole(desk)
    key = make_key(workspace)
    api = ApiDesk(desk, Scene(desk), Program(generation.app, key), Program(generation.app, key))
    ids = {
        **kept_ids(api),
        **endpoint_ids(api),
        "workspace_id": workspace,
        "conversation_id": scene.conversation("ana.sample"),
        "account_id": account.id,
        "user_id": agent.id,
        "slug": "instagram",
        "channel": "instagram",
        "way": "facebook",
        "figure": "first-response",
        "number": "wrote",
        "language": "de",
        "token": do(
            invitations.invite,
            workspace,
            email="guest@example.com",
            role=Role.AGENT,
            actor=owner.id,
        ),
    }
    for name, table in ROWS.items():
        with db.read() as session:
            ids[name] = session.scalar(sa.text(f"SELECT min(id) FROM {table}")) or 1
    people = {"owner": owner, "agent": agent, "admin": admin}
    browsers = {name: helpers.client_for(generation.app, person) for name, person in people.items()}
    browsers["nobody"] = helpers.browser(generation.app)
    return FilledDesk(generation.app, database, ids, browsers)


ROWS = {
    "contact_id": "contacts",
    "message_id": "messages",
    "invitation_id": "invitations",
    "notification_id": "notifications",
    "key_id": "api_keys",
    "session_id": "login_sessions",
    "identity_id": "contact_identities",
    "attachment_id": "attachments",
    "event_id": "inbound_events",
    "model_id": "language_models",
}
"""Tables of which the first row stands in an address."""
