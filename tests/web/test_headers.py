"""Every response carries the headers that keep a browser from being turned against its user."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask import Blueprint, Flask, abort

from host.web.headers import CONTENT_SECURITY_POLICY
from host.web.request_helpers import body_limit
from tests.helpers import StandInGeneration, browser, build_app, client_for, make_user, make_workspace

SAME_EVERYWHERE = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin-allow-popups",
    "Permissions-Policy": "camera=(), microphone=(self), geolocation=(), payment=(), usb=()",
}


def addon_blueprint() -> Blueprint:
    blueprint = Blueprint("toy", "toy")
    blueprint.add_url_rule("/open", "open", lambda: "open")
    blueprint.add_url_rule("/closed", "closed", lambda: "closed")
    blueprint.add_url_rule("/boom", "boom", lambda: str(1 / 0))
    blueprint.add_url_rule("/gone", "gone", lambda: abort(410))
    blueprint.add_url_rule("/busy", "busy", lambda: abort(503))
    blueprint.add_url_rule("/slow", "slow", lambda: abort(429))
    blueprint.add_url_rule("/post", "post", lambda: "took it", methods=["POST"])
    blueprint.add_url_rule("/big", "big", body_limit(3 * 1024 * 1024)(lambda: "took it"), methods=["POST"])
    return blueprint


def addon_desk(data: Path, public_url: str = "http://127.0.0.1:8080") -> Flask:
    paths = ("open", "boom", "gone", "busy", "slow", "post", "big")
    generation = StandInGeneration(
        blueprints=(("toy", addon_blueprint()),),
        public_paths=frozenset(f"/addons/toy/{path}" for path in paths),
    )
    return build_app(data, generation=generation, public_url=public_url)


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/login", 200),
        ("/", 302),
        ("/account", 302),
        ("/setup", 403),
        ("/nothing/here", 404),
        ("/w/1/settings/people", 302),
        ("/logout", 405),
        ("/static/lobby.css", 200),
        ("/static/nothing.css", 404),
        ("/addons/toy/open", 200),
        ("/addons/toy/closed", 302),
        ("/addons/toy/boom", 500),
        ("/addons/toy/gone", 410),
        ("/addons/toy/slow", 429),
        ("/addons/toy/busy", 503),
    ],
)
def test_every_kind_of_response_has_the_headers(
    database: object, data: Path, scheme: str, path: str, status: int
) -> None:
    app = addon_desk(data, public_url=f"{scheme}://desk.example.com")
    response = browser(app).get(path)
    assert response.status_code == status
    for name, value in SAME_EVERYWHERE.items():
        if response.mimetype != "text/css" or name == "X-Content-Type-Options":
            assert response.headers[name] == value, name
        else:
            assert name not in response.headers, "a style sheet is never shown as a page"
    if response.mimetype != "text/css":
        assert response.headers["Referrer-Policy"] in {"strict-origin-when-cross-origin", "same-origin"}
    hsts = response.headers.get("Strict-Transport-Security")
    assert hsts == ("max-age=31536000; includeSubDomains" if scheme == "https" else None)
    assert "Access-Control-Allow-Origin" not in response.headers
    assert "Server" not in response.headers


def test_the_policy_allows_no_inline_script_and_no_framing() -> None:
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert "frame-ancestors 'none'" in CONTENT_SECURITY_POLICY
    assert "base-uri 'none'" in CONTENT_SECURITY_POLICY
    assert "object-src 'none'" in CONTENT_SECURITY_POLICY


def test_no_template_of_ours_needs_inline_script_or_style() -> None:
    paths = [*(Path(__file__).parents[2] / "host").rglob("*.html")]
    assert len(paths) > 50
    for path in paths:
        text = path.read_text()
        assert " style=" not in text, path
        assert " onclick=" not in text, path
        assert "<style" not in text, path
        assert "<script>" not in text, path


def test_pages_of_signed_in_people_are_not_stored_by_anybody(desk: Flask) -> None:
    person = make_user(workspace=make_workspace())
    assert client_for(desk, person).get("/account").headers["Cache-Control"] == "no-store"


def test_a_page_of_another_origin_learns_nothing_by_cors(desk: Flask) -> None:
    for origin in ("https://evil.example", "null"):
        response = browser(desk).get("/login", headers={"Origin": origin})
        assert not [name for name, _ in response.headers if name.startswith("Access-Control")]


@pytest.mark.parametrize("method", ["TRACE", "PUT", "DELETE", "PATCH"])
def test_methods_nobody_needs_are_refused(desk: Flask, method: str) -> None:
    assert browser(desk).open("/login", method=method).status_code in {400, 405}


@pytest.mark.parametrize(
    "path", ["/.git/config", "/static/../app.py", "/static/%2e%2e/app.py", "/static/", "/metrics", "/console"]
)
def test_nothing_but_static_files_is_served(desk: Flask, path: str) -> None:
    assert browser(desk).get(path).status_code == 404


def test_a_foreign_site_cannot_post_even_with_a_token(desk: Flask) -> None:
    client = client_for(desk, make_user())
    token = client.csrf()
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ):
        response = client.post("/account/theme", data={"theme": "dark", "csrf_token": token}, headers=headers)
        assert response.status_code == 403, headers


def test_the_own_site_may_post_by_either_of_its_names(desk: Flask) -> None:
    client = client_for(desk, make_user())
    for headers in (
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://127.0.0.1:8080"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://127.0.0.1:8080"},
        {"Origin": "http://localhost"},
        {},
    ):
        response = client.post(
            "/account/theme", data={"theme": "dark", "csrf_token": client.csrf()}, headers=headers
        )
        assert response.status_code == 302, headers


def test_a_form_without_its_token_changes_nothing(desk: Flask) -> None:
    client = client_for(desk, make_user(name="Mia"))
    response = client.post("/account/profile", data={"name": "Eve", "theme": "dark", "locale": ""})
    assert response.status_code == 400
    assert "This form has expired" in response.text
    assert "Mia" in client.get("/account").text


def test_every_unsafe_route_refuses_a_request_without_a_token(desk: Flask) -> None:
    workspace = make_workspace()
    client = client_for(desk, make_user(workspace=workspace, is_admin=True))
    checked = 0
    for rule in desk.url_map.iter_rules():
        for method in sorted((rule.methods or set()) & {"POST", "PUT", "PATCH", "DELETE"}):
            values: dict[str, Any] = {
                name: "x" if name in {"slug", "token", "key", "path", "filename"} else 1
                for name in rule.arguments
            }
            with desk.test_request_context():
                url = str(desk.url_for(rule.endpoint, **values))
            # The API is opened by a header no other site can send, and by no cookie at all.
            refusals = {401} if url.startswith("/api/") else {400, 403}
            assert client.open(url, method=method).status_code in refusals, rule
            checked += 1
    assert checked >= 10


def test_a_body_larger_than_a_page_takes_is_refused(database: object, data: Path) -> None:
    app = addon_desk(data)
    client = browser(app)
    big = {"csrf_token": client.csrf(), "text": "x" * (2 * 1024 * 1024)}
    assert client.post("/addons/toy/post", data=big).status_code == 413


def test_a_view_may_take_larger_files_than_the_others(database: object, data: Path) -> None:
    client = client_for(addon_desk(data), make_user())

    def send(path: str, megabytes: int) -> int:
        parts = (
            b'--b\r\nContent-Disposition: form-data; name="csrf_token"\r\n\r\n' + client.csrf().encode(),
            b'\r\n--b\r\nContent-Disposition: form-data; name="file"; filename="a.zip"\r\n\r\n',
            b"x" * megabytes * 1024 * 1024 + b"\r\n--b--\r\n",
        )
        body = b"".join(parts)
        answer = client.post(path, data=body, content_type="multipart/form-data; boundary=b")
        return int(answer.status_code)

    assert send("/addons/toy/big", 2) == 200
    assert send("/addons/toy/big", 4) == 413
    assert send("/addons/toy/post", 2) == 413
    client = browser(client.application)
    assert send("/addons/toy/big", 2) == 302, "nothing of it is read from somebody who is not signed in"


@pytest.mark.parametrize(
    "path",
    [
        "/login?next=%00",
        "/account%00",
        "/w/99999999999999999999999/settings/people",
        "/admin/audit?before=-1",
    ],
)
def test_odd_input_is_no_server_error(desk: Flask, path: str) -> None:
    client = client_for(desk, make_user(is_admin=True, workspace=make_workspace()))
    assert client.get(path).status_code in {400, 404}


def test_a_nul_in_a_form_is_refused(desk: Flask) -> None:
    client = client_for(desk, make_user())
    assert client.post_form("/account/profile", name="a\0b", theme="auto", locale="").status_code == 400


def test_an_address_a_stranger_claims_is_not_believed(database: object, data: Path) -> None:
    def seen(app: Flask, **headers: str) -> str:
        with app.test_request_context("/login", headers=headers, environ_base={"REMOTE_ADDR": "192.0.2.1"}):
            pass
        found: list[str] = []

        @app.after_request
        def note(response):  # type: ignore[no-untyped-def]
            from host.web.request_helpers import client_address

            found.append(client_address())
            return response

        browser(app).get("/login", headers=headers, environ_base={"REMOTE_ADDR": "192.0.2.1"})
        return found[0]

    spoof = {"X-Forwarded-For": "10.9.9.9, 198.51.100.7"}
    assert seen(build_app(data), **spoof) == "192.0.2.1"
    assert seen(build_app(data, proxies="1"), **spoof) == "198.51.100.7"


def test_links_use_the_configured_address_whatever_the_host_header_says(desk: Flask) -> None:
    from host.models.users import Role

    workspace = make_workspace()
    client = client_for(desk, make_user(workspace=workspace, role=Role.OWNER))
    token = client.csrf()
    cookie = client.get_cookie("lobby")
    assert cookie is not None
    # The client would not send its cookie to another host; an attacker in the middle would.
    response = desk.test_client(use_cookies=False).post(
        f"/w/{workspace}/settings/people/invite",
        data={"csrf_token": token, "email": "jo@example.com", "role": "agent"},
        headers={
            "Host": "evil.example",
            "X-Forwarded-Host": "evil.example",
            "Cookie": f"lobby={cookie.value}",
        },
    )
    assert response.status_code == 200
    assert "http://127.0.0.1:8080/invite/" in response.text
    assert "evil.example" not in response.text


@pytest.mark.parametrize("host", ["[::1", 'evil"><script>', "a b", "", "x" * 3000, "é"])
def test_an_odd_host_header_is_no_server_error(desk: Flask, host: str) -> None:
    client = desk.test_client(use_cookies=False)
    headers = {"Host": host, "Origin": "http://x", "Referer": f"http://{host}/account"}
    for method, path in (
        ("GET", "/account"),
        ("GET", "/login"),
        ("POST", "/login"),
        ("POST", "/account/theme"),
    ):
        answer = client.open(path, method=method, headers=headers)
        assert answer.status_code in {200, 302, 400, 403}, (method, path)
        assert "script" not in answer.headers.get("Location", "")


def test_a_stream_nobody_is_signed_in_for_ends_instead_of_showing_a_login_page(desk: Flask) -> None:
    assert browser(desk).get("/account", headers={"Accept": "text/event-stream"}).status_code == 401
    assert browser(desk).get("/account", headers={"Accept": "*/*"}).status_code == 302
