"""Settings page of a workspace: its API keys."""

from __future__ import annotations

from flask import Blueprint, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.api import keys
from host.api.keys import Scope
from host.core.db import db
from host.core.errors import LobbyError
from host.models.users import Role
from host.users.users import clean_name
from host.web import navigation
from host.web.request_helpers import audit, config, current_user, flash_good, workspace_view

bp = Blueprint("api_keys", __name__)

navigation.add_settings("api_keys.index", _l("API keys"), order=40)

CHOICES: dict[str, tuple[frozenset[Scope], object]] = {
    "read": (frozenset({Scope.READ}), _l("Read")),
    "write": (frozenset({Scope.READ, Scope.WRITE}), _l("Read and write")),
}
"""What an owner may allow a key, by the value of the form's choice."""


@bp.get("/w/<int:workspace_id>/settings/api")
@workspace_view(Role.OWNER)
def index(workspace_id: int) -> ResponseReturnValue:
    """List the keys."""
    return _page(workspace_id)


def _page(
    workspace_id: int, *, token: str = "", problem: str = "", name: str = "", status: int = 200
) -> ResponseReturnValue:
    rows = keys.listing(db.session(), workspace_id)
    page = render_template(
        "api/keys.html",
        rows=rows,
        token=token,
        problem=problem,
        name=name,
        chosen=request.form.get("scopes", "read"),
        choices=[(value, label) for value, (_scopes, label) in CHOICES.items()],
        may=_may,
        address=config().public_url + "/api/v1",
        team=g.workspace.name,
    )
    return page, status


def _may(scopes: frozenset[Scope]) -> object:
    """Return what *scopes* allow, in words."""
    for allowed, label in CHOICES.values():
        if scopes == allowed:
            return label
    return ", ".join(sorted(scopes))


@bp.post("/w/<int:workspace_id>/settings/api")
@workspace_view(Role.OWNER)
def create(workspace_id: int) -> ResponseReturnValue:
    """Make a key; it is shown once, on the page that answers."""
    name = request.form.get("name", "")
    scopes, _label = CHOICES.get(request.form.get("scopes", ""), (frozenset(), None))

    def use_case(session: Session) -> str:
        token = keys.create(
            session, workspace_id=workspace_id, name=name, scopes=scopes, created_by=current_user().id
        )
        details = {"scopes": sorted(scopes)}
        audit(session, "api_key.created", clean_name(name), workspace_id=workspace_id, details=details)
        return token

    try:
        token = db.write(use_case)
    except LobbyError as error:
        return _page(workspace_id, problem=str(error), name=name[:200], status=error.status)
    return _page(workspace_id, token=token)


@bp.post("/w/<int:workspace_id>/settings/api/<int:key_id>/revoke")
@workspace_view(Role.OWNER)
def revoke(workspace_id: int, key_id: int) -> ResponseReturnValue:
    """End a key at once."""

    def use_case(session: Session) -> None:
        name = keys.revoke(session, workspace_id, key_id)
        if name is not None:
            audit(session, "api_key.revoked", name, workspace_id=workspace_id)

    db.write(use_case)
    flash_good(_("The key no longer works."))
    return redirect(url_for("api_keys.index", workspace_id=workspace_id))
