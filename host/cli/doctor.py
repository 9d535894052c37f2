"""``lobby doctor``: all checks that need no browser, with evidence and a fix for each."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

import click
import msgspec
import sqlalchemy as sa

from host import __version__, counters
from host.addons.running.generation import Generation
from host.channels.diagnosis import diagnose, enumerated
from host.cli import switches
from host.cli.base import configured
from host.core import clock, db, migrations, private_files, resealing, storage
from host.core.config import CannotGoOnError, Config
from host.delivery.held_lanes import Reason
from host.health import connection_room, current_state, dependencies, problems, versions
from host.media import claiming
from host.models.channels import AccountState, ChannelAccount
from host.models.queue import EventState, InboundEvent
from host.process.serving import HostApplication
from host.queue import announcing, limit_counters, spool
from host.queue.wakeups import OUT
from host.sdk.cards import Finding, Verdict

DESK = "desk"
HEALTH = "health"
LEAST_FREE = 1024**3
LATE_SECONDS = 300
STEPS = 3
"""Maximum number of next steps shown."""
HELD = {Reason.LIMIT: "a limit", Reason.RECONNECT: "Reconnect", Reason.LATER: "a later time"}


class CheckLine(msgspec.Struct, frozen=True):
    """One finding, its subject (the desk, or an account), and the alert with the same meaning, if any."""

    about: str
    finding: Finding
    alert: str = ""

    @property
    def step(self) -> str:
        """Return the fix as a complete sentence."""
        fact = self.finding.title if self.finding.name == HEALTH else ""
        about = "" if self.about == DESK else f"{self.about}:"
        more = f"({self.runbook})" if self.alert else ""
        return " ".join(str(one) for one in (about, fact, self.finding.fix, more) if one)

    @property
    def runbook(self) -> str:
        """Return the address of the runbook section, or an empty string."""
        return f"docs/runbook.md#{self.alert.lower()}" if self.alert else ""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--accounts/--no-accounts", default=True, help="Also check every account at its provider.")
@configured
def doctor(configuration: Config, as_json: bool, accounts: bool) -> None:
    """Check this installation and every connected account; exit with 1 if a check fails."""
    lines = list(examine(configuration, accounts=accounts))
    if as_json:
        found = [
            {
                "about": line.about,
                "check": line.finding.name,
                "title": str(line.finding.title),
                "verdict": line.finding.verdict.value,
                "evidence": str(line.finding.evidence),
                "fix": str(line.finding.fix),
                "runbook": line.runbook,
            }
            for line in lines
        ]
        click.echo(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        for line in lines:
            _tell(line)
        click.echo("\n".join(["", *next_steps(lines)]))
    if any(line.finding.verdict is Verdict.FAIL for line in lines):
        raise SystemExit(1)


def _tell(line: CheckLine) -> None:
    marks = {Verdict.PASS: "pass", Verdict.WARN: "warn", Verdict.FAIL: "FAIL", Verdict.UNKNOWN: "  ? "}
    mark = marks[line.finding.verdict]
    evidence = f": {line.finding.evidence}" if line.finding.evidence else ""
    click.echo(f"{mark}  {line.about}: {line.finding.title}{evidence}")
    if line.finding.fix:
        click.echo(f"      {line.finding.fix}")


def next_steps(lines: Sequence[CheckLine]) -> list[str]:
    """Return the next steps, as lines of text: failures first, and among them those with an alert."""
    worst = {Verdict.FAIL: 0, Verdict.WARN: 1, Verdict.UNKNOWN: 2}
    found = [line for line in lines if line.finding.verdict in worst and line.finding.fix]
    # If Health gives the same advice as a check, it has more detail, so it comes later and replaces the
    # check's.
    steps = {
        (line.about, str(line.finding.fix)): line.step
        for line in sorted(found, key=lambda line: (worst[line.finding.verdict], not line.alert))
    }
    if not steps:
        return ["Everything is fine."]
    told = [f"{number}. {step}" for number, step in enumerate(list(steps.values())[:STEPS], 1)]
    more = [f"{len(steps) - STEPS} more: see the checks above."] if len(steps) > STEPS else []
    return ["What to do next:", *told, *more]


def _own(check: Finding) -> CheckLine:
    fixes = {str(advice): alert for alert, advice in problems.ADVICE.items()}
    return CheckLine(DESK, check, fixes.get(str(check.fix), ""))


def examine(configuration: Config, *, accounts: bool = True) -> Iterator[CheckLine]:
    """Yield the result of every check, the desk's first; stop after the database if it cannot be used."""
    for check in (_address, _folder, _private):
        yield _own(check(configuration))
    database = _database(configuration)
    yield _own(database)
    if database.verdict is Verdict.FAIL:
        return
    switches.follow(configuration)
    for inside in (
        *(_connections, _versions, _files, _column, _secrets, _spool, _broker, _limits),
        *(_waiting, _replies, _dead),
    ):
        yield _own(inside(configuration))
    counters.reset()
    running = HostApplication(configuration).generation()
    with running.app.app_context():
        yield from _health(configuration, running)
        if accounts:
            yield from _accounts(running)


def _address(configuration: Config) -> Finding:
    url = configuration.public_url
    if configuration.secure:
        return Finding("address", "Lobby has an https address", Verdict.PASS, url)
    fix = "Providers only deliver to https. Set LOBBY_PUBLIC_URL to the address people use."
    return Finding("address", "Lobby has an https address", Verdict.FAIL, url, fix)


def _folder(configuration: Config) -> Finding:
    free = shutil.disk_usage(configuration.data).free
    evidence = f"{free // 1024**2:,} MB free in {configuration.data}"
    verdict = Verdict.PASS if free > LEAST_FREE else Verdict.FAIL
    fix = "" if verdict is Verdict.PASS else _advice("LobbyDiskAlmostFull")
    return Finding("disk", "The disk has enough free space", verdict, evidence, fix)


def _private(configuration: Config) -> Finding:
    title = "Other users of this machine can't read Lobby's files"
    found = [str(path) for path in private_files.readable_by_others(configuration)]
    if not found:
        return Finding("private-files", title, Verdict.PASS, str(configuration.data))
    fix = f"As the owner of the files, run: chmod go-rwx {' '.join(found)}"
    return Finding("private-files", title, Verdict.FAIL, f"readable: {', '.join(found)}", fix)


def _database(configuration: Config) -> Finding:
    title = "The database is available and up to date"
    try:
        state = migrations.state(configuration.database_url)
    except sa.exc.SQLAlchemyError as error:
        return Finding(
            "database",
            title,
            Verdict.FAIL,
            f"{db.place()}: {db.words(error)}",
            _advice("LobbyDatabaseAway"),
        )
    if state is migrations.State.CURRENT:
        return Finding("database", title, Verdict.PASS, db.current().dialect)
    if state is migrations.State.AHEAD:
        evidence = f"{db.current().dialect}, migrated by a newer Lobby; {__version__} still works with it"
        return Finding("database", title, Verdict.WARN, evidence, "Upgrade this installation too.")
    fix = {
        migrations.State.EMPTY: "Run `lobby run` once to set it up.",
        migrations.State.NEWER: "Start the newer Lobby, or restore the backup made before the upgrade.",
    }.get(state, "Run `lobby migrate`.")
    return Finding("database", title, Verdict.FAIL, state.name.lower(), fix)


def _connections(configuration: Config) -> Finding:
    title = "The database server allows as many connections as the processes may open"
    with db.read() as session:
        found = connection_room.look(session, configuration)
    if found is None:
        return Finding("connections", title, Verdict.PASS, "SQLite needs none")
    if found.is_enough:
        return Finding("connections", title, Verdict.PASS, found.words)
    return Finding("connections", title, Verdict.WARN, found.words, found.advice)


def _versions(_configuration: Config) -> Finding:
    title = "Every process runs this version"
    found = versions.by_version(_now())
    evidence = "; ".join(
        f"{version}: {', '.join(f'{one.kind} {one.machine}:{one.pid}' for one in several)}"
        for version, several in found.items()
    )
    if set(found) <= {__version__}:
        return Finding("versions", title, Verdict.PASS, evidence or f"{__version__}; no process is running")
    fix = f"This is {__version__}. Restart the others once the upgrade is complete."
    return Finding("versions", title, Verdict.WARN, evidence, fix)


def _files(configuration: Config) -> Finding:
    title = "Message files can be written, read and deleted"
    store = storage.WatchedStore(storage.opened(configuration))
    started = clock.monotonic()
    try:
        away = store.look()
        if away is not None:
            raise storage.StoreAwayError(away.words)
        claiming.check(configuration, store)
        claiming.try_out(store)
    except storage.StoreAwayError as error:
        fix = "Make sure the store is reachable, or correct LOBBY_FILES and the settings that go with it."
        return Finding("files", title, Verdict.FAIL, error.words, fix)
    except CannotGoOnError as error:
        return Finding("files", title, Verdict.FAIL, store.place, str(error))
    took = (clock.monotonic() - started) * 1000
    return Finding("files", title, Verdict.PASS, f"{store.place}, in {took:,.0f} ms")


def _column(_configuration: Config) -> Finding:
    """Check the column that refuses a new channel while it is an enumeration."""
    title = "The database accepts conversations of every channel"
    with db.read() as session:
        channels = set(session.scalars(sa.select(ChannelAccount.channel).distinct()))
    allowed = enumerated("conversations", "channel")
    if allowed is None:
        return Finding("channel-column", title, Verdict.PASS, "the column accepts any channel")
    missing = sorted(channels - allowed)
    if not missing:
        return Finding("channel-column", title, Verdict.PASS, f"it accepts {', '.join(sorted(allowed))}")
    fix = "Activate the addon again, or run `lobby migrate`."
    return Finding("channel-column", title, Verdict.FAIL, f"it doesn't accept {', '.join(missing)}", fix)


def _secrets(_configuration: Config) -> Finding:
    title = "Every stored credential can be decrypted"
    findings = resealing.check_values()
    if findings.unreadable:
        fix = "Restore the file of secret keys, or reconnect these accounts."
        return Finding("secrets", title, Verdict.FAIL, "; ".join(findings.unreadable[:5]), fix)
    return Finding("secrets", title, Verdict.PASS, f"{sum(findings.by_key.values())} values")


def _spool(configuration: Config) -> Finding:
    """Check the spool of this machine, and what processes on others reported about theirs."""
    title = "The spool is empty"
    holding = spool.measure(spool.folder_of(configuration.data))
    here = _held(holding.requests, holding.aside, holding.bytes, configuration.spool_mb * 1024**2)
    own = socket.gethostname()[:255]
    others = {
        machine: _held(one.spooled, one.spool_aside, one.spooled_bytes, one.spool_most)
        for machine, one in dependencies.spools(_now())
        if machine != own and (one.spooled or one.spool_aside)
    }
    evidence = "; ".join([here, *(f"{machine}: {held}" for machine, held in others.items())])
    if not holding.requests and not holding.aside and not others:
        return Finding("spool", title, Verdict.PASS, evidence)
    waiting = holding.requests or any(one.spooled for _machine, one in dependencies.spools(_now()))
    fix = _advice("LobbySpoolWaits" if waiting else "LobbyRequestsAside")
    return Finding("spool", title, Verdict.FAIL, evidence, fix)


def _held(requests: int, aside: int, size: int, most: int) -> str:
    put = f" and {aside} set aside" if aside else ""
    return f"{requests} requests{put}, {size / 1024**2:,.1f} of {most / 1024**2:,.0f} MB"


def _now() -> current_state.CurrentState:
    with db.read() as session:
        return current_state.read_current_state(session)


def _limits(configuration: Config) -> Finding:
    title = "All processes share one count of provider limits"
    where = limit_counters.place(configuration.limits_url)
    if not limit_counters.answers(configuration.limits_url):
        fix = "Start it, or correct LOBBY_LIMITS_URL. Until then, each process counts separately."
        return Finding("limits", title, Verdict.FAIL, f"{where} does not answer", fix)
    found = dependencies.counting(_now())
    places = ", ".join(one or "memory" for one in found.places)
    evidence = f"{found.senders} processes send" + (f", counting in {places}" if places else "")
    if not found.apart:
        return Finding("limits", title, Verdict.PASS, evidence)
    fix = "Each counts separately. Set LOBBY_LIMITS_URL to the same redis:// address for all of them."
    return Finding("limits", title, Verdict.UNKNOWN, evidence, fix)


def _replies(_configuration: Config) -> Finding:
    title = "Replies are sent in time"
    state = _now()
    held = ", ".join(f"{count} waiting for {HELD[reason]}" for reason, count in state.held.items() if count)
    seconds = state.waited(OUT).total_seconds()
    verdict = Verdict.PASS if seconds < LATE_SECONDS else Verdict.FAIL
    evidence = "; ".join(filter(None, [f"the oldest has waited {seconds:,.0f} s" if seconds else "", held]))
    fix = "" if verdict is Verdict.PASS else _advice("LobbyRepliesWait")
    return Finding("replies", title, verdict, evidence or "none waiting", fix)


def _broker(configuration: Config) -> Finding:
    title = "The wake-up broker is available"
    url = configuration.broker_url
    answers, away = dependencies.broker_answers(_now())
    said = "".join(
        f"; {word} {one.machine}:{one.pid} since {one.broker_since or one.seen_at:%Y-%m-%d %H:%M:%S} UTC"
        for word, several in (("answers", answers), ("does not answer", away))
        for one in several
    )
    if not url:
        return Finding("broker", title, Verdict.PASS, "not configured: workers poll the database")
    if db.current().is_sqlite:
        return Finding("broker", title, Verdict.PASS, "not used: SQLite desks run in one process")
    parts = urlsplit(url)
    broker = announcing.connect(url)
    try:
        broker.keep_alive()
    except Exception as error:  # noqa: BLE001 - whatever the client raises is the finding
        evidence = f"{parts.hostname}: {type(error).__name__}{said}"
        return Finding("broker", title, Verdict.FAIL, evidence, _advice("LobbyBrokerAway"))
    finally:
        broker.close()
    verdict = Verdict.FAIL if away else Verdict.PASS
    fix = "Check the network and firewall between those processes and the broker." if away else ""
    return Finding("broker", title, verdict, f"{parts.scheme} at {parts.hostname}{said}", fix)


def _waiting(_configuration: Config) -> Finding:
    title = "Received events are processed in time"
    query = sa.select(sa.func.min(InboundEvent.received_at)).where(InboundEvent.state == EventState.PENDING)
    with db.read() as session:
        oldest = session.scalar(query)
    if oldest is None:
        return Finding("backlog", title, Verdict.PASS, "none waiting")
    seconds = (clock.now() - oldest).total_seconds()
    verdict = Verdict.PASS if seconds < LATE_SECONDS else Verdict.FAIL
    fix = "" if verdict is Verdict.PASS else _advice("LobbyEventsWait")
    return Finding("backlog", title, verdict, f"the oldest has waited {seconds:,.0f} s", fix)


def _dead(_configuration: Config) -> Finding:
    title = "Every received event could be read"
    query = sa.select(sa.func.count()).where(InboundEvent.state == EventState.DEAD)
    with db.read() as session:
        count = session.scalar(query) or 0
    if not count:
        return Finding("dead-letters", title, Verdict.PASS)
    said = f"{count} set aside or given up"
    return Finding("dead-letters", title, Verdict.UNKNOWN, said, _advice("LobbyEventsUnread"))


def _advice(alert: str) -> str:
    """Return the advice of Health and the runbook."""
    return str(problems.ADVICE[alert])


def _health(configuration: Config, running: Generation) -> Iterator[CheckLine]:
    """Yield the findings of Admin, Health: processes that are down, addons that do not run, and so on."""
    with db.read() as session:
        state = current_state.read_current_state(session)
        found = problems.find_problems(session, state, configuration, running.failures, running.directory)
    for one in found:
        verdict = Verdict.FAIL if one.tone == "bad" else Verdict.UNKNOWN
        yield CheckLine(DESK, Finding(HEALTH, one.fact, verdict, "", one.advice), one.alert)
    if not found:
        yield CheckLine(DESK, Finding(HEALTH, "Health reports no problems", Verdict.PASS))


def _accounts(running: Generation) -> Iterator[CheckLine]:
    directory = running.directory
    query = sa.select(ChannelAccount).where(ChannelAccount.state != AccountState.DISCONNECTED)
    with db.read() as session:
        rows = list(session.scalars(query.order_by(ChannelAccount.id)))
    for row in rows:
        about = row.handle or row.name
        card = directory.card(row.channel)
        if card is None:
            fix = "Activate it, or disconnect the account."
            yield CheckLine(about, Finding("addon", "Its addon is active", Verdict.FAIL, row.channel, fix))
            continue
        for finding in diagnose(card, row, desk=False):
            yield CheckLine(about, finding)
