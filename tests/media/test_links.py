"""Addresses for providers: signed, for an hour, for one file."""

from __future__ import annotations

import io
from datetime import timedelta
from pathlib import Path

import pytest
from limits import RateLimitItemPerMinute
from sqlalchemy.orm import Session

from host.core import clock, db, secrets
from host.media import links, uploads
from host.media.file_removal import forget_files
from host.media.links import public_url
from host.media.pages import public_views
from host.models.inbox import Attachment
from tests import helpers
from tests.inbox import toys
from tests.inbox.desks import Desk
from tests.media import samples


def sent(desk: Desk, content: bytes = samples.WAV) -> Attachment:
    """Send a file and return its attachment."""
    toys.apply(desk.account, toys.received())
    taken = uploads.keep_upload(io.BytesIO(content), "note", workspace_id=desk.workspace, user_id=None)
    message = toys.thread()[-1].id

    def attach(session: Session) -> None:
        (one,) = uploads.attach(session, desk.workspace, [taken.id])
        uploads.add_to_message(session, message, one)

    db.write(attach)
    attachment: Attachment = toys.everything(Attachment)[-1]
    return attachment


@pytest.fixture(autouse=True)
def _fresh_limits() -> None:
    public_views._limiters.clear()


@pytest.mark.parametrize(
    ("url", "public"),
    [
        ("https://desk.example.com", True),
        ("https://desk.example.com:8443", True),
        ("https://93.184.216.34", True),
        ("http://desk.example.com", False),
        ("https://127.0.0.1", False),
        ("https://[::1]", False),
        ("https://10.1.2.3", False),
        ("https://169.254.169.254", False),
        ("https://localhost", False),
        ("https://desk", False),
        ("https://desk.local", False),
        ("https://desk.internal.", False),
    ],
)
def test_where_providers_can_fetch_from(url: str, public: bool) -> None:
    assert links.is_public(url) is public


def test_the_operator_may_decide_otherwise(desk: Desk, data: Path) -> None:
    attachment = sent(desk)
    for settings, expected in (
        ({}, False),
        ({"public_files": "1"}, True),
        ({"public_url": "https://desk.example.com"}, True),
        ({"public_url": "https://desk.example.com", "public_files": "0"}, False),
    ):
        links.use(helpers.make_config(data, **settings))
        url = public_url(attachment)
        assert (url is not None) is expected
        if url is not None:
            base = settings.get("public_url", "http://127.0.0.1:8080")
            assert url.startswith(f"{base}/media/public/")
            assert url.isascii()


def test_anybody_may_fetch_the_file(desk: Desk) -> None:
    nobody = helpers.browser(desk.app)
    for content, content_type in ((samples.WAV, "audio/wav"), (samples.PDF, "application/pdf")):
        path = f"/media/public/{links.token(sent(desk, content).id)}"
        response = nobody.get(path)
        assert (response.status_code, response.data) == (200, content)
        assert response.headers["Content-Type"] == content_type
        assert response.headers["Content-Length"] == str(len(content))
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in response.headers["Content-Security-Policy"]
        assert "Set-Cookie" not in response.headers
        part = nobody.get(path, headers={"Range": "bytes=1-3"})
        assert (part.status_code, part.data) == (206, content[1:4])
        assert nobody.head(path).headers["Content-Length"] == str(len(content))


def test_html_is_never_called_html(desk: Desk) -> None:
    response = helpers.browser(desk.app).get(f"/media/public/{links.token(sent(desk, samples.HTML).id)}")
    assert response.headers["Content-Type"] == "application/octet-stream"
    assert response.headers["Content-Disposition"].startswith("attachment")


def test_it_ends_after_an_hour(desk: Desk) -> None:
    token = links.token(sent(desk).id)
    nobody = helpers.browser(desk.app)
    with clock.travel(timedelta(minutes=59)):
        assert nobody.get(f"/media/public/{token}").status_code == 200
    with clock.travel(timedelta(minutes=61)):
        assert nobody.get(f"/media/public/{token}").status_code == 404


def test_no_other_file_and_no_longer_time(desk: Desk) -> None:
    first, second = sent(desk), sent(desk, samples.PDF)
    id_, until, signature = links.token(first.id).split(".")
    for wrong in (
        f"{second.id}.{until}.{signature}",
        f"{id_}.{int(until) + 3600}.{signature}",
        f"0{id_}.{until}.{signature[:-1]}",
        f"{id_}.{until}.{'A' * 43}",
        f"{id_}.{until}.{signature}.",
        f"{id_}.{until}.{signature}\n",
        f"-{id_}.{until}.{signature}",
        "",
        ".",
        "é" * 43,
        "9" * 5000,
    ):
        assert links.opened_by(wrong) is None
    assert links.opened_by(f"0{id_}.{until}.{signature}") in {None, first.id}


def test_each_key_opens_and_only_the_first_signs() -> None:
    old, new = bytes(range(32)), bytes(range(1, 33))
    before = secrets.Keyring({"k1": old})
    both, other = secrets.Keyring({"k2": new, "k1": old}), secrets.Keyring({"k2": new})
    signature = before.sign("file", 7, 9)
    assert both.is_signed(signature, "file", 7, 9)
    assert not other.is_signed(signature, "file", 7, 9)
    assert both.sign("file", 7, 9) == other.sign("file", 7, 9)
    assert not before.is_signed(signature, "other", 7, 9)
    assert before.sign("file", 79) != before.sign("file", 7, 9)


def test_what_was_unsent_cannot_be_fetched(desk: Desk) -> None:
    attachment = sent(desk)
    token = links.token(attachment.id)
    db.write(forget_files, [attachment.message_id])
    assert helpers.browser(desk.app).get(f"/media/public/{token}").status_code == 404


def test_guessing_is_slowed_down_and_others_are_not(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(public_views, "LIMIT", RateLimitItemPerMinute(30))
    nobody = helpers.browser(desk.app)
    path = f"/media/public/{links.token(sent(desk).id)}"
    assert [nobody.get("/media/public/x").status_code for _ in range(4)] == [404, 404, 404, 429]
    refused = nobody.get(path)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "60")
    assert nobody.get(path, environ_base={"REMOTE_ADDR": "192.0.2.7"}).status_code == 200
