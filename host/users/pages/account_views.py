"""The page of the signed-in user: name, theme, language, time zone, password, sessions, account deletion."""

from __future__ import annotations

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l

from host.core.db import db
from host.core.errors import ConflictError, InvalidError, WrongPasswordError
from host.users import confirming, last_owners, leaving, passwords, roles, sessions, users
from host.users.pages import sudo
from host.users.pages.blueprint import bp
from host.users.pages.forms import CodeForm, ConfirmForm, DeleteForm, PasswordForm, ProfileForm, text
from host.users.signin import factors, settings
from host.web import navigation
from host.web.devices import device_of
from host.web.languages import gettext as _
from host.web.request_helpers import (
    THEMES,
    CurrentUser,
    before_new_password,
    before_second_factor,
    clear_device,
    config,
    current_user,
    flash_good,
    login_required,
    passive,
    safe_next,
    sign_out,
    wants_json,
    write_desk,
)

navigation.add_own(
    "accounts.account",
    _l("Your account"),
    order=10,
    words="profile, me, Profil, ich",
    finds=(
        navigation.Find(_l("Name"), "name", "my name, picture, photo, avatar, mein Name, Bild, Foto"),
        navigation.Find(_l("Time zone"), "timezone", "clock, local time, Uhrzeit, Ortszeit"),
        navigation.Find(_l("Language"), "locale", "English, German, Deutsch, Englisch"),
        navigation.Find(_l("Theme"), "theme", "dark mode, light, colours, dunkel, hell, Dunkelmodus, Farben"),
        navigation.Find(_l("Password"), "password-title", "change password, Kennwort, Passwort ändern"),
        navigation.Find(
            _l("Sign-in and security"),
            "security-title",
            "passkey, two-factor, 2FA, second factor, authenticator, QR code, Zwei-Faktor, zweiter Faktor",
        ),
        navigation.Find(
            _l("Where you are signed in"), "sessions-title", "sessions, devices, Geräte, Sitzungen"
        ),
        navigation.Find(
            _l("Leave"), "leave-title", "delete account, close account, Konto löschen, austreten"
        ),
    ),
)


@bp.get("/account")
@login_required
def account() -> ResponseReturnValue:
    """Show name, theme, language, password and signed-in browsers."""
    return _page(_profile_form(), PasswordForm(formdata=None))


def _profile_form() -> ProfileForm:
    user = current_user()
    values = {
        "name": user.name,
        "theme": user.theme,
        "locale": user.locale or "",
        "timezone": user.timezone or "",
    }
    return ProfileForm(formdata=None, data=values)


def _page(
    profile: ProfileForm, password: PasswordForm, status: int = 200, *, leave: DeleteForm | None = None
) -> ResponseReturnValue:
    person = current_user()
    with db.read() as reading:
        active = sessions.active(reading, person.id)
        stays = last_owners.why_they_stay(reading, person.id)
        found = leaving.belongings(reading, person.id, for_good=True)
        second_factor = factors.of(reading, person.id).any
        provider = settings.read(reading, config()).provider_label
    page = render_template(
        "accounts/account.html",
        profile=profile,
        password=password,
        leave=leave or DeleteForm(formdata=None),
        stays=stays,
        belongings=found,
        second_factor=second_factor,
        sessions=active,
        provider=provider,
        absolute=sessions.ABSOLUTE,
        device_of=device_of,
        role_names=roles.ROLE_NAMES,
    )
    return page, status


@bp.post("/account/profile")
@login_required
def profile() -> ResponseReturnValue:
    """Save name, theme, language and time zone."""
    form = ProfileForm()
    if not form.validate():
        return _page(form, PasswordForm(formdata=None), 400)
    db.write(
        users.set_profile,
        current_user().id,
        name=text(form.name),
        theme=text(form.theme),
        locale=form.locale.data or None,
        timezone=form.timezone.data or None,
    )
    flash_good(_("Saved."))
    return redirect(url_for("accounts.account"))


@bp.post("/account/theme")
@passive
@login_required
@before_new_password
@before_second_factor
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
    """Change the password of a user who knows the current one; other browsers are signed out."""
    person = current_user()
    form = PasswordForm()
    form.own_email = person.email
    if not form.validate():
        return _page(_profile_form(), form, 400)
    try:
        sudo.verify(text(form.current))
    except WrongPasswordError:
        form.current.errors = [_("Your current password is incorrect.")]
        return _page(_profile_form(), form, 400)
    _change(person, text(form.password))
    flash_good(_("Password changed. You were signed out in all other browsers."))
    return redirect(url_for("accounts.account"))


def _change(person: CurrentUser, password: str) -> None:
    hashed = passwords.hashed(password, email=person.email)
    write_desk(users.change_password, hashed, keep_session=person.session_id)


@bp.route("/account/new-password", methods=["GET", "POST"])
@login_required
@before_new_password
def new_password() -> ResponseReturnValue:
    """Let somebody choose a new password because an admin required it."""
    person = current_user()
    form = PasswordForm()
    form.own_email = person.email
    status = 200
    if form.validate_on_submit():
        try:
            sudo.verify(text(form.current))
        except WrongPasswordError:
            form.current.errors = [_("Your current password is incorrect.")]
        else:
            if text(form.current) != text(form.password):
                _change(person, text(form.password))
                flash_good(_("Password changed. You were signed out in all other browsers."))
                return redirect(safe_next(request.args.get("next")))
            form.password.errors = [_("This is your current password. Choose a different one.")]
    if form.is_submitted():
        status = 400
    return render_template("accounts/new_password.html", form=form), status


@bp.route("/account/confirm", methods=["GET", "POST"])
@login_required
@before_second_factor
def confirm() -> ResponseReturnValue:
    """Ask the person to confirm their identity, then continue to the page that requires it."""
    form = ConfirmForm(next=request.args.get("next", ""))
    if form.validate_on_submit():
        try:
            sudo.check(text(form.password))
        except WrongPasswordError as error:
            form.password.errors = [error.sentence]
        else:
            return redirect(safe_next(text(form.next)))
    return _confirm_page(form, CodeForm(formdata=None))


@bp.post("/account/confirm/code")
@login_required
@before_second_factor
def confirm_with_code() -> ResponseReturnValue:
    """Confirm with a code of an app, or a recovery code, in place of the password."""
    code = CodeForm()
    target = request.form.get("next", "")
    if not text(code.code).strip():
        code.code.errors = [_("This field is required.")]
    elif sudo.check_code(text(code.code)):
        return redirect(safe_next(target))
    else:
        code.code.errors = [_("That code is invalid or has expired.")]
    return _confirm_page(ConfirmForm(formdata=None, data={"next": target}), code)


def _confirm_page(form: ConfirmForm, code: CodeForm) -> ResponseReturnValue:
    """Return the page with every method by which the person can confirm their identity."""
    with db.read() as reading:
        ways = confirming.ways_of(reading, current_user(), config())
    page = render_template(
        "accounts/confirm.html",
        form=form,
        code=code,
        ways=ways,
        target=safe_next(text(form.next)),
    )
    return page, 400 if request.method == "POST" else 200


@bp.post("/account/sessions/<int:session_id>/end")
@login_required
def end_session(session_id: int) -> ResponseReturnValue:
    """Sign another browser of the same person out."""
    write_desk(sessions.revoke, session_id)
    flash_good(_("Browser signed out."))
    return redirect(url_for("accounts.account"))


@bp.post("/account/sessions/end-others")
@login_required
def end_other_sessions() -> ResponseReturnValue:
    """Sign every other browser of the same person out."""
    write_desk(sessions.end_others, keep=current_user().session_id)
    flash_good(_("All other browsers were signed out."))
    return redirect(url_for("accounts.account"))


@bp.post("/account/delete")
@login_required
def delete_account() -> ResponseReturnValue:
    """Delete the account of the signed-in person, who confirms with their password.

    People without a password must have signed in or confirmed recently, and type their address.
    """
    person = current_user()
    form = DeleteForm()
    status = 400
    proof = form.password if person.has_password else form.address
    if not form.validate():
        pass
    elif not text(proof):
        proof.errors = [_("This field is required.")]
    elif not person.has_password and text(proof).strip().casefold() != person.email.casefold():
        proof.errors = [_("The address does not match yours, so nothing was deleted.")]
    else:
        try:
            sudo.verify_or_require(text(form.password))
            write_desk(leaving.delete_account)
        except WrongPasswordError as error:
            proof.errors = [error.sentence]
        except ConflictError as error:
            proof.errors = [str(error)]
            status = error.status
        else:
            sign_out()
            flash_good(_("Your account was deleted."))
            return clear_device(redirect(url_for("accounts.login")))
    return _page(_profile_form(), PasswordForm(formdata=None), status, leave=form)
