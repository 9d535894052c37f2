"""Signing in with a second factor or a passkey, and the page that sets them up."""

from __future__ import annotations

import logging
import secrets as random
from collections.abc import Callable, Sequence
from typing import Concatenate, ParamSpec
from urllib.parse import urlsplit

import msgspec
import segno
from flask import jsonify, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import ngettext
from markupsafe import Markup

from host.core import clock, secrets
from host.core.db import db
from host.core.errors import ConflictError, InvalidError, LobbyError, NotFoundError, TooManyError
from host.models.signing_in import Passkey
from host.models.users import ConfirmedBy, SignedInBy, User
from host.users import failed_tries, throttle
from host.users.actor import DeskWork
from host.users.pages import arriving, known_browsers, sudo
from host.users.pages.blueprint import bp
from host.users.pages.forms import CodeForm, text
from host.users.sessions import Confirmation
from host.users.signin import factors, identities, passkeys, settings, steps
from host.users.signin.passkeys import NotProvenError, Site, UsedKey
from host.users.signin.steps import Kind, PendingStep
from host.web.devices import device_of
from host.web.languages import gettext as _
from host.web.request_helpers import (
    answers_json,
    before_second_factor,
    client_address,
    config,
    current_user,
    flash_bad,
    flash_good,
    login_required,
    open_to_all,
    safe_next,
    wants_json,
    write_desk,
)

log = logging.getLogger("lobby.security")
P = ParamSpec("P")

GO_ON = "after_second"
"""Cookie key of the page to return to after setting up a required second factor."""


def site() -> Site | None:
    """Return the site of this desk's passkeys; None if passkeys don't work here."""
    return passkeys.site_of(config().public_url)


def _site() -> Site:
    found = site()
    if found is None:
        raise NotFoundError(_("Passkeys require an https address with a host name."), next_step="")
    return found


# After the password


@bp.route("/login/second/<token>", methods=["GET", "POST"])
@open_to_all
def second(token: str) -> ResponseReturnValue:
    """Ask for the second factor of somebody whose password was right, then sign them in."""
    step, user, has = _pending(token)
    if step is None or user is None or has is None:
        flash_bad(_("The sign-in timed out or was completed in another tab. Sign in again."))
        return redirect(url_for("accounts.login"))
    form = CodeForm()
    status = 200
    if form.is_submitted():
        status = 401
        if text(form.answer):
            done = _with_key(step, user, text(form.challenge), text(form.answer))
            form.code.errors = [] if done else [_("The passkey did not work. Try again, or enter a code.")]
        elif text(form.code).strip():
            done = _with_code(step, user, text(form.code))
            form.code.errors = [] if done else [_("That code is invalid or has expired.")]
        else:
            done = None
            form.code.errors = [_("This field is required.")]
            status = 400
        if done is not None:
            arriving.enter(user, done)
            _warn_of_last_codes(user, has)
            return redirect(safe_next(str(step.data["next"])))
    page = render_template(
        "accounts/second.html",
        form=form,
        token=token,
        has=has,
        passkeys_work=site() is not None,
        email=user.email,
    )
    return page, status


def _warn_of_last_codes(user: User, had: factors.Factors) -> None:
    with db.read() as reading:
        left = factors.of(reading, user.id).codes_left
    if left < had.codes_left:
        flash_bad(
            ngettext(
                "You used a recovery code; %(num)s is left. Create new ones before they run out.",
                "You used a recovery code; %(num)s are left. Create new ones before they run out.",
                left,
            )
        )


def _pending(token: str) -> tuple[PendingStep | None, User | None, factors.Factors | None]:
    with db.read() as reading:
        step = steps.find(reading, Kind.SECOND, arriving.browser_name(), token)
        user = None if step is None or step.user_id is None else reading.get(User, step.user_id)
        if user is None or user.disabled_at is not None or user.second_factor_at is None:
            return None, None, None
        return step, user, factors.of(reading, user.id)


def _with_code(step: PendingStep, user: User, code: str) -> str | None:
    """Return the token of a session started with a code of either kind; None for a wrong code."""
    return _tried(user, lambda: write_desk(_use_code, step, user.id, code))


def _use_code(work: DeskWork, step: PendingStep, user_id: int, code: str) -> str | None:
    if factors.use_any_code(work.of(user_id), code):
        return _arrived(work, step, user_id, ConfirmedBy.CODE)
    steps.count_wrong(work.session, step)
    return None


def _arrived(work: DeskWork, step: PendingStep, user_id: int, confirmed_by: ConfirmedBy) -> str:
    """Start the session at the end of a step.

    :raises ConflictError: if another tab completed the step first.
    """
    if not steps.end(work.session, step):
        raise ConflictError()
    join = arriving.load(step.data.get("join"))
    said = step.data.get("by")  # missing in a step that the previous release began
    by = None if said is None else SignedInBy(said)
    confirmed = Confirmation(clock.now(), confirmed_by)
    return arriving.begin_session(
        work, user_id, "session.started", by=by, second=True, join=join, confirmed=confirmed
    )


def _tried(user: User, attempt: Callable[[], str | None]) -> str | None:
    """Make a rate-limited attempt, which returns a session token, or None for a wrong code or key."""
    address, browser = client_address(), known_browsers.name_of(user.email)
    guard = throttle.of(config().limits_url)
    try:
        refusal = guard.enter_second(user.email, address, browser)
    except TooManyError:
        log.warning("the second factor of %s from %s has to wait: too many tries", user.email, address)
        failed_tries.note(failed_tries.SECOND, user.email, address, user_id=user.id, waited=True)
        raise
    token = attempt()
    if token is None:
        guard.failed(address, browser)
        log.warning("the second factor of %s from %s was wrong", user.email, address)
        failed_tries.note(failed_tries.SECOND, user.email, address, user_id=user.id)
        if refusal is not None:
            raise refusal
        return None
    guard.forgive_second(user.email, address, browser)
    return token


def _with_key(step: PendingStep, user: User, challenge: str, answer: str) -> str | None:
    """Return the token of a session started with a passkey; None if it is not the user's."""

    def attempt() -> str | None:
        proof = _prove(challenge, answer, user_id=user.id)
        return None if proof is None else write_desk(_use_key, step, user.id, proof)

    return _tried(user, attempt)


def _use_key(work: DeskWork, step: PendingStep, user_id: int, proof: Proof) -> str | None:
    if not factors.use_key(work.session, proof.key, proof.used):
        return None
    return _arrived(work, step, user_id, ConfirmedBy.PASSKEY)


# Passkeys


class Proof(msgspec.Struct, frozen=True):
    """A passkey and its verified use."""

    key: Passkey
    used: UsedKey


def _prove(challenge: str, answer: str, *, user_id: int | None) -> Proof | None:
    """Check a browser's answer to a challenge, which is used up whatever the result.

    :param user_id: owner the passkey must have; None: any owner, verified by the device.
    """
    step = db.write(steps.take, Kind.USE_KEY, arriving.browser_name(), challenge)
    if step is None or step.user_id != user_id:
        return None
    try:
        with db.read() as reading:
            key = factors.find_key(reading, passkeys.id_in(answer))
        if key is None or user_id not in {None, key.user_id}:
            raise NotProvenError("the key is not known, or somebody else's")
        used = passkeys.check_one(
            _site(),
            passkeys.decoded(str(step.data["challenge"])),
            answer,
            public_key=key.public_key,
            sign_count=key.sign_count,
            user_id=key.user_id,
            verified=user_id is None,
        )
    except NotProvenError as error:
        log.warning("a passkey from %s was not believed: %s", client_address(), error)
        return None
    return Proof(key, used)


@bp.post("/login/passkey/options")
@open_to_all
@before_second_factor
@answers_json
def passkey_options() -> ResponseReturnValue:
    """Start using a passkey: after a password, to confirm, or instead of a password."""
    where = _site()
    user_id = _expected(request.form.get("for", ""))
    if user_id is None:
        throttle.of(config().limits_url).begin(client_address())
    challenge = random.token_bytes(32)
    data = {"challenge": passkeys.encoded(challenge)}
    token = db.write(steps.begin, Kind.USE_KEY, arriving.browser_name(), data, user_id=user_id)
    known = _credentials(user_id)
    return jsonify(challenge=token, options=passkeys.ask_for_one(where, challenge, known))


def _credentials(user_id: int | None) -> list[tuple[str, list[str]]]:
    if user_id is None:
        return []
    with db.read() as reading:
        return factors.credentials(reading, user_id)


def _expected(what: str) -> int | None:
    """Return the required owner of the passkey: the person who typed a password or is signed in; None:
    anyone.

    :raises NotFoundError: if the step has ended.
    """
    if not what:
        return None
    if what == "again":
        return current_user().id
    _step, user, _has = _pending(what)
    if user is None:
        raise NotFoundError(_("The sign-in timed out. Sign in again."), next_step="")
    return user.id


@bp.post("/login/passkey")
@open_to_all
def passkey_login() -> ResponseReturnValue:
    """Sign in with a passkey alone, whose device verified the user."""
    form = CodeForm()
    target = request.form.get("next", "")
    if not text(form.answer):
        raise InvalidError()
    proof = _prove(text(form.challenge), text(form.answer), user_id=None)
    with db.read() as reading:
        user = None if proof is None else reading.get(User, proof.key.user_id)
        how = settings.read(reading, config())
    if proof is None or user is None or user.disabled_at is not None:
        if user is not None:  # passkeys can't be guessed, so only proven ones are logged
            failed_tries.note(failed_tries.SIGN_IN, user.email, client_address())
        flash_bad(_("This passkey is unknown or did not work. Sign in another way."))
        return redirect(url_for("accounts.login", next=safe_next(target)))
    if not how.may_use_password(is_admin=user.is_admin):
        flash_bad(_("Sign in with %(provider)s.", provider=how.provider_label))
        return redirect(url_for("accounts.login", next=safe_next(target)))
    arriving.enter(user, write_desk(_begin_with_key, user.id, proof))
    return redirect(safe_next(target))


def _begin_with_key(work: DeskWork, user_id: int, proof: Proof) -> str:
    if not factors.use_key(work.session, proof.key, proof.used):
        raise ConflictError()
    return arriving.begin_session(work, user_id, "session.started", by=SignedInBy.PASSKEY, second=True)


@bp.post("/account/confirm/passkey")
@login_required
@before_second_factor
def confirm_with_passkey() -> ResponseReturnValue:
    """Confirm one's identity with a passkey, as with a password."""
    form = CodeForm()
    proof = _prove(text(form.challenge), text(form.answer), user_id=current_user().id)
    target = safe_next(request.form.get("next"))
    if proof is None or not proof.used.verified:
        if wants_json():
            raise InvalidError(_("The passkey did not work."), next_step="")
        flash_bad(_("The passkey did not work."))
        return redirect(url_for("accounts.confirm", next=target))
    write_desk(_confirm_with_key, proof, target)
    return jsonify(confirmed=True) if wants_json() else redirect(target)


def _confirm_with_key(work: DeskWork, proof: Proof, target: str) -> None:
    if not factors.use_key(work.session, proof.key, proof.used):
        raise ConflictError()
    sudo.confirm(work, ConfirmedBy.PASSKEY, target)


# Setting up


@bp.get("/account/security")
@login_required
@before_second_factor
def security() -> ResponseReturnValue:
    """Show the person's sign-in methods, and guide those who must set up a second factor."""
    if current_user().no_second and "next" in request.args:
        target = safe_next(request.args["next"])
        session[GO_ON] = target if len(target) < 1000 else "/"  # a cookie is limited to four kilobytes
    return _page()


def _page(*, codes: Sequence[str] = (), status: int = 200) -> ResponseReturnValue:
    person = current_user()
    with db.read() as reading:
        has = factors.of(reading, person.id)
        how = settings.read(reading, config())
        joined = identities.of(reading, person.id)
        wanted = settings.wants_second(reading, is_admin=person.is_admin)
    page = render_template(
        "accounts/security.html",
        has=has,
        codes=codes,
        go_on=safe_next(session.get(GO_ON)),
        how=how,
        joined=joined,
        join_proof=provider_proof(),
        passkeys_work=site() is not None,
        wanted=wanted,
    )
    return page, status


def provider_proof() -> str:
    """Return a proof that a visit to the provider started on a page of this session."""
    return secrets.keyring().sign("to the provider", current_user().session_id)


def _codes(codes: Sequence[str], done: str) -> ResponseReturnValue:
    """Show new recovery codes; without any, show the page as usual."""
    if codes:
        return render_template("accounts/recovery_codes.html", codes=codes, go_on=session.pop(GO_ON, "")), 200
    flash_good(done)
    return redirect(url_for("accounts.security"))


@bp.route("/account/security/app", methods=["GET", "POST"])
@login_required
@before_second_factor
@sudo.own_fresh_password
def set_up_app() -> ResponseReturnValue:
    """Set up an app that shows codes: its secret as a picture and in letters, then a first code."""
    person = current_user()
    form = CodeForm()
    status = 200
    try:
        if form.is_submitted():
            codes = write_desk(factors.finish_app, text(form.code), person.session_id)
            if codes is not None:
                return _codes(codes, _("Authenticator app set up."))
            form.code.errors = [
                _(
                    "This code is not valid now. Check that the time on your device is correct, then "
                    "enter the next code."
                )
            ]
            status = 400
        secret = db.write(factors.begin_app, person.id)
    except LobbyError as error:
        if error.status not in {404, 409}:
            raise
        flash_bad(str(error))
        return redirect(url_for("accounts.security"))
    desk = urlsplit(config().public_url).hostname or "Lobby"
    address = factors.address_of(secret, person.email, f"Lobby ({desk})")
    plain = secret.reveal()
    page = render_template(
        "accounts/security_app.html",
        form=form,
        picture=_picture(address),
        secret=" ".join(plain[at : at + 4] for at in range(0, len(plain), 4)),
        address=address,
    )
    return page, status


def _picture(address: str) -> Markup:
    """Return a QR code as inline SVG, so no request leaves the page."""
    drawn = segno.make(address, error="m").svg_inline(
        scale=4, border=4, dark="#000", light="#fff", omitsize=True, svgclass="qr", lineclass=None
    )
    return Markup(drawn)  # noqa: S704 - made of squares alone


@bp.post("/account/security/app/remove")
@login_required
@sudo.own_fresh_password
def remove_app() -> ResponseReturnValue:
    """Remove the app."""
    return _do(_("Authenticator app removed."), factors.remove_app)


def _do(
    done: str, use_case: Callable[Concatenate[DeskWork, P], None], *args: P.args, **kwargs: P.kwargs
) -> ResponseReturnValue:
    try:
        write_desk(use_case, *args, **kwargs)
    except LobbyError as error:
        if error.status == 404:
            raise
        flash_bad(str(error))
    else:
        flash_good(done)
    return redirect(url_for("accounts.security"))


@bp.post("/account/security/passkeys/options")
@login_required
@before_second_factor
@answers_json
@sudo.own_fresh_password
def new_passkey_options() -> ResponseReturnValue:
    """Return the options for creating a passkey."""
    where, person, challenge = _site(), current_user(), random.token_bytes(32)
    data = {"challenge": passkeys.encoded(challenge), "session": person.session_id}
    token = db.write(steps.begin, Kind.ADD_KEY, arriving.browser_name(), data, user_id=person.id)
    known = _credentials(person.id)
    options = passkeys.ask_for_new(
        where, challenge, user_id=person.id, email=person.email, name=person.name, known=known
    )
    return jsonify(challenge=token, options=options)


@bp.post("/account/security/passkeys")
@login_required
@before_second_factor
@sudo.own_fresh_password
def add_passkey() -> ResponseReturnValue:
    """Add the passkey a browser created."""
    person = current_user()
    form = CodeForm()
    step = db.write(steps.take, Kind.ADD_KEY, arriving.browser_name(), text(form.challenge))
    refused = _("The passkey could not be added. Try again.")
    if step is None or step.user_id != person.id or step.data.get("session") != person.session_id:
        flash_bad(refused)
        return redirect(url_for("accounts.security"))
    try:
        made = passkeys.check_new(_site(), passkeys.decoded(str(step.data["challenge"])), text(form.answer))
    except NotProvenError as error:
        log.warning("a new passkey of %s was not believed: %s", person.email, error)
        flash_bad(refused)
        return redirect(url_for("accounts.security"))
    name = request.form.get("name", "") or device_of(request.headers.get("User-Agent", "")).words
    try:
        codes = write_desk(factors.add_key, made, name, person.session_id)
    except ConflictError as error:
        flash_bad(str(error))
        return redirect(url_for("accounts.security"))
    return _codes(codes, _("Passkey added."))


@bp.post("/account/security/passkeys/<int:key_id>/rename")
@login_required
def rename_passkey(key_id: int) -> ResponseReturnValue:
    """Rename a passkey."""
    db.write(factors.rename_key, current_user().id, key_id, request.form.get("name", ""))
    flash_good(_("Saved."))
    return redirect(url_for("accounts.security"))


@bp.post("/account/security/passkeys/<int:key_id>/remove")
@login_required
@sudo.own_fresh_password
def remove_passkey(key_id: int) -> ResponseReturnValue:
    """Remove a passkey."""
    done = _("Passkey removed. Your device may still offer it: remove it there, too.")
    return _do(done, factors.remove_key, key_id)


@bp.post("/account/security/codes")
@login_required
@sudo.own_fresh_password
def make_codes() -> ResponseReturnValue:
    """Create new recovery codes; earlier ones become invalid."""
    try:
        return _codes(write_desk(factors.new_codes), "")
    except ConflictError as error:
        flash_bad(str(error))
        return redirect(url_for("accounts.security"))


@bp.post("/account/security/provider/<int:identity_id>/remove")
@login_required
@sudo.own_fresh_password
def part_from_provider(identity_id: int) -> ResponseReturnValue:
    """Unlink the account from the one at the provider."""
    return _do(_("Unlinked. You can no longer sign in with it."), identities.part, identity_id)
