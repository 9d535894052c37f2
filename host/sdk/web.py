"""Helpers for an addon's pages: the signed-in user, permissions, and common utilities.

Views of an addon's blueprint require a login, unless the manifest declares their path as a route.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask import current_app, url_for
from sqlalchemy.orm import Session

from host.inbox import variables as _variables
from host.users.pages import sudo as _sudo
from host.users.roles import Permission
from host.web import portions as _portions
from host.web import request_helpers as _web

__all__ = [
    "CurrentMembership",
    "CurrentUser",
    "Portion",
    "Role",
    "admin_required",
    "audit",
    "body_limit",
    "channels_url",
    "client_address",
    "current_user",
    "external_url",
    "flash_bad",
    "flash_good",
    "fresh_password",
    "login_required",
    "maybe_user",
    "portion",
    "safe_next",
    "sign_in_url",
    "workspace_view",
    "wrong_variable",
]

View = Callable[..., Any]

CurrentMembership = _web.CurrentMembership
CurrentUser = _web.CurrentUser
Portion = _portions.Portion
Role = _web.Role
admin_required = _web.admin_required
body_limit = _web.body_limit
client_address = _web.client_address
current_user = _web.current_user
external_url = _web.external_url
flash_bad = _web.flash_bad
flash_good = _web.flash_good
fresh_password = _sudo.fresh_password
login_required = _web.login_required
maybe_user = _web.maybe_user
portion = _portions.portion
safe_next = _web.safe_next


def workspace_view(role: Role = Role.AGENT) -> Callable[[View], View]:
    """Guard a view below ``/w/<int:workspace_id>/``: members only, owners only with ``Role.OWNER``.

    Members other than owners need a role with read access to view, and one that may reply for anything else.
    A user who is not a member gets a 404, a member without the role a 403. A member who sees only some
    accounts gets a 404 for objects of other accounts, and for ids of kinds the desk does not know. The view
    still gets ``workspace_id`` as its first argument.
    """
    return _web.workspace_view(Permission.SETTINGS if role is Role.OWNER else None)


def audit(
    session: Session,
    action: str,
    subject: str,
    *,
    workspace_id: int | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Write a line of the audit log in the current write, by the signed-in person at their address."""
    _web.desk_work(session).audit(action, subject, workspace_id=workspace_id, details=details)


def wrong_variable(text: str) -> str:
    """Return an error if *text* has an unknown variable of canned replies; empty if it has none."""
    try:
        _variables.parse(text)
    except _variables.VariableError as error:
        return str(error.sentence)
    return ""


def sign_in_url(channel: str, way: str) -> str:
    """Return the address to which a provider sends people back after they sign in by *way*."""
    return _web.external_url("sign_in.back", channel=channel, way=way)


def channels_url() -> str | None:
    """Return the address of Settings -> Channels of a workspace the signed-in person owns, or None.

    The workspace shown in the navigation comes first.
    """
    user, shown = _web.maybe_user(), _web.shown_workspace()
    if user is None or "channels.index" not in current_app.view_functions:
        return None
    owned = [each.workspace_id for each in user.memberships if each.role is Role.OWNER]
    if not owned:
        return None
    chosen = shown.id if shown is not None and shown.id in owned else owned[0]
    return url_for("channels.index", workspace_id=chosen)
