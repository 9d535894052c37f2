"""The last steps of signing in, after any proof of identity: the second factor, then a session."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from flask import redirect, request, session, url_for
from flask.typing import ResponseReturnValue

from host.core.db import db
from host.core.errors import NotSignedInError
from host.models.users import SignedInBy, User
from host.users import sessions
from host.users.actor import DeskWork
from host.users.pages import known_browsers
from host.users.sessions import Confirmation
from host.users.signin import identities, settings, steps
from host.users.signin.oidc import Claims
from host.users.signin.steps import Kind
from host.web.request_helpers import TOKEN, client_address, config, safe_next, sign_in, write_desk

log = logging.getLogger("lobby.security")

BROWSER = "browser"


def browser_name() -> str:
    """Return the random name of this signed-out browser, stored only in its cookie."""
    name = session.get(BROWSER)
    if not isinstance(name, str):
        name = session[BROWSER] = sessions.new_token()
    return name


def arrive(
    user: User,
    target: str | None,
    *,
    by: SignedInBy = SignedInBy.PASSWORD,
    join: Claims | None = None,
    confirmed: Confirmation | None = None,
) -> ResponseReturnValue:
    """Sign in *user*, who proved their identity; ask for the second factor first if they have one.

    :param target: the page they want.
    :param by: the proof they gave.
    :param join: their identity at the provider, linked to the account after all proofs.
    :param confirmed: as in :func:`host.users.sessions.start`; a second factor also counts as a confirmation.
    """
    if user.second_factor_at is None:
        start(user, "session.started", by=by, join=join, confirmed=confirmed)
        return redirect(safe_next(target))
    data = {"next": safe_next(target), "by": by, "join": None if join is None else dump(join)}
    token = db.write(steps.begin, Kind.SECOND, browser_name(), data, user_id=user.id)
    return redirect(url_for("accounts.second", token=token))


def start(
    user: User,
    action: str,
    *,
    by: SignedInBy = SignedInBy.PASSWORD,
    second: bool = False,
    join: Claims | None = None,
    confirmed: Confirmation | None = None,
) -> None:
    """Start a session for *user* in this browser; an earlier one ends.

    :param by: the first factor.
    :param second: whether the second factor was shown.
    """

    how: dict[str, Any] = {"by": by, "second": second, "join": join, "confirmed": confirmed}
    enter(user, write_desk(begin_session, user.id, action, **how))


def begin_session(
    work: DeskWork,
    user_id: int,
    action: str,
    *,
    by: SignedInBy | None,
    second: bool = False,
    join: Claims | None = None,
    confirmed: Confirmation | None = None,
) -> str:
    """Start a session in the current write; return its token.

    :param by: the first factor; None: unknown.
    :raises NotSignedInError: if the person was just locked out, or has just set up a second factor.
    """
    work, writing = work.of(user_id), work.session
    user = writing.get(User, user_id, with_for_update=True, populate_existing=True)
    if user is None or user.disabled_at is not None or (user.second_factor_at is not None and not second):
        raise NotSignedInError()
    if join is not None:
        how = settings.read(writing, config())
        identities.join(work, join)
        identities.apply_groups(work, user, join, how)
        second = second or how.trusted
    before = session.get(TOKEN)
    work.audit(action, user.email)
    return sessions.start(
        writing,
        user.id,
        client_address(),
        replaces=before if isinstance(before, str) else None,
        user_agent=request.headers.get("User-Agent", ""),
        by=by,
        second=second,
        confirmed=confirmed,
    )


def enter(user: User, token: str) -> None:
    """Set the cookie of the new session of *user*."""
    sign_in(token)
    known_browsers.remember(user.email)


def dump(claims: Claims) -> dict[str, Any]:
    """Return claims in the form stored in a step."""
    groups = None if claims.groups is None else sorted(claims.groups)
    return {
        "issuer": claims.issuer,
        "subject": claims.subject,
        "email": claims.email,
        "name": claims.name,
        "groups": groups,
    }


def load(kept: Mapping[str, Any] | None) -> Claims | None:
    """Return the claims stored by :func:`dump`."""
    if kept is None:
        return None
    groups = None if kept["groups"] is None else frozenset(kept["groups"])
    return Claims(kept["issuer"], kept["subject"], kept["email"], kept["name"], groups)
