"""Settings of the whole desk that an admin chooses on a page.

What the environment says goes first: a page shows it and changes nothing of it. What is chosen here counts in
every process without a restart, because each builds its next generation with it.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host import counters
from host.core import config as settings
from host.core import db, secrets
from host.core.config import Config
from host.core.config_servers import mail_server
from host.core.errors import ConflictError, InvalidError
from host.core.secrets import Place, Secret
from host.models.users import Counter, DeskSetting
from host.sdk.errors import SecretUnreadableError
from host.users.users import clean_name

OVERLAID = ("public_url", "mail_server", "mail_from")
"""Settings that have a variable too: the page's value counts where the variable is not set."""
SEALED = frozenset({"mail_server"})
LOGO = "logo"
NAME, COLOUR, RETENTION, MAKERS = "name", "colour", "retention_days", "workspace_makers"
DEFAULT_NAME = "Lobby"
LEAST_DAYS, MOST_DAYS = 7, 3650
"""How short messages may be kept: a week, so that no answer that is being written loses its question."""

_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True, slots=True)
class Desk:
    """How the desk presents itself, and what it allows.

    :param colour: ``#rrggbb``; empty: Lobby's own.
    :param logo: where the logo is stored; None: there is none.
    :param retention_days: of workspaces that say nothing themselves; 0: for ever.
    :param anybody_makes: whether everybody who is signed in may make a workspace, not admins alone.
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
    default_next_step = _l("Look at what they chose, and save again if yours is to count.")


def stored(session: Session) -> dict[str, str]:
    """Return what was chosen on pages, by name; a sealed value that cannot be opened is left out."""
    found = {}
    for row in session.scalars(sa.select(DeskSetting)):
        try:
            found[row.name] = _opened(row)
        except SecretUnreadableError:
            continue
    return found


def desk(session: Session) -> Desk:
    """Return how the desk presents itself."""
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
    """Return *config* with what was chosen on pages where the environment says nothing, and the desk's look.

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
    return replace(config, **values) if values else config


def origin(config: Config, chosen: Mapping[str, str], name: str) -> str:
    """Return where a setting comes from: ``environment``, ``file``, ``page`` or ``default``."""
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

    Every process follows within a moment.

    :param version: what :func:`version` said when the page was made; None: whatever it is.
    :raises SettingsMovedError: if it is another by now.
    """
    # Raised first of all: it locks, so that of two who save at once the second sees what the first did.
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


def set_logo(session: Session, key: str | None) -> str | None:
    """Store the key of the desk's logo, or remove it; return the key of the one before."""
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


# What may be stored


def checked_url(text: str) -> str:
    """Return a public address as it is stored; empty for none.

    :raises InvalidError: if it is none, or has a path, a query or a password in it.
    """
    if not text.strip():
        return ""
    try:
        return settings.public_url(text)
    except ValueError:
        raise InvalidError(
            _l("The address has to look like https://desk.example.com."),
            next_step=_l("Leave out what comes after the name, and any password."),
        ) from None


def checked_colour(text: str) -> str:
    """Return a colour as ``#rrggbb`` in small letters; empty for none.

    :raises InvalidError: if it is none.
    """
    colour = text.strip()
    if colour and not _COLOUR.fullmatch(colour):
        raise InvalidError(
            _l("A colour has to look like #0b6b63: a # and six digits or letters from a to f."), next_step=""
        )
    return colour.lower()


def checked_name(text: str) -> str:
    """Return the name of the desk; empty for Lobby's own.

    :raises InvalidError: if it is too long.
    """
    name = clean_name(text) if text.strip() else ""
    return "" if name == DEFAULT_NAME else name


def checked_days(text: str) -> int:
    """Return a number of days that messages are kept; 0: for ever.

    :raises InvalidError: if it is none, or too short or long.
    """
    number = text.strip()
    if not number:
        return 0
    if not number.isascii() or not number.isdigit() or len(number) > 6:
        raise InvalidError(_l("Type a number of days."), next_step="")
    days = int(number)
    if days and not LEAST_DAYS <= days <= MOST_DAYS:
        raise InvalidError(
            _l("Messages can be kept for 7 to 3650 days, or for ever."), next_step=_l("Type another number.")
        )
    return days


def checked_relay(
    host: str, port: str, encryption: str, user: str, password: str, *, before: str = ""
) -> str:
    """Return the address of a mail server as LOBBY_MAIL_SERVER holds it; empty for none.

    :param encryption: ``tls`` from the beginning; anything else: with STARTTLS where the server can.
    :param password: empty: that of *before*, where server and user are the same.
    :raises InvalidError: if it is none.
    """
    name = host.strip().lower()
    if not name:
        return ""
    fine = port.strip() or ("465" if encryption == "tls" else "587")
    if not fine.isascii() or not fine.isdigit() or not 0 < int(fine[:6]) < 65536:
        raise InvalidError(_l("The port is a number from 1 to 65535."), next_step="", field="port")
    if not re.fullmatch(r"[a-z0-9._-]{1,253}|\[[0-9a-f:.]+\]", name):
        raise InvalidError(
            _l("The server is a name such as mail.example.com, or an address."), next_step="", field="host"
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
            _l("The password is missing: it is kept only while server and user stay the same."),
            next_step="",
            field="password",
        )
    return mail_server(f"{head}{quote(who, safe='')}:{quote(password, safe='')}@{tail}")


def checked_sender(text: str) -> str:
    """Return the sender of the desk's own mail; empty for the usual one.

    :raises InvalidError: if it is no address.
    """
    try:
        return settings.mail_address(text)
    except ValueError:
        raise InvalidError(
            _l("The sender has to be an address such as lobby@desk.example.com."),
            next_step="",
            field="sender",
        ) from None
