"""``lobby`` with a page that takes as long as a test wants, and writes everything a process can at its end.

``SLOW_FOLDER``: where ``begun-NAME`` is put when a request is in hand, and ``go`` lets them all be answered.
``SLOW_PATIENCE``: how many seconds a process that ends waits, other than by default.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

from flask import Blueprint, current_app

from host import recording
from host.cli.commands import main
from host.core import logs
from host.features import registry
from host.features.feature import Feature
from host.models.health import Metric
from host.process import features, shutdown
from host.sdk.webhooks import Envelope

bp = Blueprint("slow", __name__)


@bp.get("/slow/<name>")
def slow(name: str) -> str:
    """Answer when told to; count it, journal it, and make a span of it."""
    folder = Path(os.environ["SLOW_FOLDER"])
    (folder / f"begun-{name}").touch()
    while not (folder / "go").exists():
        threading.Event().wait(0.01)
    return leave_traces(name)


@bp.get("/quick/<name>")
def leave_traces(name: str) -> str:
    """Answer at once; count it, journal it, and make a span of it."""
    recording.count(Metric.REFUSED, "email", f"at-the-end-{name}")
    envelope = Envelope(None, "x", name, "test", b"{}", ignored="only a test")
    journal = current_app.extensions["lobby.host"].journal
    journal.ingest(source="slow", channel="email", raw=b"x", remote="", envelopes=(envelope,))
    logs.follow("queued", message_id=int(name))
    return "done"


def make_slow() -> None:
    """Add the page. Runs at import: a server's worker may be a new process."""
    registry.use([*features.BUILT_IN, Feature("tests.whole", blueprints=("slow_desk:bp",))])
    shutdown.PATIENCE_SECONDS = float(os.environ.get("SLOW_PATIENCE", shutdown.PATIENCE_SECONDS))


make_slow()

if __name__ == "__main__":
    main()
