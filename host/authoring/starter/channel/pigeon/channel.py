"""The channel: its capabilities, and the module for each."""

from __future__ import annotations

from collections.abc import Sequence

from host.sdk.channel import Capabilities, ChannelAdapter, ChannelMark, SendRequest, SendResult
from host.sdk.messages import InboundChange
from host.sdk.webhooks import Envelope

from . import events, sending


class PigeonChannel(ChannelAdapter):
    """Text both ways."""

    key = "pigeon"
    label = "Pigeon"
    mark = ChannelMark(text="PI", tone=3)
    contact_id_name = "pigeon_id"
    capabilities = Capabilities(text_limit_bytes=4000)

    def parse(self, envelope: Envelope) -> Sequence[InboundChange]:
        return [events.read(envelope)]

    def send(self, request: SendRequest) -> SendResult:
        return sending.send(request)
