"""``python -m tests.torture.whatsapp``: events of WhatsApp while the desk is killed, then compare.

Customers write, react, edit and take back, agents answer through the sandbox, and the statuses of what they
sent come in any order; deliveries come twice, hold several events or are forged. Whatever is killed, no
message may be lost, doubled or out of order, no reply may be sent twice, and each has to be in the state its
statuses say. Ends with 1 if one of that broke.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import os
import queue
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from demo.processes import CHECKOUT
from host.addons.package.build import build_release
from host.channels import connecting
from host.core import clock, config
from host.models.inbox import ARRIVED, DeliveryState
from host.process.serving import HostApplication
from host.sdk.cards import Connection
from host.sdk.secrets import Secret
from sandbox.whatsapp import seed
from tests.torture import report
from tests.torture.checks import Found
from tests.torture.desk import Desk
from tests.torture.lanes import LAUNCH, Outcome, own_sandbox, own_server
from tests.torture.people import People
from tests.torture.whatsapp_traffic import (
    OUTCOMES,
    Customers,
    Event,
    Truth,
    messages,
    reaction,
    signed,
    state_of,
    status,
)
from tests.whole.history import Accepted, read_ledger
from tests.whole.rig import until
from tests.whole.shops import POTTERY, POTTERY_AGENT, POTTERY_OWNER, prepare

HOOK = "/addons/whatsapp/webhook"
PAUSES = (0.05, 0.2, 0.5, 1.0)
"""Between two tries of one delivery; the last repeats."""
TIMEOUT = 5.0
GROUPS = 6
"""Threads that deliver, each for customers of its own: what one of these did comes in order."""
DOUBLED, AGAIN, STRANGE = 0.12, 0.04, 0.05
LATEST_STATUS = 3.0
"""Seconds until the last status of a message comes."""
REST_SECONDS = 180.0
FAULTS: tuple[dict[str, Any], ...] = (
    {"call": "send", "action": "timeout", "seconds": 0.4, "probability": 0.04},
    {"call": "send", "action": "timeout", "seconds": 0.4, "when": "before", "probability": 0.03},
    {"call": "send", "action": "reset", "probability": 0.03},
    {"call": "send", "action": "reset", "when": "before", "probability": 0.03},
    {"call": "send", "action": "error", "status": 500, "probability": 0.03},
    {"call": "send", "action": "error", "status": 500, "when": "after", "probability": 0.03},
    {"call": "send", "action": "error", "code": 2, "when": "after", "probability": 0.02},
    {"call": "send", "action": "garbage", "probability": 0.02},
    {"call": "send", "action": "error", "code": 131016, "probability": 0.03},
    {"call": "send", "action": "error", "code": 131009, "probability": 0.02},
)


@dataclass(frozen=True)
class Plan:
    """How much of what.

    :param rate: events a second of all customers together, while the desk answers.
    :param pace: seconds between two replies of an agent, on average.
    """

    events: int = 10_000
    kills: int = 40
    customers: int = 48
    rate: float = 80.0
    pace: float = 0.22


QUICK = Plan(events=700, kills=3, customers=12, rate=70.0, pace=0.15)


# ---- before --------------------------------------------------------------------------------------------


@contextmanager
def furnished(kind: str, folder: Path) -> Iterator[Desk]:
    """Yield a desk with the number of the sandbox's shop, which does not run yet."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        sandbox = stack.enter_context(own_sandbox(folder))
        settings = {
            "LOBBY_THREADS": "16",
            "LOBBY_ADDON_WHATSAPP_GRAPH_URL": f"{sandbox.url}/graph.facebook.com",
            "LOBBY_ADDON_WHATSAPP_SENDS_PER_SECOND": "0",
        }
        desk = Desk(folder, sandbox, settings=settings, command=LAUNCH)
        stack.callback(desk.close)
        if kind != "sqlite":
            desk.server = stack.enter_context(own_server(kind))
            desk.workers = 1
            desk.settings["LOBBY_WORKERS"] = "0"
        zipped, _ = build_release(CHECKOUT / "addons" / "whatsapp", folder)
        people = [
            {"email": POTTERY_OWNER, "name": "Ola Owner", "roles": {"Pottery": "owner"}},
            {"email": POTTERY_AGENT, "name": "Ari Agent", "roles": {"Pottery": "agent"}},
        ]
        wanted = {"migrate": True, "workspaces": ["Pottery"], "people": people, "zip": str(zipped)}
        desk.homes = prepare(desk, wanted)["workspaces"]
        command = [sys.executable, "-m", "tests.torture.whatsapp", "connect", str(desk.homes["Pottery"])]
        subprocess.run(command, cwd=CHECKOUT, env=desk.environment, check=True)
        yield desk


def connect(workspace: int) -> None:
    """Write the sandbox's number into the database, as if Meta had agreed to it: its card wants https."""
    application = HostApplication(config.load())
    application.refresh()
    accounts = next(
        module
        for name, module in sorted(sys.modules.items())
        if name.startswith("_addons.whatsapp_") and name.endswith(".accounts")
    )
    found = accounts.Credentials(
        seed.WABA_ID, seed.APP_ID, Secret(seed.TOKEN), Secret(seed.APP_SECRET), clock.now()
    )
    connection = Connection(
        external_id=seed.NUMBER_ID,
        name="Sample Pottery",
        handle="+1 555-010-0100",
        way="pasted",
        store=lambda session, account: accounts.store(session, account, found),
    )
    connecting.save(workspace_id=workspace, channel="whatsapp", connection=connection)


# ---- meanwhile -----------------------------------------------------------------------------------------


class Agents(People):
    """Two agents who answer the customers of the number, over HTTP."""

    def answer(self, customers: Sequence[str]) -> None:
        self._pens = dict.fromkeys(customers, POTTERY)
        for number, email in enumerate((POTTERY_AGENT, POTTERY_OWNER), 1):
            person = self.desk.person(email)
            person.open("/account")
            token = person.forms[-1].values["csrf_token"]
            work = self._work(number, person.session, token)
            thread = threading.Thread(target=self._guarded, args=(work,), name=f"agent {number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _work(self, number: int, session: requests.Session, token: str) -> Callable[[], None]:
        return lambda: self._agent(number, "Pottery", session, token)


@dataclass
class Meta:
    """Meta's side: it brings each delivery until it is answered 200."""

    desk: Desk
    run: str
    plan: Plan
    truth: Truth = field(default_factory=Truth)
    trouble: list[str] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    taken: int = 0
    """Events that were answered 200, without doubles."""
    deliveries: int = 0
    redelivered: int = 0
    ambush: Callable[[], object] | None = None
    """Called by the thread that has just read a 200, once."""

    def __post_init__(self) -> None:
        self._chance = random.Random(f"{self.run} meta")
        self._lock = threading.Lock()
        self._copies: queue.Queue[tuple[bytes, str] | None] = queue.Queue()
        self._numbers = itertools.count(1)
        self.over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._reports: threading.Thread | None = None
        self._told: set[str] = set()

    def begin(self, customers: Sequence[str]) -> None:
        share = int(self.plan.events * 0.8) // GROUPS
        for group in range(GROUPS):
            some = Customers(customers[group::GROUPS], share, self.run, time.time(), self.truth)
            self._start(lambda some=some: self._bring_all(some), f"group {group}")  # type: ignore[misc]
        for number in range(2):
            self._start(self._bring_copies, f"copies {number}")
        self._reports = self._start(self._report, "statuses")

    def _start(self, work: Callable[[], None], name: str) -> threading.Thread:
        def guarded() -> None:
            try:
                work()
            except Exception as error:  # noqa: BLE001 - a thread's failure is reported by the run
                self.trouble.append(f"{name}: {error!r}")

        thread = threading.Thread(target=guarded, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread

    @property
    def writing(self) -> bool:
        return any(one.is_alive() for one in self._threads if one.name.startswith("group"))

    def end(self) -> None:
        """Bring what is left; no more replies may be sent by now."""
        self.over.set()
        if self._reports is not None:
            self._reports.join(REST_SECONDS)
        for _ in range(2):
            self._copies.put(None)
        for thread in self._threads:
            thread.join(REST_SECONDS)
            if thread.is_alive():
                self.trouble.append(f"{thread.name} did not end")

    # What customers do

    def _bring_all(self, customers: Customers) -> None:
        line = self._line()
        for events in customers.deliveries():
            self._bring(line, self._cut(events), len(events))
            if self._chance.random() < STRANGE:
                self._bring_something_strange(line, events[0][0])
            time.sleep(len(events) * GROUPS / self.plan.rate)

    def _cut(self, events: list[Event]) -> list[dict[str, Any]]:
        """Return the values of the changes that hold *events*."""
        at = self._chance.randint(1, len(events))
        return [messages(part) for part in (events[:at], events[at:]) if part]

    def _bring_something_strange(self, line: http.client.HTTPConnection, customer: str) -> None:
        """Bring what nobody wrote, or what is about nothing here; none of it may be shown."""
        number = next(self._numbers)
        said = {"from": customer, "id": f"wamid.made-up.{number}", "timestamp": str(int(time.time()))}
        values = [messages([(customer, {**said, "type": "text", "text": {"body": f"made up {number}"}})])]
        drawn = number % 5
        if drawn == 0:
            self._bring(line, values, 1, number="199000000000001")
        elif drawn == 1:
            self._bring(line, [{"flow": {"id": "7"}}], 1, field="flows_of_tomorrow")
        else:
            body, right = signed(values)
            secret = "no secret of anybody's"
            wrong = (signed(values, secret)[1], "", right[:-1] + ("0" if right[-1] != "0" else "1"))[
                drawn - 2
            ]
            answer = self._post(line, body, wrong)
            if answer == 200:
                self.trouble.append(f"a forged delivery was answered 200: made up {number}")

    # What becomes of replies

    def _report(self) -> None:
        """Tell the statuses of what the sandbox took, in any order, and react to some."""
        line = self._line()
        due: list[tuple[float, dict[str, Any]]] = []
        offset = 0
        while True:
            ending = self.over.is_set()
            with self.desk.ledger.open("rb") as file:
                file.seek(offset)
                lines = file.readlines()
            for raw in lines:
                if raw.endswith(b"\n"):
                    offset += len(raw)
                    entry = json.loads(raw)
                    if entry["kind"] == "send":
                        due += self._statuses(entry["mid"], entry["customer"], entry["opaque"])
            now = time.monotonic()
            ripe = [one for one in due if one[0] <= now or ending]
            due = [one for one in due if one not in ripe]
            while ripe:
                some, ripe = ripe[: (size := self._chance.randint(1, 6))], ripe[size:]
                self._bring(line, [self._value(what) for _, what in some], len(some))
            if ending and not due and not lines:
                return
            time.sleep(0.05)

    def _value(self, what: dict[str, Any]) -> dict[str, Any]:
        return messages([(what["from"], what)]) if "type" in what else {"statuses": [what]}

    def _statuses(self, message: str, customer: str, key: str) -> list[tuple[float, dict[str, Any]]]:
        chance, at = self._chance, int(time.time())
        told = []
        for word in chance.choice(OUTCOMES):
            self.truth.statuses[message].add(word)
            told.append(status(message, customer, word, at, key))
        if chance.random() < 0.2:
            told.append({"from": customer, **reaction(chance, message, at, self.truth)})
        if chance.random() < 0.3:
            told.append(chance.choice(told))
        now = time.monotonic()
        return [(now + chance.uniform(0, LATEST_STATUS) * chance.random(), one) for one in told]

    # Bringing it

    def _line(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(f"127.0.0.1:{self.desk.port}", timeout=TIMEOUT)

    def _bring(
        self, line: http.client.HTTPConnection, values: Sequence[dict[str, Any]], events: int, **more: str
    ) -> None:
        """Bring a delivery until it is taken; now and then twice, at the same time or later."""
        body, signature = signed(values, **more)
        if self._chance.random() < DOUBLED:
            self._copies.put((body, signature))
        self._until_taken(line, body, signature)
        with self._lock:
            self.taken += events
            self.deliveries += 1
        if self._chance.random() < AGAIN:
            self._copies.put((body, signature))

    def _bring_copies(self) -> None:
        line = self._line()
        while (one := self._copies.get()) is not None:
            self._until_taken(line, *one)
            with self._lock:
                self.redelivered += 1

    def _until_taken(self, line: http.client.HTTPConnection, body: bytes, signature: str) -> None:
        deadline = time.monotonic() + REST_SECONDS
        for attempt in itertools.count():
            answer = self._post(line, body, signature)
            if answer == 200:
                return
            if answer is not None and answer != 503:
                raise AssertionError(f"answered {answer}: {body[:300]!r}")
            assert time.monotonic() < deadline, "a delivery was not taken"
            time.sleep(PAUSES[min(attempt, len(PAUSES) - 1)])

    def _post(self, line: http.client.HTTPConnection, body: bytes, signature: str) -> int | None:
        """Return the status of the answer; None: there was none."""
        headers = {"Content-Type": "application/json", "X-Hub-Signature-256": signature}
        try:
            line.request("POST", HOOK, body=body, headers=headers)
            answer = line.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            line.close()
            with self._lock:
                self.answers[type(error).__name__] += 1
            return None
        if answer.status == 200:
            ambush, self.ambush = self.ambush, None
            if ambush is not None:
                ambush()
        with self._lock:
            self.answers[str(answer.status)] += 1
        return answer.status


def play(desk: Desk, plan: Plan, seed_: int) -> Outcome:
    """Start *desk*, let everybody do what they do while it is killed, and compare."""
    began, chance = time.monotonic(), random.Random(f"{seed_} kills")
    customers = [f"1555{seed_ % 1000:03d}{number:04d}" for number in range(plan.customers)]
    for name in customers:
        desk.control(
            "POST", "whatsapp/customers", {"wa_id": name, "name": name, "last_message_at": time.time()}
        )
    desk.control("PATCH", "whatsapp/settings", {"deliver": False})
    for number, fault in enumerate(FAULTS):
        desk.control("POST", "faults", {**fault, "seed": seed_ + number})
    desk.start()
    meta, agents = Meta(desk, str(seed_), plan), Agents(desk, seed_, desk.homes, plan.pace)
    meta.begin(customers)
    agents.answer(customers)
    counts: Counter[str] = Counter()
    marks = [("started", time.monotonic() - began)]
    try:
        for number in range(plan.kills):
            goal = plan.events * 0.78 * (number + chance.random()) / plan.kills
            until(lambda goal=goal: meta.taken >= goal or meta.trouble, "the next kill", REST_SECONDS)  # type: ignore[misc]
            counts[_kill(desk, meta, chance)] += 1
            desk.start()
        until(
            lambda: (not meta.writing and meta.taken >= plan.events) or meta.trouble or agents.trouble,
            "the rest being brought",
            REST_SECONDS,
        )
        marks.append(("brought", time.monotonic() - began))
    finally:
        agents.end()
        desk.control("DELETE", "faults")
    _wait_for_rest(desk)
    meta.end()
    _wait_for_rest(desk)
    marks.append(("at rest", time.monotonic() - began))
    found = compare(
        meta.truth,
        agents.accepted,
        [one for one in read_ledger(desk.ledger) if one["kind"] == "send"],
        desk.rows(MESSAGES),
        desk.rows(REACTIONS),
    )
    _check_journal(desk, found)
    for sentence in (*meta.trouble, *agents.trouble):
        found.blame("I8", sentence)
    seconds = time.monotonic() - began
    answers = ", ".join(f"{count} times {name}" for name, count in meta.answers.most_common())
    return Outcome(
        f"whatsapp, {desk.kind}",
        seed_,
        found,
        meta.deliveries + meta.redelivered,
        meta.taken,
        meta.redelivered,
        dict(counts),
        seconds,
        [f"answers: {answers}", ", ".join(f"{name} after {at:.0f} s" for name, at in marks)],
    )


def _kill(desk: Desk, meta: Meta, chance: random.Random) -> str:
    """Kill a process of the desk; return how."""
    if desk.helpers and chance.random() < 0.5:
        time.sleep(chance.random() / 2)
        desk.kill_worker()
        return "kill worker"
    drawn = chance.random()
    if drawn < 0.4:
        time.sleep(chance.random() / 2)
        desk.kill()
        return "kill web"
    if drawn < 0.85:
        assert desk.program is not None
        group, struck = desk.program.process.pid, threading.Event()

        def strike() -> None:
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
            struck.set()

        meta.ambush = strike
        struck.wait(5)
        meta.ambush = None
        desk.kill()
        return "kill web at a 200"
    desk.kill()
    desk.start_and_kill(chance.uniform(0.1, 2.5))
    return "kill web while starting"


def _wait_for_rest(desk: Desk) -> None:
    """Wait until nothing is under way; what does not come to rest is found later."""
    open_ = (
        "SELECT (SELECT COUNT(*) FROM inbound_events WHERE state = 'pending') "
        "+ (SELECT COUNT(*) FROM outbox WHERE open) "
        "+ (SELECT COUNT(*) FROM messages WHERE state IN ('queued', 'sending'))"
    )
    deadline = time.monotonic() + REST_SECONDS
    while time.monotonic() < deadline and desk.value(open_):
        time.sleep(0.3)


# ---- after ---------------------------------------------------------------------------------------------

MESSAGES = (
    "SELECT m.external_id, m.direction, m.text, m.state, m.conversation_id, i.external_id AS customer "
    "FROM messages m JOIN conversations c ON c.id = m.conversation_id "
    "JOIN contact_identities i ON i.id = c.identity_id ORDER BY m.conversation_id, m.sent_at, m.id"
)
"""Messages as the inbox shows them."""
REACTIONS = (
    "SELECT external_id, emoji FROM reactions "
    "WHERE actor = 'customer' AND removed_at IS NULL AND message_id IS NOT NULL"
)


def compare(
    truth: Truth,
    accepted: Sequence[Accepted],
    sends: Sequence[Any],
    rows: Sequence[Any],
    reactions: Sequence[Any],
) -> Found:
    """Hold the inbox against what happened.

    :param sends: what the sandbox accepted, oldest first.
    :param rows: of :data:`MESSAGES`.
    """
    found = Found()
    talks: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        talks[row["customer"]].append(row)
    for customer, shown in talks.items():
        if len({row["conversation_id"] for row in shown}) > 1:
            found.blame("I3", f"{customer} has several conversations")
    for customer, written in truth.written.items():
        _compare_written(customer, written, talks[customer], found)
    known = _compare_replies(accepted, sends, rows, found)
    _compare_states(truth, talks, known, found)
    _compare_unconfirmed(truth, sends, rows, found)
    _compare_reactions(truth, known, reactions, found)
    found.figures |= {
        "written": sum(map(len, truth.written.values())),
        "replies accepted": len(accepted),
        "sends taken": len(sends),
        "reactions": sum(map(len, truth.reactions.values())),
        "edits": sum(len(one.edits) for every in truth.written.values() for one in every),
        "statuses": sum(map(len, truth.statuses.values())),
        "replies unconfirmed": sum(row["state"] == DeliveryState.UNKNOWN for row in rows),
        **{f"replies {state}": sum(row["state"] == state for row in rows) for state in sorted(ARRIVED)},
        "replies failed": sum(row["state"] == DeliveryState.FAILED for row in rows),
    }
    return found


def _compare_written(customer: str, written: Sequence[Any], shown: Sequence[Any], found: Found) -> None:
    came = [row for row in shown if row["direction"] == "inbound"]
    counted = Counter(row["external_id"] for row in came)
    texts = {row["external_id"]: row["text"] for row in came}
    for one in written:
        if not counted[one.id]:
            found.lost += 1
            found.blame("I1", f"lost: {one.id}")
        elif counted[one.id] > 1:
            found.doubled += 1
            found.blame("I1", f"doubled: {one.id}, {counted[one.id]} times")
        elif one.shown is not None and texts[one.id] != one.shown:
            found.blame("I3", f"{one.id} is shown as {texts[one.id]!r}, and says {one.shown!r}")
    wanted = {one.id for one in written}
    order = [row["external_id"] for row in came if row["external_id"] in wanted]
    if not found.lost and not found.doubled and order != [one.id for one in written]:
        wrong = next(i for i, one in enumerate(written) if order[i] != one.id)
        found.blame("I3", f"out of order: {customer}, from {written[wrong].id}; shown is {order[wrong]}")
    for row in came:
        if row["external_id"] not in wanted and "made" in row["external_id"]:
            found.blame("I2", f"made up: {row['external_id']}")


def _compare_replies(
    accepted: Sequence[Accepted], sends: Sequence[Any], rows: Sequence[Any], found: Found
) -> set[str]:
    """Check that each reply was sent once, or says that it was not; return the ids Lobby knows."""
    times, ids = Counter(one["text"] for one in sends), {one["text"]: one["mid"] for one in sends}
    replies: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        if row["direction"] == "outbound":
            replies[row["text"]].append(row)
    for reply in accepted:
        kept = replies[reply.text]
        if len(kept) != 1:
            found.blame("I5", f"{reply.text!r} is shown {len(kept)} times")
            found.lost += not kept
            found.doubled += len(kept) > 1
            continue
        if times[reply.text] > 1:
            found.doubled += 1
            found.blame("I5", f"{reply.text!r} was sent {times[reply.text]} times")
        elif not times[reply.text] and kept[0]["state"] not in {DeliveryState.FAILED, DeliveryState.UNKNOWN}:
            found.lost += 1
            found.blame("I5", f"{reply.text!r} is {kept[0]['state']}, and was never sent")
        elif kept[0]["external_id"] not in {None, ids.get(reply.text)}:
            found.blame("I5", f"{reply.text!r} has the id of another message")
    _compare_order(accepted, [one["text"] for one in sends], [row["text"] for row in rows], found)
    return {row["external_id"] for row in rows if row["state"] in {*ARRIVED, DeliveryState.FAILED}}


def _compare_order(
    accepted: Sequence[Accepted], sent: Sequence[str], shown: Sequence[str], found: Found
) -> None:
    """Check the order of what one agent wrote to a customer; two agents may write at the same moment."""
    written: dict[tuple[str, str], list[str]] = defaultdict(list)
    for reply in accepted:
        written[reply.customer, reply.text.partition(".")[0]].append(reply.text)
    for what, texts in (("sent", sent), ("shown", shown)):
        place = {text: number for number, text in enumerate(texts)}
        for (customer, _), every in written.items():
            places = [place[text] for text in every if text in place]
            if places != sorted(places):
                found.blame("I3", f"replies to {customer} were {what} out of order")


def _compare_states(truth: Truth, talks: dict[str, list[Any]], known: set[str], found: Found) -> None:
    for shown in talks.values():
        seen = False
        for row in reversed([row for row in shown if row["direction"] == "outbound"]):
            words = truth.statuses.get(row["external_id"])
            if row["external_id"] not in known or words is None:
                continue
            right = state_of(words, seen=seen)
            if row["state"] != right:
                told = ", ".join(sorted(words)) + (", a later one read" if seen else "")
                found.blame("I4", f"{row['text']!r} is {row['state']}; its statuses say {right}: {told}")
            seen = seen or "read" in words


def _compare_unconfirmed(truth: Truth, sends: Sequence[Any], rows: Sequence[Any], found: Found) -> None:
    """Blame each reply that is still unconfirmed although a status named it by our key."""
    told = {one["text"] for one in sends if truth.statuses.get(one["mid"])}
    for row in rows:
        if row["state"] == DeliveryState.UNKNOWN and row["text"] in told:
            found.blame("I4", f"{row['text']!r} is unconfirmed; its statuses say more")


def _compare_reactions(truth: Truth, known: set[str], reactions: Sequence[Any], found: Found) -> None:
    revoked = {one.id for every in truth.written.values() for one in every if one.revoked}
    mine = {one.id for every in truth.written.values() for one in every} | known
    shown = {row["external_id"]: row["emoji"] for row in reactions}
    for message, every in truth.reactions.items():
        right = every[max(every)]
        if message in mine and message not in revoked and shown.get(message, "") != right:
            found.blame("I3", f"the reaction to {message} is {shown.get(message, '')!r}, not {right!r}")


def _check_journal(desk: Desk, found: Found) -> None:
    """Blame what is in the inbound log twice, given up or unfinished."""
    twice = (
        "SELECT dedupe_key, COUNT(*) AS n FROM inbound_events "
        "GROUP BY channel, account_key, dedupe_key HAVING COUNT(*) > 1"
    )
    for row in desk.rows(twice):
        found.doubled += 1
        found.blame("I1", f"doubled: event {row['dedupe_key']} is in the journal {row['n']} times")
    for row in desk.rows("SELECT kind, reason FROM inbound_events WHERE state = 'dead'"):
        if "not connected here" not in (row["reason"] or ""):
            found.blame("I6", f"a dead letter: {row['kind']}, {row['reason']}")
    for what in (
        "inbound_events WHERE state = 'pending'",
        "outbox WHERE open",
        "messages WHERE state IN ('queued', 'sending')",
    ):
        if count := desk.value(f"SELECT COUNT(*) FROM {what}"):
            found.blame("I6", f"{count} {what}")


def main() -> int:
    if sys.argv[1:2] == ["connect"]:
        connect(int(sys.argv[2]))
        return 0
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=Plan.events)
    parser.add_argument("--kills", type=int, default=Plan.kills)
    parser.add_argument("--quick", action="store_true", help="what `make torture QUICK=1` plays")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--only", default="sqlite", choices=("sqlite", "postgresql", "mariadb"))
    parser.add_argument("--keep", type=Path, default=None, help="a folder to keep everything in")
    arguments = parser.parse_args()
    seed_ = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(10**6)
    print(f"seed {seed_}", flush=True)
    plan = QUICK if arguments.quick else Plan(arguments.events, arguments.kills)
    with tempfile.TemporaryDirectory(prefix="lobby-whatsapp-") as temporary:
        folder = arguments.keep or Path(temporary)
        with furnished(arguments.only, folder) as desk:
            try:
                outcome = play(desk, plan, seed_)
            finally:
                (folder / "output.txt").write_text(desk.output)
    print(report.table([outcome], {}))
    print(report.last_line([outcome]))
    return 1 if outcome.found.red else 0


if __name__ == "__main__":
    sys.exit(main())
