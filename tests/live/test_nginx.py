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

from demo.processes import free_port
from host.core import db
from host.live import hub
from host.media.limits import MAX_BYTES
from host.record.writing import show
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


def number(setting: str) -> int:
    """Return the number of a setting of it."""
    (found,) = re.findall(rf"{setting} (\d+)[ms];", told())
    return int(found)


def program() -> str:
    found = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if found is None:
        missing("nginx")
    assert found is not None
    return found


@contextmanager
def nginx(folder: Path, *ports: int, own: int | None = None) -> Iterator[int]:
    """Run nginx in front of *ports*, without TLS; yield its own port."""
    own = own or free_port()
    text = re.sub(r" *ssl_certificate.*\n", "", told())
    servers = "\n".join(f"server 127.0.0.1:{one} max_fails=0;" for one in ports)
    for page, here in (
        ("server 127.0.0.1:8080 max_fails=0;", servers),
        ("listen 443 ssl http2", f"listen 127.0.0.1:{own}"),
    ):
        assert page in text
        text = text.replace(page, here)
    places = "".join(
        f"{name}_temp_path {folder}/{name};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    file = folder / "nginx.conf"
    # Compression for everything else, as many have it: the stream has to do without.
    file.write_text(
        f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;\n"
        "events { worker_connections 256; }\n"
        f"http {{\naccess_log off; gzip on; gzip_types *; gzip_min_length 1;\n{places}{text}}}\n"
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
    assert number("client_max_body_size") * MB > max(MAX_BYTES + MB, headers.MAX_BODY)
    assert number("proxy_read_timeout") >= 4 * hub.CHECK_SECONDS * hub.TURNS
