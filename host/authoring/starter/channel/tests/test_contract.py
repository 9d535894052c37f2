"""The rules every channel must keep, run against this one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from host.authoring.desk import TrialDesk
from host.sdk.channel import ChannelAdapter
from host.sdk.testing import AdapterContract
from host.sdk.webhooks import Envelope


def sample(**event: Any) -> Envelope:
    body = {"id": "m1", "from": "ann", "name": "Ann", "text": "Coo?", "at": 1_790_000_000_000, **event}
    return Envelope(1, "ann", "message:m1", "message", json.dumps(body).encode())


class TestPigeon(AdapterContract):
    samples = (sample(), sample(text="👋🏽 wie geht’s?"), sample(name=None))

    @pytest.fixture
    def adapter(self, desk: TrialDesk) -> ChannelAdapter:
        return desk.adapter("pigeon")
