"""The addon whose code the SDK's pages show keeps the rules of every channel."""

from __future__ import annotations

import json
from typing import Any

import pytest

from host.sdk.channel import ChannelAdapter
from host.sdk.testing import AdapterContract
from host.sdk.webhooks import Envelope
from tests.toy.toy.channel import ToyChannel


def sample(**event: Any) -> Envelope:
    body = {"id": "m1", "from": "bo", "text": "hello", "at": 1_790_000_000_000, "name": "Bo", **event}
    return Envelope(1, "bo", "message:m1", "message", json.dumps(body).encode())


class TestToy(AdapterContract):
    samples = (sample(), sample(text="👋🏽"), sample(name=None))

    @pytest.fixture
    def adapter(self) -> ChannelAdapter:
        return ToyChannel()
