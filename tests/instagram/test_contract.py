"""The adapter under the contract every channel is held to."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from host.core import db
from host.sdk.channel import ChannelAdapter
from host.sdk.testing import AdapterContract
from tests.instagram import world
from tests.instagram.world import Addon


class TestInstagram(AdapterContract):
    samples = tuple(world.envelope(event) for event in world.EVERY_EVENT)
    account_settings: ClassVar[dict[str, Any]] = {"human_agent": True}

    @pytest.fixture
    def adapter(self, ig: Addon, desk: db.Database) -> ChannelAdapter:
        adapter: ChannelAdapter = ig.channel.InstagramAdapter()
        return adapter


class TestInstagramComments(AdapterContract):
    samples = tuple(
        world.envelope({"field": field, "value": value}, container="changes")
        for field, value in (
            (
                "comments",
                {
                    "from": {"id": world.ANA, "username": "ana.q"},
                    "id": "9",
                    "text": "a",
                    "media": {"id": "1"},
                },
            ),
            ("comments", {"from": {"id": world.POTTERY}, "id": "10", "parent_id": "9", "text": "b"}),
            ("live_comments", {"from": {"id": world.ANA}, "comment_id": "11", "media": {"id": "2"}}),
            ("mentions", {"media_id": "1", "comment_id": "12"}),
        )
    )

    @pytest.fixture
    def adapter(self, ig: Addon, desk: db.Database) -> ChannelAdapter:
        adapter: ChannelAdapter = ig.comments.channel.CommentsAdapter()
        return adapter
