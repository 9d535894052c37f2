"""The mailbox of an account on its card: form, test sign-in, storage and display."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.sdk import accounts, clock, db
from host.sdk.cards import ConnectRequest, Field, Problems
from host.sdk.channel import AccountRef
from host.sdk.errors import FetchError, ForbiddenAddressError, SecretUnreadableError
from host.sdk.i18n import format_datetime, lazy_gettext
from host.sdk.i18n import gettext as _
from host.sdk.secrets import Secret, seal, unseal

from . import late
from .imap import cursor
from .imap.server import BrokenError, LoginRefusedError, RefusedError, Server, plain
from .models import (
    ACCOUNTS,
    AskedAccount,
    Folder,
    Import,
    Mailbox,
    MailState,
    Role,
    asked_password_place,
    mailbox_password_place,
)
from .smtp import Security

if TYPE_CHECKING:
    from .imap.folders import Offered

PORTS = {Security.TLS: 993, Security.STARTTLS: 143}
_DAYS = {Import.NOTHING: 0, Import.MONTH: 30, Import.YEAR: 365}
_SERVER_FIELDS = ("imap_host", "imap_port", "imap_security", "imap_user")


@dataclass(frozen=True, slots=True)
class MailboxForm:
    """A mailbox as an owner entered it.

    :param own: whether it has its own password rather than the one for sending.
    :param password: the password if entered now; None: keep the stored one.
    """

    server: Server
    wanted: Import
    own: bool
    password: Secret | None


def fields(host: Callable[[str], str], port: Callable[[str], str]) -> tuple[Field, ...]:
    """Return the fields of the form; *host* and *port* clean the input."""
    return (
        Field(
            "imap_host",
            lazy_gettext("Mailbox (IMAP server)"),
            required=False,
            help=lazy_gettext(
                "Lobby fetches mail from the inbox and changes nothing there. Leave empty if your mail "
                "server delivers to this desk over SMTP."
            ),
            placeholder="imap.example.com",
            clean=host,
        ),
        Field(
            "imap_port",
            lazy_gettext("Mailbox port"),
            required=False,
            placeholder="993",
            max_length=5,
            clean=port,
            kind="number",
        ),
        Field(
            "imap_security",
            lazy_gettext("Mailbox encryption"),
            required=False,
            kind="select",
            choices=(
                ("tls", lazy_gettext("TLS, usually port 993")),
                ("starttls", lazy_gettext("STARTTLS, usually port 143")),
            ),
        ),
        Field(
            "imap_user",
            lazy_gettext("Mailbox username"),
            required=False,
            help=lazy_gettext("Leave empty to use the username and password for sending."),
            max_length=254,
        ),
        Field("imap_password", lazy_gettext("Mailbox password"), required=False, secret=True),
        Field(
            "imap_import",
            lazy_gettext("Existing emails"),
            required=False,
            help=lazy_gettext(
                "Imported newest first, without notifications. Their conversations are closed, except "
                "recent ones in which a customer is waiting for a reply."
            ),
            kind="select",
            choices=(
                ("nothing", lazy_gettext("Don't import")),
                ("month", lazy_gettext("Import the last 30 days")),
                ("year", lazy_gettext("Import the last year")),
                ("all", lazy_gettext("Import everything")),
            ),
        ),
    )


def entered(
    request: ConnectRequest, sending: Secret | None, *, sending_given: bool
) -> MailboxForm | Problems | None:
    """Return the mailbox of a submitted form, after signing in; None if the form has none.

    :param sending: the password for sending, which is used here too if no separate one is entered.
    :param sending_given: whether it was entered now. A stored one is only sent to the server it was entered
        for.
    """
    values = request.values
    if not values.get("imap_host"):
        return None
    security = Security(values.get("imap_security") or Security.TLS)
    user = values.get("imap_user", "")
    port = int(values.get("imap_port") or PORTS[security])
    row = None if request.account is None else row_of(request.account.id)
    same = row is not None and _is_same(row, values["imap_host"], port, security, user)
    given, own = values.get("imap_password", ""), bool(user)
    try:
        wanted = Import(values.get("imap_import") or Import.NOTHING)
    except ValueError:
        return Problems({"imap_import": _("Choose an option.")})
    if given:
        password: Secret | None = Secret(given)
        own = True
    elif row is not None and row.password and same:
        assert request.account is not None
        try:
            password = unseal(row.password, mailbox_password_place(request.account))
        except SecretUnreadableError:
            return Problems({"imap_password": _("The stored password can't be read. Enter it again.")})
        own = True
    elif own or sending is None:
        return Problems({"imap_password": _("Enter a password for the mailbox.")})
    elif not sending_given and not same:
        sentence = _("Enter the password again. The stored one is for a different server or user.")
        return Problems({"imap_password": sentence})
    else:
        password = sending
    server = Server(values["imap_host"], port, security, user or values["smtp_user"], password)
    return tried(server) or MailboxForm(server, wanted, own, Secret(given) if given else None)


def of_sign_in(workspace_id: int, server: Server) -> MailboxForm:
    """Return the mailbox a person signed in to. If reconnected, its import setting stays."""
    table = db.host_table(ACCOUNTS)
    query = (
        sa.select(Mailbox.wanted)
        .join(table, table.c.id == Mailbox.account_id)
        .where(table.c.workspace_id == workspace_id, table.c.external_id == server.user)
        .order_by(Mailbox.saved_at.desc())
    )
    with db.read() as session:
        before = session.scalars(query).first()
    return MailboxForm(server, Import(before or Import.NOTHING), own=False, password=None)


def want(session: Session, account: AccountRef, wanted: str) -> None:
    """Set how many existing mails to import: *wanted* is one of :class:`Import`."""
    row = session.get(Mailbox, account.id)
    if row is None or wanted not in set(Import):
        return
    server = Server(row.host, row.port, Security(row.security), row.user_name)
    store(session, account, MailboxForm(server, Import(wanted), own=False, password=None))


def _is_same(row: Mailbox, host: str, port: int, security: Security, user: str) -> bool:
    return (row.host, row.port, row.security, row.user_name) == (host, port, str(security), user)


def offered(server: Server) -> list[Offered] | Problems:
    """Return the folders of the mailbox, or why it cannot be opened."""
    found: list[Offered] = []
    return tried(server, lambda one: found.extend(late.machinery().folders(one))) or found


def private(host: str, port: int) -> str:
    """Return that a mail server is at a private address, and which setting lets Lobby reach it."""
    sentence = _(
        "%(host)s is a private address, which this desk isn't allowed to reach. The server administrator "
        "allows it by adding %(host)s:%(port)s to LOBBY_MAIL_RELAYS.",
        host=host,
        port=str(port),
    )
    return str(sentence)


def tried(server: Server, ask: Callable[[Server], object] | None = None) -> Problems | None:
    """Return why the mailbox cannot be opened, by the field that is likely wrong, or None if it can.

    :param ask: the operation to try; None: open the inbox.
    """
    where = {"host": server.host, "port": server.port}
    try:
        (ask or late.machinery().check)(server)
    except LoginRefusedError as error:
        if server.bearer is not None:
            words = plain(str(error))
            sentence = _("%(host)s rejected the sign-in: %(words)s", words=words, **where)
            return Problems({"imap_host": sentence})
        sentence = _("The mailbox rejected this username and password: %(words)s", words=plain(str(error)))
        return Problems({"imap_user": sentence})
    except RefusedError as error:
        sentence = _("The mailbox can't be opened. The server responded: %(words)s", words=plain(str(error)))
        return Problems({"imap_host": sentence})
    except ForbiddenAddressError:
        return Problems({"imap_host": private(server.host, server.port)})
    except FetchError:
        sentence = _("No server responded at %(host)s, port %(port)s. Check the name and the port.", **where)
        return Problems({"imap_host": sentence})
    except ssl.SSLError:
        sentence = _(
            "Couldn't open a trusted encrypted connection to %(host)s, port %(port)s. Check that the "
            "encryption fits the port and that the server's certificate is valid.",
            **where,
        )
        return Problems({"imap_security": sentence})
    except BrokenError:
        sentence = _(
            "%(host)s closed the connection on port %(port)s. Check that the encryption fits the port.",
            **where,
        )
        return Problems({"imap_security": sentence})
    return None


def store(session: Session, account: AccountRef, given: MailboxForm | None) -> None:
    """Store or remove the mailbox in the write that connects the account."""
    row = session.get(Mailbox, account.id)
    if given is None:
        if row is not None:
            session.delete(row)
        return
    now = clock.now()
    folders = list(session.scalars(sa.select(Folder).where(Folder.account_id == account.id)))
    anew = row is None or row.password_set_at is None
    if row is None:
        row = Mailbox(account_id=account.id)
        session.add(row)
    if anew or row.wanted != given.wanted:
        days = _DAYS.get(given.wanted)
        row.since = None if days is None else now - timedelta(days=days)
    if anew:
        # Mail that arrived in the meantime is history, like all older mail.
        row.connected_at = row.password_set_at = now
        for folder in folders:
            folder.uidvalidity = None
    server = given.server
    row.host, row.port, row.security = server.host, server.port, str(server.security)
    row.user_name = server.user if given.own else ""
    row.wanted, row.saved_at = given.wanted, now
    row.problem = row.failing_since = None
    if not given.own:
        row.password = None
    elif given.password is not None:
        row.password = seal(given.password, mailbox_password_place(account))
        row.password_set_at = now


def forget(session: Session, account_id: int) -> None:
    """Delete the password. The rest is kept to prefill the form when reconnecting."""
    row = session.get(Mailbox, account_id)
    if row is not None:
        row.password = row.password_set_at = None


# ---- accounts waiting for confirmation -----------------------------------------------------------------


def keep_asked(row: AskedAccount, given: MailboxForm | None) -> None:
    """Store a mailbox with an account waiting for confirmation."""
    row.imap = row.imap_password = None
    if given is None:
        return
    server = given.server
    kept = {"host": server.host, "port": server.port, "security": str(server.security), "user": server.user}
    row.imap = json.dumps({**kept, "wanted": str(given.wanted), "own": given.own})
    if given.own and given.password is not None:
        row.imap_password = seal(
            given.password, asked_password_place(row.workspace_id, row.uuid, "imap_password")
        )


def asked(row: AskedAccount) -> MailboxForm | None:
    """Return the mailbox of an account waiting for confirmation.

    :raises SecretUnreadableError: if its password cannot be decrypted.
    """
    if row.imap is None:
        return None
    kept = json.loads(row.imap)
    password = None
    if row.imap_password:
        place = asked_password_place(row.workspace_id, row.uuid, "imap_password")
        password = unseal(row.imap_password, place)
    server = Server(kept["host"], kept["port"], Security(kept["security"]), kept["user"], password)
    return MailboxForm(server, Import(kept["wanted"]), kept["own"], password)


# ---- the card ------------------------------------------------------------------------------------------


def row_of(account_id: int) -> Mailbox | None:
    """Return the mailbox of an account, or None."""
    with db.read() as session:
        return session.get(Mailbox, account_id)


def values(row: Mailbox) -> Mapping[str, str]:
    """Return the values of the form fields."""
    return {
        "imap_host": row.host,
        "imap_port": str(row.port),
        "imap_security": row.security,
        "imap_user": row.user_name,
        "imap_import": row.wanted,
    }


@dataclass(frozen=True, slots=True)
class Counted:
    """The mails of a folder: how many the server has, and how many of them are stored in Lobby.

    :param on_server: None: not counted yet.
    :param further: whether an owner chose it in addition to the default folders.
    :param problem: why it is not read now, in the server's words; empty: it does not exist.
    """

    name: str
    role: Role
    on_server: int | None
    here: int
    cut: int
    unreadable: int
    further: bool = False
    problem: str | None = None

    @property
    def left(self) -> int:
        """The number of mails still to import."""
        return max(0, (self.on_server or 0) - self.here - self.cut - self.unreadable)


def counted(account_id: int) -> Sequence[Counted]:
    """Return the folders of an account's mailbox that are read, the inbox first and additional ones last."""
    query = sa.select(Folder).where(Folder.account_id == account_id)
    with db.read() as session:
        rows = list(session.scalars(query.order_by(Folder.added_at.is_not(None), Folder.id)))
        found = cursor.counts(session, account_id)
    return [
        Counted(
            row.name,
            Role(row.role),
            row.on_server,
            found.get(row.id, {}).get(MailState.TAKEN, 0),
            found.get(row.id, {}).get(MailState.CUT, 0),
            found.get(row.id, {}).get(MailState.UNREADABLE, 0),
            row.added_at is not None,
            row.problem,
        )
        for row in rows
    ]


def facts(row: Mailbox) -> list[tuple[str, str]]:
    """Return the facts about a mailbox for the card."""
    found = [(_("Mailbox"), f"{row.host}:{row.port} (IMAP)")]
    if row.checked_at is not None:
        found.append((_("Last checked for mail"), format_datetime(row.checked_at)))
    if row.came_at is not None:
        found.append((_("Last mail received"), format_datetime(row.came_at)))
    for one in counted(row.account_id):
        if one.on_server is None or one.problem is not None:
            continue
        label = (
            _("Inbox") if one.role is Role.INBOX else _("Sent from other apps (%(folder)s)", folder=one.name)
        )
        if one.further:
            label = _("Folder %(folder)s", folder=one.name)
        here = one.here + one.cut + one.unreadable
        sentence = _("%(here)s imported, %(there)s on the server", here=here, there=max(one.on_server, here))
        if one.left:
            sentence += " · " + _("%(left)s still to import", left=one.left)
        if one.cut:
            sentence += " · " + _("%(count)s too large, only the beginning imported", count=one.cut)
        if one.unreadable:
            sentence += " · " + _("%(count)s not returned by the server", count=one.unreadable)
        found.append((label, sentence))
    return found


def notices(row: Mailbox) -> list[tuple[str, str, str]]:
    """Return notices about problems and the import of earlier mails."""
    if row.problem is not None:
        return [("warn", _("The mailbox can't be read right now."), row.problem)]
    folders = counted(row.account_id)
    told = [
        ("warn", _("The folder “%(folder)s” isn't being imported.", folder=one.name), unread(one))
        for one in folders
        if one.problem is not None
    ]
    folders = [one for one in folders if one.problem is None]
    left = sum(one.left for one in folders)
    if not left:
        return told
    there = sum(one.on_server or 0 for one in folders)
    sentence = _("%(here)s of %(there)s imported.", here=there - left, there=there)
    return [*told, ("good", _("Importing earlier emails."), sentence)]


def unread(one: Counted) -> str:
    """Return why an additional folder is not read, and that the others are."""
    if one.problem:
        words = _("The mail server couldn't open it: %(words)s", words=one.problem)
    else:
        words = _("This folder no longer exists in the mailbox.")
    others = _("All other folders are imported.")
    return f"{words} {others}"


# ---- further folders -----------------------------------------------------------------------------------

MOST_FOLDERS = 20
PAGE = "/w/<int:workspace_id>/accounts/<int:account_id>/folders"


def page(account: AccountRef) -> str:
    """Return the address of the page where an owner chooses folders."""
    return f"/addons/email/w/{account.workspace_id}/accounts/{account.id}/folders"


def keep_folders(account_id: int, names: Sequence[str]) -> None:
    """Set the additional folders to read. Messages already read from others stay."""

    def use_case(session: Session) -> None:
        row = session.get(Mailbox, account_id, with_for_update=True)
        if row is None:
            return
        row.folders, row.saved_at = json.dumps(list(names)), clock.now()
        cursor.keep_further(session, account_id, names)
        accounts.changed(session)

    db.write(use_case)
    cursor.drop_further(account_id, names)
