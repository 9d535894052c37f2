"""The channel account that adapters get. Addons import it from :mod:`host.sdk.channel`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class AccountRef:
    """A channel account, as passed to adapters."""

    id: int
    uuid: str
    workspace_id: int
    channel: str
    external_id: str
    name: str
    handle: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    beside_id: int | None = None
    """Id of the account it shares credentials and customers with, see :attr:`ChannelAdapter.beside`."""
