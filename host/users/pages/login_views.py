"""Pages for setting up the desk, signing in and out, and accepting an invitation."""

from __future__ import annotations

import logging

from flask import Response, make_response, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from host.core.db import db
from host.core.errors import LobbyError, NotFoundError, TooManyError, UnavailableError
from host.models.users import User
from host.users import (
    failed_tries,
    invitations,
    password_links,
    passwords,
    roles,
    sessions,
    setup,
    throttle,
    users,
)
from host.users.failed_tries import NOBODY
from host.users.pages import arriving, known_browsers
from host.users.pages.blueprint import bp
from host.users.pages.desk_people_views import mails_links
from host.users.pages.forms import ChooseForm, ForgotForm, JoinForm, LoginForm, SetupForm, text
from host.users.signin import passkeys, settings
from host.web import navigation
from host.web.languages import gettext as _
from host.web.request_helpers import (
    TOKEN,
    before_new_password,
    before_second_factor,
    clear_device,
    client_address,
    config,
    current_user,
    flash_bad,
    flash_good,
    login_required,
    maybe_user,
    open_to_all,
    safe_next,
    sign_out,
    write_desk,
)

log = logging.getLogger("lobby.security")


@bp.get("/")
@login_required
def index() -> ResponseReturnValue:
    """Redirect to the person's inbox, the login page or the set-up page."""
    user = current_user()
    if user.memberships:
        last = session.get("workspace")
        membership = (user.membership(last) if isinstance(last, int) else None) or user.memberships[0]
        return redirect(navigation.inbox_url(membership.workspace_id))
    if user.is_admin:
        return redirect(url_for("addons.index"))
    return render_template("accounts/no_workspace.html")


@bp.route("/login", methods=["GET", "POST"])
@open_to_all
def login() -> ResponseReturnValue:
    """Show the form, and sign in a user who knows the password."""
    form = LoginForm(next=request.args.get("next", ""))
    how = settings.read(db.session(), config())
    if maybe_user() is not None and request.method == "GET":
        return redirect(safe_next(text(form.next)))
    status = 200
    if form.validate_on_submit():
        user = check_password(text(form.email).strip().lower(), text(form.password))
        if user is not None and how.may_use_password(is_admin=user.is_admin):
            return arriving.arrive(user, text(form.next))
        flash_bad(_("The email address or password is incorrect."))
        status = 401
    elif form.is_submitted():
        status = 400
    unset = not users.anybody(db.session())
    page = render_template(
        "accounts/login.html",
        form=form,
        unset=unset,
        mails=mails_links(),
        how=how,
        target=safe_next(text(form.next), ""),
        passkeys_work=passkeys.site_of(config().public_url) is not None,
    )
    return page, status


@bp.route("/forgot", methods=["GET", "POST"])
@open_to_all
def forgot() -> ResponseReturnValue:
    """Mail a link to somebody who forgot their password; the response is the same for every address."""
    if not mails_links():
        raise NotFoundError()
    form = ForgotForm()
    asked = form.validate_on_submit()
    if asked:
        email = text(form.email)
        if throttle.of(config().limits_url).ask(email, client_address()):
            db.write(password_links.ask, email)
    status = 400 if form.is_submitted() and not asked else 200
    page = render_template(
        "accounts/forgot.html", form=form, asked=asked, hours=password_links.MAILED.seconds // 3600
    )
    return page, status


@bp.route("/password/<token>", methods=["GET", "POST"])
@open_to_all
def choose_password(token: str) -> ResponseReturnValue:
    """Let the holder of a link choose a password, and sign them in with it."""
    with db.read() as reading:
        linked = password_links.find(reading, token)
    form = ChooseForm()
    form.own_email = linked.email
    status = 200
    if form.validate_on_submit():
        password = passwords.hashed(text(form.password), email=linked.email)
        user = write_desk(password_links.use, token, password)
        how = settings.read(db.session(), config())
        if how.may_use_password(is_admin=user.is_admin):
            on = arriving.arrive(user, "/")
        else:
            flash_bad(_("Sign in with %(provider)s.", provider=how.provider_label))
            on = redirect(url_for("accounts.login"))
        flash_good(_("Password set. You were signed out in all other browsers."))
        return on
    if form.is_submitted():
        status = 400
    return _private(render_template("accounts/choose_password.html", form=form, linked=linked), status)


def check_password(email: str, password: str) -> User | None:
    """Return the user; None for a wrong password and for an unknown or disabled user."""
    address = client_address()
    guard = throttle.of(config().limits_url)
    browser = known_browsers.name_of(email)
    with db.read() as reading:
        user = users.find_user(reading, email)
    who = None if user is None else user.email
    try:
        refusal = guard.enter(email, address, browser)
    except TooManyError:
        log.warning("sign-in of %s from %s has to wait: too many tries", who or NOBODY, address)
        failed_tries.note(failed_tries.SIGN_IN, who, address, waited=True)
        raise
    known = user is not None and user.disabled_at is None
    stored = user.password_hash if user is not None and known else None
    try:
        is_right = passwords.verify(stored, password, waits=refusal is None)
    except UnavailableError:
        guard.give_back(email, address)
        raise
    if not is_right:
        guard.failed(address, browser)
        log.warning("sign-in of %s from %s failed", who or NOBODY, address)
        failed_tries.note(failed_tries.SIGN_IN, who, address)
        if refusal is not None:
            raise refusal
        return None
    assert user is not None
    guard.forgive(email, address, browser)
    if passwords.outdated(user.password_hash) and passwords.problem(password) is None:
        db.write(users.rehash, user.id, user.password_hash, passwords.hashed(password))
    return user


@bp.post("/logout")
@open_to_all
@before_new_password
@before_second_factor
def logout() -> ResponseReturnValue:
    """Sign out of this browser."""
    token = session.get(TOKEN)
    if maybe_user() is not None and isinstance(token, str):
        write_desk(sessions.end, token)
    sign_out()
    return clear_device(redirect(url_for("accounts.login")))


@bp.route("/setup", methods=["GET", "POST"], endpoint="setup")
@open_to_all
def set_up() -> ResponseReturnValue:
    """Create the first admin and the first workspace, for the holder of the setup link."""
    form = SetupForm(token=request.args.get("token", ""))
    token = text(form.token)
    with db.read() as reading:
        setup.check(reading, token)
    status = 200
    if form.validate_on_submit():
        try:
            admin, _workspace = db.write(
                setup.complete,
                token,
                email=text(form.email),
                name=text(form.name),
                password=passwords.hashed(text(form.password), email=text(form.email)),
                workspace=text(form.workspace),
            )
        except LobbyError as error:
            if error.status == 403:
                raise
            flash_bad(str(error))
        else:
            arriving.start(admin, "desk.set_up")
            flash_good(_("Lobby is set up. You are its admin and the owner of the first workspace."))
            return redirect("/")
    if form.is_submitted():
        status = 400
    return _private(render_template("accounts/setup.html", form=form), status)


@bp.route("/invite/<token>", methods=["GET", "POST"])
@open_to_all
def invite(token: str) -> ResponseReturnValue:
    """Join a workspace with a new account, or with an existing one."""
    with db.read() as reading:
        invited = invitations.find_invitation(reading, token)
    form = JoinForm()
    form.own_email = invited.email
    person = maybe_user()
    how = settings.read(db.session(), config())
    by_password = how.may_use_password(is_admin=False)
    status = 200
    if form.is_submitted():
        status = 400
        try:
            if person is not None:
                write_desk(invitations.accept_as, token)
                session["workspace"] = invited.workspace_id
                flash_good(_("You are now in %(workspace)s.", workspace=invited.workspace_name))
                return redirect("/")
            if not invited.has_account and by_password and form.validate():
                secret = passwords.hashed(text(form.password), email=invited.email)
                user = write_desk(invitations.accept_as_new, token, name=text(form.name), password=secret)
                arriving.start(user, "session.started")
                flash_good(_("Welcome to %(workspace)s.", workspace=invited.workspace_name))
                return redirect("/")
        except LobbyError as error:
            if error.status == 404:
                raise
            flash_bad(str(error))
            status = error.status
    page = render_template(
        "accounts/invite.html",
        form=form,
        invited=invited,
        person=person,
        token=token,
        role_names=roles.ROLE_NAMES,
        how=how,
        by_password=by_password,
    )
    return _private(page, status)


def _private(page: str, status: int) -> Response:
    """Respond with a page whose address contains a token, which other sites must not get in a Referer header.

    ``no-referrer`` would do that too, but makes browsers send ``Origin: null`` with the form.
    """
    response = make_response(page, status)
    response.headers["Referrer-Policy"] = "same-origin"
    return response
