"""Peers on the same work: how many webhooks a second other libraries answer, most without storing any.

They are fetched once, into ``build/peers``: libraries of Node through npm, those of Python through pip into a
virtual environment of their own. What cannot be fetched is skipped.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.load import Result
from bench.payload import SECRET, deliveries
from bench.plan import Figure, Plan, SkippedError, medians
from bench.report import ROOT
from bench.saturation import press, saturate
from bench.servers import product, start, wait_for_port
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
    """A peer, what it does, and what the product should reach beside it."""

    name: str
    does: str
    target: float | None


PEERS = (
    Peer("bottender", "verifies (SHA-1), stores nothing", 2.2),
    Peer("botkit", "verifies (SHA-1), stores nothing", 2.0),
    Peer("bottender-file", "verifies (SHA-1), writes a file without syncing", 4.5),
    # Not the same work: told, so that what believing everybody gains can be seen.
    Peer("messenger-node", "believes everybody, stores nothing", None),
    Peer("fbmessenger", "believes everybody, stores nothing; Flask on gunicorn's threads", None),
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
            ours = saturate(product(plan.desk, plan.folder, workers=0), plan.seconds)
            rounds.append((theirs, ours))
        figures.append(_figure(peer, rounds))
    if not figures:
        raise SkippedError("none of the peers could be fetched")
    return figures


def _figure(peer: Peer, rounds: list[tuple[Result, Result]]) -> Figure:
    their_rate, rate = medians([(theirs.rate, ours.rate) for theirs, ours in rounds])
    their_tail, tail = medians([(theirs.percentile(0.99), ours.percentile(0.99)) for theirs, ours in rounds])
    return Figure(
        f"F5 {peer.name}",
        f"verified, stored and deduplicated deliveries/s ÷ {peer.name}'s ({peer.does})",
        tuple(ours.rate / theirs.rate for theirs, ours in rounds),
        peer.target,
        True,
        f"{rate:,.0f}/s ÷ {their_rate:,.0f}/s; p99 {tail:.1f} ms, theirs {their_tail:.1f} ms",
        {"per_second": rate, "peer_per_second": their_rate},
    )


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
        wait_for_port(port, START_SECONDS)
        yield port
    finally:
        program.stop()
        shutil.rmtree(folder / "sessions", ignore_errors=True)
