"""Outgoing webhooks: signing, lanes, retries, and the effect of faults (M2, M3)."""

from __future__ import annotations

import hashlib
import hmac
import json
import queue
import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import requests

from sandbox import ids
from sandbox.faults import Rule
from sandbox.schedule import Schedule
from sandbox.world import App, Flavour, Json

if TYPE_CHECKING:
    from sandbox.box import Sandbox

LANES = 4
GIVE_UP_AFTER = 36 * 3600.0
STAGES = ("repeat", "bad_signature")


def sign(secret: str, body: bytes) -> str:
    """Return the ``X-Hub-Signature-256`` value of a body (M2)."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def encode(payload: object) -> bytes:
    """Return a payload encoded like Meta: escaped unicode, lower-case hex (M3)."""
    return json.dumps(payload, ensure_ascii=True, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class Event:
    """One update for one app, before it is wrapped. ``container`` is messaging or changes."""

    app_id: str
    igid: str
    igsid: str
    what: str
    data: Json
    flavour: Flavour = Flavour.F
    container: str = "messaging"
    mid: str | None = None
    echo: bool = False
    seconds: bool = False
    ahead: bool = False
    status: bool = False
    """Whether it is the status of a sent message, which the fault call ``status`` hits."""
    timed: bool = True
    """Whether its entry has a time."""
    url: str | None = None
    """The address to deliver it to, instead of the app's callback URL."""


@dataclass(slots=True)
class Delivery:
    """One POST to an app's callback."""

    id: str
    app_id: str
    body: bytes
    signature: str | None
    facts: Json
    attempt: int = 1
    failing_since: float | None = None
    done: threading.Event = field(default_factory=threading.Event)
    status: int | None = None
    answer: str = ""
    url: str | None = None


@dataclass(slots=True)
class _HeldEvents:
    rule: Rule
    events: list[Event] = field(default_factory=list)


class Courier:
    """A courier that delivers events from threads; events of one customer share a lane and keep order."""

    def __init__(self, box: Sandbox) -> None:
        self._box = box
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        self._busy = 0
        self._held: dict[str, _HeldEvents] = {}
        self._gathering = threading.Lock()
        self._generation = 0
        self.schedule = Schedule(box.clock)
        self._lanes: list[queue.SimpleQueue[tuple[int, Delivery] | None]] = [
            queue.SimpleQueue() for _ in range(LANES)
        ]
        self._threads = [
            threading.Thread(target=self._work, args=(lane,), name="courier", daemon=True)
            for lane in self._lanes
        ]
        for thread in self._threads:
            thread.start()

    def send(self, event: Event) -> None:
        """Queue one event; faults on webhooks and echoes apply."""
        if self._dropped(event):
            return
        rule = next(iter(self._drawn(event, ("delay",))), None)
        if rule is None:
            self._gather(event)
            return
        self._count(1)
        generation = self._generation
        self.schedule.after(float(rule.options.get("seconds", 2)), lambda: self._release(event, generation))

    def _dropped(self, event: Event) -> bool:
        rule = next(iter(self._drawn(event, ("drop",))), None)
        if rule is not None:
            self._box.ledger.add("webhook_dropped", fault=rule.id, **_facts([event]))
        return rule is not None

    def send_now(self, event: Event) -> None:
        """Deliver one event and wait for the receiver's response; faults may drop it, but not delay it."""
        if self._dropped(event):
            return
        delivery = self._submit([event], "updates")[0]
        delivery.done.wait(self._box.world.apps[event.app_id].webhook_timeout + 5)

    def post_raw(self, app: App, body: bytes, signature: str | None, what: str) -> Delivery:
        """Deliver exactly these bytes and wait for the answer; no retry."""
        delivery = Delivery(ids.digits("9", 12), app.id, body, signature, {"event": what})
        with requests.Session() as session:
            session.trust_env = False
            self._attempt(session, app, delivery, self._box.ledger.age)
        return delivery

    def wait_idle(self, timeout: float) -> bool:
        """Wait until nothing is queued, held or in flight; retries do not count."""
        with self._idle:
            return self._idle.wait_for(lambda: self._busy == 0, timeout)

    def promise(self) -> int:
        """Count an event to be sent soon as busy; pass the result to ``kept``."""
        self._count(1)
        return self._generation

    def kept(self, promised: int) -> None:
        """End a promise."""
        self._count(-1, promised)

    @property
    def busy(self) -> int:
        """Return how many events and deliveries are queued, held or in flight."""
        return self._busy

    def forget(self) -> None:
        """Drop everything that was not sent yet."""
        with self._idle:
            self._generation += 1
            self._held.clear()
            self._busy = 0
            self._idle.notify_all()
        self.schedule.clear()

    def close(self) -> None:
        """Stop the workers; queued events are not sent."""
        self.forget()
        self.schedule.close()
        for lane in self._lanes:
            lane.put(None)

    def _drawn(self, event: Event, actions: tuple[str, ...]) -> list[Rule]:
        """Return the rules that fire for an event, at most one per action."""
        calls: tuple[str, ...] = ("webhook",)
        if event.echo or event.status:
            calls = ("echo" if event.echo else "status", *calls)
        found = []
        for action in actions:
            for call in calls:
                rule = self._box.faults.draw(
                    call,
                    (action,),
                    account=event.igid,
                    customer=event.igsid,
                    app=event.app_id,
                    event=event.what,
                )
                if rule is not None:
                    found.append(rule)
                    break
        return found

    def _count(self, change: int, generation: int | None = None) -> None:
        with self._idle:
            if generation is not None and generation != self._generation:
                return
            self._busy += change
            self._idle.notify_all()

    def _release(self, event: Event, generation: int) -> None:
        if generation == self._generation:
            self._gather(event)
            self._count(-1, generation)

    def _gather(self, event: Event) -> None:
        """Collect events while a batch or reorder rule needs more of them."""
        with self._gathering:
            held = self._held.get(event.app_id) or self._hold(event)
            if held is not None:
                held.events.append(event)
                self._count(1)
        if held is None:
            self._submit([event], "updates")
        elif len(held.events) >= int(held.rule.options.get("size", 2)):
            self._flush(event.app_id, held)

    def _hold(self, event: Event) -> _HeldEvents | None:
        rules = self._drawn(event, ("reorder", "batch"))
        if not rules:
            return None
        held = self._held[event.app_id] = _HeldEvents(rules[0])
        wait = float(rules[0].options.get("seconds", 0.5))
        self.schedule.after(wait, lambda: self._flush(event.app_id, held))
        return held

    def _flush(self, app_id: str, held: _HeldEvents) -> None:
        with self._gathering:
            if self._held.get(app_id) is not held:
                return
            del self._held[app_id]
        if held.rule.action == "reorder":
            for event in reversed(held.events):
                self._submit([event], "updates", lane=0)
        else:
            self._submit(held.events, str(held.rule.options.get("shape", "updates")), lane=0)
        self._count(-len(held.events))

    def _submit(self, events: list[Event], shape: str, lane: int | None = None) -> list[Delivery]:
        first = events[0]
        app = self._box.world.apps[first.app_id]
        body = encode({"object": app.object, "entry": self._entries(events, shape)})
        facts = _facts(events)
        secret = app.secret
        if first.flavour is Flavour.I and app.instagram_secret:
            secret = app.instagram_secret
        rules = {rule.action: rule for rule in self._drawn(first, STAGES)}
        if "bad_signature" in rules:
            secret = "wrong-" + secret
            facts |= {"signature": "wrong", "fault": rules["bad_signature"].id}
        delivery = Delivery(ids.digits("9", 12), app.id, body, sign(secret, body), facts, url=first.url)
        out = [delivery]
        if "repeat" in rules:
            again = {**facts, "repeats": delivery.id, "fault": rules["repeat"].id}
            for _ in range(int(rules["repeat"].options.get("copies", 1))):
                copy = replace(delivery, id=ids.digits("9", 12), facts=again, done=threading.Event())
                out.append(copy)
        key = hash((first.app_id, first.igid, first.igsid)) if lane is None else lane
        for number, each in enumerate(out):
            delay = float(rules["repeat"].options.get("seconds", 0)) if number else 0.0
            if delay:
                self.schedule.after(delay, lambda each=each: self._queue(key, each))  # type: ignore[misc]
            else:
                self._queue(key, each)
        return out

    def _queue(self, key: int, delivery: Delivery) -> None:
        self._count(1)
        self._lanes[key % LANES].put((self._generation, delivery))

    def _entries(self, events: list[Event], shape: str) -> list[Json]:
        entries: list[Json] = []
        now = self._box.clock.now_ms()
        for event in events:
            last = entries[-1] if entries else None
            together = last and last["id"] == event.igid and event.container in last
            if last and together and shape == "updates":
                last[event.container].append(event.data)
            else:
                time_of_entry = {"time": now // 1000 if event.seconds else now} if event.timed else {}
                entries.append({"id": event.igid, **time_of_entry, event.container: [event.data]})
        return entries

    def _work(self, lane: queue.SimpleQueue[tuple[int, Delivery] | None]) -> None:
        with requests.Session() as session:
            session.trust_env = False
            while (item := lane.get()) is not None:
                generation, delivery = item
                # Read before the generation, so that a reset in between is noticed by one of the two.
                ledger_age = self._box.ledger.age
                if generation != self._generation:
                    continue
                app = self._box.world.apps.get(delivery.app_id)
                if app is not None:
                    self._attempt(session, app, delivery, ledger_age)
                    if delivery.status != 200 and generation == self._generation:
                        self._again(app, delivery, lane)
                self._count(-1, generation)

    def _again(
        self, app: App, delivery: Delivery, lane: queue.SimpleQueue[tuple[int, Delivery] | None]
    ) -> None:
        """Schedule a retry with growing intervals; unsubscribe after an hour of failures (M2, M3)."""
        now = self._box.clock.elapsed()
        since = delivery.failing_since if delivery.failing_since is not None else now
        failing = now - since
        if app.disable_after and failing >= app.disable_after:
            self._box.disable_webhooks(app, delivery.facts.get("account"))
            return
        if delivery.attempt > len(app.retry_seconds) or failing > GIVE_UP_AFTER:
            self._box.ledger.add("webhook_given_up", delivery=delivery.id, **delivery.facts)
            return
        again = replace(delivery, attempt=delivery.attempt + 1, failing_since=since, done=threading.Event())
        generation = self._generation

        def retry() -> None:
            if generation == self._generation:
                self._count(1)
                lane.put((generation, again))

        self.schedule.after(app.retry_seconds[delivery.attempt - 1], retry)

    def _attempt(self, session: requests.Session, app: App, delivery: Delivery, ledger_age: int) -> None:
        headers = {"Content-Type": "application/json", "User-Agent": "sandbox-webhooks"}
        if delivery.signature is not None:
            headers["X-Hub-Signature-256"] = delivery.signature
        error: str | None = None
        started_ms, started = self._box.clock.now_ms(), time.monotonic()
        delivery.status = None
        try:
            url = delivery.url or app.callback_url
            if not url:
                raise requests.RequestException("the app has no callback URL")
            answer = session.post(
                url,
                data=delivery.body,
                headers=headers,
                timeout=app.webhook_timeout,
                allow_redirects=False,
                verify=self._box.verify_tls,
            )
            delivery.status = answer.status_code
            delivery.answer = answer.text[:2000]
        except requests.RequestException as problem:
            error = type(problem).__name__ if not problem.args else str(problem.args[0])[:200]
        facts = {
            "delivery": delivery.id,
            "app": app.id,
            "attempt": delivery.attempt,
            "status": delivery.status,
            "ms": round((time.monotonic() - started) * 1000, 1),
            "started_ms": started_ms,
            "sha256": hashlib.sha256(delivery.body).hexdigest(),
            "bytes": len(delivery.body),
            "error": error,
            "signature": "right" if delivery.signature else "none",
            **delivery.facts,
        }
        self._box.ledger.add_in(ledger_age, "webhook", delivery.body.decode("utf-8", "replace"), **facts)
        delivery.done.set()


def _facts(events: list[Event]) -> Json:
    first = events[0]
    return {
        "event": first.what if len(events) == 1 else f"batch of {len(events)}",
        "events": [event.what for event in events],
        "account": first.igid,
        "customer": first.igsid,
        "mids": [event.mid for event in events if event.mid],
        "echo": first.echo,
    } | ({"ahead": True} if first.ahead else {})
