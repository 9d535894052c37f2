"""A provider of the torture's own: thousands of signed deliveries, each brought until it is taken.

It writes down what it was answered before anything else happens, in the words the sandbox's ledger uses, so
that one checker reads both. The desk never sees that file.
"""

from __future__ import annotations

import hashlib
import heapq
import hmac
import http.client
import itertools
import json
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.whole.shops import Shop

TIMEOUT = 5.0
"""Seconds a provider waits for an answer."""
PAUSES = (0.05, 0.2, 0.5, 1.0)
"""Between two tries of one delivery: the provider's own, compressed; the last repeats."""
DUPLICATED, SHUFFLED, SEVERAL, REDELIVERED = 0.12, 0.10, 0.20, 0.03
FORGED, CROSSED = 0.012, 0.008
SYNC_SECONDS = 0.05
BACKLOG = 60
"""Deliveries that wait to be brought again before no new one is made."""


class Ledger:
    """An append-only file of JSON lines, synced by a thread of its own some times a second."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._numbers = itertools.count(1)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sync, name="ledger", daemon=True)
        self._thread.start()

    def add(self, *entries: dict[str, Any]) -> None:
        lines = "".join(json.dumps({**entry, "id": next(self._numbers)}) + "\n" for entry in entries)
        os.write(self._descriptor, lines.encode())

    def _sync(self) -> None:
        while not self._over.wait(SYNC_SECONDS):
            os.fdatasync(self._descriptor)

    def close(self) -> None:
        self._over.set()
        self._thread.join()
        os.fsync(self._descriptor)
        os.close(self._descriptor)


@dataclass(slots=True)
class Delivery:
    """One body, signed, and what is known of it."""

    body: bytes
    signature: str
    mids: list[str]
    kind: str
    """``right``; or ``forged`` or ``crossed``, of which nothing may ever be shown."""
    attempt: int = 0
    copy: bool = False


@dataclass
class Figures:
    """What a run of the provider came to."""

    events: int = 0
    taken: int = 0
    """Deliveries answered 200, those that were brought again included."""
    redelivered: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    slow: list[float] = field(default_factory=list)
    """Milliseconds of answers outside any fault."""


@dataclass
class Provider:
    """What posts to a desk until it is told to stop, and then until everything was taken.

    :param shops: whose customers write; by the secret of their app.
    :param rate: deliveries made a second, on average; 0: as fast as they are taken.
    :param calm: tells whether no fault is being played.
    """

    addresses: Sequence[str]
    shops: Sequence[Shop]
    customers: Sequence[tuple[Shop, str]]
    ledger: Ledger
    seed: int
    rate: float
    calm: Callable[[], bool]
    threads: int = 8
    most: int = 10**9
    figures: Figures = field(default_factory=Figures)
    trouble: list[str] = field(default_factory=list)
    ambush: Callable[[], object] | None = None
    """Called by the thread that has just read a 200, once: a power cut at the worst moment."""

    def __post_init__(self) -> None:
        self._chance = random.Random(f"{self.seed} provider")
        self._lock = threading.Lock()
        self._waiting: list[tuple[float, int, Delivery]] = []
        self._numbers = itertools.count(1)
        self._made = 0
        self._under_way = 0
        self._began = 0.0
        self._pouring = True
        self._over = threading.Event()
        self._latest: dict[str, int] = {}
        self._pool: list[threading.Thread] = []

    def begin(self) -> None:
        self._began = time.monotonic()
        for number in range(self.threads):
            thread = threading.Thread(
                target=self._guarded, args=(number,), name=f"provider {number}", daemon=True
            )
            self._pool.append(thread)
            thread.start()

    def hush(self) -> None:
        """Make no new deliveries; bring what was made until it is taken."""
        self._pouring = False

    @property
    def open(self) -> int:
        """How many deliveries were made and not taken yet."""
        with self._lock:
            return len(self._waiting) + self._under_way

    @property
    def exhausted(self) -> bool:
        """Whether no new delivery will be made."""
        return not self._pouring or self._made >= self.most

    def end(self) -> None:
        self._over.set()
        for thread in self._pool:
            thread.join(60)

    def _guarded(self, number: int) -> None:
        try:
            self._serve(number)
        except Exception as error:  # noqa: BLE001 - a thread's failure is reported by the run
            self.trouble.append(f"{threading.current_thread().name}: {error!r}")

    def _serve(self, number: int) -> None:
        lines: dict[str, http.client.HTTPConnection] = {}
        turn = itertools.cycle(self.addresses[number % len(self.addresses) :] or self.addresses)
        while not self._over.is_set():
            one = self._next()
            if one is None:
                self._over.wait(0.01)
                continue
            try:
                self._bring(lines, next(turn), one)
            finally:
                with self._lock:
                    self._under_way -= 1
        for line in lines.values():
            line.close()

    def _next(self) -> Delivery | None:
        with self._lock:
            now = time.monotonic()
            if self._waiting and self._waiting[0][0] <= now:
                self._under_way += 1
                return heapq.heappop(self._waiting)[2]
            if not self._pouring or self._made >= self.most:
                return None
            if self.rate and self._made > (now - self._began) * self.rate:
                return None
            # A desk that is away is not buried, nor the machine it has to start on.
            if len(self._waiting) > BACKLOG:
                return None
            self._made += 1
            self._under_way += 1
            one = self._make()
            if one.kind == "right" and self._chance.random() < DUPLICATED:
                self._plan(Delivery(one.body, one.signature, one.mids, one.kind, copy=True), 0.0)
            return one

    def _plan(self, one: Delivery, pause: float) -> None:
        heapq.heappush(self._waiting, (time.monotonic() + pause, next(self._numbers), one))

    # What is written

    def _make(self) -> Delivery:
        chance = self._chance
        secret = chance.choice([shop.secret for shop in self.shops])
        ours = [one for one in self.customers if one[0].secret == secret]
        drawn = chance.random()
        if drawn < FORGED:
            return self._forged(chance.choice(self.customers))
        if drawn < FORGED + CROSSED:
            return self._crossed(secret, chance.choice(ours))
        size = self._size()
        writers = [chance.choice(ours) for _ in range(1 if chance.random() > SEVERAL else min(size, 6))]
        events: dict[str, list[dict[str, Any]]] = {}
        told: list[dict[str, Any]] = []
        for number in range(size):
            shop, customer = writers[number % len(writers)]
            one, line = self._event(shop, customer, f"question {next(self._numbers)} \U0001f499")
            events.setdefault(shop.igid, []).append(one)
            told.append(line)
        self.ledger.add(*told)
        self.figures.events += size
        if chance.random() < SHUFFLED:
            for each in events.values():
                chance.shuffle(each)
        entries = [{"id": igid, "time": _now_ms(), "messaging": each} for igid, each in events.items()]
        return self._signed(secret, entries, [line["mid"] for line in told], "right")

    def _size(self) -> int:
        drawn = self._chance.random()
        if drawn < 0.86:
            return 1
        if drawn < 0.98:
            return self._chance.randint(2, 8)
        if drawn < 0.9992:
            return self._chance.randint(9, 40)
        return self._chance.randint(200, 1000)

    def _event(self, shop: Shop, customer: str, text: str) -> tuple[dict[str, Any], dict[str, Any]]:
        # What one customer writes has a moment of its own, so that there is one right order to show it in.
        at = self._latest[customer] = max(_now_ms(), self._latest.get(customer, 0) + 1)
        mid = f"aWdfZAG1faXRlbToxOk-{self.seed}-{next(self._numbers)}"
        event = {
            "sender": {"id": customer},
            "recipient": {"id": shop.igid},
            "timestamp": at,
            "message": {"mid": mid, "text": text},
        }
        line = {
            "kind": "dm",
            "mid": mid,
            "account": shop.igid,
            "customer": customer,
            "text": text,
            "sent": at,
        }
        return event, line

    def _forged(self, writer: tuple[Shop, str]) -> Delivery:
        """Make something nobody wrote, signed with a secret that is none."""
        event, line = self._event(*writer, f"forged {next(self._numbers)}")
        entries = [{"id": writer[0].igid, "time": _now_ms(), "messaging": [event]}]
        return self._signed("no secret of anybody's", entries, [line["mid"]], "forged")

    def _crossed(self, secret: str, writer: tuple[Shop, str]) -> Delivery:
        """Let one app sign for a customer of another's account, beside one of its own."""
        own, line = self._event(*writer, f"question {next(self._numbers)}")
        self.ledger.add(line)
        self.figures.events += 1
        stranger = self._chance.choice([one for one in self.customers if one[0].secret != secret])
        other, crossed = self._event(*stranger, f"crossed {next(self._numbers)}")
        entries = [
            {"id": writer[0].igid, "time": _now_ms(), "messaging": [own]},
            {"id": stranger[0].igid, "time": _now_ms(), "messaging": [other]},
        ]
        self.ledger.add({"kind": "crossed", "mid": crossed["mid"]})
        return self._signed(secret, entries, [line["mid"]], "crossed")

    def _signed(self, secret: str, entries: list[dict[str, Any]], mids: list[str], kind: str) -> Delivery:
        body = json.dumps({"object": "instagram", "entry": entries}, separators=(",", ":")).encode()
        signature = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        return Delivery(body, signature, mids, kind)

    # Bringing it

    def deliver(
        self,
        lines: dict[str, http.client.HTTPConnection],
        writer: tuple[Shop, str],
        text: str,
        begins: Callable[[str], object],
        address: str = "",
    ) -> float:
        """Write one message of a customer and bring it until it is taken; return the ms of the last answer.

        A thread that brings all messages of a customer so brings them one after the other.

        :param begins: called with the message's id before it is brought for the first time.
        :param address: where it is brought; empty: the first one.
        """
        shop, customer = writer
        with self._lock:
            event, line = self._event(shop, customer, text)
            self.ledger.add(line)
            self.figures.events += 1
            self._under_way += 1
        entries = [{"id": shop.igid, "time": _now_ms(), "messaging": [event]}]
        one = self._signed(shop.secret, entries, [line["mid"]], "right")
        begins(line["mid"])
        try:
            while True:
                status, milliseconds = self._try(lines, address or self.addresses[0], one)
                if status == 200:
                    self.figures.taken += 1
                    return milliseconds
                self._over.wait(PAUSES[min(one.attempt, len(PAUSES)) - 1])
        finally:
            with self._lock:
                self._under_way -= 1

    def _bring(self, lines: dict[str, http.client.HTTPConnection], address: str, one: Delivery) -> None:
        calm_before = self.calm()
        status, _milliseconds = self._try(lines, address, one)
        with self._lock:
            self._plan_again(one, status, calm=calm_before and self.calm())

    def _try(
        self, lines: dict[str, http.client.HTTPConnection], address: str, one: Delivery
    ) -> tuple[int | None, float]:
        """Bring *one* once and write the answer down; return its status and how many ms it took."""
        calm_before = self.calm()
        one.attempt += 1
        began = time.monotonic()
        status, words = self._post(lines, address, one)
        milliseconds = (time.monotonic() - began) * 1000
        if status == 200:
            ambush, self.ambush = self.ambush, None
            if ambush is not None:
                ambush()
        with self._lock:
            self._note(one, status, words, milliseconds, calm_before and self.calm())
        return status, milliseconds

    def _note(self, one: Delivery, status: int | None, words: str, milliseconds: float, calm: bool) -> None:
        entry = {
            "kind": "webhook",
            "status": status,
            "mids": one.mids,
            "signature": "wrong" if one.kind == "forged" else "right",
            "ms": round(milliseconds, 1),
            "attempt": one.attempt,
            "calm": calm,
            "error": words or None,
        }
        self.ledger.add(entry)
        self.figures.answers[str(status or words)] += 1
        if calm:
            self.figures.slow.append(milliseconds)

    def _plan_again(self, one: Delivery, status: int | None, *, calm: bool) -> None:
        """Plan to bring *one* again where it was not taken, and now and then where it was."""
        if one.kind == "forged":
            # A desk that waits for its database keeps what it cannot decide on; nothing of it may be shown.
            if status == 200 and calm:
                self.trouble.append(f"a forged delivery was answered 200: {one.mids}")
            elif status not in {200, 401} and one.attempt < 20:
                self._plan(one, PAUSES[-1])
            return
        if status != 200:
            self._plan(one, PAUSES[min(one.attempt, len(PAUSES)) - 1])
            return
        self.figures.taken += 1
        if one.copy or one.attempt > 1:
            self.figures.redelivered += 1
        if not one.copy and self._chance.random() < REDELIVERED:
            # The answer got lost on its way, as far as the provider can tell.
            again = Delivery(one.body, one.signature, one.mids, one.kind, copy=True)
            self._plan(again, self._chance.uniform(0.0, 3.0))

    def _post(
        self, lines: dict[str, http.client.HTTPConnection], address: str, one: Delivery
    ) -> tuple[int | None, str]:
        host, _, path = address.removeprefix("http://").partition("/")
        line = lines.get(host)
        if line is None:
            line = lines[host] = http.client.HTTPConnection(host, timeout=TIMEOUT)
        headers = {"Content-Type": "application/json", "X-Hub-Signature-256": one.signature}
        try:
            line.request("POST", "/" + path, body=one.body, headers=headers)
            answer = line.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            line.close()
            if isinstance(error, ConnectionRefusedError):
                self._over.wait(0.05)
            return None, type(error).__name__
        if answer.will_close:
            line.close()
        return answer.status, ""


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
