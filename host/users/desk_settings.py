"""Settings of the whole desk that an admin chooses on a page.

Environment variables take precedence: a page shows their values but cannot change them. Values chosen here
apply in every process without a restart, because each process builds its next revision of the app with them.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host import counters
from host.core import config as settings
from host.core import db, secrets
from host.core.backports.values import replace
from host.core.config import Config
from host.core.config_servers import mail_server
from host.core.errors import ConflictError, InvalidError
from host.core.secrets import Place, Secret
from host.features import registry
from host.models.users import Counter, DeskSetting
from host.sdk.errors import SecretUnreadableError
from host.users.actor import DeskWork
from host.users.users import clean_name

OVERLAID = ("public_url", "mail_server", "mail_from")
"""Settings that also have a variable: the page's value applies if the variable is not set."""
SEALED = frozenset({"mail_server"})
LOGO = "logo"
NAME, COLOUR, RETENTION, MAKERS = "name", "colour", "retention_days", "workspace_makers"
FEATURES_OFF = "features_off"
"""Setting that holds the names of disabled features, separated by commas."""
DEFAULT_NAME = "Lobby"
LEAST_DAYS, MOST_DAYS = 7, 3650
"""Bounds of the retention in days: a week at least, so that a reply being written keeps its question."""

_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


class Desk(msgspec.Struct, frozen=True):
    """The appearance and permissions of the desk.

    :param colour: ``#rrggbb``; empty: Lobby's default.
    :param logo: where the logo is stored; None without a logo.
    :param retention_days: of workspaces that use the default; 0: forever.
    :param anybody_makes: whether every signed-in person may create a workspace, not only admins.
    """

    name: str = DEFAULT_NAME
    colour: str = ""
    logo: str | None = None
    retention_days: int = 0
    anybody_makes: bool = False


class SettingsMovedError(ConflictError):
    """Another admin saved settings after the page was opened."""

    code = "saved_meanwhile"
    default_sentence = _l("Another admin saved settings after you opened the page, so nothing was changed.")
    default_next_step = _l("Review their changes, then save again to replace them.")


def stored(session: Session) -> dict[str, str]:
    """Return the values chosen on pages, by name, omitting sealed values that cannot be opened."""
    found = {}
    for row in session.scalars(sa.select(DeskSetting)):
        try:
            found[row.name] = _opened(row)
        except SecretUnreadableError:
            continue
    return found


def desk(session: Session) -> Desk:
    """Return the appearance and permissions of the desk."""
    return _desk(stored(session), session.scalar(sa.select(DeskSetting.picture_key).filter_by(name=LOGO)))


def _desk(chosen: Mapping[str, str], logo: str | None) -> Desk:
    return Desk(
        name=chosen.get(NAME) or DEFAULT_NAME,
        colour=chosen.get(COLOUR, ""),
        logo=logo,
        retention_days=int(chosen.get(RETENTION) or 0),
        anybody_makes=chosen.get(MAKERS) == "anybody",
    )


def effective(config: Config) -> tuple[Config, Desk]:
    """Return *config* with the values chosen on pages, unless the environment sets them, and the desk's
    appearance.

    :raises sqlalchemy.exc.SQLAlchemyError: if the database does not answer.
    """
    with db.read() as session:
        chosen = stored(session)
        logo = session.scalar(sa.select(DeskSetting.picture_key).filter_by(name=LOGO))
    return overlaid(config, chosen), _desk(chosen, logo)


def overlaid(config: Config, chosen: Mapping[str, str]) -> Config:
    """Return *config* with the values of *chosen* that the environment leaves open."""
    values: dict[str, Any] = {
        name: chosen[name] for name in OVERLAID if name in chosen and name not in config.given
    }
    if FEATURES_OFF not in config.given:
        values[FEATURES_OFF] = tuple(sorted(features_off(chosen)))
    return replace(config, **values) if values else config


def features_off(chosen: Mapping[str, str]) -> frozenset[str]:
    """Return the existing features that were disabled on the addons page."""
    return frozenset(chosen.get(FEATURES_OFF, "").split(",")).intersection(registry.optional())


def features_off_now(session: Session) -> frozenset[str]:
    """Return the disabled features, locked until this write ends."""
    counters.lock(session, counters.SETTINGS)
    return features_off(stored(session))


def origin(config: Config, chosen: Mapping[str, str], name: str) -> str:
    """Return the source of a setting: ``environment``, ``file``, ``page`` or ``default``."""
    if name in config.given:
        return "environment"
    if name in OVERLAID and name in chosen:
        return "page"
    kept = {"secret_keys": not config.secret_keys_file, "session_key": True}
    return "file" if kept.get(name) else "default"


def version(session: Session) -> int:
    """Return a number that grows with each change of a setting."""
    return session.scalar(sa.select(Counter.value).where(Counter.name == counters.SETTINGS)) or 0


def save(session: Session, values: Mapping[str, str], *, version: int | None = None) -> list[str]:
    """Store *values*, checked by :func:`checked`; an empty one is removed. Return the names that changed.

    Every process applies them shortly afterwards.

    :param version: the result of :func:`version` when the page was rendered; None: no check.
    :raises SettingsMovedError: if it has changed since.
    """
    # Increase the version first. That takes the lock, so the second of two concurrent writers sees the first
    # one's changes.
    counters.bump(session, counters.SETTINGS)
    now = session.scalar(sa.select(Counter.value).where(Counter.name == counters.SETTINGS)) or 0
    if version is not None and now != version + 1:
        raise SettingsMovedError()
    before = stored(session)
    changed = [name for name, value in values.items() if before.get(name, "") != value]
    for name in changed:
        _put(session, name, values[name])
    if changed:
        counters.bump(session, counters.GENERATION)
    return changed


def change(work: DeskWork, values: Mapping[str, str], *, version: int | None = None) -> None:
    """Store *values* as :func:`save` does, and record what changed."""
    before = stored(work.session)
    changed = save(work.session, values, version=version)
    if not changed:
        return
    # Never log a value of the mail server: it holds a password.
    details: dict[str, object] = {
        name: {"from": before.get(name, ""), "to": values[name]} for name in changed if name not in SEALED
    }
    details |= {name: "changed" for name in changed if name in SEALED}
    work.audit("desk.changed", ", ".join(changed), details=details)


def set_logo(work: DeskWork, key: str | None) -> str | None:
    """Store the key of the desk's logo, or remove it; return the previous key."""
    session = work.session
    row = session.get(DeskSetting, LOGO, with_for_update=True)
    before = None if row is None else row.picture_key
    if key is None:
        if row is not None:
            session.delete(row)
    elif row is None:
        session.add(DeskSetting(name=LOGO, uuid=uuid.uuid4().hex, workspace_id=0, value="", picture_key=key))
    else:
        row.picture_key = key
    counters.bump(session, counters.GENERATION)
    session.flush()
    work.audit("desk.changed", "logo", details={"logo": "removed" if key is None else "changed"})
    return before


def _put(session: Session, name: str, value: str) -> None:
    row = session.get(DeskSetting, name, with_for_update=True)
    if not value:
        if row is not None:
            session.delete(row)
            session.flush()
        return
    if row is None:
        row = DeskSetting(name=name, uuid=uuid.uuid4().hex, workspace_id=0, value="")
        session.add(row)
    row.value = secrets.keyring().seal(Secret(value), _place(row)) if name in SEALED else value
    session.flush()


def _opened(row: DeskSetting) -> str:
    if row.name not in SEALED:
        return row.value
    return secrets.keyring().open(row.value, _place(row)).reveal()


def _place(row: DeskSetting) -> Place:
    return Place("desk_settings", "value", 0, row.uuid)


# Validation


def checked_url(text: str) -> str:
    """Return a public address as it is stored; empty for none.

    :raises InvalidError: if it is invalid, or has a path, a query or a password in it.
    """
    if not text.strip():
        return ""
    try:
        return settings.public_url(text)
    except ValueError:
        raise InvalidError(
            _l("The URL must look like https://desk.example.com."),
            next_step=_l("Remove everything after the host name, and any password."),
        ) from None


def checked_colour(text: str) -> str:
    """Return a colour as ``#rrggbb`` in lower case; empty for none.

    :raises InvalidError: if it is invalid.
    """
    colour = text.strip()
    if colour and not _COLOUR.fullmatch(colour):
        raise InvalidError(
            _l("A color must look like #0b6b63: a # and six digits or letters from a to f."), next_step=""
        )
    return colour.lower()


def checked_name(text: str) -> str:
    """Return the name of the desk; empty for Lobby's default.

    :raises InvalidError: if it is too long.
    """
    name = clean_name(text) if text.strip() else ""
    return "" if name == DEFAULT_NAME else name


def checked_days(text: str) -> int:
    """Return the retention of messages in days; 0: forever.

    :raises InvalidError: if it is not a number, too short or too long.
    """
    number = text.strip()
    if not number:
        return 0
    if not number.isascii() or not number.isdigit() or len(number) > 6:
        raise InvalidError(_l("Enter a number of days."), next_step="")
    days = int(number)
    if days and not LEAST_DAYS <= days <= MOST_DAYS:
        raise InvalidError(
            _l("Messages can be kept for 7 to 3650 days, or forever."), next_step=_l("Type another number.")
        )
    return days


def checked_relay(
    host: str, port: str, encryption: str, user: str, password: str, *, before: str = ""
) -> str:
    """Return the address of a mail server as LOBBY_MAIL_SERVER holds it; empty for none.

    :param encryption: ``tls`` from the start; anything else: STARTTLS where the server supports it.
    :param password: empty: that of *before*, where server and user are the same.
    :raises InvalidError: if it is invalid.
    """
    name = host.strip().lower()
    if not name:
        return ""
    fine = port.strip() or ("465" if encryption == "tls" else "587")
    if not fine.isascii() or not fine.isdigit() or not 0 < int(fine[:6]) < 65536:
        raise InvalidError(_l("The port must be a number from 1 to 65535."), next_step="", field="port")
    if not re.fullmatch(r"[a-z0-9._-]{1,253}|\[[0-9a-f:.]+\]", name):
        raise InvalidError(
            _l("The server must be a name such as mail.example.com, or an IP address."),
            next_step="",
            field="host",
        )
    scheme = "smtps" if encryption == "tls" else "smtp"
    head, tail = f"{scheme}://", f"{name}:{fine}"
    who = user.strip()
    if not who:
        return head + tail
    if not password and before:
        kept = f"{quote(who, safe='')}:"
        rest = before.removeprefix("smtps://").removeprefix("smtp://")
        if rest.startswith(kept) and rest.rpartition("@")[2] == tail:
            password_part = rest[len(kept) :].rpartition("@")[0]
            return f"{head}{kept}{password_part}@{tail}"
    if not password:
        raise InvalidError(
            _l("Enter the password again: it is kept only while server and user stay the same."),
            next_step="",
            field="password",
        )
    return mail_server(f"{head}{quote(who, safe='')}:{quote(password, safe='')}@{tail}")


def checked_sender(text: str) -> str:
    """Return the sender of Lobby's mail; empty for the default.

    :raises InvalidError: if it is not an address.
    """
    try:
        return settings.mail_address(text)
    except ValueError:
        raise InvalidError(
            _l("The sender must be an address such as lobby@desk.example.com."),
            next_step="",
            field="sender",
        ) from None
