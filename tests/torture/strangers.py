"""Each customer waits only for themselves, also where somebody else's program is at fault.

Forty accounts, one of which has a Graph host of its own, which can be away (``launch.py``). Measured as
:mod:`tests.torture.isolation` does, and of replies, too.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import requests

from demo.processes import free_port
from tests.torture.desk import Desk
from tests.torture.isolation import (
    NOISE_MS,
    Fault,
    Isolation,
    Sample,
    Stage,
    Tried,
    Writers,
    note_told,
    percentile,
    until_there,
)
from tests.torture.nemesis import Nemesis
from tests.torture.people import People
from tests.torture.proxy import Proxy
from tests.whole.history import Accepted, read_ledger
from tests.whole.rig import until
from tests.whole.shops import (
    APP_SECRET,
    CAFE,
    POTTERY,
    POTTERY_AGENT,
    STUDIO,
    Shop,
    prepare,
)

ACCOUNTS, FEW = 40, 12
"""Accounts of the long form and of the short one, which has no time to connect more."""
QUEUED = 42
"""Replies of the account whose provider is away, each to another customer."""
STALLED = 30.0
"""Seconds a call stands at least: longer than one may take, so that somebody is told what became of it."""
MOST_SENDERS = 6
"""Of the eight senders of both workers: a quarter is kept for the others."""
STOP_SECONDS = 25.0
"""How long a worker may take to stop: as long as the call it is in."""
BACK_SECONDS = 120.0
SAID = re.compile(
    "could not be reached, so nothing was sent|not accepting replies|may or may not have arrived"
)
"""What stands at a reply whose provider is away."""


def _shop(number: int) -> Shop:
    page = f"1000000000001{number:02}"
    return Shop(page, f"178414000000001{number:02}", f"EAASANDBOXShop{number}Long{page}", APP_SECRET, "")


class Accounts(Stage):
    """Many accounts, the last of which has a host of its own."""

    pace = 0.8
    writes = 6.0

    def __init__(self, short: bool = False) -> None:
        self.count = FEW if short else ACCOUNTS

    def shops(self, desk: Desk) -> Sequence[Shop]:
        more = [_shop(number) for number in range(self.count - 3)]
        for number, shop in enumerate(more):
            page = {
                "name": f"Shop {number}",
                "id": shop.page,
                "igid": shop.igid,
                "username": f"shop.{number}",
            }
            desk.control("POST", "pages", page)
            desk.control("POST", "tokens", {"type": "PAGE", "page": shop.page, "value": shop.token})
        asked = [
            {
                "channel": "instagram",
                "workspace": desk.homes["Pottery"],
                "values": shop.pasted,
                "actions": {"verify-token": {"verify_token": shop.verify_token}},
            }
            for shop in more
        ]
        prepare(desk, {"connect": asked})
        self.apart = Proxy(("127.0.0.1", int(desk.sandbox.url.rpartition(":")[2])))
        self.nowhere = free_port()
        hosts = [self.apart.address, f"127.0.0.1:{self.nowhere}", f"nowhere.invalid:{self.nowhere}"]
        desk.settings["LOBBY_ALLOW_HOSTS"] = ",".join([desk.environment["LOBBY_ALLOW_HOSTS"], *hosts])
        return POTTERY, STUDIO, CAFE, *more

    def writers(self, shops: Sequence[Shop]) -> list[tuple[Shop, str]]:
        each = [8, 8, 8] + [1] * (len(shops) - 3)
        return [
            (shop, f"10288{number:02}{position:010}")
            for number, (shop, count) in enumerate(zip(shops, each, strict=True))
            for position in range(count)
        ]

    def player(
        self, desk: Desk, writers: Writers, nemesis: Nemesis, people: People, **times: Any
    ) -> Isolation:
        away = _shop(self.count - 4)
        played = AccountAway(desk, writers, nemesis, **times)
        played.begin(self, away, people)
        return played


class Teller:
    """Looks twice a second whether somebody is told, while the block runs, and notes when they first are."""

    def __init__(self, told: Callable[[], bool]) -> None:
        self._told = told
        self.times: list[float] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> list[float]:
        self._thread.start()
        return self.times

    def __exit__(self, *rest: object) -> None:
        self._over.set()
        self._thread.join(30)

    def _look(self) -> None:
        while not self.times and not self._over.wait(0.5):
            with suppress(requests.RequestException):
                if self._told():
                    self.times.append(time.monotonic())


class AccountAway(Isolation):
    """Plays what the host of one account can do, and measures the replies of the others, too."""

    def begin(self, stage: Accounts, away: Shop, people: People) -> None:
        """Have customers of the account write, so that they can be answered, and its calls go apart."""
        self.stage, self.away, self.people = stage, away, people
        self._direct(stage.apart.address)
        wrote = {"account": away.igid, "last_message_at": time.time()}
        self.waiting = [
            self.desk.control("POST", "customers", {**wrote, "name": f"Customer {number}"})["igsid"]
            for number in range(QUEUED)
        ]
        for customer in self.waiting:
            self.writers.provider.deliver({}, (away, customer), "Hello", lambda _mid: None)
        until(lambda: len(self._conversations()) == QUEUED, "everybody having a conversation")
        self.numbers = self._conversations()
        person = self.desk.person(POTTERY_AGENT)
        person.open("/account")
        self.session, self.token = person.session, person.forms[-1].values["csrf_token"]
        self.played = 0

    def _conversations(self) -> dict[str, int]:
        query = (
            "SELECT i.external_id, c.id FROM conversations c "
            "JOIN contact_identities i ON i.id = c.identity_id "
            f"JOIN channel_accounts a ON a.id = i.account_id WHERE a.external_id = '{self.away.igid}'"
        )
        found = {row[0]: row[1] for row in self.desk.rows(query)}
        return {customer: found[customer] for customer in self.waiting if customer in found}

    def _direct(self, address: str) -> None:
        """Have what is asked of the account go to *address*."""
        for name in ("web", "worker", "worker2"):
            self.desk._sign(name, "apart", f"{self.away.page} {address}")

    def _address(self, customer: str) -> str:
        return f"{self.desk.url}/w/{self.desk.homes['Pottery']}/inbox/{self.numbers[customer]}"

    def _cause(self, fault: Fault, calm: Sequence[Sample]) -> Tried:
        way = fault.kind.rpartition(" ")[2]
        calm_ends = time.time()
        deadlocks, unconfirmed = self._deadlocks(), self._unconfirmed()
        begin, began = time.monotonic(), time.time()
        lasts = max(self.held, STALLED) if way == "stalled" else self.held
        self._take_away(way)
        with Teller(self._is_told) as told:
            asked = self._answer_all()
            senders = self._most_senders(begin + lasts)
        end, ended = time.monotonic(), time.time()
        left = self._unconfirmed() - unconfirmed
        theirs = {one for one in self._all() if one[0] == self.away.igid}
        tried = self._measured(fault, calm, begin, end, theirs)
        note_told(tried, fault, told, asked)
        tried.figures += f"; {senders} of 8 senders at most were the account's"
        if senders > MOST_SENDERS:
            tried.wrong.append(f"the account had {senders} of 8 senders, and {MOST_SENDERS} are allowed")
        if left > 0 and way != "stalled":
            tried.wrong.append(f"{left} replies are unconfirmed, and no byte of them left")
        self._stop(tried)
        if (more := self._deadlocks() - deadlocks) > 0:
            tried.wrong.append(f"{more} writes were undone by a deadlock")
        self._bring_back(tried)
        self._replies(tried, fault, (calm_ends - self.calm, calm_ends), (began, ended))
        tried.wrong += until_there(self.writers)
        return tried

    def _take_away(self, way: str) -> None:
        if way == "stalled":
            self.stage.apart.stalled = True
        else:
            name = "127.0.0.1" if way == "refused" else "nowhere.invalid"
            self._direct(f"{name}:{self.stage.nowhere}")
            time.sleep(0.2)  # until every process has read it

    def _answer_all(self) -> float:
        """Answer every customer of the account; return when the first reply was taken."""
        self.played += 1
        first = 0.0
        for customer in self.waiting:
            text = f"reply {self.played} to {customer}"
            form = {"text": text, "reply_key": f"away-{self.played}-{customer}", "csrf_token": self.token}
            self.people._reply(self.session, f"{self._address(customer)}/reply", form)
            first = first or time.monotonic()
            self.people.accepted.append(Accepted(customer, text))
        return first

    def _is_told(self) -> bool:
        pages = [self._address(customer) for customer in self.waiting[:: QUEUED // 3]]
        return any(SAID.search(self.session.get(page, timeout=10).text) for page in pages)

    def _replies(
        self, tried: Tried, fault: Fault, calm: tuple[float, float], during: tuple[float, float]
    ) -> None:
        """Hold the others' replies, from the agent's click to the provider, against the calm ones.

        Those that never reach it, such as to customers who wrote STOP, are left to the invariants.
        """
        reached: dict[str, float] = {}
        for one in read_ledger(self.desk.ledger):
            if one["kind"] == "send" and one.get("text"):
                reached.setdefault(one["text"], one["at_ms"] / 1000)
        written = dict(self.people.written)

        def times(begin: float, end: float) -> list[float]:
            return [
                (reached[text] - at) * 1000
                for text, at in written.items()
                if begin <= at < end and text in reached
            ]

        was, now = times(*calm), times(*during)
        # Not a high percentile: of a few replies in the calm time that is the slowest.
        before, after = percentile(was, 0.5), percentile(now, 0.5)
        ratio = after / before if before else 0.0
        words = (
            f"replies of others p50 {after:.0f} ms of {len(now)}, calm {before:.0f} ms of {len(was)}: "
            f"{ratio:.2f} times"
        )
        tried.figures += f"; {words}"
        if after > before * fault.ratio + NOISE_MS:
            tried.wrong.append(f"{words}; at most {fault.ratio:g} times is allowed")

    def _most_senders(self, end: float) -> int:
        """Return how many replies of the account were being sent at once, at most, until *end*."""
        most = self._count("sending")
        while time.monotonic() < end:
            time.sleep(0.25)
            most = max(most, self._count("sending"))
        return most

    def _unconfirmed(self) -> int:
        return self._count("unknown")

    def _count(self, *states: str) -> int:
        """Return how many messages of the account are in one of *states*."""
        wanted = ", ".join(f"'{one}'" for one in states)
        query = (
            "SELECT COUNT(*) FROM messages m JOIN channel_accounts a ON a.id = m.account_id "
            f"WHERE a.external_id = '{self.away.igid}' AND m.state IN ({wanted})"
        )
        return int(self.desk.value(query))

    def _deadlocks(self) -> int:
        undone = "metric = 'undone' AND label = 'deadlock' AND minute = 0"
        return int(self.desk.value(f"SELECT SUM(count) FROM health_minutes WHERE {undone}") or 0)

    def _stop(self, tried: Tried) -> None:
        """Ask one of the workers to stop while it has calls to make, and start it again."""
        program = self.desk.helpers.pop()
        began = time.monotonic()
        program.process.terminate()
        with suppress(Exception):
            program.process.wait(STOP_SECONDS * 3)
        took = time.monotonic() - began
        program.stop()
        self.desk._keep_words(program)
        tried.figures += f"; a worker stopped within {took:.1f} s"
        if took > STOP_SECONDS:
            tried.wrong.append(f"a worker took {took:.1f} s to stop")

    def _bring_back(self, tried: Tried) -> None:
        self.stage.apart.heal()
        self._direct(self.stage.apart.address)
        self.desk.start()
        back = time.monotonic()
        try:
            until(lambda: self._count("queued", "sending") == 0, "every reply having left", BACK_SECONDS)
        except AssertionError as error:
            tried.wrong.append(str(error))
        tried.figures += f"; all left {time.monotonic() - back:.1f} s after it was back"
