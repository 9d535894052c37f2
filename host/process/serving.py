"""The application of a process: it follows the running generation, request by request."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from contextvars import copy_context
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol

import sqlalchemy as sa

from host import counters
from host.addons import lifecycle
from host.addons.metrics import across_processes, in_process
from host.addons.package.failures import AddonError
from host.addons.package.store import Release
from host.addons.running import contributions, held_webhooks, look_ups, undecided
from host.addons.running import generation as generations
from host.addons.running.generation import Generation
from host.addons.running.jobs import JobRunner
from host.addons.running.receivers import Receivers
from host.api.http import idempotency
from host.automation.consuming import Automating
from host.core import (
    call_budget,
    child_limits,
    clock,
    db,
    guard,
    logs,
    mail,
    marks,
    secrets,
    storage,
)
from host.core.call_budget import Call
from host.core.config import CannotGoOnError, Config, Exit
from host.core.filelock import serving_lock
from host.core.ports import GenerationSource
from host.delivery import second_look
from host.delivery.clock_moved_back import ClockWatch
from host.delivery.worker import Workers
from host.health import probes
from host.health.heartbeat import Heartbeat
from host.health.probes import Probes
from host.health.process_state import ProcessState
from host.live.hub import Hub
from host.media import claiming, links
from host.models.addons import AddonState
from host.models.health import Kind
from host.notifications import mailing
from host.notifications.telling import Telling
from host.outgoing.bodies.telling import Webhooks
from host.outgoing.sending import Senders
from host.process import garbage_collection, incoming, telemetry
from host.process.app import create_app
from host.process.loop_watch import LoopWatch
from host.process.webhook_front import Answering, WebhookFront, answer_headers
from host.queue import refusals, send_limiter
from host.queue.announcing import Heard, announcer_of
from host.queue.journal import Journal
from host.queue.spool import folder_of
from host.record.consuming import Consumers, EventConsumer
from host.reports.counting import Counting
from host.reports.windows import ChannelWindows
from host.sdk.i18n import noop
from host.search.documents import Indexing
from host.users import audit, desk_language, desk_settings, invitations, password_links

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

log = logging.getLogger(__name__)

RETRY_SECONDS = 5.0
HANGS = 3
"""How often an addon may hang in a process, within :data:`HANGS_SECONDS`, until it is off there."""
HANGS_SECONDS = 3600.0
AWAY_SECONDS = 1.0
STALE_SECONDS = 2.0
LOOK_UP_SECONDS = 5.0


class AlreadyServingError(CannotGoOnError):
    """Another process serves this SQLite file; two writers would wait for each other."""

    def __init__(self) -> None:
        super().__init__(
            f"Another process already serves {db.place()}, and one alone can. Stop it first; several need "
            "PostgreSQL or MariaDB.",
            Exit.BUSY,
        )


class Beside(Protocol):
    """What works beside requests."""

    def start(self) -> None:
        """Begin."""

    def retire(self) -> None:
        """Take up nothing more."""

    def stop(self, *, timeout: float) -> None:
        """Retire, and wait up to *timeout* seconds for what is under way."""


def consumers(config: Callable[[], Config], generation: GenerationSource) -> Sequence[EventConsumer]:
    """Return what reads the record in a process with workers.

    A new one is added here, and its name to :mod:`host.record.keeping`.

    :param config: returns the settings in force.
    :param generation: returns the generation to work with; asked before every piece of work.
    """
    return (
        Webhooks(lambda: generation().directory, lambda: config().public_url),
        Counting(ChannelWindows(generation)),
        Indexing(),
        Telling(),
        Automating(lambda: generation().directory),
    )


class HostApplication:
    """A WSGI callable that runs the newest generation it could build.

    Each request looks at the counter of the database (read at most every 200 ms in a process). When it moved,
    the next generation is built and one reference is swapped; requests under way finish on theirs.

    A server calls it through :class:`host.process.asgi.AsgiApplication`. Under WSGI alone it does the same
    but for live streams: pages ask in their place.

    :ivar journal: takes envelopes in; see :meth:`host.queue.journal.Journal.ingest`.
    :ivar hub: tells browsers what changed.
    :ivar workers: the delivery threads of this process.
    :ivar on_replacement: called when the process should end and begin anew; None: nobody can do that.
    :ivar probes: answers probes.
    :ivar files: the store of files.
    :ivar loop: knows how long the event loop was held.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        if not db.is_connected(config.database_url):
            db.connect(config.database_url, pool_size=config.threads + config.workers + config.senders + 8)
            counters.reset()
        secrets.use(secrets.load_keyring(config))
        guard.allow(config.allow_hosts, config.mail_relays, config.oidc_hosts, config.model_hosts)
        self.files = storage.WatchedStore(storage.opened(config), claiming.expected)
        storage.use(self.files)
        desk_language.use(config.language)
        audit.keep_for(config.audit_days)
        second_look.wait_for(config.look_grace)
        send_limiter.use(config.limits_url)
        self.journal = Journal(folder_of(config.data), spool_bytes=config.spool_mb * 1024**2)
        self.hub = Hub()
        self.workers = Workers(self.generation, config.workers, config.senders)
        self._front = WebhookFront(config, self.journal)
        self.probes = Probes(config, self.state)
        self.loop = LoopWatch()
        self._clock = ClockWatch()
        self._loops = ThreadPoolExecutor(config.threads, "wsgi")
        self._building = threading.Lock()
        self._retry_at = self._look_again_at = self._swapped_at = float("-inf")
        self._started = False
        self._web = True
        self.on_replacement: Callable[[], object] | None = None
        self._hung: dict[str, list[float]] = {}
        self._off: dict[str, AddonError] = {}
        """Addons that hung too often in this process, with the reason of each."""
        self._hung_lock = threading.Lock()
        call_budget.watch(self._note_hung)
        self._owned = ExitStack()
        self._announcer = announcer_of(config, self.workers.directions if config.workers else ())
        self._heartbeat = Heartbeat(
            config,
            lambda: self._current.number,
            self._heard_of_broker,
            beside=across_processes.Writer(),
        )
        self._receivers = Receivers(self.journal)
        self._beside = self._parts()
        lifecycle.recover(config)
        lifecycle.set_aside_who_killed(config)
        lifecycle.retry_quarantined(config)
        self._effective = config
        self._current = self._build()
        self._take_up(self._current)

    def effective(self) -> Config:
        """Return the settings in force: the environment's, and what was chosen on pages beside it."""
        return self._effective

    def _take_up(self, generation: Generation) -> None:
        """Have the process follow the settings that *generation* was built with."""
        config: Config = generation.app.extensions["lobby.config"]
        self._effective = config
        links.use(config)
        mail.use_catalogues(generation.catalogues.values())
        mailing.use(config)
        password_links.use_settings(config)
        invitations.use_settings(config)

    def _heard_of_broker(self) -> Heard | None:
        return None if self._announcer is None else self._announcer.heard

    # Requests

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path in probes.PATHS:
            return self.probes.respond(environ, start_response)
        # An id from outside is a proxy's, where there is one to believe.
        id_ = logs.begin_request(environ.get("HTTP_X_REQUEST_ID", "") if self.config.proxies else "")
        environ["lobby.request_id"] = id_
        try:
            return self._answer(path, environ, _named(start_response, id_))
        finally:
            logs.end_request()

    def _answer(self, path: str, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        generation = self.generation()
        if path.startswith(("/addons/", "/webhooks/")):
            answering = self.webhook(generation, path)
            if answering is not None:
                scope, receive = incoming.scope_of(environ)
                deciding = answering(incoming.of_scope(scope, self.config.proxies), receive)
                # In a thread of its own, because this one may belong to somebody else's event loop.
                status, text, more = self._loops.submit(copy_context().run, asyncio.run, deciding).result()
                start_response(f"{status} {HTTPStatus(status).phrase}", answer_headers(text, more))
                return [text.encode()]
        return generation.app(environ, start_response)

    def webhook(self, generation: Generation, path: str) -> Answering | None:
        """Return what answers requests to the webhook at *path*; None: the path belongs to a page."""
        found = generation.webhook(path)
        if found is not None:
            return partial(self._front.answer, *found)
        waits = generation.waits_for(path)
        return None if waits is None else partial(self._front.park, *waits)

    def generation(self) -> Generation:
        """Return the generation to run now. Never fails: while the next one cannot be had, it is the last.

        :raises WouldWaitError: on the event loop, if the counter has to be read.
        """
        current = self._current
        if time.monotonic() < self._look_again_at:
            return current
        try:
            number = counters.generation()
        except sa.exc.SQLAlchemyError:
            # A database that hangs must not hold every request up; webhooks go to the spool meanwhile.
            self._look_again_at = time.monotonic() + AWAY_SECONDS
            return current
        if number == current.number or time.monotonic() < self._retry_at:
            return current
        if number < current.number and time.monotonic() - self._swapped_at < STALE_SECONDS:
            return current  # read by another thread just before this process swapped
        db.may_wait()
        if not self._building.acquire(blocking=False):
            return current  # another thread builds it; this request goes on with the last
        try:
            return self._advance(number)
        finally:
            self._building.release()

    def state(self) -> ProcessState:
        """Return what probes tell of this process."""
        current = self._current
        return ProcessState(
            self._started,
            current.number,
            len(current.failures),
            self.loop.most(),
            self.hub.count,
            None if self._web else self.workers.running,
            put_off=self._front.put_off,
        )

    def refresh(self) -> Generation:
        """Build and run the generation the database asks for; return when it runs."""
        counters.forget()
        with self._building:
            # Not from the counters' memory: another thread may just be filling it with what was before.
            with db.read() as session:
                number = generations.asked(session).number
            return self._advance(number)

    def try_build(self, replace: Mapping[str, Release | None]) -> Generation:
        """Build what would run with *replace* in place of the database's releases, and run none of it."""
        for slug in replace:
            self._off.pop(slug, None)  # an admin wants it tried again
        return self._build(replace)

    def _build(self, replace: Mapping[str, Release | None] | None = None) -> Generation:
        config, desk = desk_settings.effective(self.config)
        return generations.build(
            config,
            create_app=lambda generation: create_app(config, generation, self, desk),
            replace=replace,
            off=self._off,
        )

    def _advance(self, number: int, *, again: bool = False) -> Generation:
        """Run the generation *number*.

        :param again: build it even if it runs.
        """
        if number == self._current.number and not again:
            return self._current
        try:
            following = self._build()
        except Exception:
            log.exception("generation %s could not be built; the one before goes on", number)
            self._retry_at = time.monotonic() + RETRY_SECONDS
            return self._current
        self._retry_at = float("-inf")
        self._swapped_at = time.monotonic()
        before, self._current = self._current, following
        look_ups.forget(before, following)
        self._take_up(following)
        if self._started and self._web:
            self._receivers.follow(following)
            self._know(following)
        # The app before refers to itself in circles; without this it would stay until Python gets to it.
        later = threading.Timer(RETRY_SECONDS, garbage_collection.collect)
        later.daemon = True
        later.start()
        return following

    # Life

    def _parts(self) -> Sequence[Beside]:
        jobs = JobRunner(lambda: self.generation().each(contributions.JOBS), beside=self._deliver_parked)
        if not self.config.workers:
            return (jobs,)
        reading = Consumers(
            consumers(self.effective, self.generation), is_behind=lambda: self.workers.is_behind
        )
        if not self.config.senders:
            return (self.workers, reading, jobs)
        return (self.workers, reading, Senders(), jobs)

    def start(self, *, web: bool = True) -> None:
        """Start what runs beside requests. To be called once, in the process that serves.

        :param web: False for a process that only delivers: no receivers, no live streams.
        :raises AlreadyServingError: if another process serves this SQLite file.
        """
        if not self._owned.enter_context(serving_lock(self.config)):
            raise AlreadyServingError
        if db.current().is_sqlite:
            db.write(idempotency.void_claims)
        self._web = web
        child_limits.hide()
        telemetry.start("web" if web else "worker")
        self.journal.start()
        self._clock.start()
        if self._announcer is not None:
            self._announcer.start()
        self.files.start()
        self._started = True
        in_process.metrics().on_broken = self._quarantine
        in_process.metrics().on_fault = self._heartbeat.soon
        if web:
            self._receivers.follow(self._current)
            self._know(self._current, patience=LOOK_UP_SECONDS)
            self.hub.start()
        for part in self._beside:
            part.start()
        kind = Kind.WEB if web else Kind.WORKER
        db.call_process(kind)
        self._heartbeat.start(kind)

    def retire(self) -> None:
        """End live streams, take up no more deliveries and jobs. Requests are answered as before."""
        if not self._started:
            return
        if self._web:
            self.hub.close()
        for part in self._beside:
            part.retire()

    def rest(self, seconds: float) -> None:
        """Wait up to *seconds* for deliveries and jobs that are under way; none is begun any more."""
        until = time.monotonic() + seconds
        for part in self._beside:
            part.stop(timeout=max(0.0, until - time.monotonic()))

    def close(self, *, patience: float = 70.0) -> None:
        """Stop everything :meth:`start` started. May be called twice.

        :param patience: seconds to wait for a send that is under way, and at most for a job and a broker.
            What is left to be written is written after that, and takes as long as the database does.
        """
        if not self._started:
            return
        self._started = False
        until = time.monotonic() + patience
        in_process.metrics().on_broken = in_process.metrics().on_fault = None
        call_budget.stop_telling()
        if self._web:
            self.hub.stop()
            self._receivers.stop()
        if self._announcer is not None:
            self._announcer.stop(timeout=min(10.0, patience))
        self.rest(max(0.0, until - time.monotonic()))
        self._clock.stop()
        self.files.stop()
        self.journal.stop()
        try:
            refusals.flush()
        except sa.exc.SQLAlchemyError:
            log.warning("the last refused requests could not be counted")
        self._heartbeat.stop()
        telemetry.stop()
        self._owned.close()
        marks.end()

    def _quarantine(self, slug: str, what: str, error: str) -> None:
        """Set an addon aside that keeps failing; the desk goes on without it."""
        try:
            if lifecycle.quarantine(slug, what, error):
                self.refresh()
        except Exception:
            log.exception("addon %s could not be set aside", slug)

    def _note_hung(self, call: Call, where: str) -> None:
        """Count a call that is over its budget; switch its addon off if there were too many."""
        slug, now = call.slug, clock.monotonic()
        in_process.metrics().note(slug, call.release, call.what, call.seconds, call.error())
        with self._hung_lock:
            hung = [at for at in self._hung.get(slug, ()) if now - at < HANGS_SECONDS]
            self._hung[slug] = hung = [*hung, now]
            if len(hung) < HANGS:
                return
            del self._hung[slug]
        try:
            self._switch_off(slug, call.what, where)
        except Exception:
            log.exception("addon %s could not be switched off", slug)

    def _switch_off(self, slug: str, what: str, where: str) -> None:
        """Run an addon no longer that hangs, here or on the whole desk, and have the process replaced."""
        try:
            replaced = lifecycle.note_hung(slug, what, where)
        except sa.exc.SQLAlchemyError as error:
            log.error("addon %s hangs: %s", slug, db.describe(error)[1])
            replaced = None
        if replaced is False:
            log.error("addon %s keeps hanging in %s; it is switched off on the whole desk", slug, what)
            self.refresh()
            return
        log.error("addon %s keeps hanging in %s; it is off in this process", slug, what)
        self._off[slug] = AddonError(
            noop("Its code kept hanging, so it is off in this process."),
            state=AddonState.QUARANTINED,
            detail=f"{what}: {where}",
        )
        with self._building:
            self._advance(self._current.number, again=True)
        if replaced and self.on_replacement is not None:
            log.error("this process is replaced because addon %s hung in it", slug)
            self.on_replacement()

    def take_in_undecided(self) -> None:
        """Have what was kept before the database answered decided on; what fails is tried again soon."""
        try:
            if self._take_in():
                held_webhooks.deliver(self.generation(), self.journal)
        except Exception as error:  # noqa: BLE001 - the files are there, and the jobs come back to them
            log.warning("requests that were kept as files wait a little longer: %s", db.describe(error)[1])

    def _take_in(self) -> int:
        if not self._web:
            return 0
        return undecided.take_in(self.generation(), self.journal.spool, folder_of(self.config.data))

    def _deliver_parked(self) -> None:
        """Let addons decide on what was kept for them while they, or the database, were away."""
        self._take_in()
        held_webhooks.deliver(self.generation(), self.journal)

    def _know(self, generation: Generation, *, patience: float = 0.0) -> None:
        """Have at hand what webhooks take that come while the database is away.

        :param patience: seconds to wait for it: an addon that hangs must not hold the start.
        """
        undecided.note_addresses(self.config.data, generation)
        loading = threading.Thread(target=look_ups.load_all, args=(generation,), name="look-ups", daemon=True)
        loading.start()
        loading.join(patience)


def _named(start_response: StartResponse, id_: str) -> StartResponse:
    """Have the answer carry the id of its request."""

    def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None, /) -> Any:
        headers = [one for one in headers if one[0].lower() != "x-request-id"]
        return start_response(status, [*headers, ("X-Request-Id", id_)], exc_info)

    return start
