"""The tokens of accounts: renewed in time, by one process at a time, with notifications of failures.

A provider may issue a new refresh token each time and invalidate the previous one, so no token may be lost:
only one process renews, and the result is stored unless someone has signed in again in the meantime.
"""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.sdk import accounts, clock, db
from host.sdk.channel import AccountRef
from host.sdk.errors import SecretUnreadableError
from host.sdk.i18n import noop
from host.sdk.pages import Job
from host.sdk.secrets import Secret, seal, unseal

from ..models import ACCOUNTS, MailToken, account_ref, token_place
from ..smtp import SignInError
from . import apps, exchange

log = logging.getLogger(__name__)

EVERY = timedelta(minutes=2)
AHEAD = timedelta(minutes=10)
"""Time before expiry at which a token is renewed; for a short-lived one, the last quarter of its lifetime."""
LEAST = timedelta(seconds=45)
"""Remaining lifetime a token needs for signing in."""
HOLD = timedelta(seconds=60)
"""Lease of a renewal; the request takes twenty seconds at most."""
REST = timedelta(minutes=1)
"""Minimum age at which a refused token is renewed: a server that refuses a new one would refuse the next."""
FIRST_DELAY, LONGEST_DELAY = timedelta(seconds=30), timedelta(hours=1)
APP_DELAY = timedelta(hours=1)
TELL_AFTER = 3
"""Number of consecutive failures after which people are notified while the token still works."""
WAIT_SECONDS, LOOK_SECONDS = 5.0, 0.1
"""Timeout and polling interval for a renewal by another process."""

WARNING = "sign-in"
_ENDED = noop("The provider no longer accepts the sign-in. New mail won't arrive until you sign in again.")
_APP = noop("The provider rejected the sign-in app: %(words)s")
_AWAY = noop("The sign-in couldn't be renewed: %(words)s")


@dataclass(frozen=True, slots=True)
class Signed:
    """The result of signing in: a lasting refresh token, and a current access token.

    :param person: the person who signed in to a shared mailbox; empty: the mailbox itself signed in.
    """

    way: str
    client_id: str
    refresh: Secret
    access: Secret
    expires_at: datetime
    person: str = ""

    def packed(self) -> Secret:
        """Return everything as one secret, to be sealed."""
        kept = [self.way, self.client_id, self.refresh.reveal(), self.access.reveal()]
        kept.append(self.expires_at.isoformat())
        return Secret(json.dumps([*kept, self.person] if self.person else kept))

    @classmethod
    def unpacked(cls, packed: Secret) -> Signed:
        """Return the tokens from :meth:`packed`."""
        way, client_id, refresh, access, ends, *person = json.loads(packed.reveal())
        return cls(
            way, client_id, Secret(refresh), Secret(access), datetime.fromisoformat(ends), "".join(person)
        )


@dataclass(frozen=True, slots=True)
class Bearer:
    """Signs in an account connected at a provider; see :class:`..smtp.Bearer`."""

    account: AccountRef

    def token(self) -> Secret:
        return _token(self.account)

    def refused(self, token: Secret) -> None:
        db.write(_note_refused, self.account, token)


@dataclass(frozen=True, slots=True)
class OneToken:
    """Signs in with a token that was just issued, before it is stored."""

    access: Secret

    def token(self) -> Secret:
        return self.access

    def refused(self, token: Secret) -> None:
        """Do nothing: the token is not stored."""


def row_of(account_id: int) -> MailToken | None:
    """Return the tokens of an account, or None if it signs in with a password."""
    with db.read() as session:
        return session.get(MailToken, account_id)


def store(session: Session, account: AccountRef, signed: Signed | None) -> None:
    """Store the tokens in the write that connects the account; None: it has a password."""
    row = session.get(MailToken, account.id)
    if signed is None:
        if row is not None:
            session.delete(row)
        return
    if row is None:
        row = MailToken(account_id=account.id)
        session.add(row)
    now = clock.now()
    row.way, row.client_id = signed.way, signed.client_id
    row.signed_in_at, row.person = now, signed.person or None
    _keep(row, account, signed.access, signed.refresh, signed.expires_at)
    session.flush()


def forget(session: Session, account_id: int) -> None:
    """Delete the tokens of an account."""
    session.execute(sa.delete(MailToken).where(MailToken.account_id == account_id))


def _keep(
    row: MailToken, account: AccountRef, access: Secret, refresh: Secret | None, expires_at: datetime
) -> None:
    row.access_token = seal(access, token_place(account, "access_token"))
    if refresh is not None:
        row.refresh_token = seal(refresh, token_place(account, "refresh_token"))
    now = clock.now()
    row.expires_at, row.renewed_at, row.failures = expires_at, now, 0
    row.renew_at = expires_at - min(AHEAD, (expires_at - now) / 4)
    row.renewing_until = row.try_after = row.problem = row.ended_at = None


# ---- a token to sign in with ---------------------------------------------------------------------------


def _token(account: AccountRef) -> Secret:
    until = clock.monotonic() + WAIT_SECONDS
    while True:
        row = row_of(account.id)
        if row is None:
            raise SignInError("Nobody is signed in.", ended=True)
        if row.ended_at is not None:
            raise SignInError(row.problem or "The sign-in has expired.", ended=True)
        now = clock.now()
        if now < row.renew_at or row.expires_at - now >= LEAST:
            try:
                return unseal(row.access_token, token_place(account, "access_token"))
            except SecretUnreadableError:
                raise SignInError("The stored sign-in cannot be read any more.", ended=True) from None
        if row.try_after is not None and row.try_after > now:
            raise SignInError(row.problem or "The sign-in couldn't be renewed.", ended=False)
        if renew(account):
            continue
        if clock.monotonic() >= until:
            raise SignInError("Another process is renewing the sign-in.", ended=False)
        time.sleep(LOOK_SECONDS)


def _note_refused(session: Session, account: AccountRef, token: Secret) -> None:
    row = session.get(MailToken, account.id, with_for_update=True)
    now = clock.now()
    if row is None or row.expires_at <= now or now - row.renewed_at < REST:
        return
    try:
        same = unseal(row.access_token, token_place(account, "access_token")) == token
    except SecretUnreadableError:
        return
    if same:
        row.expires_at = row.renew_at = now


# ---- renewing ------------------------------------------------------------------------------------------


def renew_all() -> None:
    """Renew all tokens that expire soon."""
    for account in due(clock.now()):
        try:
            renew(account)
        except Exception:
            log.exception("renewing the sign-in of account %s failed", account.id)


def due(now: datetime) -> list[AccountRef]:
    """Return the accounts whose token is due for renewal."""
    host = db.host_table(ACCOUNTS)
    query = (
        sa.select(host)
        .join(MailToken, MailToken.account_id == host.c.id)
        .where(
            host.c.state != accounts.AccountState.DISCONNECTED,
            MailToken.ended_at.is_(None),
            MailToken.renew_at <= now,
            sa.or_(MailToken.try_after.is_(None), MailToken.try_after <= now),
        )
        .order_by(MailToken.expires_at, MailToken.account_id)
    )
    with db.read() as session:
        return [account_ref(row) for row in session.execute(query)]


def renew(account: AccountRef) -> bool:
    """Renew the token of one account; return whether this process attempted it."""
    if not db.write(_claim, account.id):
        return False
    row = row_of(account.id)
    if row is None:
        return False
    try:
        used = unseal(row.refresh_token, token_place(account, "refresh_token"))
        app = apps.app_of(account.workspace_id, row.way)
    except SecretUnreadableError as error:
        log.error("the sign-in of account %s cannot be read: %s", account.id, error)
        _failed(account, row, "a stored secret cannot be read", _APP, delay=APP_DELAY)
        return True
    if app is None or app.client_id != row.client_id:
        words = "there is no app any more" if app is None else "another app was entered"
        _ended(account, row.refresh_token, words)
        return True
    try:
        got = exchange.by_refresh(app, used)
    except exchange.EndedError as error:
        _ended(account, row.refresh_token, str(error))
    except exchange.AppRefusedError as error:
        _failed(account, row, str(error), _APP, delay=APP_DELAY)
    except exchange.AwayError as error:
        _failed(account, row, str(error), _AWAY)
    else:
        if db.write(_store_renewed, account, used, got):
            accounts.clear_warning(account.id, WARNING)
    return True


def _claim(session: Session, account_id: int) -> bool:
    """Claim the renewal of a token; False if another process has claimed it, or it is not due."""
    now = clock.now()
    moved = session.execute(
        sa.update(MailToken)
        .where(
            MailToken.account_id == account_id,
            MailToken.ended_at.is_(None),
            MailToken.renew_at <= now,
            sa.or_(MailToken.renewing_until.is_(None), MailToken.renewing_until <= now),
            sa.or_(MailToken.try_after.is_(None), MailToken.try_after <= now),
        )
        .values(renewing_until=now + HOLD)
        .execution_options(synchronize_session=False)
    )
    return bool(moved.rowcount)  # type: ignore[attr-defined]


def _store_renewed(session: Session, account: AccountRef, used: Secret, got: exchange.Tokens) -> bool:
    row = session.get(MailToken, account.id, with_for_update=True)
    # If someone signed in again in the meantime, keep the newer token. Mere re-encryption doesn't count.
    if row is None or unseal(row.refresh_token, token_place(account, "refresh_token")) != used:
        return False
    _keep(row, account, got.access, got.refresh, got.expires_at)
    return True


def _failed(
    account: AccountRef, row: MailToken, words: str, sentence: str, *, delay: timedelta | None = None
) -> None:
    """Record that renewal failed.

    People are notified immediately if only they can help, else if it persists.
    """
    log.warning("the sign-in of account %s could not be renewed: %s", account.id, words)
    now = clock.now()
    wait = min(FIRST_DELAY * 2 ** min(row.failures, 10), LONGEST_DELAY) if delay is None else delay

    def use_case(session: Session) -> None:
        found = session.get(MailToken, account.id, with_for_update=True)
        if found is None or found.renewing_until is None:
            return  # someone has signed in again in the meantime
        found.failures += 1
        found.problem, found.try_after, found.renewing_until = words[:500], now + wait, None

    db.write(use_case)
    over = row.expires_at <= now
    if delay is None and not over and row.failures + 1 < TELL_AFTER:
        return
    step = noop("Lobby retries automatically within the hour. Mail is still sent and received.")
    if over:
        step = noop("Lobby retries automatically. Until it succeeds, no mail arrives and replies wait.")
    if delay is not None:
        step = noop("Enter the app’s ID and secret again under Settings, Channels, Sign-in apps.")
    accounts.warn(
        account.id,
        WARNING,
        sentence,
        next_step=step,
        details={"words": words},
        stage="over" if over else "",
        bad=over,
    )


def _ended(account: AccountRef, used: str, words: str) -> None:
    """Record that a new sign-in is needed, and notify people immediately."""
    log.warning("the sign-in of account %s has ended: %s", account.id, words)

    def use_case(session: Session) -> bool:
        row = session.get(MailToken, account.id, with_for_update=True)
        if row is None or row.refresh_token != used:
            return False
        row.ended_at, row.problem, row.renewing_until = clock.now(), words[:500], None
        return True

    if not db.write(use_case):
        return
    accounts.clear_warning(account.id, WARNING)
    accounts.mark_needs_reconnect(account.id, _ENDED)


JOB = Job("mail-sign-in", EVERY, renew_all)
