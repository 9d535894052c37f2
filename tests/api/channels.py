"""A channel for tests of the API: takes everything, and keeps ice breakers."""

from __future__ import annotations

from typing import ClassVar

from host.core.backports.values import replace
from host.sdk.channel import (
    AccountRef,
    Capabilities,
    IceBreakerLimits,
    IceBreakers,
    Menu,
    MenuLimits,
    ProviderProblem,
)
from tests.inbox import toys
from tests.inbox.custom import POLL


class Everything(toys.Rich):
    """A toy with every capability; *problem*, if set, is what its provider says."""

    contact_id_name: ClassVar[str] = "toy_id"
    capabilities: ClassVar[Capabilities] = replace(
        toys.Rich.capabilities,
        ice_breakers=IceBreakerLimits(most=2, question_length=20, payload_length=30),
        menu=MenuLimits(most=2, title_length=20, payload_length=30),
        thread_control=True,
        thread_release=True,
        custom_kinds=(POLL,),
    )

    def __init__(self) -> None:
        self.kept: IceBreakers = {}
        self.kept_menu: Menu = {}
        self.handed: list[tuple[str, ...]] = []
        self.problem: ProviderProblem | Exception | None = None

    def ice_breakers(self, account: AccountRef) -> IceBreakers | ProviderProblem:
        return self._answer()

    def set_ice_breakers(self, account: AccountRef, wanted: IceBreakers) -> IceBreakers | ProviderProblem:
        if self.problem is None:
            self.kept = wanted
        return self._answer()

    def menu(self, account: AccountRef) -> Menu | ProviderProblem:
        if isinstance(self.problem, ProviderProblem):
            return self.problem
        return self.kept_menu

    def set_menu(self, account: AccountRef, wanted: Menu) -> Menu | ProviderProblem:
        if self.problem is None:
            self.kept_menu = wanted
        return self.menu(account)

    def take_thread(self, account: AccountRef, contact: str, note: str) -> ProviderProblem | None:
        return self._hand("take", contact, note)

    def pass_thread(self, account: AccountRef, contact: str, to: str, note: str) -> ProviderProblem | None:
        return self._hand("pass", contact, to, note)

    def release_thread(self, account: AccountRef, contact: str, note: str) -> ProviderProblem | None:
        return self._hand("release", contact, note)

    def _hand(self, *what: str) -> ProviderProblem | None:
        if isinstance(self.problem, Exception):
            raise self.problem
        if self.problem is None:
            self.handed.append(what)
        return self.problem

    def _answer(self) -> IceBreakers | ProviderProblem:
        if isinstance(self.problem, Exception):
            raise self.problem
        return self.kept if self.problem is None else self.problem
