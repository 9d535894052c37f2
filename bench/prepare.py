"""``python -m bench.prepare DATA PEOPLE``: make a desk with the addon, one account and signed-in people.

Prints one line of JSON: the workspace's id and the people's cookies.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from types import ModuleType

from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from sqlalchemy.orm import Session

from bench.payload import IG_USER_ID, SECRET, STORMY_ID
from host import counters
from host.addons import lifecycle
from host.addons.package.build import build_release
from host.channels.accounts import save_account
from host.core import config, db, migrations, secrets
from host.models.users import Role
from host.process.serving import HostApplication
from host.sdk.cards import Connection
from host.sdk.secrets import Secret
from host.users import members, passwords, sessions, users, workspaces

ADDON = Path(__file__).resolve().parent.parent / "addons" / "instagram"
"""Its source: what lies in dist/ may be of an earlier state of the tree, and take in more slowly."""


def main() -> None:
    url = os.environ.get("BENCH_DATABASE_URL", "")
    settings = config.load({"LOBBY_DATA": sys.argv[1], "LOBBY_WORKERS": "0", "LOBBY_DATABASE_URL": url})
    secrets.use(secrets.load_keyring(settings))
    migrations.upgrade_host(settings.database_url)
    db.connect(settings.database_url)
    counters.reset()
    with tempfile.TemporaryDirectory() as folder:
        built, _ = build_release(ADDON, Path(folder))
        lifecycle.install_file(settings, built)
    outcome = lifecycle.activate(settings, "instagram")
    assert outcome.ok, outcome.error
    _running = HostApplication(settings)  # as long as it is there, so are the modules of the addon
    workspace = db.write(lambda session: workspaces.create(session, "Bench", None).id)
    db.write(connect, workspace, IG_USER_ID)
    db.write(lambda session: connect(session, workspaces.create(session, "Storm", None).id, STORMY_ID))
    cookies = [cookie(settings, number, workspace) for number in range(int(sys.argv[2]))]
    print(json.dumps({"workspace": workspace, "cookies": cookies}))


def addon_module(name: str) -> ModuleType:
    """Return a module of the addon as this process imported it."""
    return next(
        module
        for full, module in sorted(sys.modules.items())
        if full.startswith("_addons.instagram_") and full.endswith(f".{name}")
    )


def connect(session: Session, workspace: int, account: str) -> None:
    """Write a connected account, as if a provider had agreed to it."""
    accounts = addon_module("accounts")
    details = accounts.Details(
        page_id="",
        page_name="",
        ig_user_id=account,
        ig_username="bench",
        app_id="1",
        token=Secret("a token nobody takes"),
        app_secret=Secret(SECRET),
        token_expires_at=None,
        scopes=(),
        subscribed_fields=(),
    )
    connection = Connection(
        external_id=account,
        name="Bench",
        handle="@bench",
        way="pasted",
        store=lambda writing, account: accounts.store(writing, account, details),
    )
    save_account(session, workspace_id=workspace, channel="instagram", connection=connection)


def cookie(settings: config.Config, number: int, workspace: int) -> str:
    """Add a person to the workspace and return the cookie of a browser they are signed in with."""
    hashed = passwords.hashed("correct horse battery") if number == 0 else None

    def use_case(session: Session) -> str:
        person = users.create(session, f"agent{number}@example.com", f"Agent {number}", hashed or known[0])
        members.add(session, workspace, person.id, Role.AGENT)
        return sessions.start(session, person.id, "127.0.0.1")

    if hashed is not None:
        known.append(hashed)
    token = db.write(use_case)
    app = Flask("bench")
    app.secret_key = secrets.load_session_key(settings)
    signer = SecureCookieSessionInterface().get_signing_serializer(app)
    assert signer is not None
    return f"lobby={signer.dumps({'login': token, '_permanent': True})}"


known: list[passwords.Hashed] = []


if __name__ == "__main__":
    main()
