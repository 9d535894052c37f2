"""While migrations are tried on a copy, other addons can be operated on, and it can be stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from host.addons import in_background, lifecycle, operation_lock, records
from host.addons.lifecycle import BusyError
from host.addons.package.build import build_addon
from host.core import db
from host.models.addons import Addon, AddonState
from host.models.users import AuditEntry
from host.process.serving import HostApplication
from tests.addons.conftest import Admin, MakeZip, another_process
from tests.helpers import do_desk

ADDONS = Path(__file__).resolve().parents[2] / "addons"
TELEGRAM, WHATSAPP = ADDONS / "telegram", ADDONS / "whatsapp"
FIRST = "migrations/versions/0001_accounts.py"
STOPPED = "The test of the migrations was stopped. Nothing was activated."

Sleeping = Callable[[HostApplication], None]


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operation_lock, "LOOK_SECONDS", 0.05)


@pytest.fixture
def sleeping(toy_zip: MakeZip, tmp_path: Path, until: Callable[..., None]) -> Iterator[Sleeping]:
    """Install a toy whose first migration waits for a file, and begin to activate it.

    It waits as long as a migration may take, on the copy and on the database.
    """
    began, goes_on = tmp_path / "began", tmp_path / "goes-on"
    waits = (
        "import pathlib, time\n"
        "def upgrade() -> None:\n"
        f"    pathlib.Path({str(began)!r}).touch()\n"
        f"    while not pathlib.Path({str(goes_on)!r}).exists():\n        time.sleep(0.02)\n"
    )

    def install(desk: HostApplication) -> None:
        change = {FIRST: lambda text: text.replace("def upgrade() -> None:\n", waits)}
        lifecycle.install_file(desk.config, toy_zip(change))

    install.began = began  # type: ignore[attr-defined]
    install.goes_on = goes_on  # type: ignore[attr-defined]
    yield install
    goes_on.touch()


def start(desk: HostApplication, sleeping: Any, until: Callable[..., None]) -> list[Any]:
    """Begin to activate the toy in another thread; return a list that gets the outcome."""
    sleeping(desk)
    outcome: list[Any] = []
    activating = threading.Thread(
        target=lambda: outcome.append(lifecycle.activate(desk.config, "toy", host=desk)), daemon=True
    )
    activating.start()
    until(sleeping.began.exists)
    return outcome


def state_of(slug: str) -> str:
    with db.read() as session:
        return session.get_one(Addon, slug).state


def stop(slug: str = "toy") -> bool:
    return do_desk(operation_lock.ask_to_stop, slug)


def test_while_migrations_are_tested_other_addons_are_activated(
    any_desk: HostApplication, sleeping: Sleeping, until: Callable[..., None], tmp_path: Path
) -> None:
    build_addon(TELEGRAM, tmp_path / "telegram.zip")
    lifecycle.install_file(any_desk.config, tmp_path / "telegram.zip")
    assert lifecycle.activate(any_desk.config, "telegram", host=any_desk).ok
    lifecycle.deactivate(any_desk.config, "telegram", host=any_desk)

    outcome = start(any_desk, sleeping, until)
    assert lifecycle.activate(any_desk.config, "telegram", host=any_desk).ok
    lifecycle.deactivate(any_desk.config, "telegram", host=any_desk)
    build_addon(WHATSAPP, tmp_path / "whatsapp.zip")
    lifecycle.install_file(any_desk.config, tmp_path / "whatsapp.zip")
    # This one has migrations of its own, and there is one copy.
    refused = lifecycle.activate(any_desk.config, "whatsapp", host=any_desk)
    assert refused.error is not None
    assert "The migrations of another addon are being tested right now." in refused.error["sentence"]
    assert not outcome, "it is still at it"

    sleeping.goes_on.touch()  # type: ignore[attr-defined]
    until(lambda: outcome)
    assert outcome[0].ok, outcome[0].error
    assert state_of("toy") == AddonState.ACTIVE
    assert lifecycle.activate(any_desk.config, "whatsapp", host=any_desk).ok


def test_nothing_else_is_done_to_the_addon_meanwhile_and_a_start_takes_it_for_alive(
    any_desk: HostApplication, sleeping: Sleeping, until: Callable[..., None]
) -> None:
    outcome = start(any_desk, sleeping, until)
    for attempt in (lifecycle.activate, lifecycle.deactivate):
        with pytest.raises(BusyError, match="already running"):
            attempt(any_desk.config, "toy", host=any_desk)
    another_process(any_desk).close()
    assert state_of("toy") == AddonState.ACTIVATING
    assert stop()
    until(lambda: outcome)


def test_it_is_stopped_by_whoever_asks_and_can_be_activated_later(
    any_desk: HostApplication, sleeping: Sleeping, until: Callable[..., None]
) -> None:
    outcome = start(any_desk, sleeping, until)
    assert not stop("email")
    assert stop()
    until(lambda: outcome)
    assert outcome[0].error["sentence"] == STOPPED
    assert state_of("toy") == AddonState.INACTIVE
    assert not operation_lock.is_testing(any_desk.config)
    assert not stop(), "nothing is tested any more"
    sleeping.goes_on.touch()  # type: ignore[attr-defined]
    assert lifecycle.activate(any_desk.config, "toy", host=any_desk).ok


def test_the_page_goes_on_without_waiting_and_stops_it(
    desk: HostApplication,
    admin: Admin,
    sleeping: Sleeping,
    until: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(in_background, "ANSWER_SECONDS", 0.0)
    sleeping(desk)
    page = admin.activate()
    assert "This takes longer and goes on in the background." in page.text
    until(sleeping.began.exists)  # type: ignore[attr-defined]
    page = admin.get("/admin/addons").text
    assert "Test the migrations on a copy" in page
    assert 'action="/admin/addons/toy/stop"' in page
    assert page.count('/stop"') == 1, "of the other addons there is nothing to stop"
    answer = admin.get(admin.post("/admin/addons/toy/stop").location)
    assert "The test of the migrations is being stopped." in answer.text
    until(lambda: state_of("toy") == AddonState.INACTIVE)
    page = admin.get("/admin/addons").text
    assert STOPPED in page
    assert 'action="/admin/addons/toy/stop"' not in page
    assert (
        "No migrations of this addon are being tested."
        in admin.get(admin.post("/admin/addons/toy/stop").location).text
    )
    with db.read() as session:
        actions = list(session.scalars(sa.select(AuditEntry.action).where(AuditEntry.subject == "toy")))
    assert actions[-2:] == ["addon.test_stopped", "addon.activation_failed"]


def test_an_addon_that_was_switched_off_meanwhile_is_not_activated(
    desk: HostApplication, sleeping: Sleeping, until: Callable[..., None]
) -> None:
    outcome = start(desk, sleeping, until)
    records.switch_off("toy")
    sleeping.goes_on.touch()  # type: ignore[attr-defined]
    until(lambda: outcome)
    assert outcome[0].error["sentence"] == "The addon was changed while its migrations were tested."
    assert state_of("toy") == AddonState.INACTIVE
