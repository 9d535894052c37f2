"""One's own account: picture, time zone, browsers; and who may see whose picture."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from PIL import Image

from host.core import clock, db, storage
from host.media import file_removal, portraits
from host.models.users import User
from host.users import sessions
from host.web import devices
from tests.helpers import Browser, client_for, join, make_user, make_workspace


@pytest.fixture(autouse=True)
def _store(tmp_path: Path) -> None:
    storage.use(storage.FolderStore(tmp_path / "files"))


def picture(width: int = 300, height: int = 200, form: str = "JPEG", **options: Any) -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (width, height), (200, 30, 30)).save(made, form, **options)
    return made.getvalue()


def upload(client: Browser, content: bytes, name: str = "me.jpg") -> Any:
    data = {"csrf_token": client.csrf(), "picture": (io.BytesIO(content), name)}
    return client.post("/account/picture", data=data)


def key_of(person: User) -> str | None:
    with db.read() as session:
        return session.get_one(User, person.id).picture_key


def test_a_picture_is_made_anew(desk: Flask) -> None:
    mia = make_user()
    client = client_for(desk, mia)
    exif = Image.Exif()
    exif[0x010E] = "Taken at home"
    given = picture(exif=exif) + b"PK\x03\x04 an archive behind it"
    assert upload(client, given).status_code == 302
    shown = client.get(f"/people/{mia.id}/picture")
    assert shown.headers["Content-Type"] == portraits.CONTENT_TYPE
    assert "sandbox" in shown.headers["Content-Security-Policy"]
    assert Image.open(io.BytesIO(shown.data)).size == (portraits.SIDE, portraits.SIDE)
    assert b"Taken at home" not in shown.data
    assert b"an archive" not in shown.data
    assert f"/people/{mia.id}/picture?v=" in client.get("/account").text


@pytest.mark.parametrize("form", ["PNG", "GIF", "WEBP"])
def test_every_kind_of_picture_a_browser_shows_is_taken(desk: Flask, form: str) -> None:
    mia = make_user()
    upload(client_for(desk, mia), picture(form=form), f"x.{form}")
    assert key_of(mia) is not None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<svg onload=alert(1)>",
        picture()[:200],
        b"x" * 3000,
        b"GIF89a" + b"\0" * 50,
    ],
    ids=["nothing", "script", "half", "huge", "damaged"],
)
def test_what_is_no_picture_changes_nothing(
    desk: Flask, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    mia = make_user()
    client = client_for(desk, mia)
    upload(client, picture())
    before = key_of(mia)
    monkeypatch.setattr(portraits, "MOST_BYTES", 2500)
    assert upload(client, content).status_code == 302
    assert key_of(mia) == before
    assert 'role="alert"' in client.get("/account").text


def test_pictures_are_seen_by_those_one_works_with(desk: Flask) -> None:
    workspace, elsewhere = make_workspace(), make_workspace()
    mia, bo, eve = (
        make_user(workspace=workspace),
        make_user(workspace=workspace),
        make_user(workspace=elsewhere),
    )
    upload(client_for(desk, mia), picture())
    path = f"/people/{mia.id}/picture"
    admin = make_user(is_admin=True)
    statuses = [client_for(desk, person).get(path).status_code for person in (mia, bo, admin, eve)]
    assert statuses == [200, 200, 200, 404]
    assert client_for(desk, eve).get(f"/people/{bo.id}/picture").status_code == 404
    join(elsewhere, mia)
    assert client_for(desk, eve).get(path).status_code == 200


def test_a_picture_is_kept_while_somebody_has_it(desk: Flask) -> None:
    mia, bo = make_user(), make_user()
    for person in (mia, bo):
        upload(client_for(desk, person), picture())
    key = key_of(mia)
    assert key is not None
    assert key == key_of(bo), "the same picture is stored once"
    client_for(desk, mia).post_form("/account/picture", remove="1")
    assert key_of(mia) is None
    storage.open_stored(key).close()
    client_for(desk, bo).post_form("/account/picture", remove="1")
    with pytest.raises(storage.NotStoredError):
        storage.open_stored(key)
    assert not file_removal.is_used(key)


def test_times_are_those_of_the_persons_zone(desk: Flask) -> None:
    mia = make_user()
    client = client_for(desk, mia)
    client.set_cookie("lobby-zone", "America/New_York")
    form = {"name": "Mia", "theme": "auto", "locale": "en"}
    assert client.post_form("/account/profile", **form, timezone="Asia/Kathmandu").status_code == 302
    now = clock.now()
    there = now.astimezone(ZoneInfo("Asia/Kathmandu"))
    assert there.utcoffset() == datetime(2026, 1, 1, tzinfo=UTC).astimezone(there.tzinfo).utcoffset()
    shown = re.findall(r'<time datetime="([^"]+)"[^>]*>([^<]+)<', client.get("/account").text)
    at, words = shown[-1]
    wanted = datetime.fromisoformat(at).astimezone(ZoneInfo("Asia/Kathmandu"))
    assert f"{wanted:%H:%M}" in words
    for wrong in ("Mars/Phobos", "../etc/passwd", "x" * 500, "Etc/GMT+3"):
        assert client.post_form("/account/profile", **form, timezone=wrong).status_code == 400, wrong


def test_every_zone_offered_exists() -> None:
    zones = clock.zones()
    assert len(zones) > 300
    assert {"UTC", "Europe/Berlin", "America/Argentina/Ushuaia"} <= set(zones)
    for name in zones:
        ZoneInfo(name)


@pytest.mark.parametrize(
    ("said", "words", "icon"),
    [
        ("Mozilla/5.0 (Windows NT 10.0) Gecko/20100101 Firefox/140.0", "Firefox on Windows", "laptop"),
        ("Mozilla/5.0 (iPhone; like Mac OS X) Version/18 Safari/605", "Safari on iPhone", "phone"),
        ("Mozilla/5.0 (Linux; Android 15) Chrome/140.0 Mobile Safari/537", "Chrome on Android", "phone"),
        ("Mozilla/5.0 (Macintosh; Mac OS X 15) Chrome/140 Safari/537 Edg/140", "Edge on Mac", "laptop"),
        ("", "A browser", "laptop"),
        ("<script>alert(1)</script>", "A browser", "laptop"),
    ],
)  # fmt: skip
def test_a_browser_in_words(desk: Flask, said: str, words: str, icon: str) -> None:
    with desk.test_request_context():
        assert devices.device_of(said) == devices.Device(words, icon)


def test_one_browser_is_signed_out_or_all_others(desk: Flask) -> None:
    mia, bo = make_user(), make_user()
    here, there, third = (client_for(desk, mia) for _ in range(3))
    theirs = client_for(desk, bo)
    with db.read() as session:
        ids = [row.id for row in sessions.active(session, mia.id)]
    assert theirs.post_form(f"/account/sessions/{ids[1]}/end").status_code == 404
    assert here.post_form("/account/sessions/end-others").status_code == 302
    assert [one.get("/account").status_code for one in (here, there, third, theirs)] == [200, 302, 302, 200]
