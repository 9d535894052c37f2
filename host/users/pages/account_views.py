"""The page of the signed-in user: name, theme, language, password, sessions."""

from __future__ import annotations

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from host.core.db import db
from host.core.errors import InvalidError, NotFoundError, WrongPasswordError
from host.users import passwords, sessions, users
from host.users.pages import sudo
from host.users.pages.blueprint import bp
from host.users.pages.forms import ConfirmForm, PasswordForm, ProfileForm, text
from host.users.passwords import Hashed
from host.web.request_helpers import (
    THEMES,
    audit,
    current_user,
    flash_good,
    login_required,
    passive,
    safe_next,
    wants_json,
)


@bp.get("/account")
@login_required
def account() -> ResponseReturnValue:
    """Show name, theme, language, password and signed-in browsers."""
    return _page(_profile_form(), PasswordForm(formdata=None))


def _profile_form() -> ProfileForm:
    user = current_user()
    return ProfileForm(
        formdata=None, data={"name": user.name, "theme": user.theme, "locale": user.locale or ""}
    )


def _page(profile: ProfileForm, password: PasswordForm, status: int = 200) -> ResponseReturnValue:
    active = sessions.active(db.session(), current_user().id)
    page = render_template(
        "accounts/account.html",
        profile=profile,
        password=password,
        sessions=active,
        absolute=sessions.ABSOLUTE,
    )
    return page, status


@bp.post("/account/profile")
@login_required
def profile() -> ResponseReturnValue:
    """Save name, theme and language."""
    form = ProfileForm()
    if not form.validate():
        return _page(form, PasswordForm(formdata=None), 400)
    db.write(
        users.set_profile,
        current_user().id,
        name=text(form.name),
        theme=text(form.theme),
        locale=form.locale.data or None,
    )
    flash_good(_("Saved."))
    return redirect(url_for("accounts.account"))


@bp.post("/account/theme")
@passive
@login_required
def theme() -> ResponseReturnValue:
    """Store the theme chosen with the button in the top bar."""
    chosen = request.form.get("theme", "")
    if chosen not in THEMES:
        raise InvalidError()
    db.write(users.set_theme, current_user().id, chosen)
    return ("", 204) if wants_json() else redirect(url_for("accounts.account"))


@bp.post("/account/password")
@login_required
def change_password() -> ResponseReturnValue:
    """Change the password of a user who knows the present one; other browsers are signed out."""
    person = current_user()
    form = PasswordForm()
    form.own_email = person.email
    if not form.validate():
        return _page(_profile_form(), form, 400)
    try:
        sudo.verify(text(form.current))
    except WrongPasswordError:
        form.current.errors = [_("This is not your present password.")]
        return _page(_profile_form(), form, 400)
    db.write(_change, person.id, passwords.hashed(text(form.password), email=person.email), person.session_id)
    flash_good(_("Your password is changed. Every other browser was signed out."))
    return redirect(url_for("accounts.account"))


def _change(writing: Session, user_id: int, password: Hashed, session_id: int) -> None:
    users.set_password(writing, user_id, password, keep_session=session_id)
    audit(writing, "password.changed", current_user().email)


@bp.route("/account/confirm", methods=["GET", "POST"])
@login_required
def confirm() -> ResponseReturnValue:
    """Ask for the password again, and go on to the page it is needed for."""
    form = ConfirmForm(next=request.args.get("next", ""))
    status = 200
    if form.validate_on_submit():
        try:
            sudo.check(text(form.password))
        except WrongPasswordError as error:
            form.password.errors = [error.sentence]
        else:
            return redirect(safe_next(text(form.next)))
    if form.is_submitted():
        status = 400
    return render_template("accounts/confirm.html", form=form), status


@bp.post("/account/sessions/<int:session_id>/end")
@login_required
def end_session(session_id: int) -> ResponseReturnValue:
    """Sign another browser of the same person out."""
    person = current_user()

    def use_case(writing: Session) -> None:
        if not sessions.revoke(writing, person.id, session_id):
            raise NotFoundError(_("This browser is signed out already."), next_step="")
        audit(writing, "session.revoked", person.email)

    db.write(use_case)
    flash_good(_("That browser is signed out."))
    return redirect(url_for("accounts.account"))
