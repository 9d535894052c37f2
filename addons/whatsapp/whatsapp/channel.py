"""The adapter between the host and WhatsApp."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import ClassVar

from host.sdk.channel import (
    AccountRef,
    ApprovedPage,
    ApprovedTemplate,
    Capabilities,
    ChannelAdapter,
    ChannelMark,
    InboundMedia,
    Located,
    ModerateRequest,
    ProviderProblem,
    ReactRequest,
    ReplyContext,
    ReplyPolicy,
    SearchRequest,
    SendLimit,
    SendRequest,
    SendResult,
)
from host.sdk.i18n import noop
from host.sdk.messages import InboundChange, MessageKind
from host.sdk.webhooks import Envelope

from . import events, files, graph, numbers, pace, policy, routing, sending, templates
from .values import digits

STORED = frozenset(
    {MessageKind.IMAGE, MessageKind.VIDEO, MessageKind.AUDIO, MessageKind.FILE, MessageKind.STICKER}
)


_NUMBER = re.compile(r"[1-9][0-9]{6,14}", re.ASCII)
_USER_ID = re.compile(r"[A-Z]{2}\.[A-Za-z0-9.]{1,128}", re.ASCII)
"""The id of a person who hides their number (BSUID)."""
_ENT = ".ENT."
"""Behind the country of an id that several businesses of one owner share."""
OF_BUSINESS = noop("ID for your business")
OF_OWNER = noop("ID for all businesses of your company")


class WhatsAppAdapter(ChannelAdapter):
    """Chats with one business number."""

    key: ClassVar[str] = "whatsapp"
    label: ClassVar[str] = "WhatsApp"
    mark: ClassVar[ChannelMark] = ChannelMark(text="WA", tone=3)
    contact_id_name: ClassVar[str] = "whatsapp_id"
    capabilities: ClassVar[Capabilities] = sending.CAPABILITIES

    def parse(self, envelope: Envelope) -> Sequence[InboundChange]:
        return events.read(envelope)

    def reply_policy(self, context: ReplyContext) -> ReplyPolicy:
        return policy.reply_policy(context)

    def limits(
        self, request: SendRequest | ReactRequest | ModerateRequest | SearchRequest
    ) -> Sequence[SendLimit]:
        return pace.limits(request)

    def send(self, request: SendRequest) -> SendResult:
        return sending.send(request)

    def react(self, request: ReactRequest) -> SendResult:
        return sending.react(request)

    def show_typing_after(
        self, account: AccountRef, contact: str, on: bool, newest: Callable[[], str | None]
    ) -> None:
        if on:
            sending.mark_read(account, newest(), typing=True)

    def mark_seen_until(self, account: AccountRef, contact: str, newest: Callable[[], str | None]) -> None:
        sending.mark_read(account, newest())

    def take_thread(self, account: AccountRef, contact: str, note: str) -> ProviderProblem | None:
        return routing.take(account, contact, note)

    def pass_thread(self, account: AccountRef, contact: str, to: str, note: str) -> ProviderProblem | None:
        return routing.hand_on(account, contact, to, note)

    def release_thread(self, account: AccountRef, contact: str, note: str) -> ProviderProblem | None:
        return routing.release(account, contact, note)

    def approved_templates(self, account: AccountRef, after: str) -> ApprovedPage | ProviderProblem:
        return templates.page(account, after)

    def find_approved_template(
        self, account: AccountRef, external_id: str
    ) -> ApprovedTemplate | ProviderProblem:
        return templates.find(account, external_id)

    def inbound_media(self) -> InboundMedia:
        return InboundMedia(graph.hosts(), STORED)

    def locate(self, account: AccountRef, url: str) -> Located:
        return files.locate(account, url)

    def id_for_address(self, account: AccountRef, address: str) -> str | None:
        number = address.removeprefix("+")
        if _NUMBER.fullmatch(number) is not None:
            return None if number == digits(account.handle) else number
        return address if _USER_ID.fullmatch(address) is not None else None

    def other_ids(self, contact: str) -> Sequence[str]:
        return numbers.other_ways(contact)

    def id_kind(self, contact: str) -> str:
        # https://developers.facebook.com/documentation/business-messaging/whatsapp/business-scoped-user-ids
        if _USER_ID.fullmatch(contact) is None:
            return ""
        return OF_OWNER if contact[2:].startswith(_ENT) else OF_BUSINESS

    def contact_label(self, contact: str) -> str:
        return f"+{contact}" if contact.isdigit() else "WhatsApp user"

    def write_url(self, account: AccountRef) -> str | None:
        number = digits(account.handle)
        return f"https://wa.me/{number}" if number else None
