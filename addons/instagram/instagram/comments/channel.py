"""The adapter of comments: everything the host needs to know about comments on posts."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import ClassVar
from urllib.parse import quote

from host.sdk.channel import (
    AccountRef,
    Ask,
    Capabilities,
    ChannelAdapter,
    ChannelMark,
    InboundMedia,
    ModerateRequest,
    NoPost,
    NoProfile,
    PostPage,
    PrivateContext,
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
from host.sdk.i18n import gettext as _
from host.sdk.messages import InboundChange, Post
from host.sdk.outgoing import DeskEvent, OutgoingEvent, OutgoingKind, ToldMessage
from host.sdk.webhooks import Envelope

from .. import pace
from ..accounts import Credentials, book, credentials
from ..capabilities import WITHDRAWN_ASKS
from ..config import CHANNEL, COMMENTS_CHANNEL, media_hosts
from . import catch_up, events, outgoing, posts, second_look, sending
from .capabilities import CAPABILITIES, private_policy, reply_policy, with_limit

log = logging.getLogger(__name__)


class CommentsAdapter(ChannelAdapter):
    """Comments and mentions of an account, with the credentials of its Direct messages."""

    key: ClassVar[str] = COMMENTS_CHANNEL
    mark: ClassVar[ChannelMark] = ChannelMark(text="IC", tone=5)
    beside: ClassVar[str] = CHANNEL
    contact_id_name: ClassVar[str] = "instagram_id"
    capabilities: ClassVar[Capabilities] = CAPABILITIES
    withdrawn_asks: ClassVar[Mapping[Ask, object]] = WITHDRAWN_ASKS
    outgoing_kinds: ClassVar[Sequence[OutgoingKind]] = outgoing.KINDS

    @property
    def label(self) -> str:  # type: ignore[override]  # it has a word of the language, unlike other channels
        return str(_("Instagram comments"))

    def parse(self, envelope: Envelope) -> Sequence[InboundChange]:
        return events.parse(envelope)

    def capabilities_of(self, account: AccountRef) -> Capabilities:
        return with_limit(pace.private_per_hour())

    def reply_policy(self, context: ReplyContext) -> ReplyPolicy:
        return reply_policy(context)

    def private_policy(self, context: PrivateContext) -> ReplyPolicy:
        return private_policy(context)

    def send(self, request: SendRequest) -> SendResult:
        return sending.send(self._credentials(request.account), request)

    def moderate(self, request: ModerateRequest) -> SendResult:
        return sending.moderate(self._credentials(request.account), request)

    def limits(
        self, request: SendRequest | ReactRequest | ModerateRequest | SearchRequest
    ) -> Sequence[SendLimit]:
        bound = book.get().by_uuid.get(request.account.uuid)
        return pace.limits(request.account, bound, request)

    def search(self, request: SearchRequest) -> SearchResult:
        return sending.search(self._credentials(request.account), request)

    def fetch_post(self, account: AccountRef, external_id: str) -> Post | NoPost:
        found = self._credentials(account)
        if found is None:
            return NoPost("the account's credentials cannot be read", retry=True)
        return posts.fetch(found, external_id)

    def recent_posts(self, account: AccountRef, after: str) -> PostPage | ProviderProblem:
        return posts.recent(self._credentials(account), after)

    def find_post(self, account: AccountRef, named: str) -> Post | ProviderProblem:
        return posts.find(self._credentials(account), named)

    def look_up(self, account: AccountRef, what: Mapping[str, str]) -> Sequence[Envelope]:
        found = self._credentials(account)
        if found is None:
            raise SecretUnreadableError("the account's credentials cannot be read")
        return posts.look_up(found, account, what)

    def threads(self, account: AccountRef, after: str) -> ThreadPage | HistoryTrouble:
        return catch_up.threads(self._credentials(account), after)

    def history(self, account: AccountRef, thread: HistoryThread, after: str) -> HistoryPage | HistoryTrouble:
        return catch_up.read(self._credentials(account), thread, after)

    def newest(self, account: AccountRef, after: str) -> NewestPage | HistoryTrouble:
        return second_look.newest(self._credentials(account), account, after)

    def latest(self, account: AccountRef, thread: HistoryThread) -> Sequence[LatestMessage] | HistoryTrouble:
        return second_look.latest(self._credentials(account), account, thread)

    def fetch_profile(self, account: AccountRef, contact: str) -> Profile | NoProfile:
        # Meta only gives profiles of people who wrote a message
        # (docs/instagram-messaging/features/user-profile), and ten thousand comments would mean ten thousand
        # calls. The name comes with the comment.
        return NoProfile("who only commented has no profile", retry=False)

    def profile_url(self, username: str) -> str | None:
        return f"https://www.instagram.com/{quote(username, safe='')}/"

    def inbound_media(self) -> InboundMedia:
        return InboundMedia(media_hosts())

    def outgoing(self, event: DeskEvent, message: ToldMessage | None) -> Sequence[OutgoingEvent]:
        return outgoing.outgoing(event, message)

    def contact_label(self, contact: str) -> str:
        if contact.startswith("@"):
            return contact
        return f"Instagram user …{contact[-4:]}" if contact else "Instagram user"

    def _credentials(self, account: AccountRef) -> Credentials | None:
        try:
            return credentials(account.id)
        except SecretUnreadableError as error:
            log.error("the credentials of account %s cannot be read: %s", account.id, error)
            return None
