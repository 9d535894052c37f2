"""Settings pages of a workspace: its name, its members and invitations."""

from __future__ import annotations

from flask import g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.core.db import db
from host.core.errors import InvalidError, LobbyError
from host.models.users import Role, User
from host.users import invitations, members, workspaces
from host.users.pages.blueprint import bp
from host.users.pages.forms import InviteForm, WorkspaceForm, text
from host.web import navigation
from host.web.request_helpers import audit, current_user, external_url, flash_bad, flash_good, workspace_view

navigation.add_settings("accounts.general", _l("General"), order=10)
navigation.add_settings("accounts.team", _l("Team"), order=30)


@bp.route("/w/<int:workspace_id>/settings/general", methods=["GET", "POST"])
@workspace_view(Role.OWNER)
def general(workspace_id: int) -> ResponseReturnValue:
    """Rename the workspace."""
    form = WorkspaceForm(data={"name": g.workspace.name})
    if form.validate_on_submit():

        def use_case(writing: Session) -> None:
            workspaces.rename(writing, workspace_id, text(form.name))
            audit(writing, "workspace.renamed", text(form.name), workspace_id=workspace_id)

        db.write(use_case)
        flash_good(_("Saved."))
        return redirect(url_for("accounts.general", workspace_id=workspace_id))
    return render_template("accounts/general.html", form=form), 400 if form.is_submitted() else 200


@bp.get("/w/<int:workspace_id>/settings/team")
@workspace_view(Role.OWNER)
def team(workspace_id: int) -> ResponseReturnValue:
    """List the people of the workspace and the invitations still open."""
    return _page(workspace_id, InviteForm(formdata=None))


def _page(workspace_id: int, form: InviteForm, *, link: str = "", status: int = 200) -> ResponseReturnValue:
    people = members.listing(db.session(), workspace_id)
    pending = invitations.pending(db.session(), workspace_id)
    page = render_template(
        "accounts/team.html",
        form=form,
        people=people,
        pending=pending,
        link=link,
        email=text(form.email),
        days=invitations.LIFETIME.days,
    )
    return page, status


@bp.post("/w/<int:workspace_id>/settings/team/invite")
@workspace_view(Role.OWNER)
def team_invite(workspace_id: int) -> ResponseReturnValue:
    """Make an invitation; its link is shown once, on the page that answers."""
    form = InviteForm()
    if not form.validate():
        return _page(workspace_id, form, status=400)
    role = Role(text(form.role))

    def use_case(writing: Session) -> str:
        token = invitations.invite(
            writing,
            workspace_id=workspace_id,
            email=text(form.email),
            role=role,
            invited_by=current_user().id,
        )
        audit(
            writing,
            "member.invited",
            text(form.email),
            workspace_id=workspace_id,
            details={"role": role.value},
        )
        return token

    try:
        token = db.write(use_case)
    except LobbyError as error:
        form.email.errors = [str(error)]
        return _page(workspace_id, form, status=error.status)
    return _page(workspace_id, form, link=external_url("accounts.invite", token=token))


@bp.post("/w/<int:workspace_id>/settings/team/invitations/<int:invitation_id>/withdraw")
@workspace_view(Role.OWNER)
def team_withdraw(workspace_id: int, invitation_id: int) -> ResponseReturnValue:
    """End an invitation before it is used."""

    def use_case(writing: Session) -> None:
        email = invitations.withdraw(writing, workspace_id, invitation_id)
        audit(writing, "invitation.withdrawn", email, workspace_id=workspace_id)

    db.write(use_case)
    flash_good(_("The invitation no longer works."))
    return redirect(url_for("accounts.team", workspace_id=workspace_id))


@bp.post("/w/<int:workspace_id>/settings/team/<int:user_id>/role")
@workspace_view(Role.OWNER)
def team_role(workspace_id: int, user_id: int) -> ResponseReturnValue:
    """Make a member an owner or an agent."""
    try:
        role = Role(request.form.get("role", ""))
    except ValueError as error:
        raise InvalidError() from error

    def use_case(writing: Session) -> None:
        members.set_role(writing, workspace_id, user_id, role)
        audit(
            writing,
            "member.role_changed",
            _email(writing, user_id),
            workspace_id=workspace_id,
            details={"role": role.value},
        )

    return _try(workspace_id, user_id, use_case)


@bp.post("/w/<int:workspace_id>/settings/team/<int:user_id>/remove")
@workspace_view(Role.OWNER)
def team_remove(workspace_id: int, user_id: int) -> ResponseReturnValue:
    """Take a person out of the workspace."""

    def use_case(writing: Session) -> None:
        members.remove(writing, workspace_id, user_id)
        audit(writing, "member.removed", _email(writing, user_id), workspace_id=workspace_id)

    return _try(workspace_id, user_id, use_case)


def _try(workspace_id: int, user_id: int, use_case: object) -> ResponseReturnValue:
    try:
        db.write(use_case)  # type: ignore[arg-type]
    except LobbyError as error:
        if error.status == 404:
            raise
        flash_bad(str(error))
    else:
        flash_good(_("Saved."))
        if user_id == current_user().id:
            # They may have removed their own right to see this page.
            return redirect("/")
    return redirect(url_for("accounts.team", workspace_id=workspace_id))


def _email(session: Session, user_id: int) -> str:
    user = session.get(User, user_id)
    return "" if user is None else user.email
