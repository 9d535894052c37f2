"""The torture's brokers come up, die, come back, and tell whether anybody listens."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from host.queue.dramatiq_broker import DramatiqBroker
from host.queue.wakeups import IN
from tests.conftest import missing
from tests.torture import brokers
from tests.torture.brokers import Broker

INSTALLATION = "0123456789ab"
pytestmark = pytest.mark.slow  # RabbitMQ takes ten seconds to start


@pytest.fixture(params=["postgresql", "mariadb"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    broker, lacking = brokers.of(request.param, tmp_path)
    if broker is None:
        missing(lacking)
    with closing(broker):
        broker.start()
        broker.wait()
        yield broker


@contextmanager
def listening(broker: Broker) -> Iterator[threading.Event]:
    """Have somebody be woken by *broker*, as a desk's worker is."""
    woken = threading.Event()
    with closing(DramatiqBroker(broker.url, INSTALLATION, (IN,))) as client:
        client.receive((IN,), lambda _direction: woken.set())
        yield woken


def test_a_listener_is_woken_by_a_broker_that_was_killed_and_started_again(broker: Broker) -> None:
    with listening(broker) as woken:
        assert brokers.wakes(broker, INSTALLATION)
        assert woken.is_set()
        broker.kill()
        assert not broker.answers()
        woken.clear()
        broker.start()
        assert brokers.wakes(broker, INSTALLATION)
        assert woken.is_set()


def test_a_broker_nobody_listens_to_does_not_wake(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brokers, "WOKEN_SECONDS", 0.0)
    assert not brokers.wakes(broker, INSTALLATION)


def test_a_broker_that_is_away_does_not_wake(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brokers, "WOKEN_SECONDS", 0.0)
    broker.kill()
    assert not brokers.wakes(broker, INSTALLATION)


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_what_is_not_installed_is_told(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brokers, "RABBITMQ", ())
    monkeypatch.setenv("PATH", "")
    broker, lacking = brokers.of(kind, tmp_path)
    assert broker is None
    assert "is not installed" in lacking
