"""A backup made while customers write: what was answered before is in it, and no reply leaves unasked."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from demo.processes import CHECKOUT
from tests.conftest import fresh_server_database
from tests.upgrade.loading import SERVERS, Old, loaded
from tests.whole.rig import Rig, until
from tests.whole.shops import APP_ID, POTTERY

pytestmark = [pytest.mark.slow, pytest.mark.services]

CUSTOMERS = ("ana.sample", "kit.makes.sample", "rosa.sample")


@contextmanager
def writing(rig: Rig) -> Iterator[None]:
    """Have all customers write, each as fast as the provider's stand-in takes it."""
    stopping = threading.Event()

    def write(customer: str) -> None:
        number = 0
        while not stopping.wait(0.01):
            rig.control("POST", "dm", {"customer": customer, "text": f"{customer} {number}"})
            number += 1

    threads = [threading.Thread(target=write, args=(one,), daemon=True) for one in CUSTOMERS]
    for one in threads:
        one.start()
    try:
        yield
    finally:
        stopping.set()
        for one in threads:
            one.join(60)


def answered(rig: Rig) -> dict[str, int]:
    """Return when each message's delivery was answered with 200, in milliseconds, by the message's id."""
    entries = rig.control("GET", "ledger?kind=webhook&limit=10000")["entries"]
    return {mid: one["at_ms"] for one in entries if one["status"] == 200 for mid in one["mids"]}


def sends(rig: Rig) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = rig.control("GET", "ledger?kind=send&limit=10000")["entries"]
    return found


def restore(old: Old, file: Path, secret: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *old.rig.command, "restore", str(file), "--passphrase-file", str(secret), *more],
        cwd=CHECKOUT,
        env=old.rig.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize("kind", ["sqlite", *SERVERS])
def test_what_was_answered_before_it_began_is_in_it(kind: str, tmp_path: Path) -> None:
    file, secret = tmp_path / "desk.backup", tmp_path / "passphrase"
    secret.write_text("a long one\n")
    with loaded("house", kind, tmp_path / "before", then=True) as old:
        rig = old.rig
        rig.settings["LOBBY_SENDERS"] = "0"
        rig.lobby("migrate", "--no-backup")
        rig.start()
        deliver_to(rig)
        with writing(rig):
            until(lambda: len(answered(rig)) >= 20, "twenty deliveries")
            began = time.time() * 1000
            rig.lobby("backup", str(file), "--passphrase-file", str(secret))
            ended = time.time() * 1000
            until(lambda: any(at > ended for at in answered(rig).values()), "deliveries after it")
        rig.stop()
        taken = answered(rig)
        before = {mid for mid, at in taken.items() if at < began}
        assert len(before) >= 20
        assert any(began < at < ended for at in taken.values()), "it was made while customers wrote"
        queued = {row["id"] for row in old.rows("messages") if row.get("state") == "queued"}
        assert len(queued) == 5

        rig.folder = tmp_path / "after"
        rig.folder.mkdir()
        rig.settings["LOBBY_SENDERS"] = "8"
        server = SERVERS.get(kind)
        place = f"sqlite:///{rig.data / 'lobby.sqlite3'}"
        for url in [place] if server is None else fresh_server_database(server):
            old.url = rig.settings["LOBBY_DATABASE_URL"] = url
            come_back(old, file, secret, before, queued)


def deliver_to(rig: Rig) -> None:
    """Have the provider deliver messages to the desk."""
    rig.control(
        "POST",
        "webhook",
        {"app": APP_ID, "callback_url": f"{rig.url}/addons/instagram/webhook", "verify": False},
    )
    requests.post(
        f"{rig.sandbox.url}/graph.facebook.com/v26.0/me/subscribed_apps",
        params={"subscribed_fields": "messages"},
        headers={"Authorization": f"Bearer {POTTERY.token}"},
        timeout=30,
    ).raise_for_status()


def come_back(old: Old, file: Path, secret: Path, before: set[str], queued: set[int]) -> None:
    asked = restore(old, file, secret)
    assert asked.returncode == 2
    assert "--waiting check, send or drop" in asked.stderr
    done = restore(old, file, secret, "--waiting", "check")
    assert done.returncode == 0, done.stdout + done.stderr
    old.rig.control("POST", "webhook", {"app": APP_ID, "callback_url": None})
    old.rig.start()
    try:
        until(lambda: before <= {row.get("external_id") for row in old.rows("messages")}, "every message")

        def settled() -> bool:
            states = {row["id"]: row.get("state") for row in old.rows("messages")}
            return {states[id_] for id_ in queued} == {"unknown"}

        until(settled, "replies that people decide about")
        assert sends(old.rig) == []
    finally:
        old.rig.stop()
