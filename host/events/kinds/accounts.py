"""Events about channel accounts."""

from __future__ import annotations

from host.events.declaration import EventSubject, Kind, Kinds
from host.events.kinds import parts
from host.events.kinds.parts import AT, CHANNEL_ID
from host.events.kinds.shapes import ChannelId, Shape, Timestamp
from host.sdk.i18n import noop

KINDS = Kinds()


class Account(Shape, frozen=True, kw_only=True):
    """An account of a channel."""

    channel_id: ChannelId
    channel_type: str
    name: str
    handle: str
    timestamp: Timestamp


def _account(about: EventSubject) -> Shape | None:
    account = about.account
    if account is None:
        return None
    return Account(
        channel_id=account.uuid,
        channel_type=account.channel,
        name=account.name,
        handle=account.handle,
        timestamp=parts.at(about),
    )


_SAMPLE = Account(
    channel_id=CHANNEL_ID,
    channel_type="email",
    name="Sample Pottery",
    handle="hello@pottery.example",
    timestamp=AT,
)

ACCOUNT_CONNECTED = KINDS.add(
    Kind(
        "account.connected",
        noop("A channel account was connected or reconnected."),
        make=_account,
        sample=_SAMPLE,
    )
)
ACCOUNT_STOPPED = KINDS.add(
    Kind(
        "account.stopped",
        noop("A channel account needs to be reconnected."),
        make=_account,
        sample=_SAMPLE,
    )
)
ACCOUNT_DISCONNECTED = KINDS.add(
    Kind(
        "account.disconnected",
        noop("A channel account was disconnected."),
        make=_account,
        sample=_SAMPLE,
    )
)
