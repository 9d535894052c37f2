"""Renew the tokens of Instagram Login long before they expire.

A token lasts 60 days and may be renewed when it is a day old; one not renewed in time cannot be renewed any
more (docs/instagram-platform/instagram-api-with-instagram-login). Page tokens do not expire.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.sdk import clock, db
from host.sdk.accounts import AccountState, clear_warning, warn
from host.sdk.errors import SecretUnreadableError
from host.sdk.i18n import noop
from host.sdk.pages import Job
from host.sdk.secrets import Secret, seal, unseal

from .. import config
from ..accounts import Credentials, credentials, find, place, shown_id, stop
from ..answers import Bought
from ..config import Flavour
from ..connect.checks import is_dead
from ..errors import Outcome, classify
from ..graph import GraphError
from ..models import InstagramAccount

log = logging.getLogger(__name__)

EVERY = timedelta(minutes=15)
RENEW_AFTER = timedelta(days=7)
TRY_AGAIN_AFTER = timedelta(hours=1)
ENDS = "token-ends"
"""The warning about a token: raised if renewal fails, and by the inspection when it is about to expire."""
FAILED = "failed"
SOON = timedelta(days=14)
"""How long before its expiry the inspection reports a token."""


def renew() -> None:
    """Renew every token that is older than a week; retry a failed one after an hour."""
    for account_id in due(clock.now()):
        try:
            found = credentials(account_id)
            if found is not None:
                renew_one(found)
        except SecretUnreadableError as error:
            log.error("the credentials of account %s cannot be read: %s", account_id, error)
            _failed(account_id, "The stored token cannot be read.")
        except Exception:
            log.exception("renewing the token of account %s failed", account_id)


def due(now: datetime) -> list[int]:
    """Return the accounts whose token is due for renewal."""
    host = db.host_table("channel_accounts")
    table = InstagramAccount.__table__
    query = (
        sa.select(table.c.account_id)
        .where(
            table.c.flavour == Flavour.LOGIN,
            # Messages or comments are connected.
            sa.exists().where(
                sa.or_(
                    host.c.id == table.c.account_id,
                    sa.and_(
                        host.c.beside_id == table.c.account_id, host.c.channel == config.COMMENTS_CHANNEL
                    ),
                ),
                host.c.state == AccountState.CONNECTED,
            ),
            table.c.token_set_at <= now - RENEW_AFTER,
            sa.or_(table.c.renewal_failed_at.is_(None), table.c.renewal_failed_at <= now - TRY_AGAIN_AFTER),
        )
        .order_by(table.c.token_expires_at, table.c.account_id)
    )
    with db.read() as session:
        return list(session.scalars(query))


def renew_one(found: Credentials) -> None:
    """Renew the token of one account, and store it unless another was stored in the meantime."""
    url = f"{config.address('graph_instagram_url')}/refresh_access_token"
    query = {"grant_type": "ig_refresh_token", "access_token": found.token.reveal()}
    try:
        bought = found.graph().exchange(url, Bought, params=query)
    except GraphError as error:
        log.warning("the token of account %s could not be renewed: %s", found.account_id, error.quote)
        _failed(found.account_id, error.quote)
        known = classify(error)
        if known.outcome is Outcome.RECONNECT and is_dead(found):
            stop(found.account_id, known.sentence)
        return
    db.write(_store, found, Secret(bought.access_token), bought.expires_in)
    clear_warning(shown_id(found.account_id), ENDS)


def _store(session: Session, found: Credentials, token: Secret, expires_in: float) -> None:
    row = find(session, found.account_id)
    # If someone signed in again in the meantime, keep the newer token. Mere re-encryption doesn't count.
    if row is None or unseal(row.token, place(row, "token")) != found.token:
        return
    now = clock.now()
    row.token = seal(token, place(row, "token"))
    row.token_set_at = now
    row.token_expires_at = now + timedelta(seconds=expires_in) if expires_in > 0 else None
    row.renewal_failed_at, row.renewal_error = None, None


def _failed(account_id: int, words: str) -> None:
    """Record that renewal failed, and notify people immediately."""
    db.write(_note_failure, account_id, words)
    with db.read() as session:
        row = find(session, account_id)
    if row is not None:
        tell_failed(row)


def tell_failed(row: InstagramAccount) -> None:
    """Warn that a token was not renewed, unless people were already warned of its expiry."""
    end = row.token_expires_at
    if not row.renewal_error or (end is not None and end - clock.now() <= SOON):
        return
    step = noop(
        "Lobby retries every hour, and messages are still sent and received. If this keeps happening, "
        "reconnect the account."
    )
    if end is not None:
        step = noop(
            "Lobby retries every hour, and messages are still sent and received until %(date)s. If this "
            "keeps happening, reconnect the account before then."
        )
    warn(
        shown_id(row.account_id),
        ENDS,
        noop("Sign-in renewal failed: %(why)s"),
        next_step=step,
        details={
            "why": row.renewal_error.rstrip(".") + ".",
            "date": "" if end is None else end,
        },
        stage=FAILED,
    )


def _note_failure(session: Session, account_id: int, words: str) -> None:
    row = find(session, account_id)
    if row is not None:
        row.renewal_failed_at, row.renewal_error = clock.now(), words[:500]


JOB = Job("renewal", EVERY, renew)
