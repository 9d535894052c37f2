"""Settings of a workspace and of the desk, as pages change them."""

from __future__ import annotations

import io
import re
import struct
import zlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from aiosmtpd.controller import Controller
from flask import Flask
from PIL import Image

from demo.processes import free_port
from host import counters
from host.core import clock, db, guard, mail, storage
from host.core import config as settings
from host.core.errors import InvalidError
from host.media import portraits
from host.models.users import AuditEntry, DeskSetting, Invitation, Role, User, Workspace
from host.process.serving import HostApplication
from host.users import desk_settings, invitations, passwords, workspaces
from host.web import colours
from tests.helpers import PASSWORD, Browser, build_app, client_for, do, make_config, make_user, make_workspace
from tests.web.test_mail import Server


def owner_of(desk: Flask, *, is_admin: bool = False) -> tuple[int, Browser]:
    workspace = make_workspace("Pottery")
    owner = make_user(workspace=workspace, role=Role.OWNER, is_admin=is_admin)
    return workspace, client_for(desk, owner)


def row(workspace: int) -> Workspace:
    with db.read() as session:
        return session.get_one(Workspace, workspace)


def stored() -> dict[str, str]:
    with db.read() as session:
        return desk_settings.stored(session)


def no_password() -> None:
    """Let whoever is signed in be somebody who comes through a provider, or by a passkey alone."""
    everybody = sa.update(User).values(password_hash=passwords.NONE)
    db.write(lambda session: session.execute(everybody) and None)


def actions() -> list[str]:
    with db.read() as session:
        return list(session.scalars(sa.select(AuditEntry.action).order_by(AuditEntry.id)))


# A workspace


def test_name_time_zone_and_language_are_saved_and_written_down(desk: Flask) -> None:
    workspace, client = owner_of(desk)
    page = f"/w/{workspace}/settings/general"
    assert client.post_form(page, name="Clay", timezone="Europe/Berlin", language="en").status_code == 302
    found = row(workspace)
    assert (found.name, found.timezone, found.language, found.version) == ("Clay", "Europe/Berlin", "en", 1)
    assert actions() == ["workspace.renamed", "workspace.changed"]
    assert client.post_form(page, name="Clay").status_code == 302
    assert row(workspace).timezone == "Europe/Berlin"


def test_a_time_zone_that_does_not_exist_changes_nothing(desk: Flask) -> None:
    workspace, client = owner_of(desk)
    page = f"/w/{workspace}/settings/general"
    for zone in ("Mars/Olympus", "../etc/passwd", "Europe/Berlin\n", "x" * 500):
        answer = client.post_form(page, name="Clay", timezone=zone)
        assert answer.status_code == 400
        assert "Time zone not found" in answer.text
    assert row(workspace).name == "Pottery"


def test_of_two_owners_who_save_at_once_the_second_is_told(desk: Flask) -> None:
    workspace, first = owner_of(desk)
    second = client_for(desk, make_user(workspace=workspace, role=Role.OWNER))
    page = f"/w/{workspace}/settings/general"
    assert first.post_form(page, name="First", version="0").status_code == 302
    answer = second.post_form(page, name="Second", version="0")
    assert answer.status_code == 409
    assert "Someone else saved these settings" in answer.text
    assert 'value="Second"' in answer.text
    assert row(workspace).name == "First"


def test_a_shorter_retention_shows_first_what_goes(desk: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace, client = owner_of(desk)
    page = f"/w/{workspace}/settings/general/retention"
    assert client.post_form(page, keep="days", days="5").status_code == 400
    assert client.post_form(page, keep="days", days="ten").status_code == 400
    assert client.post_form(page, keep="days", days="").status_code == 400
    assert client.post_form(page, keep="sometimes").status_code == 400
    falls = workspaces.clock.now()
    from host.users import retention

    found = retention.Falls(falls, 2, 1234, 7)
    monkeypatch.setattr(retention, "falls", lambda *_: found)
    answer = client.post_form(page, keep="days", days="30")
    assert (answer.status_code, row(workspace).retention_days) == (200, None)
    assert "1234 messages" in answer.text
    assert "7 files" in answer.text
    assert client.post_form(page, keep="days", days="30", sure="60").status_code == 200
    assert client.post_form(page, keep="days", days="30", sure="30").status_code == 302
    assert row(workspace).retention_days == 30
    assert client.post_form(page, keep="ever").status_code == 302
    assert row(workspace).retention_days == 0
    assert client.post_form(page, keep="desk").status_code == 302
    assert row(workspace).retention_days is None


def test_an_archived_workspace_is_read_and_not_changed(desk: Flask) -> None:
    workspace, client = owner_of(desk)
    general = f"/w/{workspace}/settings/general"
    assert client.post_form(f"{general}/archive").status_code == 302
    page = client.get(general)
    assert page.status_code == 200
    assert "is archived" in page.text
    for path in (general, f"{general}/retention", f"/w/{workspace}/settings/people/invite"):
        answer = client.post_form(path, name="x", email="a@example.com", role="agent", keep="ever")
        assert answer.status_code == 409, path
        assert "archived" in answer.text
    assert client.post_form(f"{general}/restore").status_code == 302
    assert client.post_form(general, name="Clay").status_code == 302
    assert actions() == ["workspace.archived", "workspace.restored", "workspace.renamed"]


def test_deleting_takes_the_name_and_the_password(desk: Flask) -> None:
    workspace, client = owner_of(desk)
    page = f"/w/{workspace}/settings/general/delete"
    assert "1 person" in client.get(page).text
    assert client.post_form(page, name="pottery", password=PASSWORD).status_code == 400
    assert client.post_form(page, name="Pottery", password="wrong").status_code == 400
    assert client.post_form(page, name="Pottery").status_code == 400
    assert row(workspace).delete_asked_at is None
    assert client.post_form(page, name="Pottery", password=PASSWORD).status_code == 302
    assert row(workspace).delete_asked_at is not None
    assert client.get(page).status_code == 302
    shown = client.get(f"/w/{workspace}/settings/general").text
    assert "This workspace will be deleted on" in shown
    assert "Cancel deletion" in shown
    assert actions()[-1] == "workspace.deletion_asked"


@pytest.mark.parametrize("archived", [False, True])
def test_a_deletion_is_taken_back(desk: Flask, archived: bool) -> None:
    workspace, client = owner_of(desk)
    if archived:
        do(workspaces.archive, workspace)
    page = f"/w/{workspace}/settings/general"
    client.post_form(f"{page}/delete", name="Pottery", password=PASSWORD)
    assert client.post_form(page, name="Clay").status_code == 409
    assert client.post_form(f"{page}/restore").status_code == 302
    found = row(workspace)
    assert (found.delete_asked_at, found.archived_at is not None) == (None, archived)
    assert actions()[-2:] == ["workspace.deletion_asked", "workspace.deletion_taken_back"]


def test_who_has_no_password_deletes_a_workspace_after_a_fresh_sign_in(desk: Flask) -> None:
    workspace, client = owner_of(desk)
    no_password()
    page = f"/w/{workspace}/settings/general/delete"
    with clock.travel(timedelta(minutes=20)):
        assert "Confirm that it’s you first" in client.get(page).text
        assert client.post_form(page, name="Pottery").status_code == 403
    assert row(workspace).delete_asked_at is None
    assert client.post_form(page, name="Pottery").status_code == 302
    assert row(workspace).delete_asked_at is not None


# Pictures


def a_picture(width: int, height: int) -> bytes:
    """Return the beginning of a PNG that says it has that many pixels."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(b"\0" * 100))
        + chunk(b"IEND", b"")
    )


SCRIPT = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@pytest.mark.parametrize("content", [SCRIPT, a_picture(60_000, 60_000), b"", b"\x89PNG\r\n\x1a\nbroken"])
def test_a_logo_that_is_no_picture_is_refused(desk: Flask, tmp_path: Path, content: bytes) -> None:
    storage.use(storage.FolderStore(tmp_path / "files"))
    workspace, client = owner_of(desk, is_admin=True)
    for path in ("/admin/desk/logo", f"/w/{workspace}/settings/general/picture"):
        file: Any = (io.BytesIO(content), "logo.png", "image/png")
        client.post_form(path, picture=file)
    assert row(workspace).picture_key is None
    with db.read() as session:
        assert session.get(DeskSetting, desk_settings.LOGO) is None


def a_photo() -> Any:
    """Return a file as a form takes it."""
    made = io.BytesIO()
    Image.new("RGB", (300, 200), (200, 30, 30)).save(made, "JPEG")
    made.seek(0)
    return made, "mark.jpg", "image/jpeg"


def test_a_picture_of_a_workspace_is_shown_until_it_is_removed(desk: Flask, tmp_path: Path) -> None:
    storage.use(storage.FolderStore(tmp_path / "files"))
    workspace, client = owner_of(desk)
    put, shown = f"/w/{workspace}/settings/general/picture", f"/w/{workspace}/picture"
    assert client.get(shown).status_code == 404
    assert client.post_form(put, picture=a_photo()).status_code == 302
    answer = client.get(shown)
    assert answer.headers["Content-Type"] == portraits.CONTENT_TYPE
    assert Image.open(io.BytesIO(answer.data)).size == (portraits.SIDE, portraits.SIDE)
    assert f'src="{shown}' in client.get(f"/w/{workspace}/settings/general").text
    assert client.post_form(put, remove="1").status_code == 302
    assert client.get(shown).status_code == 404


def test_a_logo_is_on_the_page_to_sign_in_until_it_is_removed(
    database: db.Database, data: Path, tmp_path: Path
) -> None:
    url = database.url.render_as_string(hide_password=False)
    environment = {"LOBBY_DATABASE_URL": url, "LOBBY_WORKERS": "0", "LOBBY_DATA": str(data)}
    process = HostApplication(settings.load(environment))
    storage.use(storage.FolderStore(tmp_path / "files"))
    admin = make_user(is_admin=True)

    def page() -> Browser:
        counters.forget()
        return client_for_nobody(process.generation().app)

    assert "/desk/logo" not in page().get("/login").text
    client = client_for(process.generation().app, admin)
    assert client.post_form("/admin/desk/logo", picture=a_photo()).status_code == 302
    assert 'src="/desk/logo' in page().get("/login").text
    assert page().get("/desk/logo").headers["Content-Type"] == portraits.CONTENT_TYPE
    client = client_for(process.generation().app, admin)
    assert client.post_form("/admin/desk/logo", remove="1").status_code == 302
    assert "/desk/logo" not in page().get("/login").text
    assert page().get("/desk/logo").status_code == 404


# The desk


@pytest.mark.parametrize(
    "url",
    [
        "https://desk.example.com/path",
        "https://mia:secret@desk.example.com",
        "https://desk.example.com?x=1",
        "https://desk.example.com#x",
        "ftp://desk.example.com",
        "https://",
        "https://desk.example.com:99999",
        "https://desk .example.com",
        "javascript:alert(1)",
    ],
)
def test_an_address_that_is_more_than_an_address_is_refused(desk: Flask, url: str) -> None:
    with pytest.raises(InvalidError):
        desk_settings.checked_url(url)


@pytest.mark.parametrize("colour", ["red; }", "red", "#12345", "#1234567", "#12345g", "url(x)", "#0b6b63}"])
def test_a_colour_is_a_colour(desk: Flask, colour: str) -> None:
    _workspace, client = owner_of(desk, is_admin=True)
    assert client.post_form("/admin/desk/look", name="", colour=colour).status_code == 400
    assert stored() == {}


@pytest.mark.parametrize(
    "colour", ["#ffffff", "#000000", "#ffcc00", "#0b6b63", "#777777", "#ff0000", "#0000ff"]
)
def test_whatever_the_colour_text_reads_well_in_both_themes(colour: str) -> None:
    found = colours.palette(colour)
    tokens = [
        dict(
            part.strip().lstrip("-").split(": ") for part in line.split("{")[1].split("}")[0].split(";")[:-1]
        )
        for line in found.css.splitlines()
    ]
    for theme, surface in zip(tokens, ("#ffffff", "#141a19"), strict=True):
        assert colours.contrast(theme["accent"], theme["on-accent"]) >= 4.5
        assert colours.contrast(theme["accent"], surface) >= 4.5
        assert colours.contrast(theme["accent-ink"], theme["accent-soft"]) >= 4.5
    assert (found.light == colour) == (colour in {"#000000", "#0b6b63", "#0000ff"})


def test_of_two_admins_who_save_at_once_the_second_is_told(desk: Flask) -> None:
    _workspace, client = owner_of(desk, is_admin=True)
    assert client.post_form("/admin/desk/look", name="One", colour="", version="0").status_code == 302
    answer = client.post_form("/admin/desk/look", name="Two", colour="", version="0")
    assert answer.status_code == 409
    assert 'value="Two"' in answer.text
    assert stored() == {"name": "One"}


def test_what_a_page_sets_counts_where_the_environment_says_nothing(
    database: db.Database, data: Path
) -> None:
    values = {"public_url": "https://desk.example.com", "mail_server": "smtp://a:b@mail.example.com:25"}
    db.write(desk_settings.save, values)
    # make_config gives the environment of tests, which may name an address of its own.
    bare = settings.load({"LOBBY_DATA": str(data)})
    now, _desk = desk_settings.effective(bare)
    assert (now.public_url, now.mail_server) == tuple(values.values())
    ours = settings.load({"LOBBY_DATA": str(data), "LOBBY_PUBLIC_URL": "https://other.example.com"})
    now, _desk = desk_settings.effective(ours)
    assert now.public_url == "https://other.example.com"
    with db.read() as session:
        sealed = session.get_one(DeskSetting, "mail_server").value
    assert "mail.example" not in sealed
    assert mail.server_of(now).guarded  # type: ignore[union-attr]


def test_a_page_does_not_change_what_the_environment_sets(database: db.Database, data: Path) -> None:
    app = build_app(data, public_url="https://desk.example.com")
    client = client_for(app, make_user(is_admin=True))
    page = client.get("/admin/desk")
    assert "LOBBY_PUBLIC_URL" in page.text
    answer = client.post_form("/admin/desk/address", public_url="https://evil.example")
    assert answer.status_code == 409
    assert stored() == {}


def test_the_password_of_the_relay_is_kept_only_for_the_same_server_and_user() -> None:
    before = desk_settings.checked_relay("mail.example.com", "587", "", "desk", "p@ss:/word")
    same = desk_settings.checked_relay("mail.example.com", "587", "", "desk", "", before=before)
    assert same == before
    for host, user in (("evil.example.com", "desk"), ("mail.example.com", "other")):
        with pytest.raises(InvalidError):
            desk_settings.checked_relay(host, "587", "", user, "", before=before)
    for host in ("mail example", "mail/x", "a@b", "x\n"):
        with pytest.raises(InvalidError):
            desk_settings.checked_relay(f"{host}y", "25", "", "", "")


def test_a_relay_at_a_private_address_says_what_allows_it(desk: Flask) -> None:
    _workspace, client = owner_of(desk, is_admin=True)
    form = {"host": "127.0.0.1", "port": "9", "encryption": "starttls", "user": "", "sender": ""}
    assert client.post_form("/admin/desk/mail", **form).status_code == 302
    assert client.post_form("/admin/desk/mail/test").status_code == 302
    assert "LOBBY_MAIL_RELAYS" in client.get("/admin/desk").text


def test_a_test_goes_through_the_server_the_page_set_and_the_page_says_how_it_went(
    database: db.Database, data: Path
) -> None:
    server = Server()
    port = free_port()
    controller = Controller(server, hostname="127.0.0.1", port=port)
    controller.start()
    relay = f"127.0.0.1:{port}"
    guard.allow((), [relay])
    try:
        client = client_for(build_app(data, mail_relays=relay), make_user("mia@example.com", is_admin=True))
        client.post_form("/admin/desk/mail/test")
        assert "No mail server is set up." in client.get("/admin/desk").text
        form = {"host": "127.0.0.1", "port": str(port), "encryption": "starttls", "user": ""}
        assert client.post_form("/admin/desk/mail", **form, sender="desk@example.com").status_code == 302
        client.post_form("/admin/desk/mail/test")
        assert "Check the inbox of mia@example.com." in client.get("/admin/desk").text
        (envelope,) = server.taken
        assert (envelope.mail_from, envelope.rcpt_tos) == ("desk@example.com", ["mia@example.com"])
        server.answer = "550 not here"
        client.post_form("/admin/desk/mail/test")
        page = client.get("/admin/desk").text
        assert "The test email was not sent." in page
        assert "550" in page
    finally:
        controller.stop()
        guard.allow(())


def test_what_only_the_environment_sets_is_shown_with_where_it_comes_from(
    database: db.Database, data: Path
) -> None:
    app = build_app(data, audit_days="77", session_key="a key of ours")
    page = client_for(app, make_user(is_admin=True)).get("/admin/desk").text
    rows = re.findall(
        r'<div><code>(\w+)</code><span[^>]*>([^<]*)</span><span class="fine">([^<]*)</span></div>', page
    )
    shown = {name: (value, origin) for name, value, origin in rows}
    others = {one.variable for one in settings.SETTINGS if one.name not in desk_settings.OVERLAID}
    assert set(shown) == others
    assert shown["LOBBY_AUDIT_DAYS"] == ("77", "set by the environment")
    assert shown["LOBBY_SESSION_KEY"] == ("set, not shown", "set by the environment")
    assert shown["LOBBY_WORKERS"][1] == "default"
    assert "a key of ours" not in page


def test_everybody_may_make_a_workspace_where_the_desk_says_so(database: db.Database, data: Path) -> None:
    from host.process.app import create_app
    from tests.helpers import StandInGeneration

    person = make_user()
    for anybody, wanted in ((False, 404), (True, 302)):
        look = desk_settings.Desk(anybody_makes=anybody)
        app = create_app(make_config(data), StandInGeneration(), None, look)  # type: ignore[arg-type]
        assert client_for(app, person).post_form("/workspaces/new", name="Mine").status_code == wanted


# Invitations


class Taken:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.mails: list[Any] = []
        self.error: Exception | None = None
        monkeypatch.setattr(mail, "send", self._send)

    def _send(self, _server: Any, letter: Any) -> None:
        if self.error is not None:
            raise self.error
        self.mails.append(letter)


def test_an_invitation_is_mailed_resent_and_revoked(
    database: db.Database, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config(data, mail_server="smtp://mail.example.com:25")
    app = build_app(data, settings=config)
    invitations.use_settings(config)
    taken = Taken(monkeypatch)
    workspace, client = owner_of(app)
    people = f"/w/{workspace}/settings/people"
    answer = client.post_form(f"{people}/invite", email="new@example.com", role="agent")
    assert answer.status_code == 302
    assert "sending the email" in client.get(people).text
    taken.error = mail.NotSentError("no", "unreachable")
    assert invitations.send_due() == 0
    taken.error = None
    assert invitations.send_due() == 0  # a minute later
    due = sa.update(Invitation).values(mail_due_at=invitations.clock.now())
    db.write(lambda session: session.execute(due) and None)
    assert invitations.send_due() == 1
    (letter,) = taken.mails
    first = letter.get_content().partition("/invite/")[2].split()[0]
    assert "Invited by email" in client.get(people).text
    assert client_for_nobody(app).get(f"/invite/{first}").status_code == 200
    with db.read() as session:
        id_ = session.scalars(sa.select(Invitation.id)).one()
    assert client.post_form(f"{people}/invitations/{id_}/again").status_code == 302
    assert client_for_nobody(app).get(f"/invite/{first}").status_code == 404
    assert invitations.send_due() == 1
    client.post_form(f"/w/{workspace}/settings/general", name="Pottery", language="de", timezone="")
    client.post_form(f"{people}/invitations/{id_}/again")
    assert invitations.send_due() == 1
    assert "hat Sie in Pottery eingeladen" in taken.mails[-1]["Subject"], "in the language of the workspace"
    shown = client.post_form(f"{people}/invitations/{id_}/again", how="link").text
    assert "/invite/" in shown
    assert client.post_form(f"{people}/invitations/{id_}/withdraw").status_code == 302
    assert client.post_form(f"{people}/invitations/{id_}/again").status_code == 404


def client_for_nobody(app: Flask) -> Browser:
    from tests.helpers import browser

    return browser(app)


def test_every_process_follows_without_a_restart(database: db.Database, data: Path, tmp_path: Path) -> None:
    environment = {
        "LOBBY_DATABASE_URL": database.url.render_as_string(hide_password=False),
        "LOBBY_WORKERS": "0",
        "LOBBY_SESSION_KEY": "a key",
    }
    processes = [
        HostApplication(settings.load({**environment, "LOBBY_DATA": str(folder)}))
        for folder in (data, tmp_path / "elsewhere")
    ]
    values = {"public_url": "https://desk.example.com", "name": "Pottery desk", "colour": "#a4481f"}
    db.write(desk_settings.save, values)
    for process in processes:
        counters.forget()
        page = client_for_nobody(process.generation().app).get("/login").text
        assert "Pottery desk" in page
        assert "/desk.css?v=a4481f" in page
        assert process.effective().public_url == "https://desk.example.com"
        sheet = client_for_nobody(process.generation().app).get("/desk.css")
        assert sheet.mimetype == "text/css"
        assert "--accent: #a4481f" in sheet.text
