"""A sandbox on a free port, and a desk that receives its webhooks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox.server import Server
from tests.sandbox.cloud import Cloud
from tests.sandbox.helpers import Desk, Meta


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server().start()
    yield running
    running.close()


@pytest.fixture
def meta(server: Server) -> Iterator[Meta]:
    client = Meta(server.url)
    yield client
    client.session.close()


@pytest.fixture
def desk() -> Iterator[Desk]:
    receiver = Desk()
    yield receiver
    receiver.close()


@pytest.fixture
def connected(meta: Meta, desk: Desk) -> Meta:
    """The sandbox with the desk as callback and Page 1 subscribed."""
    meta.control("POST", "webhook", {"callback_url": desk.url, "verify_token": "v"})
    answer = meta.graph("POST", "me/subscribed_apps", params={"subscribed_fields": "messages"})
    assert answer.json() == {"success": True}
    return meta


@pytest.fixture
def cloud(meta: Meta) -> Cloud:
    """The Cloud API, with no desk behind it."""
    return Cloud(meta)


@pytest.fixture
def linked(cloud: Cloud, desk: Desk) -> Cloud:
    """The Cloud API with the desk as callback and the account subscribed."""
    cloud.connect(desk)
    return cloud
