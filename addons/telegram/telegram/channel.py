"""The adapter between the host and Telegram."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar
from urllib.parse import quote

from host.sdk.channel import (
    AccountRef,
    Capabilities,
    ChannelAdapter,
    ChannelMark,
    InboundMedia,
    ModerateRequest,
    NoProfile,
    Profile,
    ReactRequest,
    SearchRequest,
    SendLimit,
    SendRequest,
    SendResult,
)
from host.sdk.http import FetchError
from host.sdk.messages import InboundChange, MessageKind
from host.sdk.webhooks import Envelope

from . import accounts, api, events, files, pace, sending
from .values import mapping, text

STORED = frozenset(
    {MessageKind.IMAGE, MessageKind.VIDEO, MessageKind.AUDIO, MessageKind.FILE, MessageKind.STICKER}
)


class TelegramAdapter(ChannelAdapter):
    """Private chats with a bot."""

    key: ClassVar[str] = "telegram"
    label: ClassVar[str] = "Telegram"
    mark: ClassVar[ChannelMark] = ChannelMark(text="TG", tone=2)
    contact_id_name: ClassVar[str] = "telegram_id"
    capabilities: ClassVar[Capabilities] = sending.CAPABILITIES

    def parse(self, envelope: Envelope) -> Sequence[InboundChange]:
        return [events.read(envelope)]

    def limits(
        self, request: SendRequest | ReactRequest | ModerateRequest | SearchRequest
    ) -> Sequence[SendLimit]:
        return pace.limits(request)

    def send(self, request: SendRequest) -> SendResult:
        return sending.send(request)

    def inbound_media(self) -> InboundMedia:
        return InboundMedia(frozenset({"api.telegram.org"}), STORED)

    def locate(self, account: AccountRef, url: str) -> str:
        return files.locate(account, url)

    def show_typing(self, account: AccountRef, contact: str, on: bool) -> None:
        found = accounts.of(account)
        if on and found is not None:
            sending.show_typing(found.token, contact)

    def fetch_profile(self, account: AccountRef, contact: str) -> Profile | NoProfile:
        found = accounts.of(account)
        if found is None:
            return NoProfile("the bot's token cannot be read", retry=True)
        try:
            chat = mapping(api.call(found.token, "getChat", chat_id=contact))
        except api.BotError as error:
            return NoProfile(f"Telegram answers {error}", retry=error.code == 429 or error.code >= 500)
        except FetchError as error:
            return NoProfile(error.reason, retry=True)
        name = f"{text(chat.get('first_name'))} {text(chat.get('last_name'))}".strip()
        return Profile(name=name or None, username=text(chat.get("username")) or None)

    def profile_url(self, username: str) -> str | None:
        return f"https://t.me/{quote(username, safe='')}"

    def contact_label(self, contact: str) -> str:
        return f"Telegram user …{contact[-4:]}" if contact else "Telegram user"
