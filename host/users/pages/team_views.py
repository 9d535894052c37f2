"""Settings pages of a workspace: its name, its members and invitations."""

from __future__ import annotations

from collections.abc import Sequence

from flask import g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.core.db import db
from host.core.errors import InvalidError, LobbyError
from host.models.users import Role, User
from host.users import api_keys, invitations, members, workspaces
from host.users.endings import Ended
from host.users.pages import sudo
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
    if role is Role.OWNER:
        sudo.require()

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
    """Make a member an owner or an agent; what ends with that is shown first."""
    try:
        role = Role(request.form.get("role", ""))
    except ValueError as error:
        raise InvalidError() from error
    if role is Role.OWNER:
        sudo.require()

    def use_case(writing: Session) -> None:
        handed = _hand_over(writing, workspace_id, user_id)
        ended = members.set_role(writing, workspace_id, user_id, role)
        _record(writing, "member.role_changed", workspace_id, user_id, {"role": role.value}, handed, ended)

    if role is not Role.OWNER:
        page = _ask_first(workspace_id, user_id, removing=False)
        if page is not None:
            return page
    return _try(workspace_id, user_id, use_case)


@bp.post("/w/<int:workspace_id>/settings/team/<int:user_id>/remove")
@workspace_view(Role.OWNER)
def team_remove(workspace_id: int, user_id: int) -> ResponseReturnValue:
    """Take a person out of the workspace; what ends with that is shown first."""

    def use_case(writing: Session) -> None:
        handed = _hand_over(writing, workspace_id, user_id)
        ended = members.remove(writing, workspace_id, user_id)
        _record(writing, "member.removed", workspace_id, user_id, {}, handed, ended)

    page = _ask_first(workspace_id, user_id, removing=True)
    return _try(workspace_id, user_id, use_case) if page is None else page


def _ask_first(workspace_id: int, user_id: int, *, removing: bool) -> ResponseReturnValue | None:
    """Return the page that says what ends with a person's role, unless the form shows it was seen."""
    with db.read() as reading:
        keys = api_keys.listing(reading, workspace_id, holder_id=user_id)
        sent = invitations.pending(reading, workspace_id, invited_by=user_id)
        people = members.listing(reading, workspace_id)
    present = {f"key-{row.id}" for row in keys} | {f"invitation-{row.id}" for row in sent}
    person = next((one for one in people if one.user_id == user_id), None)
    if person is None or not present - set(request.form.getlist("seen")):
        if request.form.get("keys") and any(row.writes for row in keys):
            sudo.require()
        return None
    owners = [one for one in people if one.role is Role.OWNER and not one.disabled and one.user_id != user_id]
    owners.sort(key=lambda one: one.user_id != current_user().id)
    page = render_template(
        "accounts/leaving.html",
        person=person,
        keys=keys,
        invitations=sent,
        owners=owners,
        removing=removing,
        seen=sorted(present),
    )
    return page, 200


def _hand_over(writing: Session, workspace_id: int, user_id: int) -> list[str]:
    """Give the keys a person answers for to the owner the form names; without one they are left to end."""
    to = request.form.get("keys", "")
    if not to:
        return []
    if not to.isascii() or not to.isdigit() or len(to) > 18:
        raise InvalidError()
    rows = api_keys.listing(writing, workspace_id, holder_id=user_id)
    return [api_keys.hand_over(writing, workspace_id, row.id, int(to)) for row in rows]


def _record(
    writing: Session,
    action: str,
    workspace_id: int,
    user_id: int,
    details: dict[str, str],
    handed: Sequence[str],
    ended: Ended,
) -> None:
    """Write down what was done to a person, and each key and invitation that went with it."""
    email = _email(writing, user_id)
    audit(writing, action, email, workspace_id=workspace_id, details=details)
    for name in handed:
        audit(writing, "api_key.handed_over", name, workspace_id=workspace_id, details={"of": email})
    for name in ended.keys:
        audit(writing, "api_key.ended", name, workspace_id=workspace_id, details={"of": email})
    for address in ended.invitations:
        audit(writing, "invitation.ended", address, workspace_id=workspace_id, details={"of": email})


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
