"""An addon's life over HTTP: uploaded, read, installed, activated, used, updated, deactivated. No restart."""

from __future__ import annotations

import gc
import random
import shutil
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from werkzeug.test import Client

from host import counters
from host.addons import lifecycle, reports, uninstall
from host.addons.operation_lock import BusyError, operation
from host.addons.package import store
from host.addons.package.failures import AddonError
from host.addons.running import loader
from host.addons.running.generation import Generation
from host.core import clock, config, db
from host.events.models import DomainEvent
from host.live.events import newest_id
from host.models.addons import Addon, AddonArchivePart, AddonRelease, AddonState
from host.models.users import AuditEntry
from host.process.serving import HostApplication
from host.users.pages import sudo
from tests.addons.conftest import PASSWORD, Admin, MakeZip, another_process, configuration


def state_of(slug: str = "toy") -> str | None:
    with db.read() as session:
        row = session.get(Addon, slug)
        return None if row is None else row.state


def actions() -> list[str]:
    with db.read() as session:
        return [
            a for a in session.scalars(sa.select(AuditEntry.action).order_by(AuditEntry.id)) if "addon" in a
        ]


def activate(desk: HostApplication, path: Path) -> lifecycle.Outcome:
    lifecycle.install_file(desk.config, path)
    return lifecycle.activate(desk.config, "toy", host=desk)


def fingerprint(desk: HostApplication) -> tuple[Any, ...]:
    """What must not change when something fails: generation, tables, login page, addons page."""
    client = Client(desk)
    return (
        desk.generation().number,
        desk.generation().directory.keys,
        client.get("/login").status_code,
        client.get("/addons/toy/webhook/x").status_code,
    )


def test_from_upload_to_a_working_channel_without_a_restart(
    desk: HostApplication, admin: Admin, toy_zip: MakeZip
) -> None:
    path = toy_zip()
    report = admin.upload(path)
    assert report.status_code == 200
    for shown in ("Toy channel 1.0.0", "toy_accounts", "/addons/toy/webhook", "toy.example", "sweep"):
        assert shown in report.text
    assert "widen conversations.channel" in report.text
    assert "the addon runs with the full rights of this desk" in report.text
    assert "Declared by its author" in report.text
    assert state_of() is None, "a report installs nothing"

    page = admin.install(path)
    assert "Addon installed. It stays inactive" in page.text
    assert state_of() == AddonState.INACTIVE
    assert Client(desk).post("/addons/toy/webhook/x", data=b"{}").status_code == 404
    assert "toy" not in desk.generation().directory.keys

    page = admin.activate()
    assert "Addon activated. No restart was needed." in page.text
    for step in (
        "Migration 0001: create toy_accounts",
        "Migration 0002: widen conversations.channel",
        "Switch over",
    ):
        assert step in page.text
    assert desk.generation().directory.keys == ("toy",)
    assert Client(desk).post("/addons/toy/webhook/x", data=b"{}").status_code == 401
    settings = admin.get("/admin/addons/toy/settings")
    assert settings.status_code == 200
    assert "hello" in settings.text
    assert "0 accounts" in settings.text
    with Client(desk).get("/addons/toy/static/toy.css") as answer:
        assert answer.status_code == 200
    assert "for everybody" in Client(desk).get("/addons/toy/about").text
    assert "for members" not in Client(desk).get("/addons/toy/members").text, "a page without a login"
    assert "for members" in admin.get("/addons/toy/members").text
    assert actions() == [
        "addon.upload_started",
        "addon.uploaded",
        "addon.upload_started",
        "addon.uploaded",
        "addon.install_started",
        "addon.installed",
        "addon.activation_started",
        "addon.activated",
    ]


def test_activation_on_every_database(any_desk: HostApplication, toy_zip: MakeZip) -> None:
    outcome = activate(any_desk, toy_zip())
    assert outcome.ok, outcome.error
    kept = "ok" if any_desk.config.database_url.startswith("sqlite") else "skipped"
    assert [step.result for step in outcome.steps] == ["ok", "ok", kept, *["ok"] * 6]
    (brought,) = (step.detail for step in outcome.steps if "Contributes" in (step.detail or ""))
    for listed in (
        "channels (toy)",
        "webhook addresses (/addons/toy/webhook)",
        "panels (",
        "event listeners (",
    ):
        assert listed in brought
    for listed in ("scheduled jobs (", "rule conditions (", "rule actions ("):
        assert listed in brought
    assert "toy" in any_desk.generation().directory.keys
    column = next(
        c for c in sa.inspect(db.current().read_engine).get_columns("conversations") if c["name"] == "channel"
    )
    assert isinstance(column["type"], sa.String)
    assert not isinstance(column["type"], sa.Enum)
    again = lifecycle.activate(any_desk.config, "toy", host=any_desk)
    assert again.ok
    assert again.steps == [], "activating an active addon does nothing"


def test_another_process_follows_by_the_counter(desk: HostApplication, toy_zip: MakeZip) -> None:
    other = another_process(desk)
    assert "toy" not in other.generation().directory.keys
    activate(desk, toy_zip())
    counters.forget()
    assert "toy" in other.generation().directory.keys
    assert Client(other).post("/addons/toy/webhook/x", data=b"{}").status_code == 401
    lifecycle.deactivate(desk.config, "toy", host=desk)
    counters.forget()
    assert "toy" not in other.generation().directory.keys
    other.close()


def test_a_process_on_another_machine_unpacks_from_the_database(
    desk: HostApplication, toy_zip: MakeZip, tmp_path: Path
) -> None:
    activate(desk, toy_zip())
    elsewhere = HostApplication(configuration(db.current(), tmp_path / "other-machine"))
    assert "toy" in elsewhere.generation().directory.keys
    assert list((tmp_path / "other-machine/addons").glob("toy-1.0.0-*/addon.toml"))
    elsewhere.close()


def test_deactivating_takes_the_routes_and_keeps_the_data(
    desk: HostApplication, admin: Admin, toy_zip: MakeZip
) -> None:
    activate(desk, toy_zip())
    page = admin.deactivate()
    assert "Addon deactivated." in page.text
    assert Client(desk).post("/addons/toy/webhook/x", data=b"{}").status_code == 404
    assert admin.get("/admin/addons/toy/settings").status_code == 404
    assert sa.inspect(db.current().read_engine).has_table("toy_accounts")
    assert desk.generation().directory.mark("toy") is not None, "old conversations have a neutral mark"
    admin.activate()
    assert "toy" in desk.generation().directory.keys


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what the hooks that only tell the toy something logged."""
    line = "addon toy: it was told: "
    return [one.removeprefix(line) for one in caplog.messages if one.startswith(line)]


def test_the_addon_is_told_in_a_process_of_its_own(
    desk: HostApplication, toy_zip: MakeZip, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    activate(desk, toy_zip())
    happened = desk.generation().releases["toy"].plugin.events.happened
    assert told(caplog) == ["activated"]
    lifecycle.deactivate(desk.config, "toy", host=desk)
    assert told(caplog) == ["activated", "deactivated"]
    assert happened == [], "nothing of it was called here"


def test_a_hook_that_raises_after_the_switch_changes_nothing(
    desk: HostApplication, toy_zip: MakeZip, toy_source: Callable[..., Path]
) -> None:
    path = toy_zip({"toy/addon.py": lambda t: t.replace('events.note("activated")', "raise SystemExit(1)")})
    assert activate(desk, path).ok
    assert "toy" in desk.generation().directory.keys


BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "import": ({"toy/channel.py": lambda t: t + "\nraise RuntimeError('no')\n"}, "cannot be imported"),
    "exit": ({"toy/channel.py": lambda t: t + "\nimport os\nos._exit(1)\n"}, "Its code ended the process"),
    "hook": (
        {"toy/addon.py": lambda t: t.replace("return [ToyChannel()]", "raise ValueError('no')")},
        "It failed in register_channels",
    ),
    "only in the host": (
        {
            "toy/addon.py": lambda t: t.replace(
                "return [ToyChannel()]",
                "import os\n    if 'HOME' in os.environ: raise ValueError\n    return [ToyChannel()]",
            )
        },
        "It failed in register_channels",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_addon_leaves_everything_as_it_was(
    name: str, desk: HostApplication, admin: Admin, toy_zip: MakeZip
) -> None:
    changes, sentence = BROKEN[name]
    before = fingerprint(desk)
    admin.install(toy_zip(changes))
    page = admin.activate()
    assert sentence in page.text
    assert "Nothing else was changed." in page.text
    assert "Not run" in page.text
    assert fingerprint(desk) == before
    assert state_of() == AddonState.INACTIVE
    assert actions()[-1] == "addon.activation_failed"


BAD_MIGRATION = '''"""fail halfway"""
from alembic import op
import sqlalchemy as sa
revision = "0003"
down_revision = "0002"

def upgrade() -> None:
    op.execute("INSERT INTO toy_accounts (account_id, secret) SELECT 1, 'top secret' FROM nowhere")
'''


def test_a_failed_migration_shows_statement_and_words_and_can_be_retried(
    any_desk: HostApplication, toy_zip: MakeZip
) -> None:
    desk = any_desk
    before = fingerprint(desk)
    outcome = activate(desk, toy_zip({"migrations/versions/0003_bad.py": BAD_MIGRATION}))
    assert not outcome.ok
    assert outcome.error is not None
    assert outcome.error["sentence"] == "Migration 0003 failed on the copy. Nothing was activated."
    assert "INTO toy_accounts" in outcome.error["statement"]
    assert outcome.error["database"]
    assert "top secret" not in str(outcome.error)
    assert [step.result for step in outcome.steps if step.result != "ok"][-2:] == ["failed", "skipped"]
    assert state_of() == AddonState.MIGRATION_FAILED
    assert fingerprint(desk) == before

    good = BAD_MIGRATION.replace("FROM nowhere", "WHERE 1 = 0")
    lifecycle.install_file(desk.config, toy_zip({"migrations/versions/0003_bad.py": good}, version="1.0.1"))
    outcome = lifecycle.activate(desk.config, "toy", host=desk)
    assert outcome.ok, outcome.error
    assert "toy" in desk.generation().directory.keys


def test_the_failed_migration_is_shown_on_the_card(
    desk: HostApplication, admin: Admin, toy_zip: MakeZip
) -> None:
    admin.install(toy_zip({"migrations/versions/0003_bad.py": BAD_MIGRATION}))
    page = admin.activate()
    for shown in ("Migration failed", "INSERT INTO toy_accounts", "no such table", "Try again"):
        assert shown in page.text
    assert admin.get("/login").status_code == 200


def test_a_migration_that_touches_tables_of_others_is_stopped(
    desk: HostApplication, toy_zip: MakeZip
) -> None:
    foreign = (
        '"""make a table"""\nimport sqlalchemy as sa\nfrom alembic import op\nrevision = "0003"\n'
        'down_revision = "0002"\n\ndef upgrade() -> None:\n'
        '    op.create_table("undeclared", sa.Column("id", sa.Integer))\n'
    )
    outcome = activate(desk, toy_zip({"migrations/versions/0003_x.py": foreign}))
    assert outcome.error is not None
    assert outcome.error["sentence"] == (
        "Migration 0003 failed on the copy. The migration was stopped because it would change undeclared, "
        "which the addon does not own."
    )
    assert "toy" not in desk.generation().directory.keys


def test_migrations_that_branch_are_refused_at_the_upload(
    desk: HostApplication, admin: Admin, toy_zip: MakeZip
) -> None:
    branch = '"""branch"""\nrevision = "0003"\ndown_revision = "0001"\n'
    report = admin.upload(toy_zip({"migrations/versions/0003_x.py": branch}))
    assert "both follow 0001" in report.text
    assert "This addon cannot be installed." in report.text
    assert "/install" not in report.text


# What an upload may replace


def test_the_same_bytes_again_say_that_they_are_installed(
    desk: HostApplication, admin: Admin, toy_zip: MakeZip
) -> None:
    activate(desk, toy_zip())
    report = admin.upload(toy_zip())
    assert "This exact file is already installed." in report.text
    assert "/install" not in report.text
    assert state_of() == AddonState.ACTIVE
    with db.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(AddonRelease)) == 1


@pytest.mark.slow
def test_the_same_version_with_other_content_is_refused_except_in_development(
    desk: HostApplication, admin: Admin, toy_zip: MakeZip, data: Path
) -> None:
    activate(desk, toy_zip())
    changed = toy_zip({"toy/channel.py": lambda t: t + "\nSPARE = 1\n"})
    report = admin.upload(changed)
    assert "Version 1.0.0 is installed with other content." in report.text
    with pytest.raises(AddonError, match="installed with other content"):
        lifecycle.install_file(desk.config, changed)
    developing = configuration(db.current(), data, LOBBY_DEVELOPMENT="1")
    lifecycle.install_file(developing, changed)
    counters.forget()
    assert desk.generation().releases["toy"].plugin.ToyChannel.__module__.startswith("_addons.toy_1_0_0_")
    assert hasattr(sys.modules[desk.generation().releases["toy"].module_name + ".channel"], "SPARE")


def test_an_active_addon_is_updated_in_place(desk: HostApplication, admin: Admin, toy_zip: MakeZip) -> None:
    activate(desk, toy_zip())
    new = toy_zip(
        {"toy/channel.py": lambda t: t.replace('label = "Toy"', 'label = "Toy two"')}, version="1.1.0"
    )
    report = admin.upload(new)
    assert "Replace 1.0.0 with 1.1.0" in report.text
    page = admin.install(new)
    assert "Addon updated." in page.text
    assert desk.generation().directory.label("toy") == "Toy two"
    with db.read() as session:
        row = session.get_one(Addon, "toy")
        assert session.get_one(AddonRelease, row.release_id).version == "1.1.0"
        assert session.get_one(AddonRelease, row.previous_release_id).version == "1.0.0"


def test_an_update_that_fails_leaves_the_old_release_serving(
    desk: HostApplication, admin: Admin, toy_zip: MakeZip
) -> None:
    activate(desk, toy_zip())
    bad = toy_zip({"toy/channel.py": lambda t: t + "\nraise RuntimeError('no')\n"}, version="1.1.0")
    page = admin.install(bad)
    assert "The update to 1.1.0 failed; 1.0.0 is still running." in page.text
    assert state_of() == AddonState.ACTIVE
    assert desk.generation().manifests["toy"].version == "1.0.0"
    assert Client(desk).post("/addons/toy/webhook/x", data=b"{}").status_code == 401


@pytest.mark.slow
def test_a_downgrade_is_called_by_its_name_and_runs_no_migration(
    desk: HostApplication, admin: Admin, toy_zip: MakeZip
) -> None:
    extra = '"""one more"""\nrevision = "0003"\ndown_revision = "0002"\n\ndef upgrade() -> None: ...\n'
    activate(desk, toy_zip({"migrations/versions/0003_x.py": extra}, version="1.1.0"))
    old = toy_zip()
    assert "This is a downgrade." in admin.upload(old).text
    assert "the downgrade was not confirmed" in admin.install(old).text
    assert desk.generation().manifests["toy"].version == "1.1.0"
    page = admin.install(old, downgrade="1")
    assert "Addon updated." in page.text
    assert desk.generation().manifests["toy"].version == "1.0.0"


def test_a_refused_zip_says_why_and_leaves_nothing(
    desk: HostApplication, admin: Admin, tmp_path: Path, data: Path
) -> None:
    path = tmp_path / "<b>evil.zip"
    path.write_bytes(b"not a zip at all")
    answer = admin.upload(path)
    assert answer.status_code == 422
    assert "Not installed" in answer.text
    assert "The file is not a zip" in answer.text
    assert "<b>evil" not in answer.text
    with db.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(AddonRelease)) == 0
    assert not list((data / "addons/staging").iterdir())
    assert actions() == ["addon.upload_started", "addon.upload_refused"]


def test_code_that_imports_the_host_is_refused_at_the_upload(
    desk: HostApplication, admin: Admin, toy_zip: MakeZip
) -> None:
    answer = admin.upload(toy_zip({"toy/channel.py": lambda t: t + "\nfrom host.inbox import models\n"}))
    assert answer.status_code == 422
    assert "toy/channel.py, line" in answer.text
    assert "imports host.inbox" in answer.text


def test_an_upload_over_the_limit_is_a_413(desk: HostApplication, admin: Admin) -> None:
    answer = admin.client.post(
        "/admin/addons/upload",
        data=b"x" * (22 * 1024 * 1024),
        content_type="multipart/form-data; boundary=x",
        headers={"X-CSRFToken": admin.token()},
    )
    assert answer.status_code == 413


def test_no_file_is_a_sentence(desk: HostApplication, admin: Admin) -> None:
    answer = admin.post("/admin/addons/upload")
    assert "Choose an addon .zip first." in admin.get(answer.location).text


# Who may


PATHS = (
    ("GET", "/admin/addons"),
    ("GET", "/admin/addons/uploads/1"),
    ("GET", "/admin/addons/toy/settings"),
    ("POST", "/admin/addons/upload"),
    ("POST", "/admin/addons/uploads/1/install"),
    ("POST", "/admin/addons/uploads/1/discard"),
    ("POST", "/admin/addons/toy/activate"),
    ("POST", "/admin/addons/toy/deactivate"),
    ("POST", "/admin/addons/toy/roll-back"),
    ("GET", "/admin/addons/toy/uninstall"),
    ("POST", "/admin/addons/toy/uninstall"),
    ("POST", "/admin/addons/toy/export"),
)


def test_only_admins_may(desk: HostApplication, admin: Admin, toy_zip: MakeZip) -> None:
    from host.users import users

    activate(desk, toy_zip())
    db.write(lambda s: users.create(s, "bo@example.com", "Bo", "correct horse battery"))
    agent = Admin.__new__(Admin)
    agent.application, agent.client = desk, Client(desk)
    agent.post("/login", email="bo@example.com", password="correct horse battery")
    token = agent.client.get("/account").text.split('name="csrf-token" content="')[1].split('"')[0]
    for method, path in PATHS:
        values = {"csrf_token": token} if method == "POST" else None
        assert agent.client.open(path, method=method, data=values).status_code == 403, path
        stranger = Client(desk).open(path, method=method)
        assert stranger.status_code in (302, 400, 401), path
        assert state_of() == AddonState.ACTIVE, path


def test_a_write_without_its_token_is_refused(desk: HostApplication, admin: Admin, toy_zip: MakeZip) -> None:
    activate(desk, toy_zip())
    for method, path in PATHS:
        if method == "POST":
            assert admin.client.post(path).status_code == 400
    assert state_of() == AddonState.ACTIVE


def test_uploads_may_be_switched_off(database: db.Database, data: Path, toy_zip: MakeZip) -> None:
    desk = HostApplication(configuration(database, data, LOBBY_UPLOADS="0"))
    admin = Admin(desk)
    assert "Uploads are disabled." in admin.get("/admin/addons").text
    assert admin.upload(toy_zip()).status_code == 403
    release = reports.upload(desk.config, toy_zip()).release
    assert release is not None
    assert admin.post(f"/admin/addons/uploads/{release.id}/install").status_code == 403
    assert state_of() is None
    desk.close()


def test_addons_and_uploads_that_are_not_there_are_404(desk: HostApplication, admin: Admin) -> None:
    assert admin.get("/admin/addons/nothing/settings").status_code == 404
    assert admin.get("/admin/addons/uploads/99").status_code == 404
    assert admin.get("/admin/addons/nothing/uninstall").status_code == 404
    for what in ("activate", "deactivate", "roll-back", "export"):
        assert admin.post(f"/admin/addons/nothing/{what}").status_code == 404
    # Two may uninstall at once; the second is told where the addon went.
    answer = admin.post("/admin/addons/nothing/uninstall")
    assert "The addon nothing is not installed." in admin.get(answer.location).text


def test_an_upload_can_be_thrown_away(desk: HostApplication, admin: Admin, toy_zip: MakeZip) -> None:
    admin.upload(toy_zip())
    with db.read() as session:
        release = session.scalars(sa.select(AddonRelease.id)).one()
    admin.post(f"/admin/addons/uploads/{release}/discard")
    with db.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(AddonArchivePart)) == 0
    assert admin.post(f"/admin/addons/uploads/{release}/install").status_code == 302
    assert state_of() is None


def test_an_installed_release_cannot_be_thrown_away_as_an_upload(
    desk: HostApplication, admin: Admin, toy_zip: MakeZip
) -> None:
    activate(desk, toy_zip())
    with db.read() as session:
        release = session.get_one(Addon, "toy").release_id
    admin.post(f"/admin/addons/uploads/{release}/discard")
    assert state_of() == AddonState.ACTIVE
    assert another_process(desk).generation().directory.keys == ("toy",)


# One at a time, and after a crash


def test_a_second_operation_hears_that_one_is_running(any_desk: HostApplication, toy_zip: MakeZip) -> None:
    lifecycle.install_file(any_desk.config, toy_zip())
    with operation(any_desk.config):
        for attempt in (
            lambda: lifecycle.activate(any_desk.config, "toy", host=any_desk),
            lambda: lifecycle.deactivate(any_desk.config, "toy", host=any_desk),
            lambda: uninstall.remove(any_desk.config, "toy"),
        ):
            with pytest.raises(BusyError, match="already running"):
                attempt()
    assert lifecycle.activate(any_desk.config, "toy", host=any_desk).ok


def test_two_admins_at_once_run_it_once(desk: HostApplication, toy_zip: MakeZip) -> None:
    lifecycle.install_file(desk.config, toy_zip())
    results: list[Any] = []

    def press() -> None:
        try:
            results.append(lifecycle.activate(desk.config, "toy", host=desk))
        except BusyError as error:
            results.append(error)

    threads = [threading.Thread(target=press) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ran = [r for r in results if isinstance(r, lifecycle.Outcome) and r.steps]
    assert len(ran) == 1
    assert ran[0].ok
    assert any(isinstance(r, BusyError) for r in results)


def test_a_process_that_starts_does_not_stand_in_an_admins_way(
    desk: HostApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock is there for one operation at a time: where nothing was interrupted, a start is none."""

    def taken(_config: Any) -> None:
        pytest.fail("a start took the lock")

    monkeypatch.setattr(lifecycle, "operation", taken)
    assert lifecycle.recover(desk.config) == []


def test_an_activation_whose_process_died_is_settled_at_the_next_start(
    any_desk: HostApplication, toy_zip: MakeZip
) -> None:
    lifecycle.install_file(any_desk.config, toy_zip())

    def stuck(session: db.Session) -> None:
        session.get_one(Addon, "toy").state = AddonState.ACTIVATING

    db.write(stuck)
    with operation(any_desk.config):
        assert lifecycle.recover(any_desk.config) == [], "somebody is at it"
        assert state_of() == AddonState.ACTIVATING
    next_start = another_process(any_desk)
    assert state_of() == AddonState.INACTIVE
    with db.read() as session:
        error = session.get_one(Addon, "toy").error
    assert error is not None
    assert "interrupted" in error["sentence"]
    assert lifecycle.activate(any_desk.config, "toy", host=any_desk).ok
    next_start.close()


def test_writers_of_the_process_wait_while_sqlite_is_migrated(
    desk: HostApplication, toy_zip: MakeZip, migrate_here: None
) -> None:
    """A webhook that arrives during a migration waits its turn instead of failing with a locked database."""
    lifecycle.install_file(desk.config, toy_zip())
    inside, go_on = threading.Event(), threading.Event()
    real = lifecycle.runner.migrations.upgrade

    def slow(engine: sa.Engine, *args: Any, **kwargs: Any) -> None:
        if engine.url.database == desk.config.database_url.removeprefix("sqlite:///"):
            inside.set()
            assert go_on.wait(60)
        real(engine, *args, **kwargs)

    patch = pytest.MonkeyPatch()
    patch.setattr("host.addons.migrating.runner.migrations.upgrade", slow)
    worker = threading.Thread(target=lambda: lifecycle.activate(desk.config, "toy", host=desk))
    written = threading.Event()

    def write() -> None:
        db.write(lambda session: counters.bump(session, "test"))
        written.set()

    try:
        worker.start()
        assert inside.wait(60)
        writer = threading.Thread(target=write)
        writer.start()
        assert not written.wait(0.2)
        with db.read() as session:
            assert session.scalar(sa.select(sa.func.count()).select_from(Addon)) == 1, "readers do not wait"
        go_on.set()
        assert written.wait(60)
        writer.join()
    finally:
        go_on.set()
        worker.join()
        patch.undo()
    assert state_of() == AddonState.ACTIVE


def test_the_command_line_works_without_a_server(desk: HostApplication, toy_zip: MakeZip) -> None:
    """A serving process follows what commands did, by the counter."""
    release = lifecycle.install_file(desk.config, toy_zip())
    assert (release.slug, release.version) == ("toy", "1.0.0")
    outcome = lifecycle.activate(desk.config, "toy")
    assert outcome.ok, outcome.error
    counters.forget()
    assert "toy" in desk.generation().directory.keys
    assert [(c.slug, c.version, c.state) for c in lifecycle.installed()] == [
        ("toy", "1.0.0", AddonState.ACTIVE)
    ]
    lifecycle.deactivate(desk.config, "toy")
    counters.forget()
    assert "toy" not in desk.generation().directory.keys
    with pytest.raises(AddonError, match="The addon nothing is not installed"):
        lifecycle.deactivate(desk.config, "nothing")


def test_an_addon_that_breaks_the_process_is_switched_off_in_safe_mode(
    database: db.Database, data: Path, desk: HostApplication, toy_zip: MakeZip
) -> None:
    activate(desk, toy_zip())
    safe = HostApplication(configuration(database, data, LOBBY_SAFE_MODE="1"))
    assert safe.generation().directory.keys == ()
    admin = Admin(safe)
    page = admin.get("/admin/addons")
    assert "Safe mode." in page.text
    assert "Active, not running" in page.text
    admin.deactivate()
    assert state_of() == AddonState.INACTIVE
    safe.close()


@pytest.mark.slow
def test_migrating_everything_covers_active_addons(desk: HostApplication, toy_zip: MakeZip) -> None:
    activate(desk, toy_zip())

    def forget_last(session: db.Session) -> None:
        session.execute(sa.text("UPDATE addon_toy_alembic_version SET version_num = '0001'"))

    db.write(forget_last)
    assert (
        lifecycle.migrate_everything(desk.config)[-1] == "toy: Migration 0002: widen conversations.channel."
    )
    assert lifecycle.migrate_everything(desk.config) == []


# Generations side by side


def test_a_request_under_way_finishes_on_its_generation(desk: HostApplication, toy_zip: MakeZip) -> None:
    slow = """

import threading
entered, may_go = threading.Event(), threading.Event()


@bp.get("/about/slow")
def slow_page() -> str:
    entered.set()
    may_go.wait(10)
    return render_template("toy/page.html", text="old")
"""
    path = toy_zip(
        {
            "toy/pages.py": lambda t: t + slow,
            "addon.toml": lambda t: t.replace('"webhook", "about"', '"webhook", "about", "about/slow"'),
        }
    )
    activate(desk, path)
    pages = desk.generation().releases["toy"].plugin.pages
    answers: list[Any] = []
    request = threading.Thread(target=lambda: answers.append(Client(desk).get("/addons/toy/about/slow")))
    request.start()
    assert pages.entered.wait(10)
    lifecycle.deactivate(desk.config, "toy", host=desk)
    assert Client(desk).get("/addons/toy/about").status_code == 404
    pages.may_go.set()
    request.join()
    assert answers[0].status_code == 200
    assert "toy page old" in answers[0].text


def loaded_toys() -> list[str]:
    """Releases of the toy in memory; tests of other addons in this process may have left theirs."""
    return [name for name in loader.loaded_names() if name.startswith("_addons.toy_")]


@pytest.mark.slow
def test_twenty_swaps_make_no_new_engine_and_free_old_releases(
    desk: HostApplication, toy_zip: MakeZip
) -> None:
    made: list[object] = []

    def listener(connection: object, _record: object) -> None:
        made.append(connection)

    activate(desk, toy_zip())
    Client(desk).get("/addons/toy/about")
    lifecycle.deactivate(desk.config, "toy", host=desk)
    gc.collect()
    assert loaded_toys() == []
    generations = sum(isinstance(o, Generation) for o in gc.get_objects())
    pool = db.current().read_engine.pool
    event.listen(sa.pool.Pool, "first_connect", listener)
    try:
        for _ in range(10):
            lifecycle.activate(desk.config, "toy", host=desk)
            assert len(loaded_toys()) == 1
            assert Client(desk).get("/addons/toy/about").status_code == 200
            lifecycle.deactivate(desk.config, "toy", host=desk)
    finally:
        event.remove(sa.pool.Pool, "first_connect", listener)
    gc.collect()
    assert loaded_toys() == []
    assert sum(isinstance(o, Generation) for o in gc.get_objects()) == generations
    assert db.current().read_engine.pool is pool
    assert made == [], "a swap made an engine"


@pytest.mark.slow
def test_two_releases_live_side_by_side(desk: HostApplication, toy_zip: MakeZip) -> None:
    activate(desk, toy_zip())
    old = desk.generation()
    lifecycle.install(
        desk.config,
        _release_id(
            desk, toy_zip({"toy/channel.py": lambda t: t.replace('"Toy"', '"Toy two"')}, version="1.1.0")
        ),
        host=desk,
    )
    new = desk.generation()
    assert old is not new
    assert (old.directory.label("toy"), new.directory.label("toy")) == ("Toy", "Toy two")
    assert len(loaded_toys()) == 2
    one, two = old.directory.adapter("toy"), new.directory.adapter("toy")
    assert type(one) is not type(two)
    with old.app.test_client() as client:
        assert client.get("/addons/toy/about").status_code == 200


def _release_id(desk: HostApplication, path: Path) -> int:
    report = reports.upload(desk.config, path)
    assert report.release is not None
    return report.release.id


# What lies on the disk


def unpacked(data: Path) -> Path:
    return next(f for f in (data / "addons").iterdir() if f.name.startswith("toy-"))


@pytest.mark.slow
def test_changed_files_are_found_at_the_next_start(
    desk: HostApplication, toy_zip: MakeZip, data: Path
) -> None:
    activate(desk, toy_zip())
    (unpacked(data) / "toy/channel.py").write_text("evil = True\n")
    other = another_process(desk)
    assert other.generation().failures["toy"] == "Its files on disk differ from the installed ones."
    assert other.generation().failure_states["toy"] is AddonState.MODIFIED
    assert other.generation().failure_details["toy"] == "toy/channel.py was changed"
    page = Admin(other).get("/admin/addons")
    assert "Modified" in page.text
    assert "Lobby runs without it." in page.text
    other.close()


@pytest.mark.parametrize("name", ["toy/sneaked.py", "toy/__pycache__/channel.cpython-311.pyc"])
@pytest.mark.slow
def test_added_files_are_found_too(name: str, desk: HostApplication, toy_zip: MakeZip, data: Path) -> None:
    activate(desk, toy_zip())
    path = unpacked(data) / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"x")
    assert another_process(desk).generation().failure_details["toy"] == f"{name} was added"


def test_running_it_leaves_no_byte_code_behind(desk: HostApplication, toy_zip: MakeZip, data: Path) -> None:
    activate(desk, toy_zip())
    Client(desk).get("/addons/toy/about")
    assert not list(unpacked(data).rglob("*.pyc"))


@pytest.mark.slow
def test_missing_files_come_back_from_the_database(
    desk: HostApplication, toy_zip: MakeZip, data: Path
) -> None:
    activate(desk, toy_zip())
    (unpacked(data) / "toy/channel.py").unlink()
    lifecycle.deactivate(desk.config, "toy", host=desk)
    gc.collect()
    assert lifecycle.activate(desk.config, "toy", host=desk).ok
    folders = sorted(f.name for f in (data / "addons").iterdir() if f.name.startswith("toy-"))
    assert len(folders) == 2
    assert folders[1] == f"{folders[0]}-2"
    for folder in folders:
        shutil.rmtree(data / "addons" / folder)
    assert another_process(desk).generation().failures == {}


def test_a_damaged_zip_in_the_database_is_said_so(
    desk: HostApplication, toy_zip: MakeZip, data: Path
) -> None:
    lifecycle.install_file(desk.config, toy_zip())

    def damage(session: db.Session) -> None:
        part = session.scalars(sa.select(AddonArchivePart)).first()
        assert part is not None
        part.body = part.body[:-1] + b"x"

    db.write(damage)
    shutil.rmtree(unpacked(data))
    outcome = lifecycle.activate(desk.config, "toy", host=desk)
    assert outcome.error is not None
    assert "damaged" in outcome.error["sentence"]
    assert state_of() == AddonState.MODIFIED


def test_a_large_zip_lies_in_rows_of_a_megabyte(
    any_desk: HostApplication, toy_zip: MakeZip, data: Path
) -> None:
    noise = random.Random(1).randbytes(1_700_000).hex()
    release = lifecycle.install_file(any_desk.config, toy_zip({"static/big.txt": noise}))
    with db.read() as session:
        sizes = session.scalars(sa.select(sa.func.length(AddonArchivePart.body))).all()
    assert len(sizes) == 4
    assert max(sizes) == 1024 * 1024
    store.forget_unused(data, set())
    folder = store.materialise(data, release)
    assert (folder / "static/big.txt").read_text() == noise


def test_two_processes_unpack_at_once(desk: HostApplication, toy_zip: MakeZip, data: Path) -> None:
    release = lifecycle.install_file(desk.config, toy_zip())
    for _ in range(5):
        store.forget_unused(data, set())
        found: list[Path] = []
        barrier = threading.Barrier(4)

        def unpack(barrier: threading.Barrier = barrier, found: list[Path] = found) -> None:
            barrier.wait()
            found.append(store.materialise(data, release))

        threads = [threading.Thread(target=unpack) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(found)) == 1
        assert len(found) == 4
        assert store.compare(found[0], release.files) == []
        assert not list((data / "addons/staging").iterdir())


# Settings


@pytest.mark.slow
def test_declared_settings_reach_the_addon_and_unknown_ones_are_reported(
    database: db.Database, data: Path, desk: HostApplication, toy_zip: MakeZip
) -> None:
    activate(desk, toy_zip())
    given = {
        "LOBBY_ADDON_TOY_GREETING": "good day",
        "LOBBY_ADDON_TOY_GRETING": "x",
        "LOBBY_ADDON_OTHER_X": "y",
    }
    other = HostApplication(configuration(database, data, **given))
    assert other.generation().attention == {
        "toy": ("LOBBY_ADDON_TOY_GRETING is set, but the addon has no such setting.",)
    }
    assert other.generation().failures == {}
    admin = Admin(other)
    assert "good day" in admin.get("/admin/addons/toy/settings").text
    assert "Needs attention" in admin.get("/admin/addons").text
    other.close()


def test_an_incompatible_addon_is_left_out_with_its_reason(
    desk: HostApplication, toy_zip: MakeZip, monkeypatch: pytest.MonkeyPatch
) -> None:
    activate(desk, toy_zip())
    monkeypatch.setattr("host.__version__", "2.0.0")
    other = another_process(desk)
    assert other.generation().failure_states["toy"] is AddonState.INCOMPATIBLE
    assert other.generation().failures["toy"] == "It needs Lobby >=1.0,<2; this is Lobby 2.0.0."
    assert Client(other).get("/login").status_code == 200


def test_old_uploads_nobody_installed_are_forgotten(desk: HostApplication, toy_zip: MakeZip) -> None:
    reports.upload(desk.config, toy_zip(version="0.5.0"))
    lifecycle.install_file(desk.config, toy_zip())
    with clock.travel(reports.KEEP_UPLOADS * 2):
        reports.upload(desk.config, toy_zip(version="0.6.0"))
    with db.read() as session:
        assert set(session.scalars(sa.select(AddonRelease.version))) == {"1.0.0", "0.6.0"}


def test_an_unknown_host_setting_is_still_refused() -> None:
    with pytest.raises(config.ConfigError):
        config.load({"LOBBY_ADON_TOY_X": "1"})


@pytest.mark.slow
def test_trying_a_modified_addon_again_unpacks_it_anew(
    desk: HostApplication, admin: Admin, toy_zip: MakeZip, data: Path
) -> None:
    activate(desk, toy_zip())
    (unpacked(data) / "toy/channel.py").write_text("evil = True\n")
    gc.collect()
    other = another_process(desk)
    assert "toy" in other.generation().failures
    outcome = lifecycle.activate(desk.config, "toy", host=other)
    assert outcome.ok, outcome.error
    assert other.generation().failures == {}
    aside = next((data / "addons/set-aside").iterdir())
    assert (aside / "toy/channel.py").read_text() == "evil = True\n"
    other.close()


def test_trying_again_in_vain_leaves_it_on_for_other_machines(
    desk: HostApplication, toy_zip: MakeZip, monkeypatch: pytest.MonkeyPatch
) -> None:
    activate(desk, toy_zip())
    monkeypatch.setattr("host.__version__", "2.0.0")
    other = another_process(desk)
    outcome = lifecycle.activate(desk.config, "toy", host=other)
    assert not outcome.ok
    assert state_of() == AddonState.ACTIVE
    other.close()


# Uploading takes a password typed a moment ago


def test_uploading_and_installing_take_a_fresh_password(
    desk: HostApplication, admin: Admin, toy_zip: MakeZip
) -> None:
    path = toy_zip()
    admin.upload(path)
    with db.read() as session:
        release = session.scalars(sa.select(AddonRelease.id)).one()
    install = f"/admin/addons/uploads/{release}/install"
    with clock.travel(sudo.FRESH * 2):
        with path.open("rb") as file:
            answer = admin.post("/admin/addons/upload", zip=(file, path.name))
        assert answer.status_code == 403
        assert "entered your password a while ago" in answer.text
        assert admin.post(install).status_code == 403
        assert admin.post(install, password="wrong").status_code == 403
        assert state_of() is None
        assert 'id="up-password"' in admin.get("/admin/addons").text
        assert 'id="install-password"' in admin.get(f"/admin/addons/uploads/{release}").text
        answer = admin.post(install, password=PASSWORD)
        assert answer.status_code == 302
        assert state_of() == AddonState.INACTIVE
        assert 'id="up-password"' not in admin.get("/admin/addons").text
    with clock.travel(sudo.FRESH * 4):
        assert admin.post("/admin/addons/toy/activate").status_code == 403
        assert admin.post("/admin/addons/toy/roll-back", to="1.0.0").status_code == 403
        assert state_of() == AddonState.INACTIVE
        assert admin.post("/admin/addons/toy/activate", password=PASSWORD).status_code == 302
        assert state_of() == AddonState.ACTIVE
        assert admin.deactivate().status_code == 200, "switching off is never asked about"


def test_an_upload_waits_for_no_other_operation(
    desk: HostApplication, admin: Admin, toy_zip: MakeZip
) -> None:
    with operation(desk.config):
        page = admin.upload(toy_zip())
    assert "already running" in page.text
    with db.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(AddonRelease)) == 0
    assert actions() == ["addon.upload_started"]


def test_open_pages_are_told_once_the_process_answers_without_it(
    desk: HostApplication, toy_zip: MakeZip, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told before, a page that asks at once gets the composer of the generation that still has the addon."""
    desk.start()
    activate(desk, toy_zip())
    seen: list[int] = []
    build = desk._build

    def built(*given: Any) -> Generation:
        made = build(*given)
        with db.read() as session:
            seen.append(newest_id(session))
        return made

    monkeypatch.setattr(desk, "_build", built)
    lifecycle.deactivate(desk.config, "toy", host=desk)
    with db.read() as session:
        query = sa.select(DomainEvent.topic).where(DomainEvent.id > seen[-1])
        assert "addons" in session.scalars(query).all()
