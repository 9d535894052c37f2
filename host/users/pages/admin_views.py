"""The admin page that lists the workspaces of the installation."""

from __future__ import annotations

from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l

from host.core.db import db
from host.models.users import Role
from host.users import invitations
from host.users import workspaces as use_cases
from host.users.actor import DeskWork
from host.users.pages import sudo
from host.users.pages.blueprint import bp
from host.users.pages.forms import NewWorkspaceForm, text
from host.web import navigation
from host.web.languages import gettext as _
from host.web.portions import portion
from host.web.request_helpers import (
    admin_required,
    external_url,
    flash_good,
    write_desk,
)

navigation.add_admin(
    "accounts.workspaces",
    _l("Workspaces"),
    order=30,
    section=navigation.WORKSPACES,
    icon="grid",
    words="companies, clients, Arbeitsbereiche, Firmen, Mandanten",
    finds=(navigation.Find(_l("New workspace"), "new-title", "add workspace, Arbeitsbereich anlegen"),),
)


@bp.route("/admin/workspaces", methods=["GET", "POST"])
@admin_required
def workspaces() -> ResponseReturnValue:
    """List all workspaces; create one, with an invitation for its owner."""
    form = NewWorkspaceForm()
    link = ""
    if form.validate_on_submit():
        sudo.require()
        token = write_desk(_create, text(form.name), None if form.mine.data else text(form.email))
        if token is None:
            flash_good(_("Workspace created. You are its owner."))
            return redirect(url_for("accounts.workspaces"))
        link = external_url("accounts.invite", token=token)
    status = 400 if form.is_submitted() and not link else 200
    part = portion(use_cases.listing(db.session()))
    page = render_template(
        "accounts/workspaces.html", form=form, part=part, link=link, days=invitations.LIFETIME.days
    )
    return page, status


def _create(work: DeskWork, name: str, owner_email: str | None) -> str | None:
    """Create the workspace; return the token of the owner's invitation, or None if the admin owns it."""
    workspace = use_cases.add(work, name, owned=owner_email is None)
    if owner_email is None:
        return None
    return invitations.invite(work.at(workspace.id), owner_email, Role.OWNER)
