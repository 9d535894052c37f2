"""The shop of a workspace, and its credentials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from host.sdk import db, settings
from host.sdk.db import host_table
from host.sdk.errors import SettingsMissingError
from host.sdk.secrets import Secret

_workspaces = host_table("workspaces")


class NotSetUpError(Exception):
    """The settings of the shop are missing."""


@dataclass(frozen=True, slots=True)
class Shop:
    """A WooCommerce shop.

    :param url: its address, without a slash at the end.
    """

    url: str
    key: str
    secret: str = field(repr=False)


def shop_of(workspace_id: int) -> Shop:
    """Return the shop of a workspace.

    :raises NotSetUpError: if a setting is missing.
    """
    values = _values(workspace_id)
    return Shop(str(values["url"]).rstrip("/"), str(values["key"]), _revealed(values["secret"]))


def webhook_secret_of(workspace_id: int) -> str:
    """Return the secret of the shop's webhooks; empty if there is none."""
    try:
        return _revealed(_values(workspace_id).get("webhook_secret"))
    except NotSetUpError:
        return ""


def language_of(workspace_id: int) -> str:
    """Return the language that the workspace has chosen; English without a choice."""
    query = sa.select(_workspaces.c.language).where(_workspaces.c.id == workspace_id)
    with db.read() as session:
        return session.scalar(query) or "en"


def _values(workspace_id: int) -> Mapping[str, Any]:
    try:
        return settings.workspace("shop", workspace_id)
    except SettingsMissingError:
        raise NotSetUpError() from None


def _revealed(value: object) -> str:
    return value.reveal() if isinstance(value, Secret) else ""
