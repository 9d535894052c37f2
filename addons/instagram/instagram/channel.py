"""The adapter between the host and Instagram."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import quote

from host.sdk.channel import (
    AccountRef,
    Ask,
    Capabilities,
    ChannelAdapter,
    ChannelMark,
    IceBreakers,
    InboundMedia,
    Located,
    Menu,
    ModerateRequest,
    NoProfile,
    Profile,
    ProviderProblem,
    ReactRequest,
    ReplyContext,
    ReplyPolicy,
    SearchRequest,
    SearchResult,
    SendLimit,
    SendRequest,
    SendResult,
)
from host.sdk.errors import SecretUnreadableError
from host.sdk.history import (
    HistoryPage,
    HistoryThread,
    HistoryTrouble,
    LatestMessage,
    NewestPage,
    ThreadPage,
)
from host.sdk.messages import InboundAttachment, InboundChange, MessageDetails
from host.sdk.outgoing import DeskEvent, OutgoingEvent, OutgoingKind, ToldMessage
from host.sdk.webhooks import Envelope

from . import messenger_profile, outgoing, pace, policy, routing
from .accounts import Credentials, book, credentials
from .capabilities import CAPABILITIES, OF_LOGIN, STORED_KINDS, WITHDRAWN_ASKS
from .config import CHANNEL, Flavour, media_hosts
from .customers import block, fetch, fetch_several
from .history import catch_up, second_look
from .sending import replies, unconfirmed
from .webhook import events, products, stories

log = logging.getLogger(__name__)


class InstagramAdapter(ChannelAdapter):
    """Instagram Direct, through the account's Facebook Page or Instagram Login."""

    key: ClassVar[str] = CHANNEL
    label: ClassVar[str] = "Instagram"
    mark: ClassVar[ChannelMark] = ChannelMark(text="IG", tone=5)
    contact_id_name: ClassVar[str] = "instagram_id"
    capabilities: ClassVar[Capabilities] = CAPABILITIES
    withdrawn_asks: ClassVar[Mapping[Ask, object]] = WITHDRAWN_ASKS
    outgoing_kinds: ClassVar[Sequence[OutgoingKind]] = outgoing.KINDS

    def parse(self, envelope: Envelope) -> Sequence[InboundChange]:
        return events.parse(envelope)

    def capabilities_of(self, account: AccountRef) -> Capabilities:
        bound = book.get().by_uuid.get(account.uuid)
        return OF_LOGIN if bound is not None and bound.flavour is Flavour.LOGIN else CAPABILITIES

    def reply_policy(self, context: ReplyContext) -> ReplyPolicy:
        return policy.reply_policy(context)

    def send(self, request: SendRequest) -> SendResult:
        return replies.send(self._credentials(request.account), request)

    def react(self, request: ReactRequest) -> SendResult:
        return replies.react(self._credentials(request.account), request)

    def show_typing(self, account: AccountRef, contact: str, on: bool) -> None:
        replies.act(self._credentials(account), contact, "typing_on" if on else "typing_off")

    def mark_seen(self, account: AccountRef, contact: str) -> None:
        replies.act(self._credentials(account), contact, "mark_seen")

    def take_thread(self, account: AccountRef, contact: str, note: str) -> ProviderProblem | None:
        return routing.take(self._credentials(account), contact, note)

    def pass_thread(self, account: AccountRef, contact: str, to: str, note: str) -> ProviderProblem | None:
        return routing.hand_on(self._credentials(account), contact, to, note)

    def block(self, account: AccountRef, contact: str, on: bool) -> ProviderProblem | None:
        return block(self._credentials(account), contact, on)

    def ice_breakers(self, account: AccountRef) -> IceBreakers | ProviderProblem:
        return messenger_profile.read_ice_breakers(self._credentials(account))

    def set_ice_breakers(self, account: AccountRef, wanted: IceBreakers) -> IceBreakers | ProviderProblem:
        return messenger_profile.write_ice_breakers(self._credentials(account), wanted)

    def menu(self, account: AccountRef) -> Menu | ProviderProblem:
        return messenger_profile.read_menu(self._credentials(account))

    def set_menu(self, account: AccountRef, wanted: Menu) -> Menu | ProviderProblem:
        return messenger_profile.write_menu(self._credentials(account), wanted)

    def limits(
        self, request: SendRequest | ReactRequest | ModerateRequest | SearchRequest
    ) -> Sequence[SendLimit]:
        bound = book.get().by_uuid.get(request.account.uuid)
        return pace.limits(request.account, bound, request)

    def search(self, request: SearchRequest) -> SearchResult:
        found = self._credentials(request.account)
        return unconfirmed.search(found, request)

    def look_up(self, account: AccountRef, what: Mapping[str, str]) -> Sequence[Envelope | MessageDetails]:
        return [stories.look_up(self._credentials(account), what)]

    def threads(self, account: AccountRef, after: str) -> ThreadPage | HistoryTrouble:
        return catch_up.threads(self._credentials(account), account, after)

    def history(self, account: AccountRef, thread: HistoryThread, after: str) -> HistoryPage | HistoryTrouble:
        return catch_up.read(self._credentials(account), account, thread, after)

    def newest(self, account: AccountRef, after: str) -> NewestPage | HistoryTrouble:
        return second_look.newest(self._credentials(account), account, after)

    def latest(self, account: AccountRef, thread: HistoryThread) -> Sequence[LatestMessage] | HistoryTrouble:
        return second_look.latest(self._credentials(account), account, thread)

    def fetch_profile(self, account: AccountRef, contact: str) -> Profile | NoProfile:
        found = self._credentials(account)
        if found is None:
            return NoProfile("the account's credentials cannot be read", retry=True)
        return fetch(found, contact)

    def fetch_profiles(
        self, account: AccountRef, contacts: Sequence[str]
    ) -> Mapping[str, Profile | NoProfile]:
        found = self._credentials(account)
        return fetch_several(found, contacts) if found is not None else {}

    def profile_url(self, username: str) -> str | None:
        return f"https://www.instagram.com/{quote(username, safe='')}/"

    def write_url(self, account: AccountRef) -> str | None:
        handle = account.handle.removeprefix("@")
        return f"https://ig.me/m/{quote(handle, safe='')}" if handle else None

    def inbound_media(self) -> InboundMedia:
        return InboundMedia(media_hosts(), STORED_KINDS)

    def locate(self, account: AccountRef, url: str) -> str | Located:
        return products.locate(self._credentials(account), url) if products.is_one(url) else url

    def named_files(self, account: AccountRef, content: Mapping[str, Any]) -> Sequence[InboundAttachment]:
        found = self._credentials(account)
        return products.files(content) if found is not None and found.may_read_catalogue else ()

    def outgoing(self, event: DeskEvent, message: ToldMessage | None) -> Sequence[OutgoingEvent]:
        return outgoing.outgoing(event, message)

    def contact_label(self, contact: str) -> str:
        return f"Instagram user …{contact[-4:]}" if contact else "Instagram user"

    def _credentials(self, account: AccountRef) -> Credentials | None:
        try:
            return credentials(account.id)
        except SecretUnreadableError as error:
            log.error("the credentials of account %s cannot be read: %s", account.id, error)
            return None
