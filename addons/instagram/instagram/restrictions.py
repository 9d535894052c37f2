"""Apps that Meta restricted: detect the restriction, hold their messages, and probe for its end.

Meta answers every call of such an app with code 100, "Unsupported request - method type: post", for days or
weeks (chatwoot/chatwoot #14932). The message is not at fault, but a single such answer may be a bug of ours.
So an app counts as restricted once two of its accounts, or three calls and ``GET /me``, fail alike. Until
then the message waits. The state is in the database, so all processes share it and it survives a restart.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.sdk import accounts as host_accounts
from host.sdk import clock, db, deliveries
from host.sdk.accounts import AccountState
from host.sdk.channel import NotSent, Rejected, SendResult, Sent
from host.sdk.deliveries import FailedSend
from host.sdk.i18n import noop

from .accounts import NAMELESS, Credentials, sharing_app
from .errors import UNLISTED, CatalogueEntry, Outcome, Scope, classify, lookup, problem
from .graph import GraphError
from .models import AppRestriction, InstagramAccount

log = logging.getLogger(__name__)

ACCOUNTS = 2
CALLS = 3
AGAIN_SECONDS = 60.0
"""Seconds until a refused message is retried while undecided."""
COUNTS_FOR = timedelta(hours=1)
MOST_REFUSALS = 50
CLOCKS_DIFFER = timedelta(seconds=5)
"""Maximum clock difference between two processes."""
PROBES = tuple(timedelta(minutes=minutes) for minutes in (5, 10, 20, 30))
"""Intervals between probes; the last one repeats."""
EASES_FOR = timedelta(hours=1)
"""How long an app sends at half rate after its restriction was lifted."""
TOO_LATE = "window_closed"
"""The code of a reply whose window closed before it was sent."""
NOTED_FOR = timedelta(days=7)

WARNING = "app-restricted"
RESTRICTED = CatalogueEntry(
    code=0,
    outcome=Outcome.WAIT,
    scope=Scope.APP,
    sentence=noop("Meta has restricted this account's app. Messages wait until Meta responds again."),
    cause=noop("A decision by Meta about the app. The message itself isn't the problem."),
    next_step=noop(
        "No action needed for the message. It will be sent once Meta lifts the restriction if the reply "
        "window is still open."
    ),
)
TITLE = "Meta"
WARNED = noop("Meta has restricted the app %(app)s, so messages are waiting. Other apps aren't affected.")
STEP = noop(
    "Open the app in Meta's App Dashboard and appeal under Alerts. Lobby automatically detects when the "
    "restriction is lifted. It then sends messages in order while their reply windows are open."
)
LIFTED = noop("Meta responds to the app %(app)s again. Waiting messages are sent in order, at half rate.")
LIFTED_STEP = noop(
    "Not sent because the reply window had closed: %(count)s. Choose Diagnose on the account's card to "
    "see them."
)


class _Verdict(Enum):
    UNDECIDED = "undecided"
    ASK = "ask"
    """``GET /me`` decides."""
    RESTRICTED = "restricted"
    BEGINS = "begins"
    """The app is newly recognised as restricted."""
    OUR_FAULT = "our fault"


@dataclass(frozen=True, slots=True)
class AppState:
    """Known state of one app.

    :param suspected: whether Meta refused it since it last accepted a message.
    """

    app: str
    words: str
    suspected: bool
    restricted_since: datetime | None
    lifted_at: datetime | None


def _load() -> dict[str, AppState]:
    with db.read() as session:
        return {
            row.app: AppState(row.app, row.words, _is_suspected(row), row.restricted_since, row.lifted_at)
            for row in session.scalars(sa.select(AppRestriction))
        }


def _is_suspected(row: AppRestriction) -> bool:
    return row.refused_at is not None and (row.worked_at is None or row.worked_at < row.refused_at)


_states = db.Snapshot(_load)


def state_of(app: str) -> AppState | None:
    """Return the known state of an app; None if no response ever looked like a restriction."""
    return _states.get().get(app)


def is_restricted(app: str) -> bool:
    state = state_of(app)
    return state is not None and state.restricted_since is not None


def is_easing(app: str) -> bool:
    """Return whether an app sends at half rate because its restriction ended recently."""
    state = state_of(app)
    return state is not None and state.lifted_at is not None and clock.now() < state.lifted_at + EASES_FOR


def _hold(found: Credentials) -> NotSent | None:
    """Return why a call of an app must wait; None if it may proceed, as a probe if the app is restricted.

    One call per interval may proceed, across all processes.
    """
    if not is_restricted(found.app):
        return None
    until = db.write(_claim_probe, found.app)
    if until is not None:
        return _held(found, until)
    with db.read() as session:
        row = session.get(AppRestriction, found.app)
        asks_first = row is not None and row.restricted_since is not None and row.me_refused
    if asks_first:
        if _is_refused(found) is not False:
            return _held(found, _probe_at(found.app))
        _lift(found)
    return None


def guarded(found: Credentials, send: Callable[[], SendResult]) -> SendResult:
    """Send with *send* unless the app is restricted, and record when Meta accepted it."""
    held = _hold(found)
    if held is not None:
        return held
    began = clock.now()
    result = send()
    if isinstance(result, Sent):
        _note_taken(found, began)
    return result


def probe(found: Credentials) -> bool:
    """Ask Meta, if it is time, whether an app is still restricted; return the result."""
    app = found.app
    with db.read() as session:
        row = session.get(AppRestriction, app)
        if row is None or row.restricted_since is None:
            return False
        asks = row.me_refused  # else only sending a message can show it
    if asks and db.write(_claim_probe, app) is None and _is_refused(found) is False:
        _lift(found)
        return False
    return True


def refused(found: Credentials, error: GraphError, message: str) -> NotSent | Rejected:
    """Check whether a response means a restriction, and return the outcome.

    :param message: key of the refused message, the same for every attempt.
    """
    app, verdict = found.app, db.write(_note, found, error.quote, message)
    if verdict is _Verdict.ASK:
        verdict = db.write(_decide, app, message, _is_refused(found), _account_ids(app))
    if verdict is _Verdict.BEGINS:
        log.error("Meta has restricted the app %s: %s", app, error.quote)
        warn(app)
    if verdict in {_Verdict.BEGINS, _Verdict.RESTRICTED}:
        return _held(found, _probe_at(app), error)
    if verdict is _Verdict.OUR_FAULT:
        known = lookup(error.code or 0, error.subcode) or UNLISTED
        return Rejected(problem(known, error))
    return NotSent(problem(classify(error), error), retry_after=AGAIN_SECONDS)


def warn(app: str) -> None:
    """Add the warning to the card of every account of a restricted app. People are notified once,
    elsewhere.
    """
    for account_id in _account_ids(app):
        host_accounts.warn(
            account_id, WARNING, WARNED, next_step=STEP, details={"app": app}, bad=True, notify=False
        )


def settle() -> None:
    """Repair what a crashed process may have left: missing warnings, and obsolete ones."""
    for app, state in _states.get().items():
        if state.restricted_since is not None:
            warn(app)
            continue
        for account_id in _account_ids(app):
            host_accounts.clear_warning(account_id, WARNING)


def too_late(account_id: int) -> list[FailedSend]:
    """Return an account's replies whose window closed while its app was restricted, newest first."""
    failed = deliveries.failed_sends(account_id, since=clock.now() - NOTED_FOR)
    return [one for one in failed if one.code == TOO_LATE and one.cause == RESTRICTED.sentence]


# Meta


def _is_refused(found: Credentials) -> bool | None:
    """Call ``GET /me``; return whether it is refused the same way, or None if Meta cannot be asked."""
    try:
        found.graph().me()
    except GraphError as error:
        return True if classify(error).restriction else None
    return False


def _held(found: Credentials, until: datetime, error: GraphError | None = None) -> NotSent:
    seconds = max((until - clock.now()).total_seconds(), 1.0)
    others = sharing_app(found.account_id)
    return NotSent(problem(RESTRICTED, error), seconds, whole_account=True, other_accounts=others)


# Rows


def _locked(session: Session, app: str) -> AppRestriction | None:
    return session.get(AppRestriction, app, with_for_update=True, populate_existing=True)


def _made(session: Session, app: str) -> AppRestriction:
    row = _locked(session, app)
    if row is not None:
        return row
    try:
        with session.begin_nested():
            session.add(AppRestriction(app=app, refusals=[], words="", me_refused=False, probes=0))
    except sa.exc.IntegrityError:
        log.info("another process noted the app %s first", app)
    return session.scalars(
        sa.select(AppRestriction)
        .where(AppRestriction.app == app)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()


def _claim_probe(session: Session, app: str) -> datetime | None:
    """Claim the next probe; return when it is due if it is not due yet."""
    row, now = _locked(session, app), clock.now()
    if row is None or row.restricted_since is None:
        return None
    if row.probe_at is not None and row.probe_at > now:
        return row.probe_at
    row.probes += 1
    row.probe_at = now + PROBES[min(row.probes, len(PROBES) - 1)]
    return None


def _probe_at(app: str) -> datetime:
    with db.read() as session:
        at = session.scalar(sa.select(AppRestriction.probe_at).where(AppRestriction.app == app))
    return at or clock.now() + PROBES[0]


def _note(session: Session, found: Credentials, words: str, message: str) -> _Verdict:
    row, now = _made(session, found.app), clock.now()
    if row.restricted_since is not None:
        return _Verdict.RESTRICTED
    known = [one for one in row.refusals if _at(one) > now - COUNTS_FOR]
    mine = {"message": message, "account": found.ig_user_id, "at": now.isoformat()}
    row.refusals = [*known, mine][-MOST_REFUSALS:]
    was_suspected = _is_suspected(row)
    row.refused_at, row.words = now, words[:500]
    if not was_suspected:
        host_accounts.changed(session)
    session.flush()
    may_be = len(_accounts(row)) >= ACCOUNTS or len(_counting(row)) >= CALLS
    return _Verdict.ASK if may_be or _is_disproved(row, message) else _Verdict.UNDECIDED


def _decide(
    session: Session, app: str, message: str, me_refused: bool | None, account_ids: Sequence[int]
) -> _Verdict:
    row = _made(session, app)
    if row.restricted_since is not None:
        return _Verdict.RESTRICTED
    if len(_accounts(row)) >= ACCOUNTS or (me_refused and len(_counting(row)) >= CALLS):
        _begin(session, row, me_refused is True, account_ids)
        return _Verdict.BEGINS
    times = sum(one["message"] == message for one in row.refusals)
    if me_refused is False and (times >= CALLS or _is_disproved(row, message)):
        row.refusals = [one for one in row.refusals if one["message"] != message]
        return _Verdict.OUR_FAULT
    return _Verdict.UNDECIDED


def _counting(row: AppRestriction) -> list[dict[str, str]]:
    """Return the refusals that count: of messages first refused after Meta last accepted one of the app."""
    return [one for one in row.refusals if not _is_disproved(row, one["message"])]


def _accounts(row: AppRestriction) -> set[str]:
    return {one["account"] for one in _counting(row)}


def _is_disproved(row: AppRestriction, message: str) -> bool:
    """Return whether Meta accepted another message of the app after refusing this one."""
    worked_at = row.worked_at
    return worked_at is not None and any(
        one["message"] == message and _at(one) <= worked_at for one in row.refusals
    )


def _at(refusal: dict[str, str]) -> datetime:
    return datetime.fromisoformat(refusal["at"])


def _begin(session: Session, row: AppRestriction, me_refused: bool, account_ids: Sequence[int]) -> None:
    row.restricted_since = clock.now()
    row.me_refused, row.probes, row.refusals = me_refused, 0, []
    row.probe_at, row.lifted_at = clock.now() + PROBES[0], None
    host_accounts.changed(session)
    _tell(session, account_ids, WARNED, STEP, {"app": row.app})


def _note_taken(found: Credentials, began: datetime) -> None:
    """Record that Meta accepted a message sent at *began*, so the app is not restricted.

    A message already being sent when Meta began to refuse proves nothing.
    """
    state = state_of(found.app)
    if state is None:
        return
    if state.restricted_since is not None:
        _lift(found, began)
    elif state.suspected:
        db.write(_note_worked, found.app, began)


def _note_worked(session: Session, app: str, began: datetime) -> None:
    row = _locked(session, app)
    at = began - CLOCKS_DIFFER
    if row is None or not _is_suspected(row) or (row.worked_at is not None and row.worked_at >= at):
        return
    row.worked_at = at
    if not _is_suspected(row):
        host_accounts.changed(session)


def _lift(found: Credentials, began: datetime | None = None) -> None:
    """Release every message of an app once Meta has responded to it."""
    app = found.app
    ids = _account_ids(app)
    if not db.write(_end, app, began, ids, sum(len(too_late(account_id)) for account_id in ids)):
        return
    log.warning("Meta answers the app %s again", app)
    for account_id in ids:
        host_accounts.clear_warning(account_id, WARNING)
    host_accounts.end_hold(ids, RESTRICTED.sentence)


def _end(session: Session, app: str, began: datetime | None, account_ids: Sequence[int], late: int) -> bool:
    row = _locked(session, app)
    if row is None or row.restricted_since is None:
        return False
    if began is not None and began < row.restricted_since:
        return False
    row.restricted_since = row.probe_at = None
    row.lifted_at = row.worked_at = clock.now()
    row.refusals = []
    host_accounts.changed(session)
    _tell(session, account_ids, LIFTED, LIFTED_STEP if late else "", {"app": app, "count": str(late)})
    return True


def _tell(
    session: Session, account_ids: Sequence[int], sentence: str, next_step: str, details: dict[str, str]
) -> None:
    """Notify the owners of every workspace of an app, and the admins, once each."""
    host = db.host_table("channel_accounts")
    query = sa.select(host.c.workspace_id).where(host.c.id.in_(account_ids)).distinct()
    workspaces = sorted(session.scalars(query))
    path = f"/w/{workspaces[0]}/settings/channels" if len(workspaces) == 1 else "/"
    host_accounts.tell(
        session,
        TITLE,
        sentence,
        path=path,
        next_step=next_step,
        details=details,
        owners_of=workspaces,
        admins=True,
    )


def _account_ids(app: str) -> Sequence[int]:
    """Return the accounts of an app that are not disconnected, including comments accounts."""
    host = db.host_table("channel_accounts")
    which = InstagramAccount.app_id == app
    if app.startswith(NAMELESS):
        of_account = InstagramAccount.ig_user_id == app.removeprefix(NAMELESS)
        which = sa.and_(InstagramAccount.app_id == "", of_account)
    home = sa.select(InstagramAccount.account_id).where(which)
    query = (
        sa.select(host.c.id)
        .where(sa.or_(host.c.id.in_(home), host.c.beside_id.in_(home)))
        .where(host.c.state != AccountState.DISCONNECTED)
        .order_by(host.c.id)
    )
    with db.read() as session:
        return list(session.scalars(query))
