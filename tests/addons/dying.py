"""What ``test_crash.py`` runs in processes of its own: what is cut off, and a look at what is left.

Each process is forked from one that has imported the host, and waits until it is told to go on: by then
``strace`` watches it, and ends it at the system call it was told.
"""

from __future__ import annotations

import shutil
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from werkzeug.test import Client

from host.addons import lifecycle, reports
from host.addons.package import store
from host.core import config, db
from host.models.addons import Addon, AddonRelease
from host.process.serving import HostApplication

READY, GO = "ready", "go"


def bring(settings: config.Config, path: Path) -> None:
    """Install the zip at *path* and switch it on, by the steps behind the pages.

    One that is on already is updated.
    """
    with store.scratch(settings.data) as folder:
        staged = folder / "upload.zip"
        shutil.copyfile(path, staged)
        found = reports.upload(settings, staged)
    assert found.release is not None, found.problems
    outcome = lifecycle.install(settings, found.release.id)
    assert outcome.ok, outcome.error
    outcome = lifecycle.activate(settings, found.release.slug)
    assert outcome.ok, outcome.error


def take(pipe: Connection, environ: dict[str, str], path: Path) -> None:
    """Wait to be watched, then bring the zip at *path*."""
    settings = config.load(environ)
    db.connect(settings.database_url)
    pipe.send(READY)
    assert pipe.recv() == GO
    bring(settings, path)


def look(pipe: Connection, environ: dict[str, str], path: Path) -> None:
    """Start a desk on what is left, say what it finds, bring *path* once more and say what there is then."""
    settings = config.load(environ)
    desk = HostApplication(settings)
    try:
        found = _seen(desk)
        bring(settings, path)
        desk.refresh()
        pipe.send((found, _seen(desk)))
    finally:
        desk.close()


def _seen(desk: HostApplication) -> dict[str, Any]:
    """Return how the toy stands on *desk*, which has just read it from the database."""
    running = desk.generation()
    answer = Client(desk).get("/addons/toy/about")
    staging = store.root(desk.config.data) / "staging"
    with db.read() as session:
        row = session.get(Addon, "toy")
        release = None if row is None else store.as_release(session.get_one(AddonRelease, row.release_id))
    seen: dict[str, Any] = {
        "staged": sorted(one.name for one in staging.iterdir()) if staging.is_dir() else [],
        "failures": dict(running.failures),
        "sign_in": Client(desk).get("/login").status_code,
        "page": answer.text.strip() if answer.status_code == 200 else answer.status_code,
        "state": None,
        "operation": None,
        "version": None,
        "difference": None,
    }
    if row is not None and release is not None:
        folder = store.materialise(desk.config.data, release)
        seen |= {"state": row.state, "operation": row.operation, "version": release.version}
        seen["difference"] = store.compare(folder, release.files)
    return seen
