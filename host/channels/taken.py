"""An account belongs to one workspace: saying so, and where, to those who may know."""

from __future__ import annotations

from flask_babel import gettext as _

from host import db
from host.channels.accounts import owner_of
from host.web import Role, current_user


def taken_sentence(workspace_id: int, channel: str, external_id: str) -> str | None:
    """Return why an account cannot be connected here, or None. This workspace may always connect it again."""
    try:
        with db.read() as session:
            owner = owner_of(session, channel, external_id)
    except ValueError as error:
        return str(error)
    if owner is None or owner[1] == workspace_id:
        return None
    return elsewhere(channel, external_id)


def elsewhere(channel: str, external_id: str) -> str:
    """Say where an account is connected; its workspace is named only to its members."""
    with db.read() as session:
        owner = owner_of(session, channel, external_id)
    membership = None if owner is None else current_user().membership(owner[1])
    if membership is not None and membership.role is Role.OWNER:
        return str(
            _(
                "This account is already connected in your workspace “%(name)s”. "
                "An account can belong to one workspace: disconnect it there first, or move it here.",
                name=membership.workspace_name,
            )
        )
    if membership is not None:
        return str(
            _(
                "This account is already connected in the workspace “%(name)s”. "
                "An account can belong to one workspace: disconnect it there first.",
                name=membership.workspace_name,
            )
        )
    return str(
        _(
            "This account is already connected in another workspace. "
            "An account can belong to one workspace: disconnect it there first."
        )
    )
