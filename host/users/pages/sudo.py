"""Ask for the password before a harmful action, once per visit of the settings.

A view is marked with :func:`fresh_password`. The page of a form that will need it is marked, too, so that
people are asked when they open it. Where a list also has harmful buttons, their forms carry the field
``password`` unless :func:`is_fresh` is true (the macro ``password_again`` does that), or omit it. A form sent
without a password gets a page that offers every method to confirm one's identity and keeps the form's values;
nothing happens until the person has confirmed.

The ways to sign in to one's own account are marked with :func:`own_fresh_password`: whoever finds a browser
open in the settings could otherwise keep the account.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import ParamSpec, TypeVar

from flask import Flask, g, request, session
from flask.typing import ResponseReturnValue

from host.core import clock, db, secrets
from host.core.errors import PasswordNeededError, TooManyError, WrongPasswordError
from host.core.secrets import Place, Secret
from host.models.users import ConfirmedBy, User
from host.sdk.errors import SecretUnreadableError
from host.users import failed_tries, passwords, sessions, throttle
from host.users.actor import DeskWork
from host.users.signin import factors
from host.web.error_pages import PASSWORD_ASKED, SEALED
from host.web.languages import gettext as _
from host.web.request_helpers import client_address, config, current_user, is_passive, maybe_user, write_desk

log = logging.getLogger("lobby.security")

P = ParamSpec("P")
R = TypeVar("R", bound=ResponseReturnValue)

FRESH = timedelta(minutes=15)
"""How long a confirmation lasts after the last use of the settings."""
LONGEST = timedelta(hours=1)
"""How long it lasts at most, however much the settings are used."""
RENEW_EVERY = timedelta(minutes=1)
USED = "settings_used"
"""Field of the cookie with the time the settings were last used by a person who was confirmed."""
FIELD = "password"
CODE_FIELD = "confirmation_code"
"""Field for a code of an app, or a recovery code, in place of the password."""
OPENED = "opened"
"""Field with the proof that a form was opened by a person who was confirmed."""
KEPT = "kept-"
"""Prefix of the field with a secret that was typed before the form asked for the password."""


def is_fresh(*, just_now: bool = False) -> bool:
    """Return whether the person confirmed their identity in this browser in this visit of the settings.

    Signing in also counts, except through a provider that admitted them without authentication.

    :param just_now: whether using the settings since doesn't count.
    """
    user = maybe_user()
    if user is None:
        return False
    if g.get(PASSWORD_ASKED) == "":
        return True  # confirmed by this very request
    age = clock.now() - user.confirmed.at
    return age < FRESH or (not just_now and age < LONGEST and clock.now() - _used() < FRESH)


def _used() -> datetime:
    at = session.get(USED, 0)
    return datetime.fromtimestamp(at if isinstance(at, int) else 0, UTC)


def install(app: Flask) -> None:
    """Let the pages of the settings renew a confirmation that still counts."""

    @app.before_request
    def renew() -> None:
        if is_of_settings() and not is_passive() and clock.now() - _used() >= RENEW_EVERY and is_fresh():
            session[USED] = int(clock.now().timestamp())


def is_of_settings() -> bool:
    """Return whether this request is for a page of the settings: of a workspace, the desk or the account."""
    rule = "" if request.url_rule is None else request.url_rule.rule
    return rule.startswith(("/admin", "/account")) or "/settings/" in rule or request.blueprint == "sign_in"


def check(password: str) -> None:
    """Check a retyped password, which then counts as fresh.

    :raises WrongPasswordError: and *TooManyError*, as :func:`verify` does.
    """
    verify(password)
    write_desk(confirm, ConfirmedBy.PASSWORD, request.path)


def check_code(code: str) -> bool:
    """Confirm with a code of the signed-in person's app, or a recovery code; return whether it was valid.

    :raises TooManyError: after too many wrong ones.
    """
    person = current_user()
    guard = throttle.of(config().limits_url)
    here = f"session {person.session_id}"
    try:
        guard.enter_second(person.email, client_address(), here)
    except TooManyError:
        _note_wrong(waited=True)
        raise

    if not write_desk(_confirm_by_code, code):
        guard.failed(client_address(), here)
        _note_wrong()
        return False
    guard.forgive_second(person.email, client_address(), here)
    return True


def _confirm_by_code(work: DeskWork, code: str) -> bool:
    right = factors.use_any_code(work, code)
    if right:
        confirm(work, ConfirmedBy.CODE, request.path)
    return right


def _note_wrong(*, waited: bool = False) -> None:
    person = current_user()
    failed_tries.note(failed_tries.CONFIRM, person.email, client_address(), user_id=person.id, waited=waited)


def verify(password: str) -> None:
    """Check that a password is the signed-in person's; wrong ones are rate-limited and recorded.

    :raises WrongPasswordError: if it is not the signed-in person's.
    :raises TooManyError: after too many wrong ones.
    """
    person = current_user()
    guard = throttle.of(config().limits_url)
    here = f"session {person.session_id}"
    try:
        guard.enter(person.email, client_address(), here)
    except TooManyError:
        _note_wrong(waited=True)
        raise
    with db.read() as reading:
        user = reading.get(User, person.id)
    if user is None or not passwords.verify(user.password_hash, password):
        guard.failed(client_address(), here)
        _note_wrong()
        log.warning("%s typed a wrong password at %s", person.email, request.path)
        raise WrongPasswordError()
    guard.forgive(person.email, client_address(), here)


def verify_or_require(password: str) -> None:
    """Require the password each time, or a recent sign-in from people without a password.

    :raises WrongPasswordError: and *TooManyError*, as :func:`verify` does.
    :raises PasswordNeededError: if a person without a password signed in, or confirmed, too long ago.
    """
    if current_user().has_password:
        verify(password)
    elif not is_fresh(just_now=True):
        raise PasswordNeededError()


def confirm(work: DeskWork, by: ConfirmedBy, target: str) -> None:
    """Record that the signed-in person confirmed their identity, and for which page."""
    sessions.confirm(work, current_user().session_id, by, target)


def fresh_password(view: Callable[P, R]) -> Callable[P, R]:
    """Only run the view if the person's password is fresh, or is in the form.

    Put it below decorators such as ``admin_required``, so that people without permission are not asked.
    """

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        require()
        return view(*args, **kwargs)

    return guarded


def proof_of_opening() -> str:
    """Return what a form carries that was opened while :func:`is_fresh`, see :func:`was_opened_fresh`."""
    if not is_fresh():
        return request.form.get(OPENED, "")
    at = clock.now() if g.get(PASSWORD_ASKED) == "" else current_user().confirmed.at
    until = str(int((at + LONGEST).timestamp()))
    return f"{until} {secrets.keyring().sign(*_opened_here(until))}"


def was_opened_fresh() -> bool:
    """Return whether the form of this request was opened in a confirmed visit that began within the hour.

    For forms that people leave to fetch something, such as new credentials of an account that has stopped.
    """
    until, _space, signature = request.form.get(OPENED, "").partition(" ")
    is_ours = secrets.keyring().is_signed(signature, *_opened_here(until))
    return is_ours and clock.now().timestamp() < int(until)


def _opened_here(until: str) -> tuple[str, int, str, str]:
    return "form opened", current_user().session_id, request.path, until


def secret(name: str) -> str:
    """Return the secret typed into the field *name* of a form, or before it asked for the password."""
    typed = request.form.get(name, "").strip()
    sealed = request.form.get(f"{KEPT}{name}", "")
    if typed or not sealed:
        return typed
    try:
        until, _space, value = secrets.keyring().open(sealed, _place(name)).reveal().partition(" ")
    except SecretUnreadableError:
        return ""
    return value if clock.now().timestamp() < int(until) else ""


def kept_secret(name: str) -> str:
    """Return what :func:`secret` would, sealed for this form and session, for an hour; empty without one.

    A form that holds a secret asks for the password itself and carries this, so that nothing is typed twice.
    """
    value = secret(name) if request.method == "POST" else ""
    until = int((clock.now() + LONGEST).timestamp())
    return secrets.keyring().seal(Secret(f"{until} {value}"), _place(name)) if value else ""


def _place(name: str) -> Place:
    return Place("asked_form", name, 0, f"{current_user().session_id} {request.path}")


def own_fresh_password(view: Callable[P, R]) -> Callable[P, R]:
    """Like :func:`fresh_password`, for the ways to sign in to one's own account."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        require(just_now=True)
        return view(*args, **kwargs)

    return guarded


def require(*, just_now: bool = False, typed: Iterable[str] = ()) -> None:
    """Apply the check of :func:`fresh_password` in a view that only sometimes needs it.

    :param just_now: as in :func:`is_fresh`.
    :param typed: fields for secrets, which the page that asks carries sealed; read them with :func:`secret`.

    :raises NotSignedInError: if no user is signed in.
    :raises PasswordNeededError: if they did not confirm recently, and the form has neither password nor code.
    :raises WrongPasswordError: if the password is wrong.
    """
    current_user()
    if is_fresh(just_now=just_now):
        return
    kept = {name: (f"{KEPT}{name}", kept_secret(name)) for name in typed}
    setattr(g, SEALED, {name: field for name, field in kept.items() if field[1]})
    given, code = (
        request.form.get(name, "") if request.method == "POST" else "" for name in (FIELD, CODE_FIELD)
    )
    if given:
        setattr(g, PASSWORD_ASKED, FIELD)
        check(given)
    elif code.strip():
        setattr(g, PASSWORD_ASKED, CODE_FIELD)
        if not check_code(code):
            raise WrongPasswordError(_("That code is invalid or has expired."), next_step="")
    else:
        raise PasswordNeededError()
    setattr(g, PASSWORD_ASKED, "")
