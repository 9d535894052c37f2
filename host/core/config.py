"""The settings: name, default, meaning and parser of each. No other module reads the environment."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from limits import parse

from host.core.config_servers import (
    TellableError,
    broker,
    database,
    files,
    limits_storage,
    mail_server,
    store_address,
)

PREFIX = "LOBBY_"
ADDON_PREFIX = "LOBBY_ADDON_"
CLIENT_NAMES = frozenset({"LOBBY_URL", "LOBBY_API_KEY"})
"""Read by the API's clients, which may run in the same shell as a desk; no settings of it."""


class Exit(IntEnum):
    """Exit codes of commands; the numbers are those of ``sysexits.h``."""

    FAILED = 1
    DATABASE = 69
    """The database does not answer, or refuses the connection."""
    MEMORY = 71
    """The system provides too little memory, or too few threads."""
    FOLDER = 73
    """A file or folder cannot be written, or there is no space."""
    BUSY = 75
    """An address, a database or a migration is in use by another process, or a restart is needed.

    A retry may work.
    """
    SETTINGS = 78
    """Settings, keys or versions do not fit. A retry does not help."""


def is_supervised() -> bool:
    """Return whether this is the main process of a systemd unit, or the first of a container."""
    own = os.getpid()
    return own == 1 or os.environ.get("SYSTEMD_EXEC_PID") == str(own)


def notify_socket() -> str:
    """Return the address of systemd's notification socket; empty without one."""
    return os.environ.get("NOTIFY_SOCKET", "")


_KEPT_SOCKET = "KEPT_LOBBY_SOCKET"


def pass_on_socket(descriptor: int) -> None:
    """Tell the program that replaces this one which descriptor is the socket that listens."""
    os.environ[_KEPT_SOCKET] = str(descriptor)


def kept_socket() -> int | None:
    """Return the descriptor that the replaced program passed on, once; None if there is none."""
    number = os.environ.pop(_KEPT_SOCKET, "")
    return int(number) if number.isdecimal() else None


class CannotGoOnError(Exception):
    """A command cannot continue. The message is a sentence or two, for the operator."""

    def __init__(self, sentence: str, code: Exit = Exit.FAILED) -> None:
        super().__init__(sentence)
        self.code = code


class ConfigError(CannotGoOnError):
    """The environment does not describe an installation that could start."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, Exit.SETTINGS)


class Setting(msgspec.Struct, frozen=True):
    """One host setting: ``LOBBY_<NAME>`` in the environment, ``name`` on :class:`Config`."""

    name: str
    default: str
    help: str
    parse: Callable[[str], Any] = str
    secret: bool = False

    @property
    def variable(self) -> str:
        return PREFIX + self.name.upper()


def _flag(text: str) -> bool:
    value = text.strip().lower()
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"", "0", "false", "no", "off"}:
        return False
    raise ValueError("say 1 or 0")


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError("must be 1 or more")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise ValueError("must be 0 or more")
    return value


LEAST_CONNECTIONS = 8
"""Fewest connections to a database server with which a process works."""


def _connections(text: str) -> int:
    value = int(text)
    if value < LEAST_CONNECTIONS:
        raise ValueError(f"must be {LEAST_CONNECTIONS} or more")
    return value


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _pairs(text: str) -> tuple[str, ...]:
    pairs = _names(text)
    for pair in pairs:
        name, _, port = pair.rpartition(":")
        if not name or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
            raise ValueError("must look like 127.0.0.1:9443, several separated by commas")
    return pairs


def public_url(text: str) -> str:
    """Return the address of a desk, without a slash at the end.

    :raises ValueError: if it is invalid, or has a path, a query or a password in it.
    """
    url = text.strip().rstrip("/")
    parts = urlsplit(url)
    fine = parts.scheme in {"http", "https"} and parts.hostname and not (parts.path or parts.query)
    if not fine or parts.fragment or "@" in parts.netloc or len(url.split()) != 1 or not url.isprintable():
        raise ValueError("must look like https://desk.example.com, with no path")
    _ = parts.port  # raises for an invalid port
    return url


def _sandbox(text: str) -> str:
    return public_url(text) if text.strip() else ""


def _issuer(text: str) -> str:
    address = text.strip()
    parts = urlsplit(address)
    if address and (
        parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment
    ):
        raise ValueError("must look like https://login.example.com")
    return address


def _address(text: str) -> tuple[str, int] | None:
    if not text.strip():
        return None
    address, _, port = text.strip().rpartition(":")
    if not address or not port.isdigit() or int(port) > 65535:
        raise ValueError("must look like 127.0.0.1:2525")
    return address, int(port)


def mail_address(text: str) -> str:
    name, at, domain = text.strip().rpartition("@")
    if text.strip() and not (name and at and domain and len(text.split()) == 1 and text.isascii()):
        raise ValueError("must be an address such as lobby@desk.example.com")
    return text.strip()


def _token(text: str) -> str:
    token = text.strip()
    if token and (len(token) < 16 or not token.isascii() or not token.isprintable() or " " in token):
        raise TellableError("must be 16 characters or more, ASCII, without spaces")
    return token


def _rate(text: str) -> str:
    try:
        parse(text)
    except ValueError:
        raise ValueError("must look like 600/minute") from None
    return text.strip()


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(f"must be one of: {', '.join(choices)}")
        return text

    return parse


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "data", "data", "Folder that holds the database file, unpacked addons, attachments and keys.", Path
    ),
    Setting(
        "files",
        "",
        "Storage for message files: a folder shared by all processes, such as /mnt/share/lobby, or "
        "s3://bucket/prefix with the extra s3. Default: the folder attachments in the data folder.",
        files,
    ),
    Setting(
        "files_endpoint",
        "",
        "URL of the S3-compatible store, such as https://s3.example.com. Default: AWS_ENDPOINT_URL, else "
        "AWS.",
        store_address,
    ),
    Setting("files_region", "", "Region of the store. Default: AWS_REGION.", str.strip),
    Setting(
        "files_access_key",
        "",
        "Access key of the store. Default: AWS_ACCESS_KEY_ID, else the machine's AWS role.",
        str.strip,
        secret=True,
    ),
    Setting(
        "files_secret_key",
        "",
        "Secret key of the store. Default: AWS_SECRET_ACCESS_KEY.",
        str.strip,
        secret=True,
    ),
    Setting(
        "database_url",
        "",
        "postgresql://user:password@host/database, mariadb://... or sqlite:///... Default: SQLite in the "
        "data folder.",
        database,
        secret=True,
    ),
    Setting(
        "public_url",
        "http://127.0.0.1:8080",
        "URL at which people and providers reach this desk, used for links and cookies. By default it uses "
        "the port of LOBBY_BIND.",
        public_url,
    ),
    Setting(
        "public_files",
        "auto",
        "Whether providers fetch outgoing files from LOBBY_PUBLIC_URL: 1, 0, or auto (only if it is https "
        "and a public name). Otherwise, files are uploaded to them.",
        _one_of("auto", "1", "0"),
    ),
    Setting("bind", "127.0.0.1:8080", "Address and port the web server listens on.", _address),
    Setting(
        "server",
        "uvicorn",
        "Web server: uvicorn, or granian if it is installed.",
        _one_of("uvicorn", "granian"),
    ),
    Setting(
        "threads",
        "64",
        "Threads that serve pages. One session, API key or address can use an eighth of them.",
        _positive,
    ),
    Setting(
        "live_streams",
        "5000",
        "Browsers that one process keeps updated live. Any others poll every few seconds.",
        _positive,
    ),
    Setting(
        "workers",
        "4",
        "Threads that process received events (one with SQLite). 0 leaves all deliveries to `lobby worker`.",
        _count,
    ),
    Setting(
        "senders",
        "8",
        "Threads that send replies, one reply at a time each. 0 leaves sending to other processes.",
        _count,
    ),
    Setting(
        "database_connections",
        "20",
        f"Most connections to PostgreSQL or MariaDB that one process opens, at least {LEAST_CONNECTIONS}. "
        "Work that finds none free waits.",
        _connections,
    ),
    Setting(
        "spool_mb",
        "1024",
        "Disk space in MB for requests kept as files while the database is unavailable. Once it is full, "
        "webhooks are answered with 503.",
        _positive,
    ),
    Setting(
        "look_grace",
        "120",
        "Seconds to wait for a message that a provider lists, before it counts as not delivered and Lobby "
        "adds it.",
        _positive,
    ),
    Setting(
        "broker_url",
        "",
        "Broker that wakes workers in other processes: amqp://user:password@host/vhost or redis://host/0, "
        "with the extra distributed. Without one, each process polls every 1.5 seconds.",
        broker,
        secret=True,
    ),
    Setting(
        "secret_keys",
        "",
        "Keys that encrypt credentials at rest, as `id:base64` separated by commas. The first encrypts, all "
        "decrypt.",
        secret=True,
    ),
    Setting(
        "secret_keys_file",
        "",
        "File with the keys, instead of LOBBY_SECRET_KEYS. Default: secret.keys in the data folder, created "
        "at the first start.",
    ),
    Setting(
        "session_key",
        "",
        "Key that signs cookies. Default: session.key in the data folder, created at the first start.",
        secret=True,
    ),
    Setting(
        "features_off",
        "",
        "Features that are off, separated by commas. If it isn't set, admins turn features on and off under "
        "Addons.",
        _names,
    ),
    Setting("safe_mode", "0", "1 starts Lobby without addons.", _flag),
    Setting("uploads", "1", "Whether admins can upload addons. 0 turns off uploads and updates.", _flag),
    Setting(
        "backup_command",
        "",
        "Command that backs up the database before an addon's migrations run. If it fails, they don't run. "
        "`{reason}` is replaced with the addon and its version.",
    ),
    Setting("backup_seconds", "600", "Time limit for the backup command, in seconds.", _positive),
    Setting(
        "backups",
        "3",
        "Number of SQLite backups to keep if no backup command is set. 0 turns backups off.",
        _count,
    ),
    Setting(
        "migration_seconds",
        "600",
        "Time limit for one migration of an addon, in seconds. After that, it is stopped and rolled back.",
        _positive,
    ),
    Setting(
        "rehearsal_mb",
        "512",
        "Maximum size in MB of a database that is copied to test an addon's migrations first.",
        _count,
    ),
    Setting(
        "signatures",
        "warn",
        "enforce: run only addons signed with a trusted key; warn: show who signed each addon; off: don't "
        "check signatures.",
        _one_of("enforce", "warn", "off"),
    ),
    Setting(
        "trusted_keys",
        "",
        "Public keys of publishers, as `lobby addon keygen` prints them, separated by semicolons.",
    ),
    Setting(
        "trusted_keys_file",
        "",
        "File with one public key per line. Default: trusted.keys in the data folder, if it exists.",
    ),
    Setting(
        "unsigned_allowed",
        "",
        "Addons that may run unsigned even if signatures are enforced, separated by commas.",
        _names,
    ),
    Setting(
        "development",
        "0",
        "1 allows an upload to replace an addon of the same version, and reloads templates.",
        _flag,
    ),
    Setting(
        "allow_hosts",
        "",
        "Private host:port pairs that Lobby may connect to for any purpose, separated by commas.",
        _pairs,
    ),
    Setting(
        "sandbox",
        "",
        "URL of the sandbox that plays the providers; `lobby run --sandbox` sets it. The first steps lead "
        "to it.",
        _sandbox,
    ),
    Setting(
        "mail_relays",
        "",
        "host:port pairs of mail servers on the local network, for mail only.",
        _pairs,
    ),
    Setting(
        "oidc_issuer",
        "",
        "URL of the OpenID Connect sign-in provider, such as https://login.example.com. If it is set, it "
        "can't be changed on the page.",
        _issuer,
    ),
    Setting("oidc_client_id", "", "Client ID that the sign-in provider gave this desk."),
    Setting("oidc_client_secret", "", "Client secret that the sign-in provider gave this desk.", secret=True),
    Setting(
        "oidc_hosts",
        "",
        "host:port pairs of sign-in providers on the local network, for sign-in only.",
        _pairs,
    ),
    Setting(
        "model_hosts",
        "",
        "host:port pairs of language models on the local network, for assistants only.",
        _pairs,
    ),
    Setting(
        "push_hosts",
        "",
        "Hosts of further push services, separated by commas; *.example.com means all subdomains.",
        _names,
    ),
    Setting(
        "smtp_listen",
        "",
        "Address and port to receive email over SMTP. If empty, none is received.",
        _address,
    ),
    Setting(
        "smtp_authserv_id",
        "",
        "Names that your own mail servers use in Authentication-Results headers, separated by commas. If "
        "empty, no such header is trusted.",
    ),
    Setting(
        "mail_server",
        "",
        "Server for the desk's own mail, such as warnings: smtp://user:password@host:587 (encrypted if "
        "possible) or smtps://. If empty, none is sent.",
        mail_server,
        secret=True,
    ),
    Setting(
        "mail_from",
        "",
        "Sender of the desk's own mail. Default: lobby@ and the host name of LOBBY_PUBLIC_URL.",
        mail_address,
    ),
    Setting("audit_days", "400", "Days to keep entries of the audit log. 0 keeps them forever.", _count),
    Setting(
        "limits_url",
        "memory://",
        "Where rate limits are counted: memory://, or redis://... with the extra redis.",
        limits_storage,
        secret=True,
    ),
    Setting("api_limit", "600/minute", "Request limit of one API key, such as 600/minute.", _rate),
    Setting(
        "proxies",
        "0",
        "Number of trusted proxies in front of Lobby, which report the client's address.",
        _count,
    ),
    Setting(
        "metrics_token",
        "",
        "Bearer token for /metrics, for Prometheus. If empty, /metrics returns 404.",
        _token,
        secret=True,
    ),
    Setting(
        "worker_listen",
        "",
        "Address and port at which `lobby worker` serves /healthz, /readyz and /metrics. If empty, it "
        "doesn't.",
        _address,
    ),
    Setting(
        "language",
        "en",
        "Language of pages and emails if neither the person nor the workspace has chosen one.",
    ),
    Setting(
        "log_level", "INFO", "DEBUG, INFO, WARNING or ERROR.", _one_of("DEBUG", "INFO", "WARNING", "ERROR")
    ),
    Setting("log_format", "text", "Log format: text or json.", _one_of("text", "json")),
)


@dataclass(frozen=True, slots=True)
class Config:
    """The parsed settings of one process. See :data:`SETTINGS` for the meaning of each."""

    data: Path
    files: str
    files_endpoint: str
    files_region: str
    files_access_key: str = field(repr=False)
    files_secret_key: str = field(repr=False)
    database_url: str = field(repr=False)
    public_url: str
    public_files: str
    bind: tuple[str, int]
    server: str
    threads: int
    live_streams: int
    workers: int
    senders: int
    database_connections: int
    spool_mb: int
    look_grace: int
    broker_url: str = field(repr=False)
    secret_keys: str = field(repr=False)
    secret_keys_file: str
    session_key: str = field(repr=False)
    features_off: tuple[str, ...]
    safe_mode: bool
    uploads: bool
    backup_command: str
    backup_seconds: int
    backups: int
    migration_seconds: int
    rehearsal_mb: int
    signatures: str
    trusted_keys: str
    trusted_keys_file: str
    unsigned_allowed: tuple[str, ...]
    development: bool
    allow_hosts: tuple[str, ...]
    sandbox: str
    mail_relays: tuple[str, ...]
    oidc_issuer: str
    oidc_client_id: str
    oidc_client_secret: str = field(repr=False)
    oidc_hosts: tuple[str, ...]
    model_hosts: tuple[str, ...]
    push_hosts: tuple[str, ...]
    smtp_listen: tuple[str, int] | None
    smtp_authserv_id: str
    mail_server: str = field(repr=False)
    mail_from: str
    audit_days: int
    limits_url: str = field(repr=False)
    api_limit: str
    proxies: int
    metrics_token: str = field(repr=False)
    worker_listen: tuple[str, int] | None
    language: str
    log_level: str
    log_format: str
    addon_values: Mapping[str, str] = field(default_factory=dict, repr=False)
    given: frozenset[str] = frozenset()
    """The names of settings that come from the environment; pages cannot change them."""

    @property
    def secure(self) -> bool:
        """Whether people reach the desk over https, so that cookies can be marked secure."""
        return self.public_url.startswith("https://")

    @property
    def session_cookie(self) -> str:
        """The name of the cookie that signs people in."""
        return "__Host-lobby" if self.secure else "lobby"

    def addon_setting(self, slug: str, name: str) -> str | None:
        """Return ``LOBBY_ADDON_<SLUG>_<NAME>`` as given, or None."""
        return self.addon_values.get(f"{ADDON_PREFIX}{slug.upper()}_{name.upper()}")


def load(environ: Mapping[str, str] | None = None) -> Config:
    """Parse *environ* (default: that of the process).

    :raises ConfigError: for an unknown ``LOBBY_`` name or a value that does not parse; the message
        names the variable and never its value.
    """
    environ = os.environ if environ is None else environ
    known = {setting.variable: setting for setting in SETTINGS}
    values: dict[str, Any] = {}
    problems: list[str] = []
    for name in sorted(environ):
        if name in CLIENT_NAMES or name.startswith(ADDON_PREFIX):
            continue
        if name.startswith(PREFIX) and name not in known:
            problems.append(f"{name} is not a setting of Lobby (`lobby settings` lists them)")
    for variable, setting in known.items():
        try:
            values[setting.name] = setting.parse(environ.get(variable, setting.default))
        except ValueError as error:
            told = not setting.secret or isinstance(error, TellableError)
            reason = f": {error}" if told else ""
            problems.append(f"{variable} cannot be used{reason}")
    if not problems and values["bind"] is None:
        problems.append("LOBBY_BIND is empty")
    if not problems and bool(values["files_access_key"]) != bool(values["files_secret_key"]):
        problems.append("LOBBY_FILES_ACCESS_KEY and LOBBY_FILES_SECRET_KEY go together: one is missing")
    if problems:
        raise ConfigError("; ".join(problems))
    if values["bind"][1] and not environ.get(f"{PREFIX}PUBLIC_URL"):
        values["public_url"] = f"http://127.0.0.1:{values['bind'][1]}"
    values["data"] = values["data"].absolute()
    if not values["database_url"]:
        values["database_url"] = f"sqlite:///{values['data'] / 'lobby.sqlite3'}"
    addon_values = {name: value for name, value in environ.items() if name.startswith(ADDON_PREFIX)}
    given = frozenset(setting.name for variable, setting in known.items() if environ.get(variable))
    return Config(**values, addon_values=addon_values, given=given)


def log_format(environ: Mapping[str, str] | None = None) -> str:
    """Return the log format before the settings are read: ``json`` if requested."""
    given = (os.environ if environ is None else environ).get(f"{PREFIX}LOG_FORMAT", "")
    return "json" if given == "json" else "text"


def of_opentelemetry() -> dict[str, str]:
    """Return the ``OTEL_...`` variables that are set; OpenTelemetry defines them and reads most of them."""
    return {name: value.strip() for name, value in os.environ.items() if name.startswith("OTEL_")}
