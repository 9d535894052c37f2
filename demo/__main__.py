"""``python -m demo``: play the journey, then stay up (or, with ``--once``, report and end)."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import requests
from lobby_client import LobbyError

from demo.journey import ADMIN, AGENT, PASSWORD, STEPS, Journey, Step
from demo.outside import PUSH_HOST, Outside
from demo.person import PageError
from demo.processes import CHECKOUT, DidNotStartError, Host, Program, Sandbox, free_port, sandbox_settings

DESK_PORT = 8080
PHONE_PORT = 9443


def main() -> int:
    parser = argparse.ArgumentParser(prog="lobby demo")
    parser.add_argument("--once", action="store_true")
    parser.add_argument("--reload", action="store_true")
    options = parser.parse_args()
    data = Path(tempfile.mkdtemp(prefix="lobby-demo-"))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    outside = Outside()
    running: list[Program] = []
    try:
        desk_port = free_port(0 if options.once else DESK_PORT)
        sandbox = Sandbox.start(free_port(0 if options.once else PHONE_PORT))
        running.append(sandbox.program)
        outside.start()
        settings = desk_settings(sandbox, outside, free_port())
        host = Host.start(data, port=desk_port, settings=settings)
        running.append(host.program)
        failed = play(Journey(sandbox, host, outside, int(settings["LOBBY_SMTP_LISTEN"].rsplit(":", 1)[1])))
        if failed or options.once:
            return int(failed)
        invite_to_look(host, sandbox)
        if options.reload:
            return serve_with_reload(running, data, desk_port, settings)
        host.program.process.wait()
        return 0
    except DidNotStartError as error:
        print(f"failed: {error}")
        return 1
    except KeyboardInterrupt:
        return 0
    finally:
        for program in reversed(running):
            program.stop()
        outside.stop()
        shutil.rmtree(data, ignore_errors=True)


def desk_settings(sandbox: Sandbox, outside: Outside, smtp_port: int) -> dict[str, str]:
    """Return the settings of a desk whose external services are on this machine."""
    settings = sandbox_settings(sandbox)
    settings["LOBBY_ALLOW_HOSTS"] += f",{outside.addresses}"
    settings["LOBBY_SANDBOX"] = sandbox.url
    settings["LOBBY_PUSH_HOSTS"] = PUSH_HOST
    settings["LOBBY_SMTP_LISTEN"] = f"127.0.0.1:{smtp_port}"
    settings["LOBBY_DEVELOPMENT"] = "1"
    settings["LOBBY_LOOK_GRACE"] = "2"  # nobody watches a demo for two minutes
    settings["SSL_CERT_FILE"] = str(outside.certificate)
    return settings


def play(journey: Journey, steps: Sequence[Step] = STEPS) -> bool:
    """Play every step, with a line and its time for each; return whether one failed."""
    done = 0
    for name, step in steps:
        started = time.monotonic()
        try:
            note = step(journey)
        except (PageError, LobbyError, requests.RequestException) as error:
            print(f"FAILED  {name}: {error}")
            print(f"journey: {done}/{len(steps)} steps")
            print("\nThe desk said:\n" + journey.host.program.output)
            return True
        done += 1
        print(f"{time.monotonic() - started:6.2f} s  {name}{f' ({note})' if note else ''}", flush=True)
    print(f"journey: {done}/{len(steps)} steps", flush=True)
    return False


def invite_to_look(host: Host, sandbox: Sandbox) -> None:
    print(
        f"""
The desk      {host.url}
  admin       {ADMIN}   password: {PASSWORD}
  agent       {AGENT}    password: {PASSWORD}
The phone     {sandbox.url}   write as a customer, see the replies arrive

Everything is gone when you press Ctrl+C.""",
        flush=True,
    )


def serve_with_reload(running: list[Program], data: Path, port: int, settings: dict[str, str]) -> int:
    """Restart the desk, the last of *running*, whenever a file of its code changes."""
    seen = newest()
    stop = threading.Event()
    while not stop.wait(0.5):
        if running[-1].process.poll() is not None:
            return int(running[-1].process.returncode)
        if (now := newest()) != seen:
            seen = now
            running.pop().stop()
            print("code changed, restarting", flush=True)
            running.append(Host.start(data, port=port, settings=settings).program)
    return 0


def newest() -> float:
    """Return when the host's code last changed."""
    return max(
        os.stat(path).st_mtime
        for folder in ("host", "migrations")
        for path in (CHECKOUT / folder).rglob("*.py")
    )


if __name__ == "__main__":
    sys.exit(main())
