"""The translator between the toy provider and the inbox."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from host.sdk import strictjson
from host.sdk.channel import (
    AccountRef,
    ApprovedPage,
    ApprovedTemplate,
    Capabilities,
    ChannelAdapter,
    ChannelMark,
    ProviderProblem,
    ReactRequest,
    ReplyContext,
    ReplyPhase,
    ReplyPolicy,
    ReplyState,
    SearchRequest,
    SendLimit,
    SendRequest,
    SendResult,
    Sent,
)
from host.sdk.messages import Ignored, InboundChange, MessageKind, MessageReceived
from host.sdk.webhooks import Envelope

from .approved import find, listed

WINDOW = timedelta(hours=24)


class ToyChannel(ChannelAdapter):
    """Text only, 1,000 bytes, a reply window of a day, which writing first opens, too."""

    key = "toy"
    label = "Toy"
    mark = ChannelMark(text="TY", tone=6)
    capabilities = Capabilities(
        text_limit_bytes=1000,
        sends=frozenset({MessageKind.TEXT, MessageKind.APPROVED_TEMPLATE}),
        can_start=True,
        approved_templates=True,
    )

    def parse(self, envelope: Envelope) -> Sequence[InboundChange]:
        try:
            event = strictjson.loads(envelope.body)
            sent_at = datetime.fromtimestamp(event["at"] / 1000, UTC)
            told = {name: event[name] for name in ("from", "id", "text")}
        except (ValueError, KeyError, TypeError, OverflowError, OSError):
            return [Ignored("not an event of the toy's")]
        if not all(isinstance(value, str) and value for value in told.values()):
            return [Ignored("an event without a sender, an id or a text")]
        name = event.get("name")
        return [
            MessageReceived(
                contact=told["from"],
                external_id=told["id"],
                sent_at=sent_at,
                text=told["text"],
                contact_name=name if isinstance(name, str) else None,
            )
        ]

    def send(self, request: SendRequest) -> SendResult:
        return Sent(f"toy-{request.message_key}")

    def approved_templates(self, account: AccountRef, after: str) -> ApprovedPage | ProviderProblem:
        return listed(after)

    def find_approved_template(
        self, account: AccountRef, external_id: str
    ) -> ApprovedTemplate | ProviderProblem:
        return find(external_id)

    def id_for_address(self, account: AccountRef, address: str) -> str | None:
        name, _, domain = address.rpartition("@")
        return address if name and domain == "example.com" and len(name) < 200 else None

    def limits(self, request: SendRequest | ReactRequest | SearchRequest) -> Sequence[SendLimit]:
        account, sentence = f"account {request.account.id}", "The toy takes 50 messages a second."
        return [SendLimit(account, 50, 1, sentence, whole_account=True)]

    def reply_policy(self, context: ReplyContext) -> ReplyPolicy:
        if context.last_inbound_at is None:
            return ReplyPolicy(ReplyState.OPEN)
        until = context.last_inbound_at + WINDOW
        phases = (ReplyPhase(ReplyState.OPEN, context.last_inbound_at, until),)
        if context.now < until:
            return ReplyPolicy(ReplyState.OPEN, until, phases)
        return ReplyPolicy(ReplyState.CLOSED, None, phases, sentence="The toy's day is over.")
