"""Mail is on a new desk without a click, takes over the tables of an older one, and is an addon otherwise."""

from __future__ import annotations

import shutil
from email.message import EmailMessage
from importlib import import_module
from pathlib import Path

import pytest
import sqlalchemy as sa

from host.addons import activation, lifecycle, preinstalled, uninstall
from host.addons.package import shipped
from host.addons.package.build import build_release
from host.addons.package.failures import AddonError
from host.core import clock, db, migrations
from host.core import mail as host_mail
from host.core.config import Config
from host.models.addons import AddonState
from host.models.users import InstallationValue, Role
from host.process.serving import HostApplication
from host.users import invitations, password_links
from tests import mail
from tests.helpers import do, make_config, make_user, make_workspace

LATER = '''"""A table for tests."""

from alembic import op
import sqlalchemy as sa

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("email_accounts", sa.Column("nickname", sa.String(20), nullable=True))
'''


@pytest.fixture
def config(any_database: db.Database, data: Path) -> Config:
    """A desk with the host's tables, on each kind of server."""
    (data / "addons").mkdir(exist_ok=True)
    return make_config(data, database_url=any_database.url.render_as_string(hide_password=False))


def card() -> tuple[AddonState, str] | None:
    """Return the state and the version of mail, or None if it is not installed."""
    return next(((one.state, one.version) for one in lifecycle.installed() if one.slug == "email"), None)


def tables() -> set[str]:
    with db.read() as session:
        return {name for name in sa.inspect(session.connection()).get_table_names() if "email_" in name}


def at() -> str:
    with db.read() as session:
        found: str = session.execute(sa.text(f"SELECT version_num FROM {mail.VERSION_TABLE}")).scalar_one()
    return found


def next_release(folder: Path, version: str, *, more: str = "") -> None:
    """Have the release of Lobby come with *version* of mail, built from the tree."""
    source = folder / "source"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(mail.ADDON, source, ignore=ignored, dirs_exist_ok=True)
    manifest = source / "addon.toml"
    manifest.write_text(manifest.read_text().replace('version = "1.0.0"', f'version = "{version}"'))
    if more:
        (source / "migrations" / "versions" / "0008_later.py").write_text(more)
    (folder / "release").mkdir()
    build_release(source, folder / "release")


def test_a_new_desk_has_it_active_and_the_next_start_does_nothing(config: Config) -> None:
    assert preinstalled.provide(config) == ["email: 1.0.0"]
    assert card() == (AddonState.ACTIVE, "1.0.0")
    assert "email_accounts" in tables()
    assert preinstalled.provide(config) == []
    application = HostApplication(config)
    try:
        assert application.generation().directory.adapter("email") is not None
    finally:
        application.close()


def test_one_that_was_deactivated_removed_or_purged_stays_so(config: Config) -> None:
    preinstalled.provide(config)
    lifecycle.deactivate(config, "email")
    assert preinstalled.provide(config) == []
    assert card() == (AddonState.INACTIVE, "1.0.0")
    uninstall.remove(config, "email")
    assert preinstalled.provide(config) == []
    assert card() is None
    assert "email_accounts" in tables(), "its data was kept"
    (found,) = [one for one in shipped.addons() if one.manifest.slug == "email"]
    lifecycle.install_file(config, found.path, vetted=True)
    uninstall.purge(config, "email")
    assert preinstalled.provide(config) == []
    assert card() is None
    assert tables() == set()


@pytest.mark.usefixtures("migrate_here")
@pytest.mark.parametrize("pending", [False, True], ids=["up to date", "behind"])
def test_the_tables_of_a_desk_that_had_it_built_in_are_taken_over(config: Config, pending: bool) -> None:
    revision = "0006" if pending else "head"
    with migrations.locked(config.database_url) as engine:
        migrations.upgrade(engine, mail.ADDON / "migrations", mail.VERSION_TABLE, revision)
    holdings = import_module(f"{mail.PACKAGE}.models").Holding.__table__
    values = {"name": "shop.example", "workspace_id": make_workspace(), "since": clock.now()}
    db.write(lambda session: session.execute(sa.insert(holdings).values(values)))
    before = tables()
    assert preinstalled.provide(config) == ["email: 1.0.0"]
    assert card() == (AddonState.ACTIVE, "1.0.0")
    assert tables() == before
    assert at() == "0007"
    with db.read() as session:
        assert session.scalars(sa.select(holdings.c.name)).all() == ["shop.example"]


@pytest.mark.slow
@pytest.mark.usefixtures("migrate_here")
def test_lobby_upgrades_the_release_it_installed_and_an_admin_may_go_back(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    preinstalled.provide(config)
    next_release(tmp_path, "1.1.0", more=LATER)
    monkeypatch.setattr(shipped, "FOLDER", tmp_path / "release")
    assert preinstalled.provide(config) == ["email: 1.1.0"]
    assert card() == (AddonState.ACTIVE, "1.1.0")
    assert at() == "0008"
    assert lifecycle.roll_back(config, "email").ok
    assert card() == (AddonState.ACTIVE, "1.0.0")
    assert preinstalled.provide(config) == []
    assert card() == (AddonState.ACTIVE, "1.0.0")


@pytest.mark.slow
@pytest.mark.usefixtures("migrate_here")
def test_a_release_that_an_admin_installed_is_left_alone(
    database: db.Database, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config(data)
    preinstalled.provide(config)
    next_release(tmp_path, "1.0.5")
    (theirs,) = (tmp_path / "release").glob("*.zip")
    lifecycle.install_file(config, theirs)
    assert card() == (AddonState.ACTIVE, "1.0.5")
    other = tmp_path / "other"
    other.mkdir()
    next_release(other, "1.1.0")
    monkeypatch.setattr(shipped, "FOLDER", other / "release")
    assert preinstalled.provide(config) == []
    assert card() == (AddonState.ACTIVE, "1.0.5")
    (found,) = shipped.addons()
    lifecycle.install_file(config, found.path)
    assert preinstalled.provide(config) == []
    with db.read() as session:
        stored = session.get_one(InstallationValue, "preinstalled:email")
    assert stored.value == found.sha256, "from now on the desk runs the release of Lobby again"


def test_an_activation_that_failed_is_tried_again_at_the_next_start(
    database: db.Database, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config(data)
    with monkeypatch.context() as patch:

        def fail(*_: object) -> str:
            raise AddonError("The disk is full.")

        patch.setattr(activation.selftest, "run", fail)
        assert preinstalled.provide(config) == []
        assert card() == (AddonState.INACTIVE, "1.0.0")
    assert preinstalled.provide(config) == ["email: 1.0.0"]
    assert card() == (AddonState.ACTIVE, "1.0.0")


def test_safe_mode_installs_nothing(database: db.Database, data: Path) -> None:
    assert preinstalled.provide(make_config(data, safe_mode="1")) == []
    assert card() is None


def test_invitations_and_password_mails_go_out_without_it(
    database: db.Database, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are the host's own, by the operator's mail server."""
    config = make_config(data, mail_server="smtp://127.0.0.1:1")
    preinstalled.provide(config)
    lifecycle.deactivate(config, "email")
    sent: list[EmailMessage] = []
    monkeypatch.setattr(host_mail, "send", lambda _server, letter: sent.append(letter))
    owner = make_user("mia@example.com", workspace=(pottery := make_workspace()), role=Role.OWNER)
    application = HostApplication(config)
    try:
        for gone in (False, True):
            if gone:
                uninstall.purge(config, "email")
            assert application.refresh().directory.keys == ()
            person = f"kim{int(gone)}@example.com"
            do(invitations.invite, pottery, person, Role.AGENT, actor=owner.id, mailed=True)
            db.write(password_links.ask, "mia@example.com")
            assert (invitations.send_due(), password_links.send_due()) == (1, 1)
            assert {letter["To"] for letter in sent} == {person, "mia@example.com"}
            sent.clear()
    finally:
        application.close()
