"""A desk whose event log is read while features are on and off, and what programs are told of its API."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from host.core import db
from host.events import consuming, retention
from host.events.consuming import ConsumerContext, Consumers
from host.events.models import Consumer
from host.events.reading import number_all
from tests.delivery.desk import Desk
from tests.events.test_consuming import until
from tests.helpers import make_config


@contextmanager
def reading(desk: Desk, folder: Path) -> Iterator[None]:
    """Let the consumers that are on read the event log, and stop when they have read all of it."""
    context = ConsumerContext(lambda: make_config(folder), lambda: desk.generation)
    running = Consumers(consuming.of_features(context))
    running.start()
    try:
        yield
        number_all()
        until(lambda: not behind())
    finally:
        running.stop()


def behind() -> list[str]:
    with db.read() as session:
        return [one.consumer for one in retention.behind(session)]


def consumers() -> set[str]:
    with db.read() as session:
        return set(session.scalars(sa.select(Consumer.name)))


def document(folder: Path, off: str = "") -> dict[str, Any]:
    """Return the document of the API of a desk that does without the features *off*."""
    environ = {**os.environ, "LOBBY_DATA": str(folder), "LOBBY_FEATURES_OFF": off}
    command = [sys.executable, "-m", "host.cli", "openapi"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environ)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def paths(folder: Path, off: str = "") -> set[str]:
    return set(document(folder, off)["paths"])
