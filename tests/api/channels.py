"""A channel for tests of the API: takes everything, and keeps ice breakers."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from host.sdk.channel import (
    AccountRef,
    Capabilities,
    IceBreakerLimits,
    IceBreakers,
    ProviderProblem,
)
from tests.inbox import toys


class Everything(toys.Rich):
    """A toy with every capability; *problem*, if set, is what its provider says."""

    contact_id_name: ClassVar[str] = "toy_id"
    capabilities: ClassVar[Capabilities] = replace(
        toys.Rich.capabilities, ice_breakers=IceBreakerLimits(most=2, question_length=20, payload_length=30)
    )

    def __init__(self) -> None:
        self.kept: IceBreakers = {}
        self.problem: ProviderProblem | Exception | None = None

    def ice_breakers(self, account: AccountRef) -> IceBreakers | ProviderProblem:
        return self._answer()

    def set_ice_breakers(self, account: AccountRef, wanted: IceBreakers) -> IceBreakers | ProviderProblem:
        if self.problem is None:
            self.kept = wanted
        return self._answer()

    def _answer(self) -> IceBreakers | ProviderProblem:
        if isinstance(self.problem, Exception):
            raise self.problem
        return self.kept if self.problem is None else self.problem
