"""The first steps of a workspace install what comes with Lobby, or ask an admin to."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session
from werkzeug.test import Client

from host.addons import lifecycle
from host.addons.package import shipped
from host.channels import feature_requests
from host.core import clock, db
from host.models.addons import AddonState
from host.models.notifications import Notification
from host.models.users import LoginSession, Role, User
from host.process.serving import HostApplication
from tests.addons.conftest import Admin, MakeZip
from tests.helpers import PASSWORD, join, make_user, make_workspace

INSTALL = "/admin/first-steps/install"
INSTALLED = [("toy", AddonState.ACTIVE)]


@pytest.fixture
def ships(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, toy_zip: MakeZip) -> str:
    """A release that comes with the toy addon alone; the hash of its zip."""
    folder = tmp_path / "release"
    folder.mkdir()
    path = folder / "toy-addon-v1.0.0.zip"
    path.write_bytes(toy_zip().read_bytes())
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / shipped.SUMS).write_text(f"{digest}  {path.name}\n")
    monkeypatch.setattr(shipped, "FOLDER", folder)
    return digest


@pytest.fixture
def workspace(admin: Admin) -> int:
    """An empty workspace of the admin."""
    made = make_workspace(leads=True)
    with db.read() as session:
        mia = session.scalars(sa.select(User)).one()
    join(made, mia, Role.OWNER)
    return made


def states() -> list[tuple[str, AddonState]]:
    return [(card.slug, card.state) for card in lifecycle.installed()]


def test_one_press_installs_and_activates_what_comes_with_lobby(
    admin: Admin, workspace: int, ships: str
) -> None:
    inbox = f"/w/{workspace}/inbox"
    page = admin.get(inbox).text
    assert ships in page
    assert 'data-step="install" data-state="open now"' in page
    assert "start-password" not in page, "the admin has just signed in"
    assert admin.post(INSTALL, workspace=workspace, sha256="0" * 64).status_code == 404
    for other, status in ((make_workspace("Bakery"), 404), ("", 400), ("x", 400)):
        assert admin.post(INSTALL, workspace=other, sha256=ships).status_code == status
    assert states() == []
    assert admin.post(INSTALL, workspace=workspace, sha256=ships).location == inbox
    assert states() == INSTALLED
    assert 'data-step="install" data-state="done"' in admin.get(inbox).text
    assert admin.post(INSTALL, workspace=workspace, sha256=ships).location == inbox, (
        "pressed twice, it is still there"
    )
    assert states() == INSTALLED


def test_the_password_is_asked_for_before_an_addon_is_installed(
    admin: Admin, workspace: int, ships: str
) -> None:
    long_ago = clock.now() - timedelta(hours=1)
    db.write(lambda session: session.execute(sa.update(LoginSession).values(confirmed_at=long_ago)))
    assert 'id="start-password"' in admin.get(f"/w/{workspace}/inbox").text
    assert "Confirm" in admin.post(INSTALL, workspace=workspace, sha256=ships).text
    assert states() == []
    admin.post(INSTALL, workspace=workspace, sha256=ships, password=PASSWORD)
    assert states() == INSTALLED


def test_what_cannot_be_installed_says_so(
    admin: Admin, workspace: int, ships: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: object, **_values: object) -> lifecycle.Outcome:
        return lifecycle.Outcome("toy", error={"sentence": "Its code could not be imported."})

    monkeypatch.setattr(lifecycle, "activate", broken)
    answer = admin.post(INSTALL, workspace=workspace, sha256=ships)
    assert answer.location.startswith("/admin/addons"), "the card shows what failed"
    assert "Its code could not be imported." in admin.get(answer.location).text


def test_an_owner_who_is_no_admin_asks_one(
    admin: Admin, workspace: int, ships: str, desk: HostApplication
) -> None:
    ola = make_user("ola@example.com", "Ola", workspace=workspace, role=Role.OWNER)
    owner = Admin.__new__(Admin)  # a browser as hers, without another person
    owner.application, owner.client = desk, Client(desk)
    assert owner.post("/login", email=ola.email, password=PASSWORD).status_code == 302
    page = owner.get(f"/w/{workspace}/inbox").text
    assert f"/w/{workspace}/start/ask" in page
    assert INSTALL not in page
    token = page.split('name="csrf-token" content="')[1].split('"')[0]
    answers = [
        owner.client.post(
            f"/w/{workspace}/start/ask", data={"csrf_token": token, "channel": wanted}
        ).status_code
        for wanted in ("nothing", "toy", "toy")
    ]
    assert answers == [404, 302, 302]
    with db.read() as session:
        (told,) = session.scalars(sa.select(Notification)).all()
    assert (told.path, told.details["who"]) == ("/admin/addons", "Ola")
    page = owner.get(f"/w/{workspace}/inbox").text
    assert f"/w/{workspace}/start/ask" not in page
    assert "not seen yet" in page
    assert "You can send a reminder from" in page

    def seen(session: Session) -> None:
        session.get_one(Notification, told.id).read_at = clock.now()

    db.write(seen)
    page = owner.get(f"/w/{workspace}/inbox").text
    assert "not seen yet" not in page
    with db.read() as session:
        request = feature_requests.asked(session, workspace)["toy"]
    assert request.remind_from == request.asked_at + feature_requests.REMIND_AFTER
    late = request.remind_from + timedelta(seconds=1)
    db.write(lambda session: _made_earlier(session, late - request.asked_at))
    assert "Send a reminder" in owner.get(f"/w/{workspace}/inbox").text
    form = {"csrf_token": token, "channel": "toy"}
    for _ in range(2):
        assert owner.client.post(f"/w/{workspace}/start/ask", data=form).status_code == 302
    with db.read() as session:
        sentences = session.scalars(sa.select(Notification.sentence).order_by(Notification.id)).all()
    assert sentences == [feature_requests.ASKED, feature_requests.REMINDED], "one reminder a day"


def _made_earlier(session: Session, span: timedelta) -> None:
    for row in session.scalars(sa.select(Notification)):
        row.created_at -= span
