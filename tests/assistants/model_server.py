"""The stand-in for a model as tests use it: a server in this process that the desk may ask."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from host.assistants.values import Ask, ModelSetting, Speaks, TranscriptLine
from host.core import guard
from host.core.secrets import Secret
from sandbox.model.server import Model, ModelServer

KEY = "sk-sample-0123456789"


@contextmanager
def model_server() -> Iterator[ModelServer]:
    """Yield a stand-in at an address that may be asked as a model and for nothing else."""
    server = ModelServer().start()
    before = guard._models
    guard._models = before | {(server.host, server.port)}
    try:
        yield server
    finally:
        guard._models = before
        server.close()


def setting(server: ModelServer, speaks: Speaks = Speaks.OPENAI, key: str | None = KEY) -> ModelSetting:
    """Return how the stand-in is asked. A million tokens cost 1 there and 2 back."""
    return ModelSetting(
        speaks=speaks,
        address=f"{server.url}/v1" if speaks is Speaks.OPENAI else server.url,
        model="stand-in",
        key=None if key is None else Secret(key),
        price_in=1_000_000,
        price_out=2_000_000,
    )


INSTRUCTIONS = """You write for Sample Pottery.

[1] Shipping to the Nordics (17 days old)
To Norway it takes 4 to 6 days and costs 14 €. To Sweden it costs 9 €. Parcels are insured.

[2] Oven and dishwasher (Past answers, 3 weeks old)
All glazes withstand the dishwasher. Do not put gold rims into an oven.
"""


def ask(*texts: str, **more: Any) -> Ask:
    """Return a question of a customer, with two sources."""
    at = datetime(2026, 11, 20, 12, tzinfo=UTC)
    lines = [TranscriptLine("customer", text, at) for text in texts or ("How long to Norway?",)]
    return Ask(**{"instructions": INSTRUCTIONS, "lines": lines, "seconds": 20.0, **more})


class Calls:
    """Notes uses of tools, and answers them all alike."""

    def __init__(self, result: str = "done") -> None:
        self.result = result
        self.made: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, name: str, arguments: Mapping[str, Any], /) -> str:
        self.made.append((name, dict(arguments)))
        return self.result


__all__ = ["KEY", "Calls", "Model", "ModelServer", "ask", "model_server", "setting"]
