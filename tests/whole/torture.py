"""A desk under fire: customers write, agents answer, the provider misbehaves, the power keeps going."""

from __future__ import annotations

import itertools
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import requests

from tests.whole.history import Accepted, Row, Verdict, check, read_ledger, written
from tests.whole.rig import Rig, until
from tests.whole.shops import POTTERY, POTTERY_AGENT, POTTERY_OWNER

CUSTOMERS = 14

FAULTS: tuple[dict[str, Any], ...] = (
    {"call": "send", "action": "timeout", "seconds": 0.4, "probability": 0.05},
    {"call": "send", "action": "timeout", "seconds": 0.4, "when": "before", "probability": 0.03},
    {"call": "send", "action": "reset", "probability": 0.05},
    {"call": "send", "action": "reset", "when": "before", "probability": 0.04},
    {"call": "send", "action": "error", "status": 500, "probability": 0.05},
    {"call": "send", "action": "error", "status": 500, "when": "after", "probability": 0.04},
    {"call": "send", "action": "error", "code": 2, "when": "after", "probability": 0.03},
    {"call": "send", "action": "garbage", "probability": 0.03},
    {"call": "send", "action": "error", "code": 100, "probability": 0.02},
    {"call": "echo", "action": "drop", "probability": 0.12},
    {"call": "echo", "action": "delay", "seconds": 1, "probability": 0.15},
    {"call": "echo", "action": "repeat", "probability": 0.15},
    {"call": "echo", "action": "ahead", "probability": 0.15},
    {"call": "webhook", "action": "repeat", "copies": 2, "probability": 0.1},
    {"call": "webhook", "action": "reorder", "size": 3, "seconds": 0.2, "probability": 0.1},
    {"call": "webhook", "action": "batch", "size": 4, "seconds": 0.2, "probability": 0.1},
    {"call": "webhook", "action": "batch", "size": 3, "shape": "entries", "seconds": 0.2, "probability": 0.1},
    {"call": "profile", "action": "error", "status": 500, "probability": 0.3},
)


@dataclass
class Torture:
    """One run. Everything random comes from *seed*; the moments of the operating system do not."""

    rig: Rig
    seed: int
    kills: int
    workspace: int
    pace: float = 0.06
    """Seconds between two things somebody writes, on average."""
    accepted: list[Accepted] = field(default_factory=list)
    met: Counter[str] = field(default_factory=Counter)
    """What forms with a reply met."""
    killed: dict[str, int] = field(default_factory=dict)
    trouble: list[str] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> Verdict:
        """Play, let everything come to rest, and hold the desk against the ledger."""
        customers = self._prepare()
        agents = [self._sign_in(email) for email in (POTTERY_AGENT, POTTERY_OWNER)]
        threads = [
            threading.Thread(target=self._guarded, args=(work,), name=name, daemon=True)
            for name, work in (
                ("customers", lambda: self._customers(customers)),
                ("agent 1", lambda: self._agent(*agents[0], 1)),
                ("agent 2", lambda: self._agent(*agents[1], 2)),
            )
        ]
        for thread in threads:
            thread.start()
        try:
            self._power_cuts()
        finally:
            self._over.set()
            for thread in threads:
                thread.join(60)
        self.rig.control("DELETE", "faults")
        self._rest()
        return self._verdict()

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - a thread's failure is reported by the run
            self.trouble.append(f"{threading.current_thread().name}: {error!r}")

    def _prepare(self) -> list[str]:
        app = {"retry_seconds": [0.8] * 400, "disable_after": 0}
        self.rig.control("PATCH", "apps/1234567890123456", app)
        made = [
            self.rig.control("POST", "customers", {"account": POTTERY.igid, "name": f"Customer {number}"})
            for number in range(CUSTOMERS)
        ]
        numbered = itertools.count(self.seed)
        self.rig.control("POST", "faults", [{**fault, "seed": next(numbered)} for fault in FAULTS])
        return [one["igsid"] for one in made]

    # Who writes

    def _pause(self, chance: random.Random) -> None:
        self._over.wait(chance.expovariate(1 / self.pace))

    def _customers(self, customers: list[str]) -> None:
        chance = random.Random(f"{self.seed} customers")
        for number in itertools.count(1):
            if self._over.is_set():
                return
            customer = customers[number - 1] if number <= len(customers) else chance.choice(customers)
            who = {"account": POTTERY.igid, "customer": customer}
            if number > len(customers) and chance.random() < 0.05:
                self.rig.control("POST", "native-reply", {**who, "text": f"from the phone {number}"})
            else:
                self.rig.control("POST", "dm", {**who, "text": f"question {number} \U0001f499"})
            self._pause(chance)

    def _agent(self, session: requests.Session, token: str, who: int) -> None:
        """Answer conversations that are there; where no answer comes, send the same form again."""
        chance = random.Random(f"{self.seed} agent {who}")
        for number in itertools.count(1):
            found = self.rig.rows(
                "SELECT c.id, i.external_id FROM conversations c "
                "JOIN contact_identities i ON i.id = c.identity_id"
            )
            if self._over.is_set():
                return
            if found:
                conversation, customer = chance.choice(found)
                form = {"text": f"answer {who}.{number} ✓", "reply_key": f"torture-{who}-{number}"}
                self._reply(session, conversation, {**form, "csrf_token": token})
                self.accepted.append(Accepted(customer, form["text"]))
            self._pause(chance)

    def _sign_in(self, email: str) -> tuple[requests.Session, str]:
        person = self.rig.person(email)
        person.open("/account")
        return person.session, person.forms[-1].values["csrf_token"]

    def _reply(self, session: requests.Session, conversation: int, form: dict[str, str]) -> None:
        def try_it() -> bool:
            try:
                answer = session.post(
                    f"{self.rig.url}/w/{self.workspace}/inbox/{conversation}/reply",
                    data=form,
                    headers={"Accept": "application/json"},
                    timeout=10,
                )
            except requests.RequestException as error:
                self.met[type(error).__name__] += 1
                return False
            assert answer.status_code in {200, 503}, f"{answer.status_code} {answer.text[:500]}"
            self.met[str(answer.status_code)] += 1
            return answer.status_code == 200

        deadline = time.monotonic() + 60
        while not try_it():
            assert time.monotonic() < deadline, "a reply got no answer within a minute"
            self._over.wait(0.1)

    # Power cuts

    def _power_cuts(self) -> None:
        chance = random.Random(f"{self.seed} power")
        ways = {
            "at any moment": lambda: self._over.wait(chance.uniform(0.0, 1.0)) and None,
            "after a 200 was read": lambda: self._ledger_says(chance, _is_answered),
            "after a reply was taken": lambda: self._ledger_says(chance, _is_send),
            "after a call was answered": lambda: self._ledger_says(chance, _is_call),
        }
        for number in range(self.kills):
            way = list(ways)[number % len(ways)]
            self._see_progress()
            ways[way]()
            self.rig.kill()
            self.killed[way] = self.killed.get(way, 0) + 1
            if number % 5 == 3:
                self.rig.start_and_kill(chance.uniform(0.05, 0.9))
                self.killed["while starting"] = self.killed.get("while starting", 0) + 1
            self.rig.start()
        self._over.wait(1.0)

    def _see_progress(self) -> None:
        """Let the desk do some work between two power cuts, however slow the machine is."""
        before = len(self.accepted)
        try:
            until(lambda: len(self.accepted) >= before + 3 or self.trouble, "replies being accepted", 60)
        except AssertionError as error:
            raise AssertionError(f"{error}; they met {self.met}; {self.rig.output[-3000:]}") from None

    def _ledger_says(self, chance: random.Random, awaited: Callable[[dict[str, Any]], bool]) -> None:
        """Wait a random moment, then until the sandbox writes down what is awaited; return at once."""
        self._over.wait(chance.uniform(0.0, 0.4))
        with self.rig.ledger.open("rb") as file:
            file.seek(0, 2)
            deadline = time.monotonic() + 5
            rest = b""
            while time.monotonic() < deadline:
                rest += file.read()
                *lines, rest = rest.split(b"\n")
                if any(awaited(json.loads(line)) for line in lines):
                    return
                time.sleep(0.001)

    # Afterwards

    def _rest(self) -> None:
        """Wait until every webhook was answered and nothing is under way in the desk."""

        def idle() -> bool:
            return bool(self.rig.control("POST", "wait", {"timeout": 5})["idle"])

        until(idle, "the phone having told everything", 180)

        def unanswered() -> list[str]:
            entries = read_ledger(self.rig.ledger)
            missing = set(written(entries))
            for one in entries:
                if one["kind"] == "webhook" and one["status"] == 200:
                    missing.difference_update(one["mids"])
            return sorted(missing)

        until(lambda: not unanswered(), "every webhook being answered", 60)
        until(lambda: self._open() == (0, 0, 0), "everything coming to rest", 90)

    def _open(self) -> tuple[int, ...]:
        return tuple(
            self.rig.value(query)
            for query in (
                "SELECT COUNT(*) FROM inbound_events WHERE state = 'pending'",
                "SELECT COUNT(*) FROM outbox WHERE open",
                "SELECT COUNT(*) FROM messages WHERE state IN ('queued', 'sending')",
            )
        )

    def _verdict(self) -> Verdict:
        entries = read_ledger(self.rig.ledger)
        verdict = check(entries, read_rows(self.rig), self.accepted)
        for sentence in self.trouble:
            verdict.blame(sentence)
        for one in entries:
            if one["kind"] == "webhook" and one["status"] not in {200, None}:
                verdict.blame(f"a webhook was answered {one['status']}")
            elif one["kind"] == "webhook" and one["status"] == 200 and one["ms"] >= 5000:
                verdict.blame(f"a webhook was answered after {one['ms']} ms")
        for row in self.rig.rows("SELECT kind, reason FROM inbound_events WHERE state = 'dead'"):
            verdict.blame(f"a dead letter: {row['kind']}, {row['reason']}")
        if (found := self.rig.value("PRAGMA integrity_check")) != "ok":
            verdict.blame(f"the file is damaged: {found}")
        if self.rig.rows("PRAGMA foreign_key_check"):
            verdict.blame("a foreign key points nowhere")
        verdict.figures |= {f"kills {way}": count for way, count in self.killed.items()}
        return verdict


def _is_answered(entry: dict[str, Any]) -> bool:
    return entry["kind"] == "webhook" and entry.get("status") == 200


def _is_send(entry: dict[str, Any]) -> bool:
    return bool(entry["kind"] == "send")


def _is_call(entry: dict[str, Any]) -> bool:
    return entry["kind"] == "call" and entry.get("call") == "send"


def read_rows(rig: Rig) -> list[Row]:
    """Return every message of the desk but notes and activity, for the checker."""
    found = rig.rows(
        "SELECT m.*, a.external_id AS account, i.external_id AS customer, o.resent AS resent "
        "FROM messages m JOIN channel_accounts a ON a.id = m.account_id "
        "JOIN conversations c ON c.id = m.conversation_id JOIN contact_identities i ON i.id = c.identity_id "
        "LEFT JOIN outbox o ON o.message_id = m.id WHERE m.direction <> 'internal'"
    )
    return [
        Row(
            id=row["id"],
            conversation=row["conversation_id"],
            account=row["account"],
            customer=row["customer"],
            direction=row["direction"],
            origin=row["origin"],
            external_id=row["external_id"],
            text=row["text"],
            state=row["state"],
            sent_at_ms=milliseconds(row["sent_at"]),
            flagged=bool(row["resent"]) or row["state"] == "unknown",
        )
        for row in found
    ]


def milliseconds(value: str | datetime) -> int:
    """Return a moment as one of the databases holds it, in milliseconds since 1970."""
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
