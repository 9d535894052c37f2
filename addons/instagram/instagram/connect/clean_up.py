"""Clean up after an account was disconnected, on our side or through Meta.

Meta's page: docs/development/create-an-app/app-dashboard/data-deletion-callback.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import logging
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from flask import Blueprint, abort, jsonify, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from host.sdk import clock, db
from host.sdk.accounts import AccountState
from host.sdk.errors import SecretUnreadableError
from host.sdk.i18n import format_date, noop
from host.sdk.i18n import gettext as _
from host.sdk.pages import Job
from host.sdk.secrets import Secret, seal
from host.sdk.web import external_url
from host.sdk.webhooks import MAX_BODY

from ..accounts import book, credentials, find, live_ids, place, stop
from ..config import CHANNEL, COMMENTS_CHANNEL, SLUG
from ..graph import GraphError
from ..models import Deletion, InstagramAccount
from ..values import identifier, loads, mapping, text
from .connecting import LEAVE_AGAIN, drop_token, leave

log = logging.getLogger(__name__)

EVERY = timedelta(minutes=15)
GIVE_UP_AFTER = timedelta(days=7)
SECRET_KEPT = timedelta(days=30)
REMOVED = noop("The person who signed in removed Lobby's access at Meta.")

bp = Blueprint(f"{SLUG}_leaving", __name__)


# Scheduled cleanup


def tidy() -> None:
    """Send Meta the postponed notifications, and delete app secrets that no longer sign anything."""
    for account_id, gone_at in _to_tell(clock.now()):
        try:
            found = credentials(account_id)
            if found is not None:
                leave(found)
        except (GraphError, SecretUnreadableError) as error:
            log.warning("Meta could not be told that account %s left: %s", account_id, error)
            db.write(_put_off, account_id, gone_at)
        except Exception:
            log.exception("leaving account %s failed", account_id)
    db.write(_forget)


def _to_tell(now: datetime) -> list[tuple[int, datetime]]:
    """Return the accounts that Meta has yet to be notified of, and when their messages or comments ended."""
    host, table = db.host_table("channel_accounts"), InstagramAccount.__table__
    query = (
        sa.select(table.c.account_id, sa.func.max(host.c.disconnected_at).label("gone_at"))
        .join(host, _of_credentials(host, table))
        .where(table.c.leave_due_at <= now, host.c.state == AccountState.DISCONNECTED)
        .group_by(table.c.account_id, table.c.leave_due_at)
        .order_by(table.c.leave_due_at)
    )
    with db.read() as session:
        return [(row.account_id, row.gone_at) for row in session.execute(query)]


def _of_credentials(host: Any, table: Any) -> sa.ColumnElement[bool]:
    """Return the condition for accounts that use a row's credentials."""
    beside = sa.and_(host.c.beside_id == table.c.account_id, host.c.channel == COMMENTS_CHANNEL)
    found: sa.ColumnElement[bool] = sa.or_(host.c.id == table.c.account_id, beside)
    return found


def _put_off(session: Session, account_id: int, gone_at: datetime) -> None:
    row = find(session, account_id)
    if row is None:
        return
    if clock.now() - gone_at > GIVE_UP_AFTER:
        drop_token(session, account_id)
        row.leave_due_at = None
    else:
        row.leave_due_at = clock.now() + LEAVE_AGAIN


def _forget(session: Session) -> None:
    """Delete the rows of disconnected accounts, 30 days after Meta's last delivery for them.

    Until then their deliveries must verify: answering 401 would make Meta switch off the webhooks of all
    other accounts of the app.
    """
    host, events = db.host_table("channel_accounts"), db.host_table("inbound_events")
    table = InstagramAccount.__table__
    before = clock.now() - SECRET_KEPT
    late = sa.exists().where(
        events.c.channel == CHANNEL,
        events.c.account_key == sa.cast(table.c.account_id, sa.String(20)),
        events.c.received_at > before,
    )
    used = sa.exists().where(
        _of_credentials(host, table),
        sa.or_(host.c.state != AccountState.DISCONNECTED, host.c.disconnected_at > before),
    )
    query = sa.select(table.c.account_id).where(table.c.leave_due_at.is_(None), ~used, ~late).limit(100)
    gone = list(session.scalars(query))
    if gone:
        session.execute(sa.delete(InstagramAccount).where(InstagramAccount.account_id.in_(gone)))
        book.forget()


JOB = Job("leaving", EVERY, tidy)


# Meta's callbacks


def read_signed(signed: str, app_secrets: Iterable[bytes]) -> tuple[dict[str, Any], bytes] | None:
    """Return the content of a ``signed_request`` and which of *app_secrets* signed it; None if none did.

    All secrets are compared, none skipped.
    """
    given, dot, payload = signed.partition(".")
    try:
        signature = _decoded(given)
        matched = b""
        for secret in app_secrets:
            digest = hmac.digest(secret, payload.encode("ascii"), hashlib.sha256)
            if hmac.compare_digest(digest, signature):
                matched = secret
        said = dict(mapping(loads(_decoded(payload)))) if matched and dot else {}
    except (ValueError, binascii.Error):
        return None
    return (said, matched) if text(said.get("algorithm")).upper() == "HMAC-SHA256" else None


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part.encode("ascii") + b"=" * (-len(part) % 4))


def _person() -> tuple[str, frozenset[int]]:
    """Return the person of a callback, and the accounts connected through the app that signed it.

    A person's id differs per app, and an app's owner could sign any id, so a callback only covers accounts of
    its own app. Aborts with 400 if no app of this desk signed it.
    """
    if (request.content_length or 0) > MAX_BODY // 16:
        abort(413)
    known = book.get()
    found = read_signed(request.form.get("signed_request", ""), known.secrets)
    said, secret = found or ({}, b"")
    person = identifier(said.get("user_id"))
    if not person:
        abort(400)
    bounds = (bound for named in known.by_account.values() for bound in named)
    return person, frozenset(bound.account_id for bound in bounds if secret in bound.secrets)


@bp.post("/deauthorize")
def deauthorize() -> ResponseReturnValue:
    """Record that a person revoked access, so the accounts they connected need a new sign-in."""
    for account_id in _connected_by(*_person()):
        stop(account_id, REMOVED)
    return jsonify(ok=True)


@bp.post("/deletion")
def delete() -> ResponseReturnValue:
    """Delete the tokens of a person who signed in, and return the address of the status page."""
    (person, through), code = _person(), secrets.token_hex(12)
    accounts = _connected_by(person, through)
    for account_id in accounts:
        stop(account_id, REMOVED)
    db.write(_erase, person, through, code, len(accounts))
    return jsonify(url=external_url(f"{bp.name}.status", code=code), confirmation_code=code)


@bp.get("/deletion")
def status() -> ResponseReturnValue:
    """Show the status of a deletion request to anyone who has its code."""
    with db.read() as session:
        found = session.get(Deletion, request.args.get("code", "")[:64])
    if found is None:
        return _("No request with this code was found."), 404, {"Content-Type": "text/plain; charset=utf-8"}
    words = _(
        "Your request %(code)s of %(date)s is complete. The access you gave this desk was deleted. Your "
        "customers' messages belong to the workspace you connected, and its owner can delete them.",
        code=found.code,
        date=format_date(found.asked_at),
    )
    return words, 200, {"Content-Type": "text/plain; charset=utf-8"}


def _connected_by(person: str, through: frozenset[int]) -> list[int]:
    table = InstagramAccount.__table__
    query = sa.select(table.c.account_id).where(table.c.person_id == person, table.c.account_id.in_(through))
    with db.read() as session:
        return [one for one in session.scalars(query) if live_ids(session, one)]


def _erase(session: Session, person: str, through: frozenset[int], code: str, accounts: int) -> None:
    mine = InstagramAccount.person_id == person, InstagramAccount.account_id.in_(through)
    rows = session.scalars(sa.select(InstagramAccount).where(*mine))
    for row in rows:
        row.token = seal(Secret(""), place(row, "token"))
        row.person_id = row.token_expires_at = None
    session.add(Deletion(code=code, accounts=accounts, asked_at=clock.now()))
