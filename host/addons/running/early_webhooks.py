"""Keep webhook requests that arrive before the database first answers, until they can be decided on.

A process that starts while the database is unavailable runs no addon, so it cannot tell a provider's request
from a stranger's. It knows the webhook addresses from its data folder and keeps requests unchanged in the
spool. Once the database answers, these requests move to :mod:`host.addons.running.held_webhooks`, and the
addon decides on each with the secrets valid then: requests for an account that was disconnected, or signed
with a secret that was changed, are rejected.
"""

from __future__ import annotations

import itertools
import json
import logging
import os
import secrets
import tempfile
import threading
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import msgspec
from sqlalchemy.orm import Session

from host.addons.running import held_webhooks
from host.addons.running.generation import Generation, named_by
from host.addons.running.held_webhooks import MOST_ABOUT, MOST_BYTES, MOST_REQUESTS, FullError, Waiting
from host.core import clock, db
from host.models.addons import ParkedRequest
from host.queue import spool
from host.queue.spool import Spool
from host.sdk import strictjson
from host.sdk.webhooks import WebhookRequest

log = logging.getLogger(__name__)

ADDRESSES = "webhooks.json"


class Undecided(msgspec.Struct, frozen=True):
    """One request as received; the content of a file.

    :ivar about: its headers and query, sealed for its later row.
    """

    uuid: str
    slug: str
    path: str
    account: str | None
    about: str
    body: bytes
    size: int
    remote: str
    received_at: datetime


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Undecided)
_taking_in = threading.Lock()


def note_addresses(data: Path, generation: Generation) -> None:
    """Store the addresses of webhooks for the next start."""
    found = {full: route.max_body for full, route in generation.webhooks.items()}
    found |= {full: one.max_body for full, one in generation.waiting.items()}
    text = json.dumps(found, sort_keys=True)
    path = data / ADDRESSES
    try:
        if path.exists() and path.read_text() == text:
            return
        descriptor, temporary = tempfile.mkstemp(dir=data, prefix=".webhooks-")
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        os.replace(temporary, path)
    except OSError as error:
        log.warning("the addresses of webhooks could not be written down: %s", error)


def known_addresses(data: Path) -> Mapping[str, Waiting]:
    """Return the webhooks the previous process stored, by full path."""
    try:
        found = strictjson.decode((data / ADDRESSES).read_bytes(), dict[str, int])
    except (OSError, msgspec.MsgspecError):
        return {}
    return {full: Waiting(full.split("/", 3)[2], full, most) for full, most in found.items()}


def named(addresses: Mapping[str, Waiting], path: str) -> tuple[Waiting, str | None] | None:
    """Return the webhook at *path* and the account segment, or None."""
    found = named_by(addresses, path)
    return None if found is None else (found[1], found[2])


class UndecidedRequests:
    """A store of requests as files, within the limits for addons that do not run."""

    def __init__(self, kept: Spool, folder: Path) -> None:
        self._spool = kept
        self._lock = threading.Lock()
        # Processes that share the folder start at distant numbers, as in the inbound log.
        self._numbers = itertools.count(secrets.randbelow(4096) << 11)
        waiting = spool.undecided(folder)
        self._requests = len(waiting)
        self._bytes = sum(path.stat().st_size for path in waiting)

    def keep(self, waiting: Waiting, request: WebhookRequest) -> None:
        """Store *request*; return once it is durable.

        :raises FullError: if too much is stored already, or the disk is full.
        """
        row = held_webhooks.as_row(waiting, request)
        values = {name: getattr(row, name) for name in Undecided.__struct_fields__}
        content = _encoder.encode(Undecided(**values))
        with self._lock:
            fits = row.size - len(request.body) <= MOST_ABOUT and self._requests < MOST_REQUESTS
            if not fits or self._bytes + len(content) > MOST_BYTES:
                raise FullError(waiting.slug)
            self._requests += 1
            self._bytes += len(content)
        try:
            self._spool.keep_undecided(spool.request_id(clock.now(), next(self._numbers)), content)
        except OSError as error:
            raise FullError(waiting.slug) from error


def take_in(generation: Generation, kept: Spool, folder: Path) -> int:
    """Move kept requests to :class:`HeldWebhooks`; return how many.

    :raises sqlalchemy.exc.SQLAlchemyError: if the database does not answer; the remaining ones stay.
    """
    with _taking_in:
        paths = spool.undecided(folder)
        for path in paths:
            try:
                found = _decoder.decode(path.read_bytes())
            except FileNotFoundError:
                continue  # another process on this machine was faster
            except (OSError, msgspec.MsgspecError):
                log.error("the spool file %s cannot be read; it is put aside", path.name)
                kept.remove_undecided(path, readable=False)
                continue
            if generation.webhook(found.path) or generation.waits_for(found.path):
                db.write(_put, found)
            else:
                log.warning("a request kept for %s is dropped: there is no such webhook any more", found.path)
            kept.remove_undecided(path, readable=True)
        return len(paths)


def _put(session: Session, found: Undecided) -> None:
    # A repeat after a process died before it removed the file is harmless: the inbound log detects it.
    session.add(ParkedRequest(workspace_id=0, **msgspec.structs.asdict(found)))
