"""An admin switches built-in features off and on; processes follow without a restart."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from host.addons import switching
from host.core import db
from host.events import retention
from host.events.models import Consumer
from host.features import registry
from host.models.users import AuditEntry, DeskSetting, User
from host.process.serving import HostApplication
from host.users import desk_settings, workspaces
from host.users.actor import DESK
from tests.addons.conftest import Admin, configuration, until

__all__ = ["until"]

OPTIONAL = sorted(registry.optional())


@pytest.fixture(autouse=True)
def _on_again() -> Iterator[None]:
    yield
    registry.switch_off(())


@pytest.fixture
def desk(any_database: db.Database, data: Path) -> Iterator[HostApplication]:
    """A desk with a worker, at work."""
    application = HostApplication(configuration(any_database, data, LOBBY_WORKERS="1"))
    application.start()
    yield application
    application.close()


def switch(admin: Admin, name: str, *, on: bool) -> Any:
    return admin.post(f"/admin/features/{name}", on="1" if on else "")


def positions() -> set[str]:
    with db.read() as session:
        return set(session.scalars(sa.select(Consumer.name)))


def readers() -> set[str]:
    return {one.name for one in threading.enumerate() if one.name.startswith("record-")}


def test_switching_needs_no_restart(desk: HostApplication, until: Callable[..., None]) -> None:
    admin = Admin(desk)
    with db.read() as session:
        mia = session.scalars(sa.select(User.id)).one()
    page = f"/w/{db.write(workspaces.create, 'Pottery', mia).id}/reports"
    until(lambda: "reports" in positions())
    assert "record-reports" in readers()
    assert admin.get(page).status_code == 200

    switch(admin, "reports", on=False)
    assert admin.get(page).status_code == 404
    assert page not in admin.get("/").text
    assert "reports" not in positions(), "nothing is kept for it"
    until(lambda: "record-reports" not in readers())
    assert "record-search" in readers(), "the others read on"
    text = admin.get("/admin/addons").text
    assert "Existing figures are kept." in text
    assert "counting starts at that moment" in text

    switch(admin, "reports", on=True)
    assert admin.get(page).status_code == 200
    until(lambda: {"reports"} <= positions() and "record-reports" in readers())
    with db.read() as session:
        lines = session.execute(
            sa.select(AuditEntry.action, AuditEntry.subject, AuditEntry.user_id)
            .where(AuditEntry.action.startswith("feature."))
            .order_by(AuditEntry.id)
        ).all()
    assert [tuple(line) for line in lines] == [
        ("feature.switched_off", "Reports", mia),
        ("feature.switched_on", "Reports", mia),
    ]


@pytest.mark.parametrize("name", OPTIONAL)
def test_each_can_be_switched_off_and_every_consumer_of_it_ends(
    desk: HostApplication, until: Callable[..., None], name: str
) -> None:
    theirs = {f"record-{consumer}" for consumer in retention.consumers_of({name})}
    assert theirs <= readers()
    assert switching.switch(name, on=False, config=desk.effective(), actor=DESK)
    assert not switching.switch(name, on=False, config=desk.effective(), actor=DESK), "it is off already"
    desk.refresh()
    until(lambda: theirs.isdisjoint(readers()))
    assert not registry.is_on(name)
    switching.switch(name, on=True, config=desk.effective(), actor=DESK)
    desk.refresh()
    until(lambda: theirs <= readers())


def test_two_admins_do_not_undo_each_other(desk: HostApplication) -> None:
    threads = [
        threading.Thread(
            target=switching.switch,
            args=(name,),
            kwargs={"on": False, "config": desk.effective(), "actor": DESK},
        )
        for name in OPTIONAL
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with db.read() as session:
        assert desk_settings.features_off(desk_settings.stored(session)) == set(OPTIONAL)


def test_only_optional_features_can_be_switched(desk: HostApplication) -> None:
    admin = Admin(desk)
    for name in ("inbox", "nothing", "x" * 500):
        assert switch(admin, name, on=False).status_code == 404


def test_the_environment_goes_first(any_database: db.Database, data: Path) -> None:
    application = HostApplication(configuration(any_database, data, LOBBY_FEATURES_OFF="reports"))
    try:
        admin = Admin(application)
        answer = switch(admin, "reports", on=True)
        assert answer.status_code == 409
        assert "LOBBY_FEATURES_OFF" in answer.text
        page = admin.get("/admin/addons").text
        assert "/admin/features/" not in page
        assert "Set by the server." in page
    finally:
        application.close()


def test_a_name_that_is_no_feature_any_more_is_passed_over(any_database: db.Database, data: Path) -> None:
    def store(session: db.Session) -> None:
        values = {"name": desk_settings.FEATURES_OFF, "uuid": "0" * 32, "workspace_id": 0}
        session.add(DeskSetting(**values, value="reports,astrology"))

    db.write(store)
    application = HostApplication(configuration(any_database, data))
    assert registry.switched_off() == {"reports"}
    application.close()


def test_a_process_that_comes_late_forgets_no_position(
    desk: HostApplication, until: Callable[..., None]
) -> None:
    """It still has the feature off that was switched on again, and others read for it already."""
    until(lambda: "reports" in positions())
    registry.switch_off(["reports"])
    db.write(desk._note_off)
    assert "reports" in positions()
