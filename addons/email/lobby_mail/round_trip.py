"""Test mails that accounts send to themselves: whether and when they arrive, and authentication results.

Its marker is recognised before it is logged, so it creates no event or message and is not counted. Even if it
were logged, its headers mark it as ours, and such mail is ignored.
"""

from __future__ import annotations

import json
import logging
import secrets
import smtplib
import threading
from collections.abc import Mapping, Sequence
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.sdk import accounts, clock, db
from host.sdk.cards import Finding, Verdict
from host.sdk.channel import AccountRef
from host.sdk.errors import FetchError, SecretUnreadableError
from host.sdk.i18n import format_datetime
from host.sdk.i18n import gettext as _
from host.sdk.pages import Job

from . import composing, refusals, servers, signing, smtp
from .mail import trips
from .models import ACCOUNTS, EmailAccount, Mailbox, RoundTrip, Trip, account_ref
from .receiving import listen_address

log = logging.getLogger(__name__)

EVERY = timedelta(minutes=1)
"""The first attempt is immediate; the job continues for crashed processes and gives up lost mail."""
WAITS = timedelta(seconds=60)
ACTION = "round-trip"
# Always in English, because no person is meant to read it.
SUBJECT = "A mail to itself"
TEXT = "This desk sent it to see whether mail goes out and comes back. It can be deleted."
_UNDER_WAY = (Trip.ASKED, Trip.SENDING, Trip.SENT)


# ---- sending -------------------------------------------------------------------------------------------


def ask(account: AccountRef) -> str:
    """Request a test mail of an account to itself, sent in the background; return a sentence.

    :raises ValueError: with a sentence, if another is under way.
    """
    if not db.write(_note_asked, account.id):
        raise ValueError(_("A test email is already on its way. Check again in a minute."))
    begin()
    return str(_("Test email sent. Check the account again in a moment, or choose Diagnose."))


def begin() -> None:
    """Send requested test mails in a separate thread, because servers may be slow."""
    threading.Thread(target=_tend_now, name="round-trip", daemon=True).start()


def _tend_now() -> None:
    try:
        tend()
    except Exception:
        log.warning("a mail to itself could not be sent; the job tries again", exc_info=True)


def _note_asked(session: Session, account_id: int) -> bool:
    row = session.get(RoundTrip, account_id, with_for_update=True)
    now = clock.now()
    if row is not None and row.state in _UNDER_WAY and now - row.asked_at < 2 * WAITS:
        return False
    if row is None:
        row = RoundTrip(account_id=account_id)
        session.add(row)
    row.marker, row.state, row.asked_at = trips.marker(account_id, secrets.token_hex(8)), Trip.ASKED, now
    row.sent_at = row.arrived_at = row.found = row.problem = None
    return True


def tend() -> None:
    """Send requested test mails, and give up those that didn't arrive in time."""
    with db.read() as session:
        busy = list(session.scalars(sa.select(RoundTrip).where(RoundTrip.state.in_(_UNDER_WAY))))
    for row in busy:
        if row.state == Trip.ASKED:
            if _moved(row, Trip.SENDING, sent_at=clock.now()):
                _send(row)
        elif row.sent_at is not None and clock.now() - row.sent_at > WAITS:
            problem = (
                "" if row.state == Trip.SENT else "the server did not confirm whether it accepted the email"
            )
            _moved(row, Trip.LOST, problem=problem)


def try_now(account_id: int) -> Exception | None:
    """Send a test mail and wait for the server; return what prevented it, None if the server accepted it."""
    asked, row = db.write(_note_asked, account_id), row_of(account_id)
    if not asked and row is not None and row.state == Trip.SENT:
        return None  # a moment ago
    if not asked or row is None or not _moved(row, Trip.SENDING, sent_at=clock.now()):
        return BusyError()
    return _send(row)


class BusyError(Exception):
    """A test mail is already on its way."""


def _moved(row: RoundTrip, state: Trip, **values: object) -> bool:
    """Change a trip's state unless it has changed since; return whether it did."""
    statement = (
        sa.update(RoundTrip)
        .where(
            RoundTrip.account_id == row.account_id,
            RoundTrip.marker == row.marker,
            RoundTrip.state == row.state,
        )
        .values(state=state, **values)
        .execution_options(synchronize_session=False)
    )
    moved = bool(db.write(lambda session: _changed(session, statement)))
    if moved:
        row.state = state
    return moved


def _changed(session: Session, statement: sa.Update) -> int:
    count = int(session.execute(statement).rowcount)  # type: ignore[attr-defined]
    if count:
        accounts.changed(session)
    return count


def _send(row: RoundTrip) -> Exception | None:
    """Send a test mail; return what prevented it. An account that was not allowed to send may from now on."""
    with db.read() as session:
        account = _account(session, row.account_id)
        settings = session.get(EmailAccount, row.account_id)
        receives = session.get(Mailbox, row.account_id) is not None or listen_address() is not None
    if account is None or settings is None:
        _moved(row, Trip.FAILED, problem="the account has no mail server")
        return SecretUnreadableError("the account has no mail server")
    address = settings.address
    mail = composing.compose(
        composing.Reply(
            sender_name=account.name,
            sender=address,
            recipient=address,
            subject=None,
            own_subject=SUBJECT,
            text=TEXT,
            message_id=composing.message_id(row.marker.partition("-")[0] * 2, address),
            references=(),
            date=clock.now(),
            automatic=True,
        )
    )
    mail = signing.signed(account, f"{trips.HEADER}: {row.marker}\r\n".encode() + mail)
    try:
        smtp.deliver(servers.to_send(account, settings), address, address, mail)
    except smtp.UnconfirmedError as error:
        return error  # it may have been accepted, and would then arrive
    except (smtp.RefusedError, SecretUnreadableError, OSError, smtplib.SMTPException, FetchError) as error:
        words = str(error) if isinstance(error, smtp.RefusedError | FetchError) else type(error).__name__
        _moved(row, Trip.FAILED, problem=words[:500])
        return error
    if receives:
        _moved(row, Trip.SENT)
    else:
        db.write(_forget, row)
    accounts.mark_connected(account.id, refusals.REASONS)
    return None


def _forget(session: Session, row: RoundTrip) -> None:
    """Delete a test mail that can't come back."""
    session.execute(
        sa.delete(RoundTrip).where(RoundTrip.account_id == row.account_id, RoundTrip.marker == row.marker)
    )
    accounts.changed(session)


def _account(session: Session, account_id: int) -> AccountRef | None:
    table = db.host_table(ACCOUNTS)
    query = sa.select(table).where(table.c.id == account_id, table.c.state != "disconnected")
    row = session.execute(query).one_or_none()
    if row is None:
        return None
    return account_ref(row)


JOB = Job("mail-round-trip", EVERY, tend)


# ---- display -------------------------------------------------------------------------------------------


def row_of(account_id: int) -> RoundTrip | None:
    """Return the last test mail of an account, or None."""
    with db.read() as session:
        return session.get(RoundTrip, account_id)


def found_in(row: RoundTrip | None) -> Mapping[str, str]:
    """Return the results found on the returned mail."""
    return {} if row is None or row.found is None else json.loads(row.found)


def _state(row: RoundTrip) -> Trip:
    """Return its state, which is lost after the timeout even before the job has noticed."""
    late = row.sent_at is not None and clock.now() - row.sent_at > WAITS
    return Trip.LOST if late and row.state in _UNDER_WAY else Trip(row.state)


def _told(row: RoundTrip) -> str:
    state = _state(row)
    if state is Trip.ARRIVED and row.arrived_at is not None and row.sent_at is not None:
        seconds = max(0.0, (row.arrived_at - row.sent_at).total_seconds())
        found = found_in(row)
        way = "IMAP" if found.get("way") == "imap" else "SMTP"
        sentence = _(
            "It came back after %(seconds)s seconds, through %(way)s.", seconds=f"{seconds:.1f}", way=way
        )
        verdicts = [f"{one.upper()} {found[one]}" for one in ("spf", "dkim", "dmarc") if found.get(one)]
        if verdicts:
            said = _(
                "%(server)s reports: %(verdicts)s.", server=found["server"], verdicts=", ".join(verdicts)
            )
        else:
            said = _("No server added its check of the sender to the email.")
        return f"{sentence} {said}"
    if state is Trip.FAILED:
        return str(_("The mail server rejected it: %(words)s", words=row.problem or ""))
    if state is Trip.LOST and row.sent_at is not None:
        at = format_datetime(row.sent_at)
        if row.problem or row.state == Trip.SENDING:
            return str(_("It was sent at %(at)s. The mail server didn't confirm that it accepted it.", at=at))
        return str(
            _(
                "The mail server accepted it at %(at)s, but it hadn't come back after %(seconds)s seconds.",
                at=at,
                seconds=int(WAITS.total_seconds()),
            )
        )
    return str(_("It is on its way."))


def facts(row: RoundTrip | None) -> Sequence[tuple[str, str]]:
    """Return the facts about it for the card."""
    if row is None:
        return ()
    return [(_("Test email, %(at)s", at=format_datetime(row.asked_at)), _told(row))]


def finding(account: AccountRef) -> Finding:
    """Return the finding about it for Diagnose."""
    title, row = _("A test email comes back"), row_of(account.id)
    if row is None:
        return Finding(
            ACTION, title, Verdict.UNKNOWN, _("No test email sent yet."), _("Send a test email."), ACTION
        )
    evidence = _told(row)
    state = _state(row)
    if state is Trip.ARRIVED:
        bad = [one for one in ("spf", "dkim", "dmarc") if found_in(row).get(one) == "fail"]
        fix = _("See the results for these below.") if bad else ""
        verdict = Verdict.WARN if bad else Verdict.PASS
        return Finding(ACTION, title, verdict, evidence, fix, ACTION if bad else "", seen_at=row.arrived_at)
    if state in _UNDER_WAY:
        return Finding(ACTION, title, Verdict.UNKNOWN, evidence, _("Choose Diagnose again in a minute."))
    fix = _(
        "Look for it in the mailbox, in spam or in a folder a rule may have moved it to. Then send another."
    )
    if state is Trip.FAILED:
        fix = _("Read the server's response, fix the problem, then send another.")
    return Finding(ACTION, title, Verdict.FAIL, evidence, fix, ACTION, seen_at=row.asked_at)
