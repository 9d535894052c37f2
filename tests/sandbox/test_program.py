"""The program as people start it: one line, the README's commands, the requirements."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from demo.processes import free_port

ROOT = Path(__file__).parents[2]
README = (ROOT / "sandbox" / "README.md").read_text()


def test_it_prints_one_line_and_stops_when_told() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "sandbox", "--port", "0"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        url = re.fullmatch(r"sandbox listening on (http://127\.0\.0\.1:\d+)\n", line)
        assert url is not None
        assert requests.get(f"{url[1]}/control/state", timeout=5).status_code == 200
        requests.get(f"{url[1]}/graph.facebook.com/me?access_token=EAAsecret", timeout=5)
        process.terminate()
        rest, errors = process.communicate(timeout=10)
    assert (rest, errors) == ("", "")
    assert process.returncode == 0


def test_a_taken_port_is_said_plainly() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-m", "sandbox", "--port", port],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def commands() -> list[str]:
    block = re.search(r"```sh\n(.*?)```", README, re.S)
    assert block is not None
    return block[1].strip().splitlines()


@pytest.mark.skipif(shutil.which("curl") is None, reason="the README uses curl")
def test_the_readme_leads_to_a_signed_dm_and_an_answered_send() -> None:
    lines = commands()
    assert len(lines) <= 10
    script = "\n".join(lines).replace("9443", str(free_port())).replace("9444", str(free_port()))
    script = re.sub(r"^python ", f"{sys.executable} -u ", script, flags=re.M)
    with subprocess.Popen(
        ["bash", "-e", "-c", f"{script}\n"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "no_proxy": "127.0.0.1"},
    ) as process:
        try:
            assert process.wait(timeout=60) == 0
        finally:
            os.killpg(process.pid, signal.SIGTERM)
        out, _ = process.communicate(timeout=10)
    assert '"verified":true' in out
    assert '{"success": true}' in out
    assert '"idle":true' in out
    received = [line for line in out.splitlines() if "signature right" in line]
    assert len(received) == 2
    assert "signature WRONG" not in out
    assert "Is the blue mug still there? \\ud83c\\udffa" in received[0]
    assert '"is_echo":true' in received[1]
    ledger = json.loads(next(part for part in out.splitlines() if part.startswith('{"entries"')))
    kinds = [(entry["kind"], entry.get("answered"), entry.get("status")) for entry in ledger["entries"]]
    # The answer to the first delivery may be noted after the send, which does not wait for it.
    assert sorted(kinds, key=str) == [("send", True, None), ("webhook", None, 200), ("webhook", None, 200)]


def test_only_flask_and_requests_are_needed() -> None:
    allowed = {"flask", "werkzeug", "requests", "sandbox"} | set(sys.stdlib_module_names)
    used = set()
    for file in (ROOT / "sandbox").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names.append(node.module)
            for name in names:
                used.add(name.partition(".")[0])
                assert name.partition(".")[0] in allowed, f"{file.name} imports {name}"
    assert {"flask", "requests"} <= used


def test_the_readme_names_every_control_endpoint_and_kind() -> None:
    from sandbox.faults import CALLS, OPTIONS
    from sandbox.play import KINDS
    from sandbox.server import Server

    server = Server()
    try:
        app = server._server.app
        rules = [rule.rule for rule in app.url_map.iter_rules()]  # type: ignore[attr-defined]
    finally:
        server.box.close()
        server._server.server_close()
    controls = [rule.partition("<")[0].rstrip("/") for rule in rules if rule.startswith("/control/")]
    assert controls
    assert [rule for rule in controls if rule not in README] == []
    for name in (*CALLS, *OPTIONS, *KINDS):
        assert f"`{name}`" in README, name
