"""Mail on desks of tests: its tables, and the addon as it lies in the tree, imported once for all desks.

An installed release is unpacked and compiled for each desk, which takes longer than most tests. A test of
that installs the zip of ``dist/``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from host import counters
from host.addons.package import manifest, store
from host.addons.running import loader
from host.addons.running.loader import LoadedRelease
from host.core import clock, migrations
from host.models.addons import Addon, AddonRelease, AddonState
from host.models.users import Counter

ADDON = Path(__file__).resolve().parents[1] / "addons" / "email"
PACKAGE = "addons.email.lobby_mail"
VERSION_TABLE = migrations.addon_version_table("email")
SHA256 = hashlib.sha256(b"mail as it lies in the tree").hexdigest()
"""Stands for the hash of its zip."""


def migrate(url: str) -> None:
    """Run the addon's migrations on a database that has the host's tables."""
    with migrations.locked(url) as engine:
        migrations.upgrade(engine, ADDON / "migrations", VERSION_TABLE)


def activate(engine: sa.Engine) -> None:
    """Write the rows of an active addon; a desk that is built from them uses the modules of the tree."""
    found, now = manifest.read_manifest(ADDON), clock.now()
    release = {
        "slug": found.slug,
        "version": found.version,
        "sha256": SHA256,
        "size": 1,
        "manifest": manifest.to_dict(found),
        "files": {},
        "public_key": "",
        "signature_problem": "",
        "uploaded_at": now,
    }
    addon = {
        "slug": found.slug,
        "state": AddonState.ACTIVE,
        "steps": [],
        "wanted": True,
        "webhooks": [],
        "activated_at": now,
        "updated_at": now,
    }
    with engine.begin() as connection:
        if connection.scalar(sa.select(Addon.slug).where(Addon.slug == found.slug)) is not None:
            return
        (id_,) = connection.execute(sa.insert(AddonRelease).values(release)).inserted_primary_key or ()
        connection.execute(sa.insert(Addon).values({**addon, "release_id": id_}))
        connection.execute(
            sa.update(Counter).where(Counter.name == counters.GENERATION).values(value=Counter.value + 1)
        )


def install(url: str) -> None:
    """Make the addon's tables in the database at *url* and activate it."""
    migrate(url)
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
    try:
        activate(engine)
    finally:
        engine.dispose()


@contextmanager
def imported_once() -> Iterator[None]:
    """Have every desk of this process that :func:`activate` was called for use the modules of the tree."""
    materialise, load = store.materialise, loader.load

    def in_place(data: Path, release: Any, **options: Any) -> Path:
        return ADDON if release.sha256 == SHA256 else materialise(data, release, **options)

    def loaded(found: Any, folder: Path, sha256: str, files: Any) -> LoadedRelease:
        if sha256 != SHA256:
            return load(found, folder, sha256, files)
        return LoadedRelease(found, ADDON, sha256, PACKAGE, import_module(f"{PACKAGE}.addon"))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "materialise", in_place)
        patch.setattr(loader, "load", loaded)
        yield
