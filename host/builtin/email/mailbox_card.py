"""The mailbox of an account on its card: what is entered, tried by signing in, kept, and shown."""

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
class Given:
    """A mailbox as an owner entered it.

    :param own: whether the password is its own, and not that for sending.
    :param password: where it was entered now; None: the one that is kept stays.
    """

    server: Server
    wanted: Import
    own: bool
    password: Secret | None


def fields(host: Callable[[str], str], port: Callable[[str], str]) -> tuple[Field, ...]:
    """Return the fields of the form; *host* and *port* clean what is entered."""
    return (
        Field(
            "imap_host",
            lazy_gettext("Mailbox (IMAP server)"),
            required=False,
            help=lazy_gettext(
                "Mail is fetched from its inbox, and nothing there is changed. Empty where your mail server "
                "delivers to this desk by SMTP."
            ),
            placeholder="imap.example.com",
            clean=host,
        ),
        Field(
            "imap_port",
            lazy_gettext("Port of the mailbox"),
            required=False,
            placeholder="993",
            max_length=5,
            clean=port,
            kind="number",
        ),
        Field(
            "imap_security",
            lazy_gettext("Encryption of the mailbox"),
            required=False,
            kind="select",
            choices=(
                ("tls", lazy_gettext("TLS, mostly port 993")),
                ("starttls", lazy_gettext("STARTTLS, mostly port 143")),
            ),
        ),
        Field(
            "imap_user",
            lazy_gettext("User of the mailbox"),
            required=False,
            help=lazy_gettext("Empty where user and password are those for sending."),
            max_length=254,
        ),
        Field("imap_password", lazy_gettext("Password of the mailbox"), required=False, secret=True),
        Field(
            "imap_import",
            lazy_gettext("Mails that are there already"),
            required=False,
            help=lazy_gettext(
                "They come quietly, the newest first: nobody is notified. Their conversations are closed, "
                "but for those of the last days in which a customer waits for an answer."
            ),
            kind="select",
            choices=(
                ("nothing", lazy_gettext("Leave them where they are")),
                ("month", lazy_gettext("Bring in the last 30 days")),
                ("year", lazy_gettext("Bring in the last year")),
                ("all", lazy_gettext("Bring in everything")),
            ),
        ),
    )


def entered(
    request: ConnectRequest, sending: Secret | None, *, sending_given: bool
) -> Given | Problems | None:
    """Return the mailbox of a form that was sent, signed in to; None where the form names none.

    :param sending: the password for sending, which serves here too where none of its own is entered.
    :param sending_given: whether it was entered now. A stored one goes to no other server than before.
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
        return Problems({"imap_import": _("Choose one of them.")})
    if given:
        password: Secret | None = Secret(given)
        own = True
    elif row is not None and row.password and same:
        assert request.account is not None
        try:
            password = unseal(row.password, mailbox_password_place(request.account))
        except SecretUnreadableError:
            return Problems(
                {"imap_password": _("The stored password cannot be read any more. Enter it again.")}
            )
        own = True
    elif own or sending is None:
        return Problems({"imap_password": _("Signing in to the mailbox needs a password.")})
    elif not sending_given and not same:
        sentence = _("Enter the password again: it was given for another server or user.")
        return Problems({"imap_password": sentence})
    else:
        password = sending
    server = Server(values["imap_host"], port, security, user or values["smtp_user"], password)
    return tried(server) or Given(server, wanted, own, Secret(given) if given else None)


def of_sign_in(workspace_id: int, server: Server) -> Given:
    """Return the mailbox somebody signed in to. Connected again, as much is wanted as before."""
    table = db.host_table(ACCOUNTS)
    query = (
        sa.select(Mailbox.wanted)
        .join(table, table.c.id == Mailbox.account_id)
        .where(table.c.workspace_id == workspace_id, table.c.external_id == server.user)
        .order_by(Mailbox.saved_at.desc())
    )
    with db.read() as session:
        before = session.scalars(query).first()
    return Given(server, Import(before or Import.NOTHING), own=False, password=None)


def want(session: Session, account: AccountRef, wanted: str) -> None:
    """Have as much of what is in the mailbox already brought in as *wanted* says, one of :class:`Import`."""
    row = session.get(Mailbox, account.id)
    if row is None or wanted not in set(Import):
        return
    server = Server(row.host, row.port, Security(row.security), row.user_name)
    store(session, account, Given(server, Import(wanted), own=False, password=None))


def _is_same(row: Mailbox, host: str, port: int, security: Security, user: str) -> bool:
    return (row.host, row.port, row.security, row.user_name) == (host, port, str(security), user)


def offered(server: Server) -> list[Offered] | Problems:
    """Return the folders of the mailbox, or why it cannot be opened."""
    found: list[Offered] = []
    return tried(server, lambda one: found.extend(late.machinery().folders(one))) or found


def tried(server: Server, ask: Callable[[Server], object] | None = None) -> Problems | None:
    """Return why the mailbox cannot be opened, by the field that is likely wrong; None: it can.

    :param ask: what is done with it; None: its inbox is opened.
    """
    where = {"host": server.host, "port": server.port}
    try:
        (ask or late.machinery().check)(server)
    except LoginRefusedError as error:
        if server.bearer is not None:
            words = plain(str(error))
            sentence = _("%(host)s does not accept the sign-in. It said: %(words)s", words=words, **where)
            return Problems({"imap_host": sentence})
        sentence = _(
            "The mailbox does not accept this user and password. It said: %(words)s", words=plain(str(error))
        )
        return Problems({"imap_user": sentence})
    except RefusedError as error:
        sentence = _("The mailbox cannot be opened. The server said: %(words)s", words=plain(str(error)))
        return Problems({"imap_host": sentence})
    except ForbiddenAddressError:
        sentence = _("%(host)s is a private address, which this desk may not reach.", **where)
        return Problems({"imap_host": sentence})
    except FetchError:
        sentence = _("Nothing answers at %(host)s, port %(port)s. Check both.", **where)
        return Problems({"imap_host": sentence})
    except ssl.SSLError:
        sentence = _(
            "There is no trusted encrypted connection to %(host)s, port %(port)s. "
            "Check the encryption that belongs to the port, and the server's certificate.",
            **where,
        )
        return Problems({"imap_security": sentence})
    except BrokenError:
        sentence = _(
            "%(host)s broke off the connection on port %(port)s. "
            "Check the encryption that belongs to the port.",
            **where,
        )
        return Problems({"imap_security": sentence})
    return None


def store(session: Session, account: AccountRef, given: Given | None) -> None:
    """Keep a mailbox, or that there is none, in the write that connects the account."""
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
        # What came meanwhile is history, as what was there before is.
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
    """Delete the password; the rest stays, to fill the form when it is connected again."""
    row = session.get(Mailbox, account_id)
    if row is not None:
        row.password = row.password_set_at = None


# ---- an account that waits to be confirmed -------------------------------------------------------------


def keep_asked(row: AskedAccount, given: Given | None) -> None:
    """Keep a mailbox with an account that waits."""
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


def asked(row: AskedAccount) -> Given | None:
    """Return the mailbox of an account that waits.

    :raises SecretUnreadableError: if its password cannot be opened any more.
    """
    if row.imap is None:
        return None
    kept = json.loads(row.imap)
    password = None
    if row.imap_password:
        place = asked_password_place(row.workspace_id, row.uuid, "imap_password")
        password = unseal(row.imap_password, place)
    server = Server(kept["host"], kept["port"], Security(kept["security"]), kept["user"], password)
    return Given(server, Import(kept["wanted"]), kept["own"], password)


# ---- what the card shows -------------------------------------------------------------------------------


def row_of(account_id: int) -> Mailbox | None:
    """Return the mailbox of an account, or None."""
    with db.read() as session:
        return session.get(Mailbox, account_id)


def values(row: Mailbox) -> Mapping[str, str]:
    """Return what fills the form."""
    return {
        "imap_host": row.host,
        "imap_port": str(row.port),
        "imap_security": row.security,
        "imap_user": row.user_name,
        "imap_import": row.wanted,
    }


@dataclass(frozen=True, slots=True)
class Counted:
    """The mails of a folder: how many of those wanted the server has, and how many of them are here.

    :param on_server: None: not counted yet.
    :param further: whether it is read because an owner said so.
    :param problem: why it is not read now, in the server's words; empty: there is none so called.
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
        """How many are still to come."""
        return max(0, (self.on_server or 0) - self.here - self.cut - self.unreadable)


def counted(account_id: int) -> Sequence[Counted]:
    """Return the folders of an account's mailbox that are read, the inbox first and further ones last."""
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
    """Return what the card says of a mailbox."""
    found = [(_("Mailbox"), f"{row.host}:{row.port} (IMAP)")]
    if row.checked_at is not None:
        found.append((_("Last asked for mail"), format_datetime(row.checked_at)))
    if row.came_at is not None:
        found.append((_("Last mail by it"), format_datetime(row.came_at)))
    for one in counted(row.account_id):
        if one.on_server is None or one.problem is not None:
            continue
        label = _("Inbox") if one.role is Role.INBOX else _("Sent elsewhere (%(folder)s)", folder=one.name)
        if one.further:
            label = _("Folder %(folder)s", folder=one.name)
        here = one.here + one.cut + one.unreadable
        sentence = _("%(here)s here, %(there)s on the server", here=here, there=max(one.on_server, here))
        if one.left:
            sentence += " · " + _("%(left)s still to come", left=one.left)
        if one.cut:
            sentence += " · " + _("%(count)s too large, only their beginnings are here", count=one.cut)
        if one.unreadable:
            sentence += " · " + _("%(count)s the server does not hand out", count=one.unreadable)
        found.append((label, sentence))
    return found


def notices(row: Mailbox) -> list[tuple[str, str, str]]:
    """Return what is amiss, and how far earlier mails have come."""
    if row.problem is not None:
        return [("warn", _("The mailbox cannot be read at the moment."), row.problem)]
    folders = counted(row.account_id)
    told = [
        ("warn", _("The folder “%(folder)s” is not read.", folder=one.name), unread(one))
        for one in folders
        if one.problem is not None
    ]
    folders = [one for one in folders if one.problem is None]
    left = sum(one.left for one in folders)
    if not left:
        return told
    there = sum(one.on_server or 0 for one in folders)
    sentence = _("%(here)s of %(there)s are here.", here=there - left, there=there)
    return [*told, ("good", _("Earlier mails are being brought in."), sentence)]


def unread(one: Counted) -> str:
    """Return why a further folder is not read, and that the others are."""
    if one.problem:
        words = _("The mail server does not open it. It said: %(words)s", words=one.problem)
    else:
        words = _("The mailbox has no folder of this name any more.")
    return f"{words} {_('All others are read.')}"


# ---- further folders -----------------------------------------------------------------------------------

MOST_FOLDERS = 20
PAGE = "/w/<int:workspace_id>/accounts/<int:account_id>/folders"


def page(account: AccountRef) -> str:
    """Return the address of the page where an owner chooses them."""
    return f"/addons/email/w/{account.workspace_id}/accounts/{account.id}/folders"


def keep_folders(account_id: int, names: Sequence[str]) -> None:
    """Read these folders from now on, besides the inbox and what was sent. What was read of others stays."""

    def use_case(session: Session) -> None:
        row = session.get(Mailbox, account_id, with_for_update=True)
        if row is None:
            return
        row.folders, row.saved_at = json.dumps(list(names)), clock.now()
        cursor.keep_further(session, account_id, names)
        accounts.changed(session)

    db.write(use_case)
    cursor.drop_further(account_id, names)
