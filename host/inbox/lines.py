"""Lines of a conversation that tell of something said about a message we do not have."""

from __future__ import annotations

from host.inbox.cleaning import external_id
from host.inbox.models import Actor, MarkKind
from host.inbox.rows import Key

KINDS = (MarkKind.UNSEND, MarkKind.EDIT, *(f"{MarkKind.REACTION}:{actor}" for actor in Actor))


def line_key(what: str, key: Key) -> Key:
    """Return the key of the line that says *what* of the message *key*."""
    return key[0], external_id(f"line:{what}:{key[1]}")


def line_keys(key: Key) -> list[Key]:
    """Return the keys of all lines there may be for the message *key*."""
    return [line_key(what, key) for what in KINDS]
