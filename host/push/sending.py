"""Send queued pushes: claimed, encrypted and posted, each at least once.

A process claims pushes for a short time and sends them in threads, so a push service that hangs delays nobody
else's pushes. It gets a few at once, one while it fails, and a growing pause after each failure. A process
that dies leaves its claims to others; a push that is sent twice replaces itself on the device.
"""

from __future__ import annotations

import logging
import queue
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.channels.directory import Directory
from host.core import clock, db
from host.core.config import Config
from host.push import composing, devices, encrypting, posting, vapid
from host.push.composing import Push, PushContent
from host.push.models import PushDelivery, PushDevice
from host.push.posting import Answer
from host.push.vapid import KeyPair
from host.sdk.errors import SecretUnreadableError

log = logging.getLogger("lobby.push")

MOST_OPEN = 32
"""Pushes of a process that are being sent."""
MOST_OF_HOST = 12
"""Pushes of a process that are being sent to one push service."""
CLAIMED_FOR = timedelta(seconds=45)
"""Longer than a push waits for its thread and takes."""
MOST_TRIES = 6
FIRST_PAUSE = timedelta(seconds=15)
LONGEST_PAUSE = timedelta(hours=1)
LONGEST_REST = 300.0
"""Seconds for which a failing push service is left alone at most."""
GATHERED_SECONDS = 0.05

_config: Config | None = None


def use(config: Config) -> None:
    """Use the settings of *config* in this process."""
    global _config  # noqa: PLW0603 - the settings of the process
    _config = config


class Tried(msgspec.Struct, frozen=True):
    """A push and the answer to it."""

    push: Push
    answer: Answer


class Pace:
    """How many pushes this process is sending to each push service, and which ones rest."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._open: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()
        self._rests_until: dict[str, float] = {}

    @property
    def open(self) -> int:
        with self._lock:
            return self._open.total()

    def most(self, host: str) -> int:
        """Return how many more pushes to *host* may begin now."""
        with self._lock:
            return self._most(host)

    def _most(self, host: str) -> int:
        if self._rests_until.get(host, 0.0) > clock.monotonic():
            return 0
        return max(0, (1 if self._failures[host] else MOST_OF_HOST) - self._open[host])

    def full(self) -> list[str]:
        """Return the hosts to which no push may begin now."""
        with self._lock:
            return sorted(host for host in {*self._open, *self._rests_until} if not self._most(host))

    def began(self, host: str) -> None:
        with self._lock:
            self._open[host] += 1

    def ended(self, host: str, answer: Answer) -> None:
        """Record an answer."""
        with self._lock:
            self._open[host] -= 1
            if not self._open[host]:
                del self._open[host]
            if not answer.may_work_later:
                self._failures.pop(host, None)
                self._rests_until.pop(host, None)
                return
            self._failures[host] += 1
            rest = max(2.0 ** min(self._failures[host], 10), answer.pause.total_seconds())
            self._rests_until[host] = clock.monotonic() + min(rest, LONGEST_REST)


class Sender:
    """Sends the pushes of one process."""

    def __init__(self) -> None:
        self._pace = Pace()
        self._pool: ThreadPoolExecutor | None = None
        self._tried: queue.SimpleQueue[Tried] = queue.SimpleQueue()

    @property
    def is_busy(self) -> bool:
        """Whether pushes are being sent, or sent and not settled."""
        return self._pace.open > 0 or not self._tried.empty()

    def turn(self, directory: Directory, config: Config) -> bool:
        """Settle pushes that were sent and begin others; return whether there were any."""
        tried = self._gathered()
        full = self._pace.full()
        free = MOST_OPEN - self._pace.open
        if not tried and not (free > 0 and _is_due(full)):
            return False
        try:
            pushes, pair = db.write(self._settle_and_claim, tried, full, free, directory, config.language)
        except BaseException:
            for one in tried:
                self._tried.put(one)
            raise
        if pushes and self._pool is None:
            self._pool = ThreadPoolExecutor(MOST_OPEN, "push")
        for push in pushes:
            assert self._pool is not None
            self._pace.began(push.device.host)
            self._pool.submit(self._send, push, pair, config)
        return bool(tried or pushes)

    def _gathered(self) -> list[Tried]:
        found: list[Tried] = []
        patience = GATHERED_SECONDS if self._pace.open else 0.0
        while len(found) < 10 * MOST_OPEN:
            try:
                found.append(self._tried.get(timeout=patience) if patience else self._tried.get_nowait())
            except queue.Empty:
                break
            patience = 0.0
        return found

    def _settle_and_claim(
        self,
        session: Session,
        tried: Sequence[Tried],
        full: Sequence[str],
        free: int,
        directory: Directory,
        language: str,
    ) -> tuple[list[Push], KeyPair | None]:
        settle(session, tried)
        claimed = self._claim(session, full, free) if free > 0 else []
        if not claimed:
            return [], None
        pushes = composing.composed(session, claimed, directory, language)
        _forget(session, set(claimed) - {one.delivery_id for one in pushes})
        try:
            return pushes, vapid.key_pair(session)
        except SecretUnreadableError:
            return pushes, None

    def _claim(self, session: Session, full: Sequence[str], free: int) -> list[int]:
        """Claim due pushes and return their ids."""
        now = clock.now()
        query = _due(now, full).with_only_columns(PushDelivery.id, PushDevice.host)
        chosen, taken = [], Counter[str]()
        for id_, host in session.execute(query.order_by(PushDelivery.due_at, PushDelivery.id).limit(free)):
            if taken[host] < self._pace.most(host):
                taken[host] += 1
                chosen.append(id_)
        if not chosen:
            return []
        locked = (
            sa.select(PushDelivery.id)
            .where(PushDelivery.id.in_(chosen), PushDelivery.due_at <= now)
            .with_for_update(skip_locked=True)
        )
        claimed = list(session.scalars(locked))
        session.execute(
            sa.update(PushDelivery)
            .where(PushDelivery.id.in_(claimed))
            .values(due_at=now + CLAIMED_FOR)
            .execution_options(synchronize_session=False)
        )
        return claimed

    def _send(self, push: Push, pair: KeyPair | None, config: Config) -> None:
        answer = Answer(None, "an error of this desk")
        try:
            answer = send(push, pair, config)
        except Exception:
            log.exception("push %s could not be sent", push.delivery_id)
        finally:
            self._pace.ended(push.device.host, answer)
            self._tried.put(Tried(push, answer))


def send(push: Push, pair: KeyPair | None, config: Config) -> Answer:
    """Send one push; return the answer of its push service."""
    return send_to(
        push.device, push.shown, pair, config, lasts=push.lasts, topic=push.topic, is_urgent=push.is_urgent
    )


def send_to(
    device: PushDevice,
    shown: PushContent,
    pair: KeyPair | None,
    config: Config,
    *,
    lasts: timedelta,
    topic: str,
    is_urgent: bool = True,
) -> Answer:
    """Have *shown* shown on a device; return the answer of its push service."""
    try:
        auth = devices.auth_of(device)
    except SecretUnreadableError:
        auth = b""
    if pair is None or not auth:
        log.error("the keys for pushes cannot be read")
        return Answer(400, "the keys for pushes cannot be read")
    body = encrypting.encrypt(msgspec.json.encode(shown), encrypting.decoded(device.p256dh), auth)
    headers = {
        "Authorization": vapid.authorization(pair, device.endpoint, config.public_url),
        "Content-Type": "application/octet-stream",
        "Content-Encoding": "aes128gcm",
        "TTL": str(int(lasts.total_seconds())),
        "Urgency": "high" if is_urgent else "normal",
        "Topic": topic,
    }
    return posting.post(device.endpoint, body, headers, config.push_hosts)


def _due(now: datetime, full: Sequence[str]) -> sa.Select[Any]:
    query = sa.select(PushDelivery).join(PushDevice, PushDevice.id == PushDelivery.device_id)
    query = query.where(PushDelivery.due_at <= now)
    return query.where(PushDevice.host.not_in(full)) if full else query


def _is_due(full: Sequence[str]) -> bool:
    with db.read() as session:
        query = _due(clock.now(), full).with_only_columns(PushDelivery.id).limit(1)
        return session.scalar(query) is not None


def settle(session: Session, tried: Sequence[Tried]) -> None:
    """Store the results of pushes: sent, to be tried again, or given up. Remove devices that are gone."""
    now = clock.now()
    gone = sorted({one.push.device.id for one in tried if one.answer.is_gone})
    if gone:
        session.execute(sa.delete(PushDevice).where(PushDevice.id.in_(gone)))
        log.info("%s devices are gone, as their push service says", len(gone))
    reached = sorted({one.push.device.id for one in tried if one.answer.ok})
    if reached:
        session.execute(
            sa.update(PushDevice)
            .where(PushDevice.id.in_(reached))
            .values(sent_at=now)
            .execution_options(synchronize_session=False)
        )
    for one in tried:
        if not one.answer.is_gone:
            _settle_one(session, one, now)
    devices.forget_left(session, {one.push.device.id for one in tried})


def _settle_one(session: Session, one: Tried, now: datetime) -> None:
    push, answer = one.push, one.answer
    this = PushDelivery.id == push.delivery_id
    if answer.may_work_later and push.tries + 1 < MOST_TRIES:
        pause = min(max(FIRST_PAUSE * 2**push.tries, answer.pause), LONGEST_PAUSE)
        values: dict[str, object] = {"tries": push.tries + 1, "due_at": now + pause}
    else:
        if not answer.ok:
            said = f"{answer.status} {answer.why}".strip() if answer.status else answer.why
            log.warning("%s took no push: %s", push.device.host, said)
        session.execute(sa.delete(PushDelivery).where(this, PushDelivery.wanted == push.wanted))
        values = {"tries": 0, "due_at": now}  # an event joined the notification meanwhile
        this = sa.and_(this, PushDelivery.wanted != push.wanted)
    session.execute(
        sa.update(PushDelivery).where(this).values(values).execution_options(synchronize_session=False)
    )


def _forget(session: Session, ids: Iterable[int]) -> None:
    found = sorted(ids)
    if found:
        session.execute(sa.delete(PushDelivery).where(PushDelivery.id.in_(found)))


def forget_old(session: Session) -> None:
    """Give up pushes that nobody needs any more."""
    session.execute(sa.delete(PushDelivery).where(PushDelivery.created_at < clock.now() - composing.LASTS))


_sender = Sender()


def send_due(directory: Directory) -> bool:
    """Begin to send due pushes; return whether there may be more to do at once."""
    return _config is not None and _sender.turn(directory, _config)
