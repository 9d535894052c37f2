"""Signing in through a provider (OpenID Connect), and linking accounts with the provider's."""

from __future__ import annotations

import logging
from dataclasses import asdict

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from host.core import clock, secrets
from host.core.db import db
from host.core.errors import ConflictError, ForbiddenError, LobbyError, NotFoundError
from host.models.users import ConfirmedBy, SignedInBy, User
from host.users import passwords, throttle
from host.users.actor import DeskWork
from host.users.pages import arriving, sudo
from host.users.pages.blueprint import bp
from host.users.pages.forms import ConfirmForm, text
from host.users.pages.login_views import check_password
from host.users.sessions import UNCONFIRMED, Confirmation
from host.users.signin import identities, oidc, settings, steps
from host.users.signin.oidc import Claims, Journey, ProviderAwayError, ProviderError, UnconfirmedError
from host.users.signin.settings import SignIn
from host.users.signin.steps import Kind
from host.web.languages import gettext as _
from host.web.request_helpers import (
    before_new_password,
    before_second_factor,
    client_address,
    config,
    current_user,
    external_url,
    flash_bad,
    flash_good,
    maybe_user,
    open_to_all,
    safe_next,
    write_desk,
)

log = logging.getLogger("lobby.security")

SIGN_IN, JOIN, AGAIN = "sign-in", "join", "again"
"""Reasons to go to the provider: sign in, link two accounts, confirm one's identity."""


def _how() -> SignIn:
    with db.read() as reading:
        how = settings.read(reading, config())
    if how.provider is None:
        raise NotFoundError(
            _("Sign-in through a provider is turned off."), next_step=_("Sign in with a password.")
        )
    return how


@bp.get("/login/provider")
@open_to_all
@before_second_factor
def to_provider() -> ResponseReturnValue:
    """Send the browser to the provider.

    Linking and confirming belong to a session and only start on one of its pages: otherwise another site
    could send people here to link their accounts with one of its own.
    """
    how = _how()
    assert how.provider is not None
    purpose = request.args.get("for", SIGN_IN)
    user_id, session_id = None, None
    if purpose in {JOIN, AGAIN}:
        person = current_user()
        user_id, session_id = person.id, person.session_id
        if not secrets.keyring().is_signed(request.args.get("proof", ""), "to the provider", session_id):
            raise ForbiddenError(_("This sign-in was not started in Lobby."), next_step="")
        if purpose == JOIN:
            sudo.require(just_now=True)
    else:
        purpose = SIGN_IN
        throttle.of(config().limits_url).begin(client_address())
    target = safe_next(request.args.get("next"))
    try:
        url, journey = oidc.begin(
            how.provider,
            external_url("accounts.from_provider"),
            again=purpose == AGAIN,
            groups=bool(how.groups),
        )
    except ProviderError as error:
        return _away(how, error, purpose, target)
    data = {"purpose": purpose, "next": target, "session": session_id, "journey": asdict(journey)}
    db.write(steps.begin, Kind.PROVIDER, arriving.browser_name(), data, user_id=user_id, token=journey.state)
    return redirect(url)


def _away(how: SignIn, error: ProviderError, purpose: str, target: str) -> ResponseReturnValue:
    log.warning("the sign-in provider: %s", error)
    if isinstance(error, ProviderAwayError):
        flash_bad(
            _(
                "%(provider)s can't be reached. Try again in a minute, or tell an admin.",
                provider=how.provider_label,
            )
        )
    else:
        flash_bad(
            _(
                "The response from %(provider)s is invalid. Try again, or tell an admin.",
                provider=how.provider_label,
            )
        )
    return _back(purpose, target)


def _back(purpose: str, target: str) -> ResponseReturnValue:
    if purpose == JOIN:
        return redirect(url_for("accounts.security"))
    if purpose == AGAIN:
        return redirect(url_for("accounts.confirm", next=target))
    return redirect(url_for("accounts.login", next=target))


@bp.get("/login/provider/back")
@open_to_all
@before_new_password
@before_second_factor
def from_provider() -> ResponseReturnValue:
    """Handle the return of a browser from the provider."""
    how = _how()
    assert how.provider is not None
    step = db.write(steps.take, Kind.PROVIDER, arriving.browser_name(), request.args.get("state", ""))
    if step is None:
        flash_bad(_("The sign-in timed out or was started in another browser. Sign in again."))
        return redirect("/" if maybe_user() else url_for("accounts.login"))
    purpose, target = str(step.data["purpose"]), safe_next(str(step.data["next"]))
    code = request.args.get("code", "")
    if not code:
        log.info("the sign-in provider refused: %s", request.args.get("error", "")[:60])
        flash_bad(_("%(provider)s did not sign you in.", provider=how.provider_label))
        return _back(purpose, target)
    try:
        claims = oidc.finish(
            how.provider,
            Journey(**step.data["journey"]),
            code=code,
            issuer=request.args.get("iss"),
            groups_claim=how.groups_claim,
        )
    except UnconfirmedError as error:
        _note_auth_time(how, sent=error.tells)
        log.warning("the sign-in provider: %s", error)
        flash_bad(
            _(
                "%(provider)s doesn’t confirm that you signed in there just now, so it can’t confirm "
                "your identity. Confirm another way, or sign out there first.",
                provider=how.provider_label,
            )
        )
        return _back(purpose, target)
    except ProviderError as error:
        return _away(how, error, purpose, target)
    _note_auth_time(how, sent=claims.signed_in_at is not None)
    if purpose == SIGN_IN:
        return _sign_in(how, claims, target)
    person = maybe_user()
    if person is None or person.id != step.user_id or person.session_id != step.data["session"]:
        flash_bad(_("Someone else signed in meanwhile, so nothing was changed."))
        return redirect(url_for("accounts.login"))
    return _join(claims) if purpose == JOIN else _confirm(claims, target)


def _note_auth_time(how: SignIn, *, sent: bool) -> None:
    if how.provider is not None and how.tells_when is not sent:
        db.write(settings.note_auth_time, how.provider.issuer, sent=sent)


def _confirmation(user: User, claims: Claims) -> Confirmation:
    """Return the confirmation that results from signing in at the provider.

    The provider may admit anyone at a browser that is signed in there. Only its reported sign-in time counts;
    without one, it confirms nothing unless the person has no other method.
    """
    if claims.signed_in_at is not None:
        return Confirmation(claims.signed_in_at, ConfirmedBy.PROVIDER)
    if user.password_hash != passwords.NONE or user.second_factor_at is not None:
        return UNCONFIRMED
    return Confirmation(clock.now(), ConfirmedBy.PROVIDER)


def _sign_in(how: SignIn, claims: Claims, target: str) -> ResponseReturnValue:
    """Sign in a person whom the provider has identified."""
    try:
        user, known = write_desk(identities.arrive, claims, how)
    except LobbyError as error:
        if error.status not in {400, 403, 409}:
            raise
        log.warning("%s of the sign-in provider was not let in: %s", claims.email or claims.subject, error)
        flash_bad(str(error))
        return redirect(url_for("accounts.login", next=target))
    if not known:
        # The address alone proves nothing about the account here: its owner must type their password once.
        data = {"next": target, "claims": arriving.dump(claims)}
        token = db.write(steps.begin, Kind.JOIN, arriving.browser_name(), data, user_id=user.id)
        return redirect(url_for("accounts.join_provider", token=token))
    confirmed = _confirmation(user, claims)
    if how.trusted:
        arriving.start(user, "session.started", by=SignedInBy.PROVIDER, second=True, confirmed=confirmed)
        return redirect(target)
    return arriving.arrive(user, target, by=SignedInBy.PROVIDER, confirmed=confirmed)


@bp.route("/login/join/<token>", methods=["GET", "POST"])
@open_to_all
def join_provider(token: str) -> ResponseReturnValue:
    """Ask for the password of an account whose address the provider reported, and link the two."""
    how = _how()
    with db.read() as reading:
        step = steps.find(reading, Kind.JOIN, arriving.browser_name(), token)
        user = None if step is None or step.user_id is None else reading.get(User, step.user_id)
    if step is None or user is None:
        flash_bad(_("The sign-in timed out or was completed in another tab. Sign in again."))
        return redirect(url_for("accounts.login"))
    form = ConfirmForm()
    status = 200
    if form.validate_on_submit():
        proven = check_password(user.email, text(form.password))
        if proven is not None and proven.id == user.id:
            if not db.write(steps.end, step):
                raise ConflictError()
            try:
                return arriving.arrive(
                    proven, str(step.data["next"]), join=arriving.load(step.data["claims"])
                )
            except ConflictError as error:
                flash_bad(str(error))
                return redirect(url_for("accounts.login"))
        form.password.errors = [_("The password of that account is incorrect.")]
        status = 401
    elif form.is_submitted():
        status = 400
    page = render_template(
        "accounts/join_provider.html",
        form=form,
        how=how,
        email=user.email,
        token=token,
        has_password=user.password_hash != passwords.NONE,
    )
    return page, status


def _join(claims: Claims) -> ResponseReturnValue:
    try:
        write_desk(identities.join, claims)
    except ConflictError as error:
        flash_bad(str(error))
    else:
        flash_good(_("Linked. You can now sign in with it, too."))
    return redirect(url_for("accounts.security"))


def _confirm(claims: Claims, target: str) -> ResponseReturnValue:
    if not write_desk(_confirm_by, claims, target):
        flash_bad(_("You signed in with a different account, so nothing was changed."))
        return _back(AGAIN, target)
    return redirect(target)


def _confirm_by(work: DeskWork, claims: Claims, target: str) -> bool:
    user = identities.find(work.session, claims)
    if user is None or user.id != work.person_id:
        return False
    sudo.confirm(work, ConfirmedBy.PROVIDER, target)
    return True
