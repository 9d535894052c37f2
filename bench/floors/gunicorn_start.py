"""Gunicorn's hook that starts the floor's writer after the fork."""

from __future__ import annotations


def post_worker_init(_worker):  # type: ignore[no-untyped-def]
    from bench.floors import ingest

    ingest.start()
    print("the floor is ready", flush=True)
