"""A request names one host: two servers on its way could otherwise disagree for whom it is."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from host.process.asgi import AsgiApplication
from tests.live.worker import uvicorn_server
from tests.process.asking import ask, status
from tests.process.test_slow_connections import StandInHost

PATHS = ("/", "/api/v1/me", "/healthz", "/addons/toy/quick", "/webhooks/toy/x")
REFUSED = (
    [],
    ["Host: desk", "Host: desk"],
    ["Host: desk", "Host: evil.example"],
    ["Host: desk", "hOST : evil.example"],
    ["Host:"],
    ["Host: desk, evil.example"],
    ["Host: desk/evil"],
    ["Host: me@desk"],
    ["Host: d\u00e9sk"],
)


class _Probes:
    def answer(self, path: str, method: str, authorization: str) -> tuple[HTTPStatus, list[Any], bytes]:
        return HTTPStatus.OK, [], b"ok"


def _request(path: str, hosts: list[str], version: str = "1.1", method: str = "GET", body: str = "") -> bytes:
    more = ["Connection: close", f"Content-Length: {len(body)}"]
    return "\r\n".join([f"{method} {path} HTTP/{version}", *hosts, *more, "", body]).encode()


def test_a_request_without_host_or_with_two_is_refused_wherever_it_goes(tmp_path: Path) -> None:
    host = StandInHost(tmp_path)
    with uvicorn_server(AsgiApplication(host)) as port:  # type: ignore[arg-type]
        for path in PATHS:
            for hosts in REFUSED:
                for method in ("GET", "POST"):
                    answer = ask(port, _request(path, hosts, method=method, body="hello"))
                    assert status(answer) == 400, (path, hosts)
    assert (host.pages, host.journal.taken) == (0, [])


@pytest.mark.parametrize("name", ["desk", "desk.example:8080", "[::1]:8080", "127.0.0.1", "my_desk"])
def test_a_request_with_one_host_is_answered(tmp_path: Path, name: str) -> None:
    with uvicorn_server(AsgiApplication(StandInHost(tmp_path))) as port:  # type: ignore[arg-type]
        assert status(ask(port, _request("/", [f"Host: {name}"]))) == 200


def test_http_1_0_needs_a_host_as_well_but_for_the_probes_of_load_balancers(tmp_path: Path) -> None:
    host: Any = StandInHost(tmp_path)
    host.probes = _Probes()
    with uvicorn_server(AsgiApplication(host)) as port:
        for path in PATHS:
            expected = 200 if path == "/healthz" else 400
            assert status(ask(port, _request(path, [], "1.0"))) == expected, path
        assert host.pages == 0
        for path in ("/", "/healthz"):
            assert status(ask(port, _request(path, ["Host: desk"], "1.0"))) == 200, path
            assert status(ask(port, _request(path, ["Host: desk", "Host: evil.example"], "1.0"))) == 400, path
