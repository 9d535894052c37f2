"""Parsers of settings that name a server and may hold its password."""

from __future__ import annotations

from importlib.util import find_spec
from urllib.parse import urlsplit


class TellableError(ValueError):
    """A problem with a secret setting; the message holds no part of the value."""


def mail_server(text: str) -> str:
    """Return the address of a mail server, or nothing."""
    url = text.strip()
    try:
        parts = urlsplit(url)
        fine = parts.scheme in {"smtp", "smtps"} and parts.hostname and parts.path in {"", "/"}
        fine = fine and (parts.port or 25) > 0 and (parts.username is None or parts.password is not None)
    except ValueError:
        fine = False
    if url and not fine:
        raise TellableError("must look like smtp://host:25 or smtps://user:password@host:465")
    return url


def limits_storage(text: str) -> str:
    """Return the address of the storage that counts limits."""
    scheme = text.partition("://")[0]
    if scheme not in {"memory", "redis", "rediss"}:
        raise TellableError("must begin with memory://, redis:// or rediss://")
    if scheme != "memory" and find_spec("redis") is None:
        raise TellableError("it needs the package redis: pip install 'lobby[redis]'")
    return text


_BROKERS = {"amqp": "pika", "amqps": "pika", "redis": "redis", "rediss": "redis"}


def broker(text: str) -> str:
    """Return the address of a broker, or nothing."""
    url = text.strip()
    if not url:
        return ""
    try:
        parts = urlsplit(url)
        fine = parts.scheme in _BROKERS and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        fine = False
    if not fine:
        raise TellableError("must look like amqp://user:password@host/vhost or redis://host/0")
    if not all(find_spec(package) for package in ("dramatiq", _BROKERS[parts.scheme])):
        raise TellableError("it needs the packages of lobby[distributed]: pip install 'lobby[distributed]'")
    return url
