"""Addons built before SDK 1.1 run unchanged: installed, activated, connected, written to and replied from.

``sdk10/`` holds their last zips, compressed so that they are small. ``SHA256SUMS`` has the hashes of the
zips as they were released: building one from these contents has to give exactly that. The toy has a hook of
nearly every kind, Telegram was the newest addon, and Instagram uses more of the SDK than any other. Email
would add no name of the SDK that these three do not use together.
"""

from __future__ import annotations

import gc
import hashlib
import json
import shutil
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from addons.telegram.tests.conftest import ANN, PUBLIC, Customer, Telegram
from addons.telegram.tests.conftest import TOKEN as BOT_TOKEN
from host.addons import lifecycle
from host.addons.package.build import build_addon
from host.addons.running import contributions
from host.authoring.desk import TrialDesk, trial_desk
from host.sdk import clock
from host.sdk.rules import AskedAbout, SendText, UsedFor
from sandbox.server import Server
from tests.instagram import world
from tests.instagram.world import ANA, POTTERY, POTTERY_PAGE

ZIPS = Path(__file__).with_name("sdk10")
SUMS = dict(line.split()[::-1] for line in (ZIPS / "SHA256SUMS").read_text().splitlines())
SECRET = "a secret of the toy"

Open = Callable[..., AbstractContextManager[TrialDesk]]


@pytest.fixture
def old(tmp_path: Path) -> Open:
    """Open a new desk on which an addon of ``sdk10/`` is active, built from exactly its old contents."""

    @contextmanager
    def open_desk(slug: str, **options: Any) -> Iterator[TrialDesk]:
        name = f"{slug}-addon-v1.0.0.zip"
        with zipfile.ZipFile(ZIPS / name) as zipped:
            zipped.extractall(tmp_path / slug)
        with trial_desk(tmp_path / slug, tmp_path / "desk", **options) as desk:
            installed = (tmp_path / "desk" / f"{slug}.zip").read_bytes()
            assert hashlib.sha256(installed).hexdigest() == SUMS[name], "it is another addon"
            assert desk.application.generation().failures == {}
            yield desk

    return open_desk


def talk(desk: TrialDesk, contact: str) -> list[tuple[str, str, str | None]]:
    return [(one.direction, one.text, one.state) for one in desk.messages(contact)]


def test_the_toy(old: Open) -> None:
    with old("toy", settings={"greeting": "good morning"}) as desk:
        account = desk.connect("toy", {"handle": "ann", "secret": SECRET})
        event = {"from": "bo", "id": "1", "text": "hello", "at": int(clock.now().timestamp() * 1000)}
        body = json.dumps({"events": [event]}).encode()
        signature = world.sign(body, SECRET).removeprefix("sha256=")
        headers = {"X-Toy-Signature": signature}
        assert desk.post(f"/addons/toy/webhook/{account.uuid}", body, headers).status_code == 200
        desk.work()
        desk.reply("bo", "Hi!")
        desk.work()
        assert talk(desk, "bo") == [("inbound", "hello", None), ("outbound", "Hi!", "sent")]

        # Every other hook of 1.0.
        generation = desk.application.generation()
        (condition,) = generation.directory.conditions.values()
        about = AskedAbout(account, "text", "x" * 41, {}, {})
        assert condition.holds(about, "40")
        assert not condition.holds(about, "400")
        ((_, action),) = generation.each(contributions.ACTIONS)
        assert action.plan(about) == SendText("Thank you!")
        opens, wave = (one for _, one in generation.each(contributions.TOOLS))
        used_for = UsedFor(account, "bo", "Bo", {}, "key")
        assert opens.use(used_for, {"day": "Monday"}) == "On Monday the shop opens at nine."
        assert wave.use(used_for, {}) == "Waved at Bo."
        desk.run_job("sweep")
        assert desk.module("events").happened == ["swept"]
        assert desk.get("/addons/toy/about").status_code == 200
        assert "good morning" in desk.get("/admin/addons/toy/settings").text
        assert desk.get(f"/w/{desk.workspace_id}/settings/channels").status_code == 200


def test_telegram(old: Open) -> None:
    telegram = Telegram()
    try:
        settings = {"api_url": f"http://{telegram.address}"}
        with old("telegram", settings=settings, reach=[telegram.address], public_url=PUBLIC) as desk:
            desk.connect("telegram", {"token": BOT_TOKEN})
            Customer(desk, telegram).writes(text="Is it in stock?")
            desk.reply(str(ANN), "Yes, three are left.")
            desk.work()
            assert talk(desk, str(ANN)) == [
                ("inbound", "Is it in stock?", None),
                ("outbound", "Yes, three are left.", "sent"),
            ]
            ((method, fields, _file),) = telegram.sent
            assert (method, fields["text"]) == ("sendMessage", "Yes, three are left.")
            assert desk.get(f"/w/{desk.workspace_id}/settings/channels").status_code == 200
    finally:
        telegram.close()


def test_instagram(old: Open) -> None:
    server = Server().start()
    try:
        meta = world.Meta(server)
        settings = {f"graph_{one}_url": f"{server.url}/graph.{one}.com" for one in ("facebook", "instagram")}
        with old("instagram", settings=settings, reach=[f"127.0.0.1:{server.port}"]) as desk:
            pasted = {"page_id": POTTERY_PAGE, "ig_user_id": POTTERY}
            pasted |= {"page_access_token": world.TOKEN, "app_secret": world.SECRET}
            desk.connect("instagram", pasted)
            meta.wrote(text="Is it in stock?")
            body = world.payload(world.entry(world.message(text="Is it in stock?")))
            headers = {"X-Hub-Signature-256": world.sign(body), "Content-Type": "application/json"}
            assert desk.post("/addons/instagram/webhook", body, headers).status_code == 200
            desk.work()
            desk.reply(ANA, "Yes, three are left.")
            desk.work()
            assert talk(desk, ANA) == [
                ("inbound", "Is it in stock?", None),
                ("outbound", "Yes, three are left.", "sent"),
            ]
            (sent,) = meta.sent()
            assert "Yes, three are left." in json.dumps(sent)
            for job in ("inspection", "leaving", "renewal", "warned", "watchdog"):
                desk.run_job(job)
            for page in ("/admin/addons/instagram/settings", f"/w/{desk.workspace_id}/settings/channels"):
                assert desk.get(page).status_code == 200, page
            desk.later(timedelta(days=2))
            with pytest.raises(Exception, match="Instagram allows replies for 24 hours"):
                desk.reply(ANA, "Too late")
    finally:
        server.close()


def test_instagram_is_updated_without_a_restart(old: Open, tmp_path: Path) -> None:
    """In the old zip ``connect``, ``comments``, ``webhook`` and others are modules, in this one packages."""
    server = Server().start()
    try:
        meta = world.Meta(server)
        settings = {f"graph_{one}_url": f"{server.url}/graph.{one}.com" for one in ("facebook", "instagram")}
        with old("instagram", settings=settings, reach=[f"127.0.0.1:{server.port}"]) as desk:
            pasted = {"page_id": POTTERY_PAGE, "ig_user_id": POTTERY}
            pasted |= {"page_access_token": world.TOKEN, "app_secret": world.SECRET}
            desk.connect("instagram", pasted)

            def writes(words: str, mid: str) -> None:
                meta.wrote(text=words)
                body = world.payload(world.entry(world.message(text=words, mid=mid)))
                headers = {"X-Hub-Signature-256": world.sign(body), "Content-Type": "application/json"}
                assert desk.post("/addons/instagram/webhook", body, headers).status_code == 200

            writes("Is it in stock?", "mid-1")  # received by the old release, read by the new one
            replaced = desk.application.generation().releases["instagram"].module_name
            shutil.copytree(world.ADDON, tmp_path / "new", ignore=shutil.ignore_patterns("__pycache__"))
            manifest = tmp_path / "new" / "addon.toml"
            manifest.write_text(manifest.read_text().replace('version = "1.0.0"', 'version = "1.0.1"'))
            build_addon(tmp_path / "new", tmp_path / "new.zip")
            release = lifecycle.install_file(desk.application.config, tmp_path / "new.zip")
            desk.application.refresh()
            assert release.version == "1.0.1"

            running = desk.application.generation().releases["instagram"].module_name
            assert running != replaced
            desk.work()
            writes("Hello?", "mid-2")
            desk.work()
            desk.reply(ANA, "Yes, three are left.")
            desk.work()
            assert talk(desk, ANA) == [
                ("inbound", "Is it in stock?", None),
                ("inbound", "Hello?", None),
                ("outbound", "Yes, three are left.", "sent"),
            ]
            for job in ("inspection", "leaving", "renewal", "warned", "watchdog"):
                desk.run_job(job)
            gc.collect()
            assert [name for name in sys.modules if name.startswith(f"{replaced}.")] == []
            packages = {name.removeprefix(f"{running}.") for name in sys.modules if name.startswith(running)}
            assert packages >= {"webhook.events", "connect.connecting", "comments.events", "sending.replies"}
    finally:
        server.close()
