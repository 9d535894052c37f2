"""Ask for the password again before a harmful action, unless it was typed recently.

A view is marked with :func:`fresh_password`; its form carries the field ``password`` unless :func:`is_fresh`
is true (the macro ``password_again`` does that), or omits it. A form sent without a password gets a page that
offers every method to confirm one's identity and keeps the form's values; nothing happens until the person
has confirmed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import ParamSpec, TypeVar

from flask import g, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from host.core import clock, db
from host.core.errors import PasswordNeededError, TooManyError, WrongPasswordError
from host.models.users import ConfirmedBy, User
from host.users import failed_tries, passwords, sessions, throttle
from host.users.pages import arriving
from host.web.error_pages import PASSWORD_ASKED
from host.web.request_helpers import audit, client_address, config, current_user, maybe_user

log = logging.getLogger("lobby.security")

P = ParamSpec("P")
R = TypeVar("R", bound=ResponseReturnValue)

FRESH = timedelta(minutes=15)
FIELD = "password"
CODE_FIELD = "confirmation_code"
"""Field for a code of an app, or a recovery code, in place of the password."""


def is_fresh() -> bool:
    """Return whether the person confirmed their identity in this browser within the last 15 minutes.

    Signing in also counts, except through a provider that admitted them without authentication.
    """
    user = maybe_user()
    return user is not None and clock.now() - user.confirmed.at < FRESH


def check(password: str) -> None:
    """Check a retyped password, which then counts as fresh.

    :raises WrongPasswordError: and *TooManyError*, as :func:`verify` does.
    """
    verify(password)
    db.write(confirm, ConfirmedBy.PASSWORD, request.path)


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

    def use_case(writing: Session) -> bool:
        right = arriving.use_code(writing, person.id, person.email, code)
        if right:
            confirm(writing, ConfirmedBy.CODE, request.path)
        return right

    if not db.write(use_case):
        guard.failed(client_address(), here)
        _note_wrong()
        return False
    guard.forgive_second(person.email, client_address(), here)
    return True


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
    elif not is_fresh():
        raise PasswordNeededError()


def confirm(writing: Session, by: ConfirmedBy, target: str) -> None:
    """Record that the signed-in person confirmed their identity, and for which page."""
    person = current_user()
    sessions.confirm(writing, person.session_id, by)
    audit(writing, "session.confirmed", person.email, details={"for": target[:100], "by": by.value})


def fresh_password(view: Callable[P, R]) -> Callable[P, R]:
    """Only run the view if the person's password is fresh, or is in the form.

    Put it below decorators such as ``admin_required``, so that people without permission are not asked.
    """

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        require()
        return view(*args, **kwargs)

    return guarded


def require() -> None:
    """Apply the check of :func:`fresh_password` in a view that only sometimes needs it.

    :raises NotSignedInError: if no user is signed in.
    :raises PasswordNeededError: if they did not confirm recently, and the form has neither password nor code.
    :raises WrongPasswordError: if the password is wrong.
    """
    current_user()
    if is_fresh():
        return
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
