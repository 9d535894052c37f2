"""Pages and files are compressed where asked, and a compressed page gives its CSRF token away to nobody."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import brotli
import pytest
from flask import Flask, Response, session, url_for
from flask_wtf.csrf import generate_csrf

from host.web import compression, csrf
from tests.helpers import Browser, client_for, make_user, make_workspace

TOKEN = re.compile(r'(?:name="csrf_token" value|name="csrf-token" content)="([^"]+)"')
UNPACK = {"gzip": gzip.decompress, "br": brotli.decompress}


def tokens(client: Browser) -> set[str]:
    return set(TOKEN.findall(client.get("/account").text))


@pytest.fixture
def client(app: Flask) -> Browser:
    return client_for(app, make_user(workspace=make_workspace("Pottery")))


@pytest.mark.parametrize(("asked", "used"), [("gzip", "gzip"), ("gzip, deflate, br, zstd", "br")])
def test_a_page_and_a_file_are_compressed_where_asked(client: Browser, asked: str, used: str) -> None:
    for path in ("/account", "/static/lobby.css", "/static/js/base.js", "/api/v1/openapi.json"):
        plain = client.get(path)
        assert "Content-Encoding" not in plain.headers
        packed = client.get(path, headers={"Accept-Encoding": asked})
        assert packed.headers["Content-Encoding"] == used
        assert "Accept-Encoding" in packed.headers["Vary"]
        assert len(packed.data) < len(plain.data) / 2
        assert TOKEN.sub("", UNPACK[used](packed.data).decode()) == TOKEN.sub("", plain.text)


@pytest.mark.parametrize("asked", ["", "identity", "gzip;q=0", "zstd"])
def test_nothing_is_compressed_for_who_cannot_read_it(client: Browser, asked: str) -> None:
    assert "Content-Encoding" not in client.get("/account", headers={"Accept-Encoding": asked}).headers


def test_short_answers_parts_and_streams_stay_as_they_are(app: Flask, client: Browser) -> None:
    headers = {"Accept-Encoding": "gzip"}
    app.view_functions["styles"] = lambda **_: Response("x" * 999, mimetype="text/css")
    assert "Content-Encoding" not in client.get("/styles/1/lobby.css", headers=headers).headers
    app.view_functions["styles"] = lambda **_: Response(
        iter(["data: x\n\n"] * 999), mimetype="text/event-stream"
    )
    assert "Content-Encoding" not in client.get("/styles/1/lobby.css", headers=headers).headers
    part = client.get("/static/lobby.css", headers={**headers, "Range": "bytes=0-4999"})
    assert (part.status_code, len(part.data)) == (206, 5000)
    assert "Content-Encoding" not in part.headers


@pytest.mark.parametrize("name", ["icon-192.png", "icon-512.png", "badge-96.png"])
def test_a_picture_that_never_changes_is_sent_as_it_is(app: Flask, client: Browser, name: str) -> None:
    with app.test_request_context():
        address = url_for("static", filename=name)
    answer = client.get(address, headers={"Accept-Encoding": "gzip, deflate, br, zstd"})
    assert answer.status_code == 200
    assert "immutable" in answer.headers["Cache-Control"]
    assert "Content-Encoding" not in answer.headers
    assert answer.data == (Path(str(app.static_folder)) / name).read_bytes()


def test_a_compressed_file_is_not_sent_again_unchanged(client: Browser) -> None:
    headers = {"Accept-Encoding": "br"}
    tag = client.get("/static/lobby.css", headers=headers).headers["ETag"]
    again = client.get("/static/lobby.css", headers={**headers, "If-None-Match": tag})
    assert (again.status_code, again.data) == (304, b"")
    again.close()


def test_each_page_has_a_token_of_its_own_and_each_is_valid(client: Browser) -> None:
    found = [tokens(client) for _ in range(3)]
    assert [len(of_page) for of_page in found] == [1, 1, 1]
    given = [of_page.pop() for of_page in found]
    parts = {token[at : at + 8] for token in given for at in range(len(token) - 7)}
    assert len(parts) == 3 * (len(given[0]) - 7), "nothing of a token stands in another"
    for token in given:
        assert client.post("/account/theme", data={"theme": "dark", "csrf_token": token}).status_code < 400


def test_a_token_of_another_session_or_a_changed_one_is_refused(app: Flask, client: Browser) -> None:
    (foreign,) = tokens(client_for(app, make_user(workspace=make_workspace("Bakery"))))
    (own,) = tokens(client)
    changed = (own[:-1], own.swapcase(), own + own, own[:12], "A" * 36, "ä" * 36, "x", "")
    assert client.post("/account/theme", data={"theme": "dark", "csrf_token": foreign}).status_code == 409
    for token in changed:
        given = client.post("/account/theme", data={"theme": "dark", "csrf_token": token})
        assert given.status_code == 400, token


def test_a_page_from_before_an_upgrade_can_still_be_sent(app: Flask, client: Browser) -> None:
    answer = client.post("/account/theme", data={"theme": "dark", "csrf_token": client.csrf()})
    assert "." in client.csrf()
    assert answer.status_code < 400


def test_style_sheets_of_a_page_come_as_one(app: Flask, client: Browser) -> None:
    with app.test_request_context():
        address = app.jinja_env.globals["styles_url"]("labels canned labels")  # type: ignore[operator]
    assert address.endswith("/labels+canned.css")
    answer = client.get(address)
    whole = b"\n".join(client.get(f"/static/{name}.css").data for name in ("labels", "canned"))
    assert answer.data == whole
    assert "immutable" in answer.headers["Cache-Control"]
    stale = client.get("/styles/0123456789ab/labels+canned.css")
    assert (stale.data, stale.headers["Cache-Control"]) == (whole, "public, no-cache")


@pytest.mark.parametrize(
    "names", ["nothing", "labels+nothing", "..%2Fsecret", "labels+", "+".join(["labels"] * 99), "theme.js"]
)
def test_an_unknown_style_sheet_is_not_found(client: Browser, names: str) -> None:
    assert client.get(f"/styles/1/{names}.css").status_code == 404


def test_the_session_has_one_secret(app: Flask) -> None:
    with app.test_request_context():
        first = csrf.token()
        assert csrf.token() == first, "one token for all forms of a page"
        generate_csrf()
        assert session["csrf_token"] not in first


def test_a_file_that_never_changes_is_compressed_best_and_once(
    client: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = re.search(r'/styles/[^"]+bootstrap[^"]+', client.get("/account").text)
    assert path is not None
    plain = client.get(path[0])
    assert plain.cache_control.immutable
    compression._smallest.cache_clear()
    headers = {"Accept-Encoding": "gzip, br"}
    packed = client.get(path[0], headers=headers)
    assert packed.data == brotli.compress(plain.data)
    monkeypatch.setattr(compression.brotli, "compress", None)
    again = client.get(path[0], headers=headers)
    assert (again.data, again.headers["Content-Encoding"]) == (packed.data, "br")
