"""Parsers of settings that name a server and may contain its password."""

from __future__ import annotations

import re
from importlib.util import find_spec
from inspect import signature
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from host import installing

if TYPE_CHECKING:
    from sqlalchemy.engine import URL


class TellableError(ValueError):
    """A problem with a secret setting; the message contains no part of the value."""


_DRIVERS = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql": "mariadb+pymysql",
    "mariadb": "mariadb+pymysql",
}
_DATABASES = {"postgresql+psycopg", "mariadb+pymysql", "mysql+pymysql", "sqlite", "sqlite+pysqlite"}


def database(text: str) -> str:
    """Return the URL of a database with Lobby's driver, which URLs from hosting services leave out."""
    given, separator, rest = text.strip().partition("://")
    if not given:
        return ""
    from sqlalchemy.engine import make_url

    scheme = _DRIVERS.get(given.lower(), given.lower())
    if scheme not in _DATABASES or not separator:
        raise TellableError("must begin with postgresql://, mariadb:// or sqlite:///")
    try:
        url = make_url(f"{scheme}://{rest}")
        port = url.port
    except Exception:  # noqa: BLE001 - whatever it is, its words hold parts of the URL
        url, port = None, None
    if scheme.startswith("sqlite"):
        if url is None or not url.database or ":memory:" in url.database:
            raise TellableError("must name a file, such as sqlite:////var/lib/lobby/lobby.sqlite3")
        return f"{scheme}://{rest}"
    shape = "must look like postgresql://user:password@host/database, with %40 for an @ in the password"
    if url is None or port == 0 or not url.database or "@" in (url.host or "") + url.database:
        raise TellableError(shape)
    if "pymysql" in scheme and not _known_to_pymysql(url):
        raise TellableError("has an option behind the ? that PyMySQL does not know")
    return f"{scheme}://{rest}"


def _known_to_pymysql(url: URL) -> bool:
    """Return whether PyMySQL accepts every option of *url*; it raises a TypeError for others."""
    from pymysql.connections import Connection

    _, options = url.get_dialect()().create_connect_args(url)
    return options.keys() <= signature(Connection.__init__).parameters.keys()


def mail_server(text: str) -> str:
    """Return the address of a mail server, or an empty string."""
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


_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"(/[A-Za-z0-9!_.*'()-]+)*/?")


def files(text: str) -> str:
    """Return the place of the files of messages: a folder, ``s3://bucket/prefix``, or an empty string."""
    place = text.strip()
    if place.startswith("s3://"):
        bucket, slash, prefix = place.removeprefix("s3://").partition("/")
        dots = {".", ".."} & set(prefix.split("/"))
        if not _BUCKET.fullmatch(bucket) or not _PREFIX.fullmatch(slash + prefix) or dots:
            raise ValueError("must look like s3://bucket or s3://bucket/prefix, with no keys in it")
        if find_spec("obstore") is None:
            raise ValueError(f"it needs the package obstore: {installing('s3')}")
        return place.rstrip("/")
    if place and not (place.startswith("/") and place.strip("/")):
        raise ValueError("must be a folder such as /mnt/share/lobby, or s3://bucket/prefix")
    return place.rstrip("/")


def store_address(text: str) -> str:
    """Return the address of an S3-compatible store, or an empty string."""
    url = text.strip().rstrip("/")
    try:
        parts = urlsplit(url)
        fine = parts.scheme in {"http", "https"} and parts.hostname and (parts.port or 1) > 0
        fine = fine and parts.path == parts.query == parts.fragment == "" and "@" not in parts.netloc
    except ValueError:
        fine = False
    if url and not fine:
        raise TellableError("must look like https://s3.example.com, with no path and no keys in it")
    return url


def limits_storage(text: str) -> str:
    """Return the address of the storage that counts limits."""
    scheme = text.partition("://")[0]
    if scheme not in {"memory", "redis", "rediss"}:
        raise TellableError("must begin with memory://, redis:// or rediss://")
    if scheme != "memory" and find_spec("redis") is None:
        raise TellableError(f"it needs the package redis: {installing('redis')}")
    return text


BROKERS = {"amqp": "pika", "amqps": "pika", "redis": "redis", "rediss": "redis"}
"""The package that a broker needs beside dramatiq, by the scheme of its address."""


def broker(text: str) -> str:
    """Return the address of a broker, or an empty string."""
    url = text.strip()
    if not url:
        return ""
    try:
        parts = urlsplit(url)
        fine = parts.scheme in BROKERS and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        fine = False
    if not fine:
        raise TellableError("must look like amqp://user:password@host/vhost or redis://host/0")
    if not all(find_spec(package) for package in ("dramatiq", BROKERS[parts.scheme])):
        raise TellableError(f"it needs a package: {installing('distributed')}")
    return url
