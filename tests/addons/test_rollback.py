"""Going back: by itself when what took over does not work, by one click, and from outside."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from werkzeug.test import Client

from host import counters
from host.addons import lifecycle
from host.addons.package import store
from host.addons.package.failures import AddonError
from host.addons.running import selftest
from host.core import db
from host.models.addons import Addon, AddonRelease, AddonState, Operation
from host.models.users import AuditEntry
from host.process.serving import HostApplication
from tests.addons.conftest import Admin, MakeZip, another_process, configuration


def installed(desk: HostApplication, *paths: Path) -> list[lifecycle.Outcome]:
    """Install and activate the first of *paths*, then update to each of the others."""
    lifecycle.install_file(desk.config, paths[0])
    outcomes = [lifecycle.activate(desk.config, "toy", host=desk)]
    for path in paths[1:]:
        release = lifecycle.reports.upload(desk.config, path).release
        assert release is not None
        outcomes.append(lifecycle.install(desk.config, release.id, host=desk, downgrade=True))
    return outcomes


def versions(slug: str = "toy") -> tuple[str, str | None, str]:
    """Return the installed version, the one before, and the state."""
    with db.read() as session:
        row = session.get_one(Addon, slug)
        before = session.get(AddonRelease, row.previous_release_id or 0)
        return session.get_one(AddonRelease, row.release_id).version, before and before.version, row.state


def audited() -> list[str]:
    with db.read() as session:
        return list(session.scalars(sa.select(AuditEntry.action).order_by(AuditEntry.id)))


def fails_when_live(t: str) -> str:
    """The code can be loaded and registered; only calling it shows what is wrong."""
    return t + "\n\ndef authenticate(request):\n    raise RuntimeError('no')\n"


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "webhook raises": ({"toy/webhook.py": fails_when_live}, "/addons/toy/webhook does not work."),
    "webhook answers nonsense": (
        {"toy/webhook.py": lambda t: t + "\n\ndef authenticate(request):\n    return 200\n"},
        "/addons/toy/webhook returns an unexpected response.",
    ),
    "webhook ends the thread": (
        {"toy/webhook.py": lambda t: t + "\n\ndef verify(request):\n    raise SystemExit\n"},
        "/addons/toy/webhook does not work.",
    ),
    "settings page raises": (
        {"toy/pages.py": lambda t: t.replace('return {"greeting"', 'return {1 / 0: "", "greeting"')},
        "Toy channel does not work.",
    ),
    "settings page cannot be drawn": (
        {"templates/toy/settings.html": lambda t: t + "{% block page %}{{ nothing.known }}{% endblock %}"},
        "Toy channel does not work.",
    ),
    "reply policy raises": (
        {
            "toy/channel.py": lambda t: t.replace(
                "until = context.last_inbound_at + WINDOW", "raise KeyError(1)"
            )
        },
        "reply_policy does not work.",
    ),
}


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name == "settings page raises" else pytest.mark.slow) for name in FAULTS],
)
def test_an_update_that_does_not_work_is_taken_back(
    name: str, desk: HostApplication, toy_zip: MakeZip
) -> None:
    changes, sentence = FAULTS[name]
    _, outcome = installed(desk, toy_zip(), toy_zip(changes, version="1.1.0"))
    assert outcome.error is not None
    assert outcome.error["sentence"] == sentence
    assert [(s.name, s.result) for s in outcome.steps[-3:]] == [
        ("Switch over", "ok"),
        ("Test", "failed"),
        ("Roll back to 1.0.0", "ok"),
    ]
    assert versions() == ("1.0.0", None, AddonState.ACTIVE)
    assert desk.generation().manifests["toy"].version == "1.0.0"
    assert Client(desk).post("/addons/toy/webhook/x", data=b"{}").status_code == 401
    assert "addon.rolled_back" in audited()
    page = Admin(desk).get("/admin/addons").text
    assert "The update to 1.1.0 failed; 1.0.0 is still running." in page
    assert sentence in page


def test_an_addon_that_does_not_work_is_switched_off_again(desk: HostApplication, toy_zip: MakeZip) -> None:
    (outcome,) = installed(desk, toy_zip({"toy/webhook.py": fails_when_live}))
    assert not outcome.ok
    assert outcome.steps[-1].name == "Deactivate again"
    assert versions()[2] == AddonState.INACTIVE
    assert "toy" not in desk.generation().releases
    assert Client(desk).post("/addons/toy/webhook/x", data=b"{}").status_code == 404


@pytest.mark.slow
def test_a_webhook_that_hangs_is_not_waited_for(
    desk: HostApplication, toy_zip: MakeZip, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs = "\n\nimport threading\n\ndef authenticate(request):\n    threading.Event().wait(60)\n"
    new = toy_zip({"toy/webhook.py": lambda t: t + hangs}, version="1.1.0")
    installed(desk, toy_zip())
    # Only now: the one that works must have all the time a busy machine takes.
    monkeypatch.setattr(selftest, "PATIENCE_SECONDS", 0.2)
    release = lifecycle.reports.upload(desk.config, new).release
    assert release is not None
    outcome = lifecycle.install(desk.config, release.id, host=desk)
    assert outcome.error is not None
    assert outcome.error["sentence"] == "/addons/toy/webhook does not respond."
    assert versions() == ("1.0.0", None, AddonState.ACTIVE)


@pytest.mark.slow
def test_one_click_goes_back_and_another_forward(any_desk: HostApplication, toy_zip: MakeZip) -> None:
    desk = any_desk
    new = {"toy/channel.py": lambda t: t.replace('label = "Toy"', 'label = "Toy two"')}
    installed(desk, toy_zip(), toy_zip(new, version="1.1.0"))
    admin = Admin(desk)
    assert "Roll back to 1.0.0" in admin.get("/admin/addons").text
    answer = admin.post("/admin/addons/toy/roll-back")
    assert "The previous release is active again." in admin.get(answer.location).text
    assert versions() == ("1.0.0", "1.1.0", AddonState.ACTIVE)
    assert desk.generation().directory.label("toy") == "Toy"
    admin.post("/admin/addons/toy/roll-back")
    assert versions() == ("1.1.0", "1.0.0", AddonState.ACTIVE)
    assert desk.generation().directory.label("toy") == "Toy two"
    assert "addon.roll_back_started" in audited()


@pytest.mark.slow
def test_two_who_go_back_at_once_go_back_once(desk: HostApplication, toy_zip: MakeZip) -> None:
    installed(desk, toy_zip(), toy_zip(version="1.1.0"))
    admin = Admin(desk)
    assert 'name="to" value="1.0.0"' in admin.get("/admin/addons").text
    for said in (
        "The previous release is active again.",
        "Nothing was rolled back: the previous release is now 1.1.0.",
    ):
        answer = admin.post("/admin/addons/toy/roll-back", to="1.0.0")
        assert said in admin.get(answer.location).text
    assert versions() == ("1.0.0", "1.1.0", AddonState.ACTIVE)


@pytest.mark.slow
def test_going_back_leaves_the_migrations(desk: HostApplication, toy_zip: MakeZip) -> None:
    extra = '"""one more"""\nrevision = "0003"\ndown_revision = "0002"\n\ndef upgrade() -> None: ...\n'
    installed(desk, toy_zip(), toy_zip({"migrations/versions/0003_x.py": extra}, version="1.1.0"))
    assert lifecycle.roll_back(desk.config, "toy", host=desk).ok
    with db.read() as session:
        assert session.scalar(sa.text("SELECT version_num FROM addon_toy_alembic_version")) == "0003"


@pytest.mark.slow
def test_there_may_be_nothing_to_go_back_to(desk: HostApplication, toy_zip: MakeZip) -> None:
    installed(desk, toy_zip())
    admin = Admin(desk)
    assert "Roll back" not in admin.get("/admin/addons").text
    answer = admin.post("/admin/addons/toy/roll-back")
    assert "There is no earlier release to roll back to." in admin.get(answer.location).text
    with pytest.raises(AddonError):
        lifecycle.roll_back(desk.config, "nothing")


@pytest.mark.slow
def test_going_back_while_it_is_off_runs_nothing(desk: HostApplication, toy_zip: MakeZip) -> None:
    installed(desk, toy_zip(), toy_zip(version="1.1.0"))
    lifecycle.deactivate(desk.config, "toy", host=desk)
    assert lifecycle.roll_back(desk.config, "toy", host=desk).ok
    assert versions() == ("1.0.0", "1.1.0", AddonState.INACTIVE)
    assert "toy" not in desk.generation().releases


@pytest.mark.slow
def test_a_way_back_that_does_not_work_changes_nothing(desk: HostApplication, toy_zip: MakeZip) -> None:
    installed(desk, toy_zip(), toy_zip(version="1.1.0"))
    with db.read() as session:
        old = store.as_release(
            session.scalars(sa.select(AddonRelease).where(AddonRelease.version == "1.0.0")).one()
        )

    def damage(session: db.Session) -> None:
        session.execute(sa.text(f"UPDATE addon_archive_parts SET body = 'x' WHERE release_id = {old.id}"))

    db.write(damage)
    store.forget_unused(desk.config.data, set())
    outcome = lifecycle.roll_back(desk.config, "toy", host=desk)
    assert not outcome.ok
    assert versions() == ("1.1.0", "1.0.0", AddonState.ACTIVE)


@pytest.mark.slow
def test_everybody_sees_that_something_is_being_done(
    desk: HostApplication, toy_zip: MakeZip, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(desk, toy_zip())
    admin = Admin(desk)
    seen: list[str] = []
    real = selftest.run

    def look(*arguments: Any) -> str:
        seen.append(admin.get("/admin/addons").text)
        return real(*arguments)

    monkeypatch.setattr("host.addons.activation.selftest.run", look)
    admin.install(toy_zip(version="1.1.0"))
    assert "Updating" in seen[0]
    assert "Updating" not in admin.get("/admin/addons").text
    admin.post("/admin/addons/toy/roll-back")
    assert "Rolling back" in seen[1]


@pytest.mark.slow
def test_what_a_dead_process_was_doing_is_forgotten_at_the_next_start(
    desk: HostApplication, toy_zip: MakeZip
) -> None:
    installed(desk, toy_zip())

    def stuck(session: db.Session) -> None:
        session.get_one(Addon, "toy").operation = Operation.UPDATING

    db.write(stuck)
    later = another_process(desk)
    with db.read() as session:
        assert session.get_one(Addon, "toy").operation is None
    assert "toy" in later.generation().releases
    later.close()


@pytest.mark.slow
def test_two_admins_press_different_buttons_at_once(desk: HostApplication, toy_zip: MakeZip) -> None:
    installed(desk, toy_zip(), toy_zip(version="1.1.0"))
    results: list[Any] = []
    barrier = threading.Barrier(3)

    def press(what: Callable[..., Any]) -> None:
        barrier.wait()
        try:
            results.append(what(desk.config, "toy", host=desk))
        except lifecycle.BusyError as error:
            results.append(error)

    buttons = (lifecycle.roll_back, lifecycle.deactivate, lifecycle.roll_back)
    threads = [threading.Thread(target=press, args=(button,)) for button in buttons]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 3
    version, before, state = versions()
    assert {version, before} == {"1.0.0", "1.1.0"}
    counters.forget()
    assert ("toy" in desk.generation().releases) is (state == AddonState.ACTIVE)


# When nothing starts


@pytest.mark.slow
def test_an_addon_that_ends_the_process_is_switched_off_from_outside(
    desk: HostApplication, toy_zip: MakeZip
) -> None:
    """It passed every check and kills whoever loads it: Lobby cannot start, the command still works."""
    installed(desk, toy_zip())
    folder = next(f for f in (desk.config.data / "addons").iterdir() if f.name.startswith("toy-"))
    fatal = "import os\nos._exit(66)\n"
    (folder / "toy/addon.py").write_text(fatal)

    def forge(session: db.Session) -> None:
        row = session.scalars(sa.select(AddonRelease)).one()
        row.files = {**row.files, "toy/addon.py": store.hashlib.sha256(fatal.encode()).hexdigest()}

    db.write(forge)
    environment = {
        **os.environ,
        "LOBBY_DATA": str(desk.config.data),
        "LOBBY_DATABASE_URL": desk.config.database_url,
        "LOBBY_SECRET_KEYS": "not a key at all",
    }
    start = (
        "from host.core import config; from host.process import serving; "
        "serving.HostApplication(config.load())"
    )
    good = {**environment, "LOBBY_SECRET_KEYS": ""}
    assert subprocess.run([sys.executable, "-c", start], env=good, check=False).returncode == 66
    command = [sys.executable, "-m", "host.cli", "addon", "disable", "toy"]
    usual = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert usual.returncode != 0, "the keys cannot be read, so nothing of Lobby works"
    offline = [*command, "--offline"]
    done = subprocess.run(offline, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert versions()[2] == AddonState.INACTIVE
    assert audited()[-1] == "addon.disabled_offline"
    assert subprocess.run([sys.executable, "-c", start], env=good, check=False).returncode == 0
    missing = subprocess.run(
        [*offline[:-2], "nothing", "--offline"], env=good, capture_output=True, check=False
    )
    assert missing.returncode == 1


@pytest.mark.slow
def test_safe_mode_starts_beside_an_addon_that_cannot(
    desk: HostApplication, toy_zip: MakeZip, data: Path
) -> None:
    installed(desk, toy_zip())
    safe = HostApplication(configuration(db.current(), data, LOBBY_SAFE_MODE="1"))
    assert not safe.generation().releases
    assert Client(safe).get("/login").status_code == 200
    safe.close()
