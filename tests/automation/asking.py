"""A channel that offers questions and a menu, whose provider keeps what it is given."""

from __future__ import annotations

from typing import ClassVar

from host.core.backports.values import replace
from host.sdk.channel import (
    AccountRef,
    ButtonsLimits,
    Capabilities,
    IceBreakerLimits,
    IceBreakers,
    Menu,
    MenuLimits,
    ProviderProblem,
    QuickReplyLimits,
)
from tests.inbox import toys


class Asking(toys.Rich):
    """A toy with the limits of Instagram."""

    capabilities: ClassVar[Capabilities] = replace(
        toys.Rich.capabilities,
        quick_replies=QuickReplyLimits(most=13, title_length=20, payload_length=1000),
        buttons=ButtonsLimits(text_length=640, buttons=3, title_length=20),
        ice_breakers=IceBreakerLimits(most=4, question_length=80, payload_length=1000),
        menu=MenuLimits(most=5, title_length=30, payload_length=1000),
    )

    def __init__(self) -> None:
        super().__init__()
        self.questions: IceBreakers = {}
        self.items: Menu = {}
        self.problem: ProviderProblem | None = None

    def ice_breakers(self, account: AccountRef) -> IceBreakers | ProviderProblem:
        return self.problem or self.questions

    def set_ice_breakers(self, account: AccountRef, wanted: IceBreakers) -> IceBreakers | ProviderProblem:
        if self.problem is None:
            self.questions = wanted
        return self.problem or self.questions

    def menu(self, account: AccountRef) -> Menu | ProviderProblem:
        return self.problem or self.items

    def set_menu(self, account: AccountRef, wanted: Menu) -> Menu | ProviderProblem:
        if self.problem is None:
            self.items = wanted
        return self.problem or self.items
