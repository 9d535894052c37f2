"""The admin page that lists the workspaces of the installation."""

from __future__ import annotations

from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.core.db import db
from host.models.users import Role
from host.users import invitations
from host.users import workspaces as use_cases
from host.users.pages import sudo
from host.users.pages.blueprint import bp
from host.users.pages.forms import NewWorkspaceForm, text
from host.web import navigation
from host.web.portions import portion
from host.web.request_helpers import (
    admin_required,
    audit,
    current_user,
    external_url,
    flash_good,
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
        token = db.write(_create, text(form.name), None if form.mine.data else text(form.email))
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


def _create(writing: Session, name: str, owner_email: str | None) -> str | None:
    """Create the workspace; return the token of the owner's invitation, or None if the admin owns it."""
    admin = current_user()
    workspace = use_cases.create(writing, name, None if owner_email else admin.id)
    audit(writing, "workspace.created", workspace.name, workspace_id=workspace.id)
    if owner_email is None:
        return None
    audit(
        writing,
        "member.invited",
        owner_email,
        workspace_id=workspace.id,
        details={"role": Role.OWNER.value},
    )
    return invitations.invite(
        writing, workspace_id=workspace.id, email=owner_email, role=Role.OWNER, invited_by=admin.id
    )
