"""Peers on the same work: how many webhooks a second other libraries answer, most without storing any.

They are fetched once, into ``build/peers``: libraries of Node through npm, those of Python through pip into a
virtual environment of their own. What cannot be fetched is skipped.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.load import Result
from bench.payload import SECRET, deliveries
from bench.plan import Figure, Plan, SkippedError, medians
from bench.report import ROOT
from bench.saturation import press, saturate
from bench.servers import product, start
from demo.processes import clean_environment, free_port

CACHE = ROOT / "build" / "peers"
FETCH_SECONDS = 900
START_SECONDS = 60.0
NODE = {
    "private": True,
    "dependencies": {
        "bottender": "1.5.5",
        "@bottender/express": "1.5.1",
        "botkit": "4.15.0",
        "botbuilder-adapter-facebook": "1.0.12",
        "messenger-node": "0.3.2",
        "request": "2.88.2",
    },
    # Its later releases need a newer Node than its own manifest says.
    "overrides": {"typedarray.prototype.slice": "1.0.5"},
}
PYTHON = ("fbmessenger==6.0.0", "six", "flask", "gunicorn")  # it imports six and does not say so
BOTTENDER = """
const {MessengerBot, FileSessionStore} = require('bottender');
const {createServer} = require('@bottender/express');
const bot = new MessengerBot({accessToken: 'x', appSecret: process.env.SECRET, appId: '1', verifyToken: 'v',
  mapPageToAccessToken: async () => 'x', STORE});
bot.onEvent(async () => {});
createServer(bot, {path: '/webhook'}).listen(+process.env.PORT, '127.0.0.1');
"""
PROGRAMS = {
    "bottender": BOTTENDER.replace(", STORE", ""),
    "bottender-file": BOTTENDER.replace("STORE", "sessionStore: new FileSessionStore(process.env.SESSIONS)"),
    "botkit": """
const {Botkit} = require('botkit');
const {FacebookAdapter, FacebookEventTypeMiddleware} = require('botbuilder-adapter-facebook');
const adapter = new FacebookAdapter({verify_token: 'v', app_secret: process.env.SECRET, access_token: 'x'});
adapter.use(new FacebookEventTypeMiddleware());
const bot = new Botkit({adapter, webhook_uri: '/webhook', disable_console: true});
bot.on('message', async () => {});
""",
    "messenger-node": """
const {Webhook} = require('messenger-node');
new Webhook({verify_token: 'v', endpoint: '/webhook', port: +process.env.PORT}).on('messages', () => {});
""",
}
FBMESSENGER = """
from fbmessenger import BaseMessenger
from flask import Flask, request

class Messenger(BaseMessenger):
    def _nothing(self, message): pass
    message = delivery = read = account_linking = postback = referral = optin = _nothing

app = Flask(__name__)
messenger = Messenger("x")

@app.post("/webhook")
def webhook():
    messenger.handle(request.get_json(force=True))
    return ""
"""


@dataclass(frozen=True, slots=True)
class Peer:
    """A peer, what it does, and what the product should reach beside it on each server."""

    name: str
    does: str
    gthread: float | None
    granian: float | None


PEERS = (
    Peer("bottender", "verifies (SHA-1), stores nothing", 1.0, 4.0),
    Peer("botkit", "verifies (SHA-1), stores nothing", 0.9, 3.5),
    Peer("bottender-file", "verifies (SHA-1), writes a file without syncing", 2.5, 10.0),
    Peer("messenger-node", "believes everybody, stores nothing", None, None),
    Peer("fbmessenger", "believes everybody, stores nothing; Flask on gthread", 0.5, None),
)


def f5(plan: Plan) -> list[Figure]:
    """Measure the product, which verifies and stores, against libraries that only answer."""
    figures = []
    for peer in PEERS:
        try:
            fetch(peer)
        except SkippedError as error:
            plan.skip(f"F5 {peer.name}", str(error))
            continue
        rounds = []
        for _ in range(plan.rounds):
            with served(peer, plan.folder) as port:
                theirs = _press(port, plan.seconds)
            slow = saturate(product(plan.desk, plan.folder, workers=0), plan.seconds)
            fast = saturate(product(plan.desk, plan.folder, server="granian", workers=0), plan.seconds)
            rounds.append((theirs, slow, fast))
        figures += _figures(peer, rounds)
    if not figures:
        raise SkippedError("none of the peers could be fetched")
    return figures


def _figures(peer: Peer, rounds: list[tuple[Result, Result, Result]]) -> list[Figure]:
    rates = medians([tuple(one.rate for one in each) for each in rounds])
    tails = medians([tuple(one.percentile(0.99) for one in each) for each in rounds])
    figures = []
    for at, server, target in ((1, "gthread", peer.gthread), (2, "granian", peer.granian)):
        figures.append(
            Figure(
                f"F5 {peer.name}, {server}",
                f"verified, stored and deduplicated deliveries/s ÷ {peer.name}'s ({peer.does})",
                tuple(each[at].rate / each[0].rate for each in rounds),
                target,
                True,
                f"{rates[at]:,.0f}/s ÷ {rates[0]:,.0f}/s; p99 {tails[at]:.1f} ms, theirs {tails[0]:.1f} ms",
                {"per_second": rates[at], "peer_per_second": rates[0]},
            )
        )
    return figures


def _press(port: int, seconds: float) -> Result:
    return press(port, lambda count: deliveries("/webhook", count, kind="page")[0], seconds)


def fetch(peer: Peer) -> None:
    """Have the libraries of *peer* in the cache.

    :raises SkippedError: if they are not to be had.
    """
    CACHE.mkdir(parents=True, exist_ok=True)
    if peer.name == "fbmessenger":
        fetch_venv(CACHE / "python", PYTHON)
    else:
        fetch_node()


def fetch_node() -> None:
    node = CACHE / "node"
    if (node / "fetched").exists():
        return
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise SkippedError("npm and node are not installed")
    node.mkdir(exist_ok=True)
    (node / "package.json").write_text(json.dumps(NODE))
    _fetch([npm, "install", "--ignore-scripts", "--no-audit", "--no-fund"], node)


def fetch_venv(place: Path, packages: Sequence[str]) -> None:
    """Have *packages* of Python in a virtual environment of their own, ``place/venv``."""
    if (place / "fetched").exists():
        return
    place.mkdir(parents=True, exist_ok=True)
    _fetch([sys.executable, "-m", "venv", "venv"], place)
    (place / "fetched").unlink()
    _fetch(["venv/bin/python", "-m", "pip", "install", "--quiet", *packages], place)


def _fetch(command: list[str], folder: Path) -> None:
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=FETCH_SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
        raise SkippedError(f"{command[0]} could not fetch it: {said[-1] if said else error}") from error
    (folder / "fetched").touch()


@contextmanager
def served(peer: Peer, folder: Path) -> Iterator[int]:
    """Run *peer* on the first core; yield its port."""
    port = free_port()
    environment = {
        **clean_environment(),
        "PORT": str(port),
        "SECRET": SECRET,
        "SESSIONS": str(folder / "sessions"),
    }
    if peer.name == "fbmessenger":
        place = CACHE / "python"
        (place / "fbmessenger_app.py").write_text(FBMESSENGER)
        command = [str(place / "venv" / "bin" / "python"), "-m", "gunicorn", "-k", "gthread", "-w", "1"]
        command += ["--threads", "64", "--chdir", str(place), "-b", f"127.0.0.1:{port}"]
        command += ["--keep-alive", "30", "fbmessenger_app:app"]
        program = start(peer.name, command, environment, "Booting worker")
    else:
        file = CACHE / "node" / f"{peer.name}.js"
        file.write_text(PROGRAMS[peer.name] + "\nconsole.log('peer started');\n")
        program = start(peer.name, ["node", str(file)], environment, "peer started")
    try:
        _wait_for(port)
        yield port
    finally:
        program.stop()
        shutil.rmtree(folder / "sessions", ignore_errors=True)


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
