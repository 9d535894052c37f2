"""The names and marks of channels, kept after their addon is removed, because its conversations stay."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.channels.directory import KnownChannel
from host.models.users import InstallationValue
from host.sdk import strictjson
from host.sdk.channel import ChannelAdapter

_PREFIX = "channel:"
_LONGEST_LABEL = 60


def remember(session: Session, adapters: Iterable[ChannelAdapter]) -> None:
    """Keep the names and marks of *adapters*."""
    for adapter in adapters:
        known = KnownChannel(str(adapter.label)[:_LONGEST_LABEL], adapter.mark)
        value = msgspec.json.encode(known).decode()
        session.merge(InstallationValue(name=f"{_PREFIX}{adapter.key}", value=value))
    session.flush()


def remembered(session: Session) -> dict[str, KnownChannel]:
    """Return the stored channels, by key."""
    query = sa.select(InstallationValue).where(InstallationValue.name.startswith(_PREFIX, autoescape=True))
    return {
        row.name.removeprefix(_PREFIX): strictjson.decode(row.value, KnownChannel)
        for row in session.scalars(query)
    }
