"""Who is at it while everything breaks: agents at the desk's pages, customers at the sandbox's phone."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import requests
import sqlalchemy as sa

from tests.torture.desk import Desk
from tests.whole.history import Accepted
from tests.whole.shops import (
    CAFE,
    POTTERY,
    POTTERY_AGENT,
    POTTERY_OWNER,
    STUDIO,
    STUDIO_AGENT,
    Shop,
)

ANSWERABLE = 8
"""Customers of each shop the sandbox knows, so that replies can reach them. In an hour one gets 200 at most:
a run that is as long needs more of them."""
QUIET = 120.0
"""Seconds within which a reply has to get an answer, faults and all."""


@dataclass
class People:
    """Threads of agents and customers, and what they were told."""

    desk: Desk
    seed: int
    workspaces: dict[str, int]
    pace: float
    answerable: int = ANSWERABLE
    accepted: list[Accepted] = field(default_factory=list)
    seen: dict[str, list[str]] = field(default_factory=dict)
    """Messages of ours each customer has looked at, by the provider's ids."""
    written: dict[str, float] = field(default_factory=dict)
    """When each reply was first posted, in seconds since 1970."""
    trouble: list[str] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)
    _phones: dict[str, str] = field(default_factory=dict)
    """Customers who write at the sandbox's phone, and their account."""
    _pens: dict[str, Shop] = field(default_factory=dict)
    """Customers the sandbox knows and the torture's own provider speaks for."""

    def prepare(self) -> list[tuple[Shop, str]]:
        """Make the customers; return those the torture's own provider speaks for."""
        now = time.time()
        for shop in (POTTERY, STUDIO, CAFE):
            for number in range(self.answerable):
                body = {"account": shop.igid, "name": f"Customer {number}", "last_message_at": now}
                made = self.desk.control("POST", "customers", body)["igsid"]
                if number < self.answerable // 2:
                    self._pens[made] = shop
                else:
                    self._phones[made] = shop.igid
        return [(shop, customer) for customer, shop in self._pens.items()]

    def begin(self) -> None:
        works: list[tuple[str, Callable[[], None]]] = [("phone", self._customers)]
        for number, (email, home) in enumerate(
            ((POTTERY_AGENT, "Pottery"), (POTTERY_OWNER, "Pottery"), (STUDIO_AGENT, "Studio")), 1
        ):
            person = self.desk.person(email)
            person.open("/account")
            token = person.forms[-1].values["csrf_token"]
            works.append(
                (
                    f"agent {number}",
                    lambda who=number, home=home, session=person.session, token=token: self._agent(  # type: ignore[misc]
                        who, home, session, token
                    ),
                )
            )
        for name, work in works:
            thread = threading.Thread(target=self._guarded, args=(work,), name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def end(self) -> None:
        """Let everybody finish what they are at."""
        self._over.set()
        for thread in self._threads:
            thread.join(QUIET + 30)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - a thread's failure is reported by the run
            self.trouble.append(f"{threading.current_thread().name}: {error!r}")

    def _pause(self, chance: random.Random, pace: float) -> None:
        self._over.wait(min(chance.expovariate(1 / pace), 10 * pace))

    def _customers(self) -> None:
        chance = random.Random(f"{self.seed} phone")
        names = list(self._phones)
        for number in itertools.count(1):
            if self._over.is_set():
                return
            customer = names[number - 1] if number <= len(names) else chance.choice(names)
            who = {"account": self._phones[customer], "customer": customer}
            drawn = chance.random()
            if number <= len(names) or drawn < 0.75:
                self.desk.control("POST", "dm", {**who, "text": f"from the phone {number} \U0001f49a"})
            elif drawn < 0.8:
                self.desk.control("POST", "native-reply", {**who, "text": f"from the app {number}"})
            else:
                self._look(customer, who)
            self._pause(chance, self.pace * 2)

    def _look(self, customer: str, who: dict[str, str]) -> None:
        """Have a customer look at the newest message of ours, if there is one."""
        answer = requests.post(
            f"{self.desk.sandbox.url}/control/dm", json={**who, "kind": "read"}, timeout=30
        )
        if answer.ok:
            self.seen.setdefault(customer, []).append(answer.json()["mid"])

    def _agent(self, who: int, home: str, session: requests.Session, token: str) -> None:
        """Answer conversations that are there; where no answer comes, send the same form again."""
        chance = random.Random(f"{self.seed} agent {who}")
        workspace = self.workspaces[home]
        known: list[tuple[int, str]] = []
        for number in itertools.count(1):
            if number % 20 == 1 or not known:
                known = self._conversations(workspace) or known
            if self._over.is_set():
                return
            if known:
                conversation, customer = chance.choice(known)
                text = f"answer {who}.{number} ✓"
                form = {"text": text, "reply_key": f"torture-{self.seed}-{who}-{number}", "csrf_token": token}
                self.written[text] = time.time()
                self._reply(session, f"{self.desk.url}/w/{workspace}/inbox/{conversation}/reply", form)
                self.accepted.append(Accepted(customer, text))
            self._pause(chance, self.pace)

    def _conversations(self, workspace: int) -> list[tuple[int, str]]:
        query = (
            "SELECT c.id, i.external_id FROM conversations c "
            f"JOIN contact_identities i ON i.id = c.identity_id WHERE c.workspace_id = {workspace:d} "
            # A reaction or an edit that comes before its message opens no reply window.
            "AND c.last_inbound_at IS NOT NULL"
        )
        try:
            rows = [tuple(row) for row in self.desk.rows(query)]
        except sa.exc.DBAPIError:
            return []
        return [(row[0], row[1]) for row in rows if row[1] in self._pens or row[1] in self._phones]

    def _reply(self, session: requests.Session, address: str, form: dict[str, str]) -> None:
        last = ""

        def try_it() -> bool:
            nonlocal last
            try:
                answer = session.post(
                    address,
                    data=form,
                    headers={"Accept": "application/json"},
                    timeout=10,
                    allow_redirects=False,
                )
            except requests.RequestException as error:
                last = repr(error)
                return False
            last = f"{answer.status_code} {answer.text[:300]}"
            assert answer.status_code in {200, 503}, last
            return answer.status_code == 200

        deadline = time.monotonic() + QUIET
        while not try_it():
            assert time.monotonic() < deadline, f"a reply got no answer within {QUIET:.0f} s: {last}"
            time.sleep(0.1)
