"""The application of a process: it follows the running generation, request by request."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from contextvars import copy_context
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host import counters, recording
from host.addons import lifecycle
from host.addons.metrics import across_processes, in_process
from host.addons.package.failures import AddonError
from host.addons.package.store import Release
from host.addons.running import contributions, early_webhooks, held_webhooks, jobs, listening, look_ups
from host.addons.running import generation as generations
from host.addons.running.generation import Generation, use_forms
from host.addons.running.jobs import JobRunner
from host.addons.running.receivers import Receivers
from host.api.http import idempotency
from host.channels import timeouts
from host.core import (
    call_budget,
    child_limits,
    clock,
    db,
    guard,
    logs,
    marks,
    secrets,
    storage,
)
from host.core.call_budget import Call
from host.core.config import CannotGoOnError, Config, Exit
from host.core.filelock import serving_lock
from host.delivery import second_look
from host.delivery.clock_moved_back import ClockWatch
from host.delivery.worker import Workers
from host.events import consuming, retention
from host.events.consuming import ConsumerContext, Consumers, EventConsumer
from host.events.writing import EVERYBODY, show
from host.features import registry
from host.health import connection_room, probes
from host.health.heartbeat import Heartbeat
from host.health.probes import Probes
from host.health.process_state import ProcessState
from host.live.hub import Hub
from host.media import claiming, links
from host.models.addons import AddonState
from host.models.health import Kind
from host.notifications import mail
from host.process import garbage_collection, incoming, telemetry
from host.process.app import create_app
from host.process.loop_watch import LoopWatch
from host.process.webhook_front import Answering, WebhookFront, answer_headers
from host.push import sending as push_sending
from host.queue import refusals, send_limiter
from host.queue.announcing import Heard, announcer_of
from host.queue.journal import Journal
from host.queue.spool import folder_of
from host.sdk import desk as sdk_desk
from host.sdk import i18n
from host.sdk.i18n import noop
from host.users import audit, desk_language, desk_settings, invitations, password_links

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

log = logging.getLogger(__name__)

RETRY_SECONDS = 5.0
HANGS = 3
"""Number of hangs of a function in a process within :data:`HANGS_SECONDS` that disable its addon there.

Those for one customer count once.
"""
HANGS_OF_ADDON = 9
"""This number for all functions of an addon together."""
HANGS_SECONDS = 3600.0
_COUNTED = timeouts.KINDS | {"rule"}
"""The kinds of functions, as their calls are counted, whose hangs are recorded by who waits for them."""
AWAY_SECONDS = 1.0
STALE_SECONDS = 2.0
LOOK_UP_SECONDS = 5.0
STOPPED_SECONDS = 20.0
"""Time in seconds for a disabled sender to finish current work."""


class AlreadyServingError(CannotGoOnError):
    """Another process serves this SQLite file; two writers would wait for each other."""

    def __init__(self) -> None:
        super().__init__(
            f"Another process already serves {db.place()}, and one alone can. Stop it first; several need "
            "PostgreSQL or MariaDB.",
            Exit.BUSY,
        )


class BackgroundService(Protocol):
    """A background service that runs next to requests."""

    def start(self) -> None:
        """Start."""

    def retire(self) -> None:
        """Start no new work."""

    def stop(self, *, timeout: float) -> None:
        """Retire, and wait up to *timeout* seconds for current work."""


class FeatureSenders:
    """The sender services of enabled features."""

    def __init__(self) -> None:
        self._running: dict[str, BackgroundService] = {}
        self._lock = threading.Lock()
        self._retired = False

    def start(self) -> None:
        """Start."""
        self._retired = False
        self.follow()

    def follow(self) -> None:
        """Start senders of newly enabled features, and stop those of disabled ones."""
        wanted = registry.senders()
        with self._lock:
            if self._retired:
                return
            for name in self._running.keys() - wanted.keys():
                # Current work is finished in the background.
                stop = self._running.pop(name).stop
                threading.Thread(target=stop, kwargs={"timeout": STOPPED_SECONDS}, daemon=True).start()
            for name in wanted.keys() - self._running.keys():
                self._running[name] = wanted[name]()
                self._running[name].start()

    def retire(self) -> None:
        """Start no new work."""
        with self._lock:
            self._retired = True
            for part in self._running.values():
                part.retire()

    def stop(self, *, timeout: float) -> None:
        """Retire, and wait up to *timeout* seconds for current work."""
        self.retire()
        until = time.monotonic() + timeout
        for part in self._running.values():
            part.stop(timeout=max(0.0, until - time.monotonic()))
        self._running.clear()


def _pool_size(config: Config) -> int:
    """Return how many connections to open: on SQLite they cost nothing but a file handle."""
    if sa.make_url(config.database_url).get_backend_name() == "sqlite":
        return config.threads + config.workers + config.senders + 8
    return config.database_connections - db.SERVER_MORE


class HostApplication:
    """A WSGI callable that runs the newest generation it could build.

    Each request checks the counter in the database (read at most every 200 ms in a process). When it has
    changed, the next generation is built and one reference is swapped; requests in progress finish on theirs.

    A server calls it through :class:`host.process.asgi.AsgiApplication`. Under plain WSGI it works without
    live streams: pages poll instead.

    :ivar journal: stores envelopes; see :meth:`host.queue.journal.Journal.ingest`.
    :ivar hub: notifies browsers of changes.
    :ivar workers: the delivery threads of this process.
    :ivar on_replacement: called when the process should restart; None: not possible.
    :ivar probes: answers probes.
    :ivar files: the store of files.
    :ivar loop: knows how long the event loop was blocked.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        if not db.is_connected(config.database_url):
            db.connect(config.database_url, pool_size=_pool_size(config))
            counters.reset()
        registry.switch_off(config.features_off)
        registry.load_models()
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
        self._hung: dict[str, list[tuple[float, str, Hashable]]] = {}
        """The hangs of each addon: when, in which function, and for whom."""
        self._off: dict[str, AddonError] = {}
        """Addons disabled in this process because they hung too often, each with the reason."""
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
        self._consumers: Consumers | None = None
        self._senders = FeatureSenders()
        self._beside = self._parts()
        lifecycle.recover(config)
        lifecycle.set_aside_who_killed(config)
        lifecycle.retry_quarantined(config)
        self._effective = config
        self._current = self._build()
        self._take_up(self._current)

    def effective(self) -> Config:
        """Return the effective settings: the environment's, combined with those chosen on pages."""
        return self._effective

    def _take_up(self, generation: Generation) -> None:
        """Apply the settings that *generation* was built with to the process."""
        config: Config = generation.app.extensions["lobby.config"]
        self._effective = config
        links.use(config)
        i18n.use_catalogues(generation.catalogues.values())
        use_forms(generation)
        sdk_desk.provide(
            generation.directory,
            {
                slug: sdk_desk.Grant(one.name, one.declares.writes, one.declares.reads)
                for slug, one in generation.manifests.items()
            },
        )
        mail.use(config)
        push_sending.use(config)
        password_links.use_settings(config)
        invitations.use_settings(config)

    def _heard_of_broker(self) -> Heard | None:
        return None if self._announcer is None else self._announcer.heard

    # Requests

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path in probes.PATHS:
            return self.probes.respond(environ, start_response)
        # An id from outside is accepted from a trusted proxy only.
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
                # In a separate thread, because this one may belong to another event loop.
                status, text, more = self._loops.submit(copy_context().run, asyncio.run, deciding).result()
                start_response(f"{status} {HTTPStatus(status).phrase}", answer_headers(text, more))
                return [text.encode()]
        return generation.app(environ, start_response)

    def webhook(self, generation: Generation, path: str) -> Answering | None:
        """Return the handler of the webhook at *path*; None if the path belongs to a page."""
        found = generation.webhook(path)
        if found is not None:
            return partial(self._front.answer, *found)
        waits = generation.waits_for(path)
        return None if waits is None else partial(self._front.park, *waits)

    def generation(self) -> Generation:
        """Return the generation to run now.

        Never fails: if the next one is unavailable, return the previous one.

        :raises WouldWaitError: on the event loop, if the counter must be read.
        """
        current = self._current
        # A writer continues with the generation it began with: building the next one needs a long write.
        if time.monotonic() < self._look_again_at or db.current().is_inside:
            return current
        try:
            number = counters.generation()
        except sa.exc.SQLAlchemyError:
            # A hanging database must not block every request; webhooks go to the spool meanwhile.
            self._look_again_at = time.monotonic() + AWAY_SECONDS
            return current
        if number == current.number or time.monotonic() < self._retry_at:
            return current
        if number < current.number and time.monotonic() - self._swapped_at < STALE_SECONDS:
            return current  # read by another thread just before this process swapped generations
        db.may_wait()
        if not self._building.acquire(blocking=False):
            return current  # another thread builds it; this request uses the previous one
        try:
            return self._advance(number)
        finally:
            self._building.release()

    def state(self) -> ProcessState:
        """Return the state of this process for probes."""
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
        """Build and run the generation that the database defines; return once it runs."""
        counters.forget()
        with self._building:
            # Not from the cached counter, which another thread may be filling with an old value.
            with db.read() as session:
                number = generations.asked(session).number
            return self._advance(number)

    def try_build(self, replace: Mapping[str, Release | None]) -> Generation:
        """Build, without running it, the generation with *replace* instead of the database's releases."""
        for slug in replace:
            self._off.pop(slug, None)  # an admin requested a retry
        return self._build(replace)

    def _build(self, replace: Mapping[str, Release | None] | None = None) -> Generation:
        config, desk = desk_settings.effective(self.config)
        before = registry.switched_off()
        registry.switch_off(config.features_off)
        try:
            return generations.build(
                config,
                create_app=lambda generation: create_app(config, generation, self, desk),
                replace=replace,
                off=self._off,
            )
        except BaseException:
            registry.switch_off(before)
            raise

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
        self._follow_switches()
        if self._started and self._web:
            self._receivers.follow(following)
            self._know(following)
            self._tell_pages()
        # The previous app refers to itself in cycles; without this it would stay until the next collection.
        later = threading.Timer(RETRY_SECONDS, garbage_collection.collect)
        later.daemon = True
        later.start()
        return following

    # Life

    def _parts(self) -> Sequence[BackgroundService]:
        runner = JobRunner(lambda: self.generation().each(contributions.JOBS), beside=self._deliver_parked)
        if not self.config.workers:
            return (runner,)
        self._consumers = Consumers(self._of_features(), is_behind=lambda: self.workers.is_behind)
        if not self.config.senders:
            return (self.workers, self._consumers, runner)
        return (self.workers, self._consumers, self._senders, runner)

    def _of_features(self) -> list[EventConsumer]:
        return consuming.of_features(ConsumerContext(self.effective, self.generation))

    def _active_consumers(self) -> list[EventConsumer]:
        return [*self._of_features(), *listening.consumers(lambda: self._current)]

    def _follow_switches(self) -> None:
        """Start the consumers and senders of newly enabled features, and stop those of disabled ones."""
        if self._consumers is None or not self._started:
            return
        if self.config.senders:
            self._senders.follow()
        try:
            if retention.switched_off():
                db.write(self._note_off)
            self._consumers.follow(self._active_consumers())
        except sa.exc.SQLAlchemyError:
            log.exception("this process cannot follow switched features yet; it tries again")
            later = threading.Timer(RETRY_SECONDS, self._follow_switches)
            later.daemon = True
            later.start()

    def _tell_pages(self) -> None:
        """Let open pages ask again, now that this process answers with other addons or features.

        What was told when they changed came too early: pages that asked at once got the previous generation.
        """
        try:
            db.write(show, EVERYBODY, "addons")
        except sa.exc.SQLAlchemyError:
            log.exception("open pages could not be told of generation %s", self._current.number)

    def _note_off(self, session: Session) -> None:
        """Drop the positions of consumers of disabled features, unless one was just enabled again."""
        given = desk_settings.FEATURES_OFF in self.config.given
        off = self.config.features_off if given else desk_settings.features_off_now(session)
        consuming.note_off(session, retention.consumers_of(off))

    def start(self, *, web: bool = True) -> None:
        """Start the background services. Call it once, in the process that serves.

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
        self._follow_switches()  # the generation, and with it the listeners, may be newer than these parts
        kind = Kind.WEB if web else Kind.WORKER
        db.call_process(kind)
        self._warn_of_connections()
        self._heartbeat.start(kind)

    def _warn_of_connections(self) -> None:
        with suppress(sa.exc.SQLAlchemyError), db.read() as session:
            room = connection_room.look(session, self.config, starting=1)
            if room is not None and not room.is_enough:
                log.warning("%s. %s", room.words, room.advice)

    def retire(self) -> None:
        """Close live streams, and start no more deliveries and jobs. Requests are still answered."""
        if not self._started:
            return
        if self._web:
            self.hub.close()
        for part in self._beside:
            part.retire()

    def rest(self, seconds: float) -> None:
        """Wait up to *seconds* for current deliveries and jobs, without starting others."""
        until = time.monotonic() + seconds
        for part in self._beside:
            part.stop(timeout=max(0.0, until - time.monotonic()))

    def close(self, *, patience: float = 70.0) -> None:
        """Stop everything :meth:`start` started. May be called twice.

        :param patience: seconds to wait for a send in progress, and at most for a job and a broker. Remaining
            data is written after that, which takes as long as the database does.
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
        """Quarantine an addon that keeps failing; the desk continues without it."""
        try:
            if lifecycle.quarantine(slug, what, error):
                self.refresh()
        except Exception:
            log.exception("addon %s could not be set aside", slug)

    def _note_hung(self, call: Call, where: str) -> None:
        """Count a call that is over its budget; disable its addon if there were too many."""
        slug, now = call.slug, clock.monotonic()
        in_process.metrics().note(slug, call.release, call.what, call.seconds, call.error())
        if call.what.partition(" ")[0] not in _COUNTED:
            recording.hung(slug, call.what)
        if call.what.startswith(jobs.PREFIX):
            return  # the job isn't started again while it hangs, so it costs one thread
        with self._hung_lock:
            hung = [one for one in self._hung.get(slug, ()) if now - one[0] < HANGS_SECONDS]
            if call.customer is not None:
                hung = [one for one in hung if one[1:] != (call.what, call.customer)]
            self._hung[slug] = hung = [*hung, (now, call.what, call.customer)]
            of_function = sum(what == call.what for _at, what, _customer in hung)
            if of_function < HANGS and len(hung) < HANGS_OF_ADDON:
                return
            del self._hung[slug]
        try:
            self._switch_off(slug, call.what, where)
        except Exception:
            log.exception("addon %s could not be switched off", slug)

    def _switch_off(self, slug: str, what: str, where: str) -> None:
        """Disable a hanging addon, here or on the whole desk, and have the process replaced."""
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
        """Pass on requests kept before the database answered; failures are retried soon."""
        try:
            if self._take_in():
                held_webhooks.deliver(self.generation(), self.journal)
        except Exception as error:  # noqa: BLE001 - the files are there, and the jobs come back to them
            log.warning("requests that were kept as files wait a little longer: %s", db.describe(error)[1])

    def _take_in(self) -> int:
        if not self._web:
            return 0
        return early_webhooks.take_in(self.generation(), self.journal.spool, folder_of(self.config.data))

    def _deliver_parked(self) -> None:
        """Let addons decide on requests kept while they, or the database, were unavailable."""
        self._take_in()
        held_webhooks.deliver(self.generation(), self.journal)

    def _know(self, generation: Generation, *, patience: float = 0.0) -> None:
        """Preload the data that webhooks need while the database is unavailable.

        :param patience: seconds to wait for it: a hanging addon must not delay the start.
        """
        early_webhooks.note_addresses(self.config.data, generation)
        loading = threading.Thread(target=look_ups.load_all, args=(generation,), name="look-ups", daemon=True)
        loading.start()
        loading.join(patience)


def _named(start_response: StartResponse, id_: str) -> StartResponse:
    """Add the id of its request to the response."""

    def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None, /) -> Any:
        headers = [one for one in headers if one[0].lower() != "x-request-id"]
        return start_response(status, [*headers, ("X-Request-Id", id_)], exc_info)

    return start
