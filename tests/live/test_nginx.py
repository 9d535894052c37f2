"""A desk behind nginx, with the configuration that comes with Lobby."""

from __future__ import annotations

import http.client
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from addons.instagram.instagram import config as instagram
from demo.processes import free_port
from host.core import db
from host.events.writing import show
from host.live import hub
from host.media.limits import MAX_BYTES
from host.web import headers
from tests import helpers
from tests.conftest import missing
from tests.inbox import desks
from tests.inbox.desks import Desk
from tests.live.served import Reader, cookie, serve, until

CONFIGURATION = Path(__file__).parents[2] / "deploy" / "nginx.conf"
MB = 1024 * 1024


def told() -> str:
    """Return the configuration."""
    return CONFIGURATION.read_text()


def location(path: str) -> str:
    """Return the settings of the first location with a pattern that fits *path*, or those of ``/``."""
    found: list[tuple[str, str]] = re.findall(
        r"^    location (?:~ )?(\S+.*?) \{.*?\n(.*?)^    \}", told(), re.M | re.S
    )
    return next(
        text for pattern, text in [*found[1:], (".", found[0][1])] if re.search(pattern, path) is not None
    )


def number(setting: str, text: str) -> int:
    """Return the number of a setting in *text*."""
    (found,) = re.findall(rf"{setting} (\d+)(?:m|ms|s);", text)
    return int(found)


def program() -> str:
    found = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if found is None:
        missing("nginx")
    assert found is not None
    return found


@contextmanager
def nginx(folder: Path, *ports: int, own: int | None = None, log: str = "") -> Iterator[int]:
    """Run nginx in front of *ports*, without TLS; yield its own port.

    :param log: what to write about each request, in nginx's variables, into the file ``log`` of *folder*.
    """
    own = own or free_port()
    text = re.sub(r" *ssl_certificate.*\n", "", told())
    text, times = re.subn(
        r"^( *server )127\.0\.0\.1:8080(.*\n)",
        lambda line: "".join(f"{line[1]}127.0.0.1:{port}{line[2]}" for port in ports),
        text,
        flags=re.M,
    )
    assert times == 3
    assert "listen 443 ssl http2" in text
    text = text.replace("listen 443 ssl http2", f"listen 127.0.0.1:{own}")
    logged = f"log_format all '{log}'; access_log {folder}/log all;" if log else "access_log off;"
    places = "".join(
        f"{name}_temp_path {folder}/{name};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    file = folder / "nginx.conf"
    # Compression for everything else, as many have it: the stream has to do without.
    file.write_text(
        f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;\n"
        "events { worker_connections 256; }\n"
        f"http {{\n{logged} gzip on; gzip_types *; gzip_min_length 1;\n{places}{text}}}\n"
    )
    command = [program(), "-p", str(folder), "-e", f"{folder}/error.log", "-c", str(file)]
    checked = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    running = subprocess.Popen(command)
    try:
        until(lambda: answers(own))
        yield own
    finally:
        running.terminate()
        running.wait(60)


def answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", "/login")
        return connection.getresponse().status < 500
    except ConnectionRefusedError:
        return False
    finally:
        connection.close()


def say(workspace: int, one: int) -> None:
    db.write(show, workspace, "conversation", conversation_id=one)


@pytest.mark.services
def test_behind_nginx_streams_tell_at_once_and_pages_are_answered(
    database: db.Database, data: Path, tmp_path: Path
) -> None:
    desk: Desk = desks.open_desk(data)
    folder = tmp_path / "nginx"
    folder.mkdir()
    person = helpers.client_for(desk.app, helpers.make_user(workspace=desk.workspace))
    live = f"/w/{desk.workspace}/live"
    with serve(desk) as port, nginx(folder, port) as front:
        with Reader(front, live, person, **{"Accept-Encoding": "gzip"}) as reader:
            assert reader.status == 200
            assert reader.response.getheader("Content-Encoding") is None
            for one in range(3):
                say(desk.workspace, one)
                assert reader.frame()["data"] == f'{{"conversation":{one}}}', "held back by a buffer"
            with Reader(front, live, person) as another:
                say(desk.workspace, 7)
                assert {each.frame()["data"] for each in (reader, another)} == {'{"conversation":7}'}
        until(lambda: not desk.hub.count)
        page = http.client.HTTPConnection("127.0.0.1", front, timeout=60)
        page.request("GET", f"/w/{desk.workspace}/inbox", headers={"Cookie": cookie(person)})
        answer = page.getresponse()
        assert (answer.status, b"<html" in answer.read()) == (200, True)
        page.close()


def test_what_the_page_tells_fits_what_the_desk_does() -> None:
    assert number("client_max_body_size", told()) * MB > max(MAX_BYTES + MB, headers.MAX_BODY)
    assert number("proxy_read_timeout", location("/w/1/live")) >= 4 * hub.CHECK_SECONDS * hub.TURNS


def test_webhooks_and_nothing_else_are_sent_to_a_second_process() -> None:
    """A sign-in that comes back from a provider takes longer, and its code works once."""
    found = re.search(r"^upstream lobby_webhooks \{\n(.*?)^\}", told(), re.M | re.S)
    assert found is not None
    assert "zone lobby_webhooks " in found[1]
    assert re.search(r"server \S+ max_fails=2 fail_timeout=5s;", found[1])
    webhook = location(f"/addons/{instagram.SLUG}/{instagram.WEBHOOK_PATH}")
    assert number("proxy_read_timeout", webhook) == 3500
    for path in (
        f"/addons/{instagram.SLUG}/{instagram.WEBHOOK_PATH}",
        f"/addons/{instagram.SLUG}/{instagram.WEBHOOK_PATH}/4e1f",
        "/webhooks/telegram/77",
    ):
        assert "http://lobby_webhooks;" in location(path), path
        assert (
            number("proxy_connect_timeout", location(path)) + number("proxy_read_timeout", location(path))
            < 4000
        )
    for path in ("/addons/instagram/come-back", "/addons/instagram/webhooks", "/login", "/api/v1/webhooks/1"):
        assert "http://lobby;" in location(path), path
        assert "non_idempotent" not in location(path)
        assert "timeout" not in location(path)
