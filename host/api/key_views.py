"""Settings page of a workspace: its API keys."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from flask import Blueprint, g, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l

from host.api import expiring, key_form
from host.api.key_form import KeyForm
from host.core import clock
from host.core.db import db
from host.core.errors import ConflictError, LobbyError
from host.features import registry
from host.inbox.teams import teams
from host.models.api_keys import KeyEnd
from host.users import api_keys as keys
from host.users import reach
from host.users.pages import sudo
from host.web import account_picker, navigation
from host.web.languages import gettext as _
from host.web.portions import portion
from host.web.request_helpers import (
    Permission,
    config,
    flash_bad,
    flash_good,
    workspace_view,
    write,
)

bp = Blueprint("api_keys", __name__)

navigation.add_settings(
    "api_keys.index",
    _l("API keys"),
    order=40,
    section=navigation.INTEGRATIONS,
    icon="key",
    words="tokens, REST, programs, export, Schlüssel, Programme, exportieren",
    finds=(navigation.Find(_l("Create API key"), "new-title", "new token, add key, Schlüssel anlegen"),),
)

_EMPTY = KeyForm()

_WHY: dict[str, Callable[[str], str]] = {
    KeyEnd.LEFT: lambda name: _("%(name)s left the workspace.", name=name),
    KeyEnd.DEMOTED: lambda name: _("%(name)s is no longer an owner.", name=name),
    KeyEnd.LOCKED_OUT: lambda name: _("%(name)s was locked out.", name=name),
    KeyEnd.EXPIRED: lambda _name: _("Its expiry date has passed."),
}


@bp.get("/w/<int:workspace_id>/settings/api")
@workspace_view(Permission.KEYS)
def index(workspace_id: int) -> ResponseReturnValue:
    """List the keys."""
    return _page(workspace_id)


def _page(
    workspace_id: int,
    form: KeyForm = _EMPTY,
    *,
    token: str = "",
    problem: str = "",
    field: str | None = None,
    status: int = 200,
) -> ResponseReturnValue:
    session = db.session()
    part = portion(keys.listing(session, workspace_id))
    names = {one.id: one.name for one in reach.choices(session, workspace_id)}
    of_workspace = teams.all_of(session, workspace_id)
    page = render_template(
        "api/keys.html",
        part=part,
        token=token,
        problem=problem,
        field=field,
        form=form,
        presets=key_form.offered(key_form.PRESETS),
        resources=key_form.offered(key_form.RESOURCES),
        assistants=registry.is_on("assistants"),
        expiries=key_form.DAYS,
        accounts=account_picker.picker(session, workspace_id, form.accounts),
        teams=of_workspace,
        access_of=key_form.access_of,
        account_names=names,
        team_names={one.id: one.name for one in of_workspace},
        soon=clock.now() + keys.SOON,
        why=_WHY,
        address=config().public_url + "/api/v1",
        team=g.workspace.name,
    )
    return page, status


@bp.post("/w/<int:workspace_id>/settings/api")
@workspace_view(Permission.KEYS)
def create(workspace_id: int) -> ResponseReturnValue:
    """Create a key and show it once, on the resulting page."""
    form = key_form.given()
    if account_picker.is_looking():
        return _page(workspace_id, form)
    scopes = form.chosen()
    if any(scope.writes for scope in scopes):
        sudo.require()
    try:
        until, limit = form.expires_at(), form.limit()
        token = write(keys.create, form.name, scopes, automatic=form.automatic, expires_at=until, limit=limit)
    except LobbyError as error:
        form = msgspec.structs.replace(form, name=form.name[:200])
        return _page(workspace_id, form, problem=str(error), field=error.field, status=error.status)
    return _page(workspace_id, token=token)


@bp.post("/w/<int:workspace_id>/settings/api/<int:key_id>/revoke")
@workspace_view(Permission.KEYS)
def revoke(workspace_id: int, key_id: int) -> ResponseReturnValue:
    """Revoke a key immediately."""
    write(expiring.revoke, key_id)
    flash_good(_("The key was revoked."))
    return redirect(url_for("api_keys.index", workspace_id=workspace_id))


@bp.post("/w/<int:workspace_id>/settings/api/<int:key_id>/take-over")
@workspace_view(Permission.KEYS)
def take_over(workspace_id: int, key_id: int) -> ResponseReturnValue:
    """Take responsibility for a key, so that it doesn't end when the previous owner leaves."""
    sudo.require()
    try:
        write(keys.take_over, key_id)
    except ConflictError as error:
        flash_bad(str(error))
    else:
        flash_good(_("You now own the key. Anyone who has a copy can keep using it."))
    return redirect(url_for("api_keys.index", workspace_id=workspace_id))
