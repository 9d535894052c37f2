"""The addons that come with a release are known by their hash: no warning, and nobody has to confirm them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from werkzeug.test import Client

from host.addons import lifecycle
from host.addons.package import shipped
from host.models.addons import AddonState
from host.process.serving import HostApplication
from tests.addons.conftest import Admin, MakeZip
from tests.addons.test_signing import OURS, signed
from tests.helpers import PASSWORD, make_user, make_workspace


@pytest.fixture
def ships(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, toy_zip: MakeZip) -> Path:
    """A release that comes with the toy addon; the folder of its zips."""
    folder = tmp_path / "release"
    folder.mkdir()
    path = folder / "toy-addon-v1.0.0.zip"
    path.write_bytes(toy_zip().read_bytes())
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / shipped.SUMS).write_text(f"{digest}  {path.name}\n")
    monkeypatch.setattr(shipped, "FOLDER", folder)
    return folder


@pytest.fixture
def nothing_ships(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shipped, "FOLDER", tmp_path / "none")


def states() -> dict[str, AddonState]:
    return {card.slug: card.state for card in lifecycle.installed()}


def test_a_zip_of_the_release_is_installed_by_uploading_it(ships: Path, admin: Admin) -> None:
    (path,) = ships.glob("*.zip")
    report = admin.upload(path)
    assert "Included in this release" in report.text
    assert "Not signed" not in report.text
    assert "/addons/toy/" in report.text, "what it holds is shown all the same"
    assert states() == {"toy": AddonState.INACTIVE}, "and nothing runs before it is activated"
    assert "/admin/addons/toy/activate" in report.text
    page = admin.get("/admin/addons").text
    assert "Included in this release" in page
    assert "Not signed" not in page


@pytest.mark.usefixtures("nothing_ships")
def test_any_other_zip_asks_first(admin: Admin, toy_zip: MakeZip) -> None:
    report = admin.upload(toy_zip())
    assert "Not signed" in report.text
    assert '/install"' in report.text
    assert states() == {}


def test_a_zip_that_was_changed_is_another(ships: Path, admin: Admin, toy_zip: MakeZip) -> None:
    (path,) = ships.glob("*.zip")
    path.write_bytes(toy_zip({"NOTES.md": "changed"}).read_bytes())
    assert shipped.addons() == []
    assert "Not signed" in admin.upload(path).text
    assert states() == {}


@pytest.mark.usefixtures("nothing_ships")
def test_a_trusted_publishers_zip_is_installed_and_its_update_asks(
    desk: HostApplication, admin: Admin, toy_zip: MakeZip
) -> None:
    (desk.config.data / "trusted.keys").write_text(f"ed25519 {OURS.public.text} Sample Publisher\n")
    report = admin.upload(signed(toy_zip()))
    assert "Signed" in report.text
    assert states() == {"toy": AddonState.INACTIVE}
    admin.activate()
    update = admin.upload(signed(toy_zip({"NOTES.md": "more"}, version="1.1.0")))
    assert '/install"' in update.text, "what runs is not replaced without a word"


def test_it_is_offered_where_it_would_be_looked_for(ships: Path, admin: Admin, desk: HostApplication) -> None:
    page = admin.get("/admin/addons").text
    assert "Included in this release" in page
    (one,) = shipped.addons()
    answer = admin.post("/admin/addons/shipped", sha256=one.sha256)
    assert "/admin/addons/uploads/" in answer.location
    assert states() == {"toy": AddonState.INACTIVE}
    assert admin.post("/admin/addons/shipped", sha256="0" * 64).status_code == 404


def test_a_channel_that_could_be_had_stands_where_channels_are(ships: Path, admin: Admin) -> None:
    from host.core import db
    from host.models.users import User
    from host.users import workspaces

    with db.read() as session:
        (mia,) = session.query(User.id).one()
    shop = db.write(workspaces.create, "Pottery", mia)
    page = admin.get(f"/w/{shop.id}/settings/channels").text
    assert "To use Toy channel, install its addon" in page
    (one,) = shipped.addons()
    admin.post("/admin/addons/shipped", sha256=one.sha256)
    assert "To use Toy channel, activate its addon" in admin.get(f"/w/{shop.id}/settings/channels").text
    admin.activate()
    page = admin.get(f"/w/{shop.id}/settings/channels").text
    assert "Get Toy" not in page
    assert "Addon settings" in page


def test_an_owner_asks_the_admins_for_a_channel_once(ships: Path, admin: Admin) -> None:
    from host.core import db
    from host.models.notifications import Notification
    from host.models.users import Role

    shop = make_workspace("Pottery")
    make_user("ola@example.com", "Ola", workspace=shop, role=Role.OWNER)
    owner = Admin.__new__(Admin)  # a browser as hers, without another person
    owner.application, owner.client = admin.application, Client(admin.application)
    assert owner.post("/login", email="ola@example.com", password=PASSWORD).status_code == 302
    address = f"/w/{shop}/settings/channels"
    assert "Request from an admin" in owner.get(address).text
    token = owner.get(address).text.split('name="csrf-token" content="')[1].split('"')[0]
    answers = [
        owner.client.post(f"{address}/ask", data={"csrf_token": token, "channel": wanted}).status_code
        for wanted in ("nothing", "toy", "toy")
    ]
    assert answers == [404, 302, 302]
    page = owner.get(address).text
    assert "The admins were asked" in page
    assert "Request from an admin" not in page
    with db.read() as session:
        (told,) = session.query(Notification).all()
    assert (told.title, told.path) == ("Toy channel", "/admin/addons")
    assert told.details["who"] == "Ola"
    assert "Ola requested this channel in Pottery." in admin.get("/notifications").text
