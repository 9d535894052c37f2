"""Settings page of a workspace: its API keys."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext
from sqlalchemy.orm import Session

from host.core.db import db
from host.core.errors import ConflictError, LobbyError
from host.models.api import KeyEnd
from host.users import api_keys as keys
from host.users.api_keys import KeyRow, Scope
from host.users.pages import sudo
from host.users.users import clean_name
from host.web import navigation
from host.web.portions import portion
from host.web.request_helpers import (
    Permission,
    audit,
    config,
    current_user,
    flash_bad,
    flash_good,
    workspace_view,
)

bp = Blueprint("api_keys", __name__)

navigation.add_settings(
    "api_keys.index",
    _l("API keys"),
    order=40,
    section=navigation.INTEGRATIONS,
    icon="key",
    words="tokens, REST, programs, Schlüssel, Programme",
    finds=(navigation.Find(_l("Create API key"), "new-title", "new token, add key, Schlüssel anlegen"),),
)

CHOICES: dict[str, tuple[frozenset[Scope], object]] = {
    "read": (frozenset({Scope.READ}), lazy_pgettext("permission", "Read")),
    "write": (frozenset({Scope.READ, Scope.WRITE}), _l("Read and write")),
    "automatic": (frozenset({Scope.READ, Scope.WRITE}), _l("Read and write as automation")),
}
"""Scopes an owner can give a key, by the value of the form's choice."""
AUTOMATIC = "automatic"
"""The choice for a program that answers automatically."""

_WHY: dict[str, Callable[[str], str]] = {
    KeyEnd.LEFT: lambda name: _("%(name)s left the workspace.", name=name),
    KeyEnd.DEMOTED: lambda name: _("%(name)s is no longer an owner.", name=name),
    KeyEnd.LOCKED_OUT: lambda name: _("%(name)s was locked out.", name=name),
}


@bp.get("/w/<int:workspace_id>/settings/api")
@workspace_view(Permission.KEYS)
def index(workspace_id: int) -> ResponseReturnValue:
    """List the keys."""
    return _page(workspace_id)


def _page(
    workspace_id: int, *, token: str = "", problem: str = "", name: str = "", status: int = 200
) -> ResponseReturnValue:
    part = portion(keys.listing(db.session(), workspace_id))
    page = render_template(
        "api/keys.html",
        part=part,
        token=token,
        problem=problem,
        name=name,
        chosen=request.form.get("scopes", "read"),
        choices=[(value, label) for value, (_scopes, label) in CHOICES.items()],
        may=_may,
        why=_WHY,
        address=config().public_url + "/api/v1",
        team=g.workspace.name,
    )
    return page, status


def _may(row: KeyRow) -> object:
    """Return the permissions of a key, in words."""
    for choice, (allowed, label) in CHOICES.items():
        if row.scopes == allowed and row.automatic is (choice == AUTOMATIC):
            return label
    return ", ".join(sorted(row.scopes))


@bp.post("/w/<int:workspace_id>/settings/api")
@workspace_view(Permission.KEYS)
def create(workspace_id: int) -> ResponseReturnValue:
    """Create a key and show it once, on the resulting page."""
    name = request.form.get("name", "")
    choice = request.form.get("scopes", "")
    scopes, _label = CHOICES.get(choice, (frozenset(), None))
    if Scope.WRITE in scopes:
        sudo.require()

    def use_case(session: Session) -> str:
        token = keys.create(
            session,
            workspace_id=workspace_id,
            name=name,
            scopes=scopes,
            created_by=current_user().id,
            automatic=choice == AUTOMATIC,
        )
        details = {"scopes": sorted(scopes), **({"automatic": True} if choice == AUTOMATIC else {})}
        audit(session, "api_key.created", clean_name(name), workspace_id=workspace_id, details=details)
        return token

    try:
        token = db.write(use_case)
    except LobbyError as error:
        return _page(workspace_id, problem=str(error), name=name[:200], status=error.status)
    return _page(workspace_id, token=token)


@bp.post("/w/<int:workspace_id>/settings/api/<int:key_id>/revoke")
@workspace_view(Permission.KEYS)
def revoke(workspace_id: int, key_id: int) -> ResponseReturnValue:
    """Revoke a key immediately."""

    def use_case(session: Session) -> None:
        name = keys.revoke(session, workspace_id, key_id)
        if name is not None:
            audit(session, "api_key.revoked", name, workspace_id=workspace_id)

    db.write(use_case)
    flash_good(_("The key was revoked."))
    return redirect(url_for("api_keys.index", workspace_id=workspace_id))


@bp.post("/w/<int:workspace_id>/settings/api/<int:key_id>/take-over")
@workspace_view(Permission.KEYS)
def take_over(workspace_id: int, key_id: int) -> ResponseReturnValue:
    """Take responsibility for a key, so that it doesn't end when the previous owner leaves."""
    sudo.require()

    def use_case(session: Session) -> None:
        name = keys.hand_over(session, workspace_id, key_id, current_user().id)
        audit(session, "api_key.taken_over", name, workspace_id=workspace_id)

    try:
        db.write(use_case)
    except ConflictError as error:
        flash_bad(str(error))
    else:
        flash_good(_("You now own the key. Anyone who has a copy can keep using it."))
    return redirect(url_for("api_keys.index", workspace_id=workspace_id))
