"""A shop on a loopback port, and the customer whose orders are looked up."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from host.core import guard
from host.sdk.panels import ContactIdentity, CustomerContext
from host.sdk.secrets import Secret
from host.sdk.testing import provided_settings
from sandbox.shop import KEY, SECRET, WEBHOOK_SECRET, Shop

ANA = "ana@example.com"


@pytest.fixture
def shop() -> Iterator[Shop]:
    """A shop that the desk may reach, set up for the addon."""
    found = Shop().start()
    guard.allow([f"127.0.0.1:{found.port}"])
    secrets = {"secret": Secret(SECRET), "webhook_secret": Secret(WEBHOOK_SECRET)}
    with provided_settings("shop", workspace={"url": found.url, "key": KEY, **secrets}):
        yield found
    guard.allow(())
    found.close()


@pytest.fixture
def ana() -> CustomerContext:
    return CustomerContext(1, 2, 3, "Ana Q.", ANA, [ContactIdentity("toy", "1", "ana.sample")])
