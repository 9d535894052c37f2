"""The admin page of everyone on the desk: add, lock out, re-enable, make admins, help with passwords."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import msgspec
from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext

from host.core import mail
from host.core.db import db
from host.core.errors import InvalidError, LobbyError
from host.users import last_owners, leaving, password_links, roles, users
from host.users.actor import DeskWork
from host.users.pages import asking_first, sudo
from host.users.pages.asking_first import Question
from host.users.pages.blueprint import bp
from host.users.pages.forms import NewPersonForm, text
from host.users.signin import factors
from host.users.users import Person
from host.web import navigation
from host.web.languages import gettext as _
from host.web.portions import portion
from host.web.request_helpers import (
    admin_required,
    config,
    current_user,
    external_url,
    flash_bad,
    flash_good,
    id_in,
    write_desk,
)

STATES: dict[str, tuple[object, Callable[[Person], bool]]] = {
    "active": (_l("Can sign in"), lambda one: one.disabled_at is None),
    "admin": (_l("Admins"), lambda one: one.is_admin),
    "invited": (_l("No password yet"), lambda one: not one.has_password),
    "no_second": (_l("No second factor"), lambda one: not one.second_factor and one.disabled_at is None),
    "disabled": (_l("Locked out"), lambda one: one.disabled_at is not None),
}
"""Filters of the list of people."""

navigation.add_admin(
    "accounts.desk_people",
    _l("All people"),
    order=35,
    section=navigation.WORKSPACES,
    icon="users",
    words="users, admins, reset password, Benutzer, Admins, Passwort zurücksetzen",
    finds=(navigation.Find(_l("Add a person"), "add-title", "new user, invite, einladen, neuer Benutzer"),),
)


def mails_links() -> bool:
    """Return whether the desk can mail a link."""
    return mail.server_of(config()) is not None


@bp.get("/admin/people")
@admin_required
def desk_people() -> ResponseReturnValue:
    """List everyone on the desk."""
    return _page(NewPersonForm(formdata=None))


def _page(
    form: NewPersonForm, *, link: str = "", whose: str = "", days: int = 0, status: int = 200
) -> ResponseReturnValue:
    with db.read() as reading:
        everybody = users.people(reading)
    wanted = request.args.get("q", "").strip().casefold()
    state = request.args.get("state", "")
    shown = [one for one in everybody if wanted in f"{one.name} {one.email}".casefold()]
    if state in STATES:
        shown = [one for one in shown if STATES[state][1](one)]
    active = [one for one in everybody if one.disabled_at is None]
    page = render_template(
        "accounts/desk_people.html",
        form=form,
        part=portion(shown),
        active=len(active),
        disabled=len(everybody) - len(active),
        only_admin=[one.id for one in active if one.is_admin][1:] == [],
        roles=roles,
        states=STATES,
        many=MANY,
        state=state,
        q=request.args.get("q", ""),
        link=link,
        whose=whose,
        days=days,
        mails=mails_links(),
    )
    return page, status


@bp.post("/admin/people")
@admin_required
def add_person() -> ResponseReturnValue:
    """Add a person. They choose their password through a link, which is shown once or mailed."""
    form = NewPersonForm()
    if not form.validate():
        return _page(form, status=400)
    sudo.require()
    who = text(form.email), text(form.name)
    is_admin = bool(form.admin.data)
    try:
        token = write_desk(password_links.add_person, *who, is_admin=is_admin, by_mail=_by_mail())
    except LobbyError as error:
        form.email.errors = [str(error)]
        return _page(form, status=error.status)
    return _linked(text(form.email), token, password_links.FIRST.days)


def _by_mail() -> bool:
    return request.form.get("how") == "mail" and mails_links()


def _linked(email: str, token: str, days: int) -> ResponseReturnValue:
    if not token:
        flash_good(_("Sends a link to %(email)s.", email=email))
        return redirect(url_for("accounts.desk_people"))
    link = external_url("accounts.choose_password", token=token)
    return _page(NewPersonForm(formdata=None), link=link, whose=email, days=days)


@bp.post("/admin/people/<int:user_id>/link")
@admin_required
@sudo.fresh_password
def make_password_link(user_id: int) -> ResponseReturnValue:
    """Create a link with which a person chooses a password; their current one works until then."""
    person = _person(user_id)
    lasts = password_links.HANDED if person.has_password else password_links.FIRST
    token = write_desk(password_links.hand, user_id, lasts, by_mail=_by_mail())
    return _linked(person.email, token, lasts.days)


@bp.post("/admin/people/<int:user_id>/new-password")
@admin_required
@sudo.fresh_password
def force_new_password(user_id: int) -> ResponseReturnValue:
    """Require a person to choose a new password before they do anything else."""
    return _do(user_id, users.require_new_password, _("They must choose a new password."))


@bp.post("/admin/people/<int:user_id>/sign-out")
@admin_required
@sudo.fresh_password
def sign_person_out(user_id: int) -> ResponseReturnValue:
    """End all sessions of a person."""
    return _do(user_id, users.sign_out, _("They were signed out everywhere."))


@bp.post("/admin/people/<int:user_id>/second-factor/reset")
@admin_required
@sudo.fresh_password
def reset_second_factor(user_id: int) -> ResponseReturnValue:
    """Remove the second factor of a person who lost it."""
    done = _("Their second factor was removed, and they were signed out everywhere.")
    return _do(user_id, factors.reset, done)


@bp.post("/admin/people/<int:user_id>/enable")
@admin_required
@sudo.fresh_password
def enable_person(user_id: int) -> ResponseReturnValue:
    """Let a locked-out person sign in again."""
    return _do(user_id, users.enable, _("They can sign in again."))


@bp.post("/admin/people/<int:user_id>/admin")
@admin_required
@sudo.fresh_password
def set_person_admin(user_id: int) -> ResponseReturnValue:
    """Make a person an admin of the desk, or remove that role."""
    wanted = request.form.get("admin") == "1"
    return _do(user_id, partial(users.set_admin, is_admin=wanted), _("Saved."))


def _do(user_id: int, use_case: Callable[[DeskWork, int], object], done: str) -> ResponseReturnValue:
    try:
        write_desk(use_case, user_id)
    except LobbyError as error:
        if error.status == 404:
            raise
        flash_bad(str(error))
    else:
        flash_good(done)
        if user_id == current_user().id:
            return redirect("/")  # they may have lost the right to see this page
    return redirect(url_for("accounts.desk_people"))


class Many(msgspec.Struct, frozen=True):
    """An action for many selected people, with the label of its menu entry."""

    label: object
    use_case: Callable[[DeskWork, int], object]


MANY = {
    "sign-out": Many(_l("Sign out everywhere"), users.sign_out),
    "new-password": Many(_l("Require new password"), users.require_new_password),
    "enable": Many(_l("Unlock"), users.enable),
    "disable": Many(_l("Lock out…"), leaving.lock_out),
}
MOST_AT_ONCE = 200


@bp.post("/admin/people/many")
@admin_required
def many_people() -> ResponseReturnValue:
    """Run one action for every selected person; name those for whom it was not possible."""
    many = MANY.get(request.form.get("do", ""))
    ids = sorted({id_in(text) for text in request.form.getlist("person")[:MOST_AT_ONCE]})
    if many is None:
        raise InvalidError()
    if not ids:
        flash_bad(_("Select at least one person. Nothing was changed."))
        return redirect(url_for("accounts.desk_people"))
    sudo.require()
    with db.read() as reading:
        found = [one for one in users.people(reading) if one.id in ids]
        kept: leaving.UsesOfPeople = {}
        goes = [(one, leaving.belongings(reading, one.id, kept=kept)) for one in found]
    if many is MANY["disable"] and request.form.get("sure") != "1":
        return render_template("accounts/lock_many.html", people=goes, back=url_for("accounts.desk_people"))
    _tell_of_many(many, found)
    if current_user().id in ids:
        return redirect("/")  # they may have ended their own session
    return redirect(url_for("accounts.desk_people"))


def _tell_of_many(many: Many, people: Sequence[Person]) -> None:
    refused: list[str] = []
    for person in people:
        try:
            write_desk(many.use_case, person.id)
        except LobbyError as error:
            refused.append(f"{person.name}: {error.sentence}")
    done = len(people) - len(refused)
    if done:
        flash_good(ngettext("Applied to %(num)s person.", "Applied to %(num)s people.", done))
    for sentence in refused:
        flash_bad(sentence)


@bp.post("/admin/people/<int:user_id>/disable")
@admin_required
def disable_person(user_id: int) -> ResponseReturnValue:
    """Lock a person out, after showing what ends or is transferred."""
    person = _person(user_id)
    with db.read() as reading:
        reason = last_owners.why_they_stay(reading, user_id)
    if reason:
        flash_bad(reason)
        return redirect(url_for("accounts.desk_people"))
    sudo.require()
    question = Question(
        name=person.name,
        title=_("Lock %(name)s out?", name=person.name),
        sentence=_(
            "They are signed out everywhere at once, and can be let in again at any time. "
            "What they wrote stays, with the name."
        ),
        button=_("Lock out"),
        template="admin.html",
        back=url_for("accounts.desk_people"),
        always=True,
    )
    page = asking_first.ask(question, user_id)
    if page is not None:
        return page
    lock_out = partial(leaving.lock_out, heirs=asking_first.heirs(user_id))
    return _do(user_id, lock_out, _("They can no longer sign in."))


def _person(user_id: int) -> Person:
    with db.read() as reading:
        return users.person(reading, user_id)
