"""The blueprint of Settings -> Channels, and how its views find an account."""

from __future__ import annotations

from flask import Blueprint

from host.core import db
from host.core.errors import NotFoundError
from host.models.channels import ChannelAccount

bp = Blueprint("channels", __name__)


def account_of(workspace_id: int, account_id: int) -> ChannelAccount:
    """Return an account of the workspace.

    :raises NotFoundError: if the workspace has no such account.
    """
    with db.read() as session:
        row = session.get(ChannelAccount, account_id)
    if row is None or row.workspace_id != workspace_id:
        raise NotFoundError()
    return row
