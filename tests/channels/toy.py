"""A channel that exists in tests only: its provider agrees to everything, unless told otherwise."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from host.sdk.cards import (
    CardAction,
    CardStatus,
    Connection,
    ConnectRequest,
    Copyable,
    Field,
    Problems,
    SettingsCard,
)
from host.sdk.channel import (
    AccountRef,
    Capabilities,
    ChannelAdapter,
    ChannelMark,
    IceBreakerLimits,
    IceBreakers,
    InboundMedia,
    Menu,
    MenuLimits,
    ProviderProblem,
    SendRequest,
    SendResult,
    Sent,
)
from host.sdk.i18n import lazy_gettext
from host.sdk.messages import InboundChange, MessageKind
from host.sdk.webhooks import Envelope


class ToyAdapter(ChannelAdapter):
    """A channel whose provider keeps ice breakers and a menu; *problem* is what it answers instead."""

    key = "toy"
    label = "Toy"
    mark = ChannelMark(text="TY", tone=3)
    capabilities = Capabilities(
        text_limit_bytes=1000,
        typing=True,
        mark_seen=True,
        ice_breakers=IceBreakerLimits(most=2, question_length=20, payload_length=30),
        menu=MenuLimits(most=3, title_length=10, payload_length=60),
    )

    def __init__(self) -> None:
        self.questions: IceBreakers = {}
        self.items: Menu = {}
        self.problem: ProviderProblem | Exception | None = None

    def inbound_media(self) -> InboundMedia:
        return InboundMedia(frozenset({"files.toy.example"}), frozenset({MessageKind.IMAGE}))

    def _refuse(self) -> ProviderProblem | None:
        if isinstance(self.problem, Exception):
            raise self.problem
        return self.problem

    def ice_breakers(self, account: AccountRef) -> IceBreakers | ProviderProblem:
        return self._refuse() or self.questions

    def set_ice_breakers(self, account: AccountRef, wanted: IceBreakers) -> IceBreakers | ProviderProblem:
        refused = self._refuse()
        if refused is None:
            self.questions = wanted
        return refused or self.questions

    def menu(self, account: AccountRef) -> Menu | ProviderProblem:
        return self._refuse() or self.items

    def set_menu(self, account: AccountRef, wanted: Menu) -> Menu | ProviderProblem:
        refused = self._refuse()
        if refused is None:
            self.items = wanted
        return refused or self.items

    def parse(self, envelope: Envelope) -> Sequence[InboundChange]:
        return ()

    def send(self, request: SendRequest) -> SendResult:
        return Sent(request.message_key)


@dataclass
class ToyProvider:
    """What the other side was told, and how it behaves."""

    undone: list[str] = field(default_factory=list)
    stored: list[AccountRef] = field(default_factory=list)
    requests: list[ConnectRequest] = field(default_factory=list)
    disconnected: list[AccountRef] = field(default_factory=list)
    acted: list[Mapping[str, str]] = field(default_factory=list)
    connect: Callable[[ConnectRequest], Connection | Problems] | None = None
    status: Callable[[AccountRef], CardStatus] | None = None

    def connection(self, external_id: str, **more: Any) -> Connection:
        values = {"name": "Shop", "handle": f"@{external_id}", "way": "pasted", **more}
        return Connection(
            external_id=external_id,
            store=self._store,
            undo=lambda: self.undone.append(external_id),
            **values,
        )

    def _store(self, _session: Session, account: AccountRef) -> None:
        self.stored.append(account)

    def on_connect(self, request: ConnectRequest) -> Connection | Problems:
        self.requests.append(request)
        if self.connect is not None:
            return self.connect(request)
        taken = request.taken(request.values["toy_id"])
        if taken:
            return Problems({"toy_id": taken})
        return self.connection(request.values["toy_id"], name=request.values["name"])

    def on_status(self, account: AccountRef) -> CardStatus:
        if self.status is not None:
            return self.status(account)
        return CardStatus(
            facts=[("Sign-in", "Valid until Friday")],
            copyables=[Copyable("Verify Token", f"verify-{account.external_id}", "Enter it there.")],
            notices=[("warn", "Almost full.", "Tidy up soon.")],
            values={"name": account.name, "toy_id": account.external_id},
            stored_secrets={"toy_secret": "set on 1 May 2026"},
        )

    def on_action(self, _account: AccountRef, values: Mapping[str, str]) -> str:
        self.acted.append(values)
        if values.get("token") == "bad":
            raise ValueError("That token is too short.")
        return "A new token is in use."


def _digits(text: str) -> str:
    if not text.isdigit():
        raise ValueError("Toy ID is a number, copy it from the toy.")
    return text


def toy_card(provider: ToyProvider | None = None) -> SettingsCard:
    provider = provider or ToyProvider()
    return SettingsCard(
        channel="toy",
        summary="Messages of toys",
        fields=(
            Field("name", "Name", help=lazy_gettext("Visible only to your team."), max_length=60),
            Field("toy_id", "Toy ID", clean=_digits),
            Field("note", "Note", required=False),
            Field("loud", "Loud", required=False, kind="checkbox"),
            Field("toy_secret", "Toy Secret", secret=True),
        ),
        connect=provider.on_connect,
        status=provider.on_status,
        disconnect=provider.disconnected.append,
        configure_help="Saving checks it with the toy factory.",
        actions=(
            CardAction(
                "regenerate",
                "New token",
                provider.on_action,
                fields=(Field("token", "Token", required=False),),
                confirm="The old token stops at once.",
            ),
        ),
    )
