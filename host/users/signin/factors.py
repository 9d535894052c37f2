"""The second factor: an app that shows codes (TOTP), passkeys, and recovery codes in case both are lost.

People with an app or a passkey have a second factor, and ``users.second_factor_at`` is set: from then on a
session is only valid if the second factor was used in it (:mod:`host.users.sessions`).
"""

from __future__ import annotations

import hashlib
import re
import secrets as random
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
import pyotp
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from host.core import clock, secrets
from host.core.errors import ConflictError, NotFoundError
from host.core.secrets import Place, Secret
from host.models.signing_in import AuthenticatorApp, Passkey, ProviderIdentity, RecoveryCode, SignInStep
from host.models.users import LoginSession, User
from host.users import sessions
from host.users.actor import DeskWork
from host.users.signin import settings
from host.users.signin.passkeys import NewKey, UsedKey

SECONDS = 30
LEEWAY = 1
"""Number of codes accepted before and after the current one: clocks differ, and people type slowly."""
SETTING_UP = timedelta(hours=1)
"""Lifetime of a secret that was shown but not confirmed with a first code."""
CODES = 10
MOST_KEYS = 20
MAX_NAME = 60
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
_CODE = re.compile(r"[a-z2-9]{16}")


class Key(msgspec.Struct, frozen=True):
    """A passkey, as its owner sees it."""

    id: int
    name: str
    created_at: datetime
    used_at: datetime | None


class Factors(msgspec.Struct, frozen=True):
    """A person's second factors.

    :param app: when their app was set up, *app_used*: when it was used last.
    :param codes_left: number of unused recovery codes.
    """

    app: datetime | None
    app_used: datetime | None
    keys: Sequence[Key]
    codes_left: int

    @property
    def any(self) -> bool:
        """Whether they have a second factor."""
        return self.app is not None or bool(self.keys)


def of(session: Session, user_id: int) -> Factors:
    """Return a person's second factors. Three queries."""
    app = session.scalar(
        sa.select(AuthenticatorApp).where(
            AuthenticatorApp.user_id == user_id, AuthenticatorApp.confirmed_at.is_not(None)
        )
    )
    keys = session.scalars(sa.select(Passkey).where(Passkey.user_id == user_id).order_by(Passkey.id))
    left = sa.select(sa.func.count()).where(RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_(None))
    return Factors(
        app=None if app is None else app.confirmed_at,
        app_used=None if app is None else app.used_at,
        keys=[Key(row.id, row.name, row.created_at, row.used_at) for row in keys],
        codes_left=session.scalar(left) or 0,
    )


class Kinds(msgspec.Struct, frozen=True):
    """The kinds of second factor a person has."""

    app: bool
    keys: int


def kinds(session: Session, user_ids: Sequence[int]) -> dict[int, Kinds]:
    """Return the kinds of second factor of these people, without people who have none. Two queries."""
    apps = set(
        session.scalars(
            sa.select(AuthenticatorApp.user_id).where(
                AuthenticatorApp.user_id.in_(user_ids), AuthenticatorApp.confirmed_at.is_not(None)
            )
        )
    )
    count = sa.select(Passkey.user_id, sa.func.count()).where(Passkey.user_id.in_(user_ids))
    keys: dict[int, int] = dict(session.execute(count.group_by(Passkey.user_id)).all())
    return {one: Kinds(one in apps, keys.get(one, 0)) for one in apps | set(keys)}


# The app


def begin_app(session: Session, user_id: int) -> Secret:
    """Return the secret for a person's app, which is the same in every tab until the first code is entered.

    :raises ConflictError: if they already have an app.
    """
    _lock(session, user_id)
    row = session.scalar(sa.select(AuthenticatorApp).where(AuthenticatorApp.user_id == user_id))
    now = clock.now()
    if row is not None and row.confirmed_at is not None:
        raise ConflictError(
            _l("You already have an authenticator app."), next_step=_l("Remove it first to set up another.")
        )
    if row is not None and now - row.created_at < SETTING_UP:
        return secrets.keyring().open(row.secret, _place(row.uuid))
    if row is not None:
        session.delete(row)
        session.flush()
    secret = Secret(pyotp.random_base32())
    name = str(uuid.uuid4())
    session.add(
        AuthenticatorApp(
            uuid=name,
            user_id=user_id,
            secret=secrets.keyring().seal(secret, _place(name)),
            created_at=now,
            last_step=0,
        )
    )
    session.flush()
    return secret


def address_of(secret: Secret, email: str, desk: str) -> str:
    """Return the ``otpauth:`` address an app reads from a QR code."""
    return pyotp.TOTP(secret.reveal()).provisioning_uri(name=email, issuer_name=desk)


def finish_app(work: DeskWork, code: str, session_id: int) -> Sequence[str] | None:
    """Set up the app with its current *code*; return new recovery codes if there were none, None if it is
    wrong.

    :raises NotFoundError: if no app is being set up.
    """
    user = _lock(work.session, work.person_id)
    row = work.session.scalar(
        sa.select(AuthenticatorApp).where(
            AuthenticatorApp.user_id == user.id, AuthenticatorApp.confirmed_at.is_(None)
        )
    )
    if row is None or clock.now() - row.created_at >= SETTING_UP:
        raise NotFoundError(
            _l("The setup of this app has expired."),
            next_step=_l("Start again on your account page."),
        )
    step = _step_of(secrets.keyring().open(row.secret, _place(row.uuid)), code)
    if step is None:
        return None
    row.confirmed_at, row.last_step = clock.now(), step
    work.session.flush()
    codes = _gained(work.session, user.id, session_id)
    work.audit("second_factor.app_added", user.email)
    return codes


def use_app(session: Session, user_id: int, code: str) -> bool:
    """Use *code* if the person's app shows it around now; that code and earlier ones are then invalid."""
    row = session.scalar(
        sa.select(AuthenticatorApp).where(
            AuthenticatorApp.user_id == user_id, AuthenticatorApp.confirmed_at.is_not(None)
        )
    )
    if row is None:
        return False
    step = _step_of(secrets.keyring().open(row.secret, _place(row.uuid)), code)
    if step is None:
        return False
    # Of two concurrent requests with the same code, one finds the step already used.
    used = session.execute(
        sa.update(AuthenticatorApp)
        .where(AuthenticatorApp.id == row.id, AuthenticatorApp.last_step < step)
        .values(last_step=step, used_at=clock.now())
        .execution_options(synchronize_session=False)
    )
    return bool(used.rowcount)  # type: ignore[attr-defined]


def remove_app(work: DeskWork) -> None:
    """Remove a person's app.

    :raises NotFoundError: if they have none.
    :raises ConflictError: if it is their last factor, and they must have one.
    """
    user = _lock(work.session, work.person_id)
    gone = work.session.execute(
        sa.delete(AuthenticatorApp).where(
            AuthenticatorApp.user_id == user.id, AuthenticatorApp.confirmed_at.is_not(None)
        )
    )
    if not gone.rowcount:  # type: ignore[attr-defined]
        raise NotFoundError(_l("You don't have an authenticator app."), next_step="")
    _lost(work.session, user.id)
    work.audit("second_factor.app_removed", user.email)


def _step_of(secret: Secret, code: str) -> int | None:
    """Return the thirty-second step of *code* among those currently accepted; the latest, if several."""
    digits = "".join(code.split())
    if not digits.isascii() or not digits.isdigit() or len(digits) != 6:
        return None
    now = int(clock.now().timestamp()) // SECONDS
    totp = pyotp.TOTP(secret.reveal())
    found = None
    for step in range(now - LEEWAY, now + LEEWAY + 1):  # all of them, even after a match
        if random.compare_digest(totp.at(step * SECONDS), digits):
            found = step
    return found


def _place(name: str) -> Place:
    return Place("authenticator_apps", "secret", 0, name)


# Passkeys


def add_key(work: DeskWork, key: NewKey, name: str, session_id: int) -> Sequence[str]:
    """Add a passkey; return new recovery codes if there were none.

    :raises ConflictError: if the key is registered already, or they have too many.
    """
    user = _lock(work.session, work.person_id)
    count = work.session.scalar(sa.select(sa.func.count()).where(Passkey.user_id == user.id)) or 0
    name = clean_key_name(name)
    if count >= MOST_KEYS:
        raise ConflictError(
            _l("You have reached the limit of 20 passkeys."), next_step=_l("Remove one you no longer use.")
        )
    work.session.add(
        Passkey(
            user_id=user.id,
            credential_hash=_hash(key.credential_id),
            credential_id=key.credential_id,
            public_key=key.public_key,
            sign_count=key.sign_count,
            transports=list(key.transports),
            name=name,
            created_at=work.now,
        )
    )
    try:
        work.session.flush()
    except IntegrityError as error:
        raise ConflictError(_l("This passkey has already been added."), next_step="") from error
    codes = _gained(work.session, user.id, session_id)
    work.audit("second_factor.passkey_added", user.email, details={"name": name})
    return codes


def clean_key_name(name: str) -> str:
    """Return *name* on one line, cut to the maximum length; a default name if it is empty."""
    text = "".join(letter if letter.isprintable() else " " for letter in name)
    return " ".join(text.split())[:MAX_NAME].strip() or str(_l("Passkey"))


def rename_key(session: Session, user_id: int, key_id: int, name: str) -> None:
    """Rename a passkey of a person.

    :raises NotFoundError: if it is not theirs.
    """
    _key(session, user_id, key_id).name = clean_key_name(name)
    session.flush()


def remove_key(work: DeskWork, key_id: int) -> None:
    """Remove a passkey of the person who acts.

    :raises NotFoundError: if it is not theirs.
    :raises ConflictError: if it is their last factor, and they must have one.
    """
    user = _lock(work.session, work.person_id)
    row = _key(work.session, user.id, key_id)
    name = row.name
    work.session.delete(row)
    work.session.flush()
    _lost(work.session, user.id)
    work.audit("second_factor.passkey_removed", user.email, details={"name": name})


def credentials(session: Session, user_id: int) -> list[tuple[str, list[str]]]:
    """Return the id of each passkey of a person, and its transports."""
    query = sa.select(Passkey.credential_id, Passkey.transports).where(Passkey.user_id == user_id)
    return [(row.credential_id, row.transports) for row in session.execute(query.order_by(Passkey.id))]


def find_key(session: Session, credential_id: str) -> Passkey | None:
    """Return the passkey with that id of any owner."""
    return session.scalar(sa.select(Passkey).where(Passkey.credential_hash == _hash(credential_id)))


def use_key(session: Session, key: Passkey, used: UsedKey) -> bool:
    """Record the use of a passkey; return False if it was just removed or used."""
    done = session.execute(
        sa.update(Passkey)
        .where(Passkey.id == key.id, Passkey.sign_count == key.sign_count)
        .values(sign_count=used.sign_count, used_at=clock.now())
        .execution_options(synchronize_session=False)
    )
    return bool(done.rowcount)  # type: ignore[attr-defined]


def _key(session: Session, user_id: int, key_id: int) -> Passkey:
    row = session.get(Passkey, key_id)
    if row is None or row.user_id != user_id:
        raise NotFoundError(_l("Passkey not found."), next_step="")
    return row


def _hash(credential_id: str) -> str:
    return hashlib.sha256(credential_id.encode()).hexdigest()


# Recovery codes


def new_codes(work: DeskWork) -> Sequence[str]:
    """Create ten recovery codes, to be shown once; earlier ones become invalid.

    :raises ConflictError: for a person without a second factor.
    """
    user = _lock(work.session, work.person_id)
    if user.second_factor_at is None:
        raise ConflictError(
            _l("You don't have a second factor, so you don't need recovery codes."), next_step=""
        )
    work.audit("second_factor.codes_made", user.email)
    return _make_codes(work.session, user.id)


def _make_codes(session: Session, user_id: int) -> Sequence[str]:
    session.execute(sa.delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    codes = ["".join(random.choice(_LETTERS) for _ in range(16)) for _ in range(CODES)]
    session.add_all(RecoveryCode(user_id=user_id, code_hash=_code_hash(user_id, code)) for code in codes)
    session.flush()
    return ["-".join(code[at : at + 4] for at in range(0, 16, 4)) for code in codes]


def use_code(session: Session, user_id: int, code: str) -> bool:
    """Use *code* if it is a recovery code of the person; return whether it was."""
    plain = re.sub(r"[\s-]", "", code).lower()
    if not _CODE.fullmatch(plain):
        return False
    used = session.execute(
        sa.update(RecoveryCode)
        .where(
            RecoveryCode.user_id == user_id,
            RecoveryCode.code_hash == _code_hash(user_id, plain),
            RecoveryCode.used_at.is_(None),
        )
        .values(used_at=clock.now())
        .execution_options(synchronize_session=False)
    )
    return bool(used.rowcount)  # type: ignore[attr-defined]


def use_any_code(work: DeskWork, code: str) -> bool:
    """Use a code of the person's app, or one of their recovery codes; return whether it was valid."""
    if use_app(work.session, work.person_id, code):
        return True
    if not use_code(work.session, work.person_id, code):
        return False
    email = work.session.get_one(User, work.person_id).email
    left = of(work.session, work.person_id).codes_left
    work.audit("second_factor.code_used", email, details={"left": left})
    return True


def _code_hash(user_id: int, code: str) -> str:
    # Sixteen random letters are 79 bits: a fast hash is enough.
    return hashlib.sha256(f"{user_id}:{code}".encode()).hexdigest()


# All factors


def reset(work: DeskWork, user_id: int) -> None:
    """Remove the second factor of a person who lost it: they are signed out everywhere.

    :raises ConflictError: if they have none.
    """
    user = _lock(work.session, user_id)
    if user.second_factor_at is None:
        raise ConflictError(_l("This person has no second factor."), next_step="")
    _remove_all(work.session, user)
    sessions.end_all(work.session, user_id)
    work.audit("second_factor.reset", user.email)


def forget(session: Session, user: User) -> None:
    """Remove every sign-in method of a person who deletes their account."""
    _remove_all(session, user)
    session.execute(sa.delete(ProviderIdentity).where(ProviderIdentity.user_id == user.id))


def _remove_all(session: Session, user: User) -> None:
    for table in (AuthenticatorApp, Passkey, RecoveryCode, SignInStep):
        session.execute(sa.delete(table).where(table.user_id == user.id))
    user.second_factor_at = None
    session.flush()


def _lock(session: Session, user_id: int) -> User:
    """Lock a person, so that their factors change one at a time and no session starts during a change."""
    user = session.get(User, user_id, with_for_update=True, populate_existing=True)
    if user is None:
        raise NotFoundError(_l("This person no longer exists."), next_step="")
    return user


def _gained(session: Session, user_id: int, session_id: int) -> Sequence[str]:
    """Record a new factor of a person. With the first one, every other browser is signed out."""
    user = _lock(session, user_id)
    if user.second_factor_at is not None:
        return ()
    user.second_factor_at = clock.now()
    session.execute(
        sa.update(LoginSession).where(LoginSession.id == session_id).values(second_at=clock.now())
    )
    session.flush()
    sessions.end_all(session, user_id, keep=session_id)
    return _make_codes(session, user_id)


def _lost(session: Session, user_id: int) -> None:
    """Record that a person lost a factor."""
    if of(session, user_id).any:
        return
    user = _lock(session, user_id)
    if settings.wants_second(session, is_admin=user.is_admin):
        raise ConflictError(
            _l("A second factor is required here, and this is your last one."),
            next_step=_l("Set up another one first."),
        )
    session.execute(sa.delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    session.execute(sa.update(LoginSession).where(LoginSession.user_id == user_id).values(second_at=None))
    user.second_factor_at = None
    session.flush()
