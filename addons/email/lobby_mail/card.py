"""The settings card of an email account: its address, and the server that sends its mail."""

from __future__ import annotations

import re
import smtplib
import ssl
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.sdk import clock, db
from host.sdk.cards import (
    Advice,
    Asked,
    CardAction,
    CardStatus,
    Connection,
    ConnectRequest,
    Field,
    Link,
    Missing,
    Problems,
    SectionNotice,
    SettingsCard,
    SignInChoice,
    SignInProblem,
)
from host.sdk.channel import AccountRef
from host.sdk.errors import AccountTakenError, FetchError, ForbiddenAddressError, SecretUnreadableError
from host.sdk.i18n import format_date, format_datetime, lazy_gettext, ngettext
from host.sdk.i18n import gettext as _
from host.sdk.secrets import Secret, seal, unseal
from host.sdk.web import maybe_user

from . import (
    aliases,
    diagnosing,
    mailbox_card,
    ownership,
    refusals,
    rights,
    round_trip,
    servers,
    signatures,
    signing,
    smtp,
)
from .addresses import domain_of, normal
from .imap.server import Server
from .models import DkimKey, EmailAccount, Mailbox, MailToken, RoundTrip, password_place
from .oauth import apps, flow, tokens
from .oauth.providers import Provider
from .receiving import listen_address

_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\Z")
_SERVER_FIELDS = ("smtp_host", "smtp_port", "smtp_security", "smtp_user")


def _address(text: str) -> str:
    address = normal(text)
    if address is None:
        raise ValueError(_("Enter a valid email address, such as hello@example.com."))
    return address


def _host(text: str) -> str:
    host = text.lower().rstrip(".")
    if not _HOST.match(host):
        raise ValueError(_("Enter a valid server name, such as smtp.example.com."))
    return host


def _port(text: str) -> str:
    if not text.isascii() or not text.isdigit() or not 0 < int(text[:6]) < 65536:
        raise ValueError(_("Enter a port from 1 to 65535. Outgoing mail uses 587 or 465."))
    return str(int(text))


def card() -> SettingsCard:
    """Return the card of the email channel."""
    return SettingsCard(
        channel="email",
        summary=lazy_gettext("Receive and answer email at your own address"),
        fields=_fields(),
        connect=connect,
        status=status,
        statuses=statuses,
        disconnect=disconnect,
        diagnose=partial(diagnosing.diagnose, tried=_check),
        notices=notices,
        actions=(
            CardAction(round_trip.ACTION, lazy_gettext("Send a test email"), _send_to_itself),
            CardAction("check", lazy_gettext("Check now"), rights.check, ends=refusals.ENDS_BY_ITSELF),
            CardAction("dkim", lazy_gettext("Sign emails with DKIM"), _sign),
        ),
        sign_ins=flow.sign_ins(_connect_signed_in, _address),
        workspace=apps.settings(_host, _port),
        configure_label=lazy_gettext("Configure"),
        configure_help=lazy_gettext(
            "When you save, Lobby signs in to the mail server, and to the mailbox if you entered one. No "
            "email is sent."
        ),
        advice=Advice(
            when=lazy_gettext("It has a mail password, or receives mail over SMTP"),
            how=lazy_gettext(
                "Enter the servers and the password. Lobby tests both when you save, "
                "without sending anything."
            ),
            needs=lazy_gettext("Server names and a password or app password"),
            takes=lazy_gettext("Three minutes"),
            lasts=lazy_gettext("Until the password changes"),
        ),
    )


def _fields() -> tuple[Field, ...]:
    """Return the fields of the form. Accounts connected by signing in only need a few of them."""
    always = {"name", "address", "aliases", "imap_import"}
    return tuple(
        replace(one, pasted=one.name not in always)
        for one in (
            Field(
                "name",
                lazy_gettext("Name"),
                help=lazy_gettext("Shown to customers next to your address."),
                max_length=100,
            ),
            Field(
                "address",
                lazy_gettext("Email address"),
                help=lazy_gettext("The address customers write to."),
                placeholder="hello@example.com",
                max_length=254,
                clean=_address,
            ),
            Field(
                "aliases",
                lazy_gettext("Additional addresses"),
                kind="lines",
                required=False,
                help=lazy_gettext(
                    "Other addresses that deliver to the same mailbox, one per line. Replies are sent "
                    "from the address the customer wrote to, if the mail server allows it."
                ),
                placeholder="orders@example.com",
                max_length=aliases.LONGEST,
                clean=aliases.clean,
            ),
            Field(
                "smtp_host", lazy_gettext("Mail server (SMTP)"), placeholder="smtp.example.com", clean=_host
            ),
            Field(
                "smtp_port", lazy_gettext("Port"), placeholder="587", max_length=5, clean=_port, kind="number"
            ),
            Field(
                "smtp_security",
                lazy_gettext("Encryption"),
                kind="select",
                choices=(
                    ("starttls", lazy_gettext("STARTTLS, usually port 587")),
                    ("tls", lazy_gettext("TLS, usually port 465")),
                    ("none", lazy_gettext("None, no sign-in")),
                ),
            ),
            Field(
                "smtp_user",
                lazy_gettext("Username"),
                required=False,
                help=lazy_gettext("Leave empty if the server needs no sign-in."),
                max_length=254,
            ),
            Field("smtp_password", lazy_gettext("Password"), required=False, secret=True),
            *mailbox_card.fields(_host, _port),
        )
    )


def _send_to_itself(account: AccountRef, _values: Mapping[str, str]) -> str:
    if mailbox_card.row_of(account.id) is None and listen_address() is None:
        raise ValueError(_("This account doesn't receive mail, so a test email can't come back."))
    return round_trip.ask(account)


def _sign(account: AccountRef, _values: Mapping[str, str]) -> str:
    return signing.run(account)


def connect(request: ConnectRequest) -> Connection | Problems | Asked:
    """Connect an account after testing its servers; no mail is sent.

    A new address that does not belong to this workspace is connected once it is approved.
    """
    values = request.values
    address = values["address"]
    if request.account is not None and request.account.external_id != address:
        return Problems(
            {
                "address": _(
                    "You can't change an account's address. Connect the other address as a new account."
                )
            }
        )
    taken = request.taken(address)
    if taken:
        return Problems({"address": taken})
    wanted = aliases.split(values.get("aliases", ""), address)
    along = aliases.moved(request.workspace_id, address)
    wrong = aliases.problem(request.workspace_id, address, wanted, along=along)
    if wrong:
        return Problems({"aliases": wrong})
    if request.account is not None and "smtp_host" not in values:
        return _changed(request.account, values, wanted, by_admin=request.by_admin)
    right = _right(request.workspace_id, address)
    if right is ownership.Right.TAKEN:
        return Problems({"address": _taken_sentence()})
    if right is not ownership.Right.KEEPS and _is_alias(request.workspace_id, address):
        return Problems({"address": _alias_sentence()})
    stored = None if request.account is None else _row(request.account.id)
    password = _password(request, stored)
    if isinstance(password, Problems):
        return password
    security = smtp.Security(values["smtp_security"])
    if security is smtp.Security.NONE and values["smtp_user"]:
        return Problems(
            {
                "smtp_security": _(
                    "Passwords are only sent over an encrypted connection. Choose STARTTLS or TLS."
                )
            }
        )
    server = smtp.Server(
        values["smtp_host"], int(values["smtp_port"]), security, values["smtp_user"], password
    )
    problems = _check(server)
    if problems is not None:
        return problems
    given = password if values.get("smtp_password") else None
    mailbox = mailbox_card.entered(request, password, sending_given=given is not None)
    if isinstance(mailbox, Problems):
        return mailbox
    if right is ownership.Right.ASKS and not request.by_admin:
        return _ask(request.workspace_id, values["name"], address, server, mailbox, wanted=wanted)
    new = right is not ownership.Right.KEEPS
    agreed = _agrees(along, by_admin=request.by_admin)
    return connection(values["name"], address, server, given, mailbox, new=new, wanted=wanted, agreed=agreed)


def _agrees(along: Collection[str], *, by_admin: bool) -> Callable[[str], bool]:
    return lambda alias: by_admin or alias in along


def _is_alias(workspace_id: int, address: str) -> bool:
    with db.read() as session:
        return ownership.is_alias_here(session, workspace_id, address)


def _alias_sentence() -> str:
    return str(
        _("This is an additional address of another account in this workspace. Remove it there first.")
    )


def _asked_by() -> str:
    user = maybe_user()
    return "" if user is None else user.name


def _changed(
    account: AccountRef, values: Mapping[str, str], wanted: Collection[str], *, by_admin: bool
) -> Connection | Problems:
    """Change an account that was connected by signing in, which has no server fields."""
    row, signed, box = _row(account.id), tokens.row_of(account.id), mailbox_card.row_of(account.id)
    if row is None or signed is None:
        return Problems({"": _("Choose Reconnect to sign in to the provider again.")})
    server = servers.to_send(account, row)
    problems = _check(server)
    if problems is not None:
        return Problems({"": " ".join(problems.by_field.values())})

    def store(session: Session, saved: AccountRef) -> None:
        agreed = _agrees((), by_admin=by_admin)
        aliases.store(session, saved, wanted, asked_by=_asked_by(), agreed=agreed)
        if box is not None:
            mailbox_card.want(session, saved, values.get("imap_import", ""))

    return Connection(
        external_id=row.address, name=values["name"], handle=row.address, way=signed.way, store=store
    )


def _connect_signed_in(
    choice: SignInChoice, provider: Provider, signed: tokens.Signed
) -> Connection | SignInProblem:
    """Connect the mailbox a person signed in to, after trying its tokens at both servers."""
    address = choice.candidate.external_id
    taken = choice.taken(address)
    if taken:
        return SignInProblem(taken)
    right = _right(choice.workspace_id, address)
    if right is ownership.Right.TAKEN:
        return SignInProblem(_taken_sentence())
    if right is not ownership.Right.KEEPS and _is_alias(choice.workspace_id, address):
        return SignInProblem(_alias_sentence())
    bearer = tokens.OneToken(signed.access)
    out, box = provider.smtp, provider.imap
    server = smtp.Server(out.host, out.port, out.security, address, bearer=bearer)
    mailbox = mailbox_card.of_sign_in(
        choice.workspace_id, Server(box.host, box.port, box.security, address, bearer=bearer)
    )
    unread = mailbox_card.tried(mailbox.server)
    problems = unread or _check(server)
    if problems is not None:
        words = " ".join(problems.by_field.values())
        if signed.person:
            wanted = flow.asked_of_admin(signed.person, address, read=unread is None)
            sentence = _("Nothing was connected.")
            return SignInProblem(words, f"{sentence} {wanted}")
        return SignInProblem(
            words,
            _("Nothing was connected. Check that IMAP and sending over SMTP are enabled for the mailbox."),
        )
    user = maybe_user()
    name = choice.account.name if choice.account is not None else address
    if right is ownership.Right.ASKS and not (user is not None and user.is_admin):
        asked = _ask(choice.workspace_id, name, address, server, mailbox, signed)
        sentence = asked.sentence if isinstance(asked, Asked) else " ".join(asked.by_field.values())
        return SignInProblem(sentence)
    new = right is not ownership.Right.KEEPS
    along = aliases.moved(choice.workspace_id, address)
    return connection(
        name,
        address,
        server,
        None,
        mailbox,
        signed,
        new=new,
        wanted=along or None,
        agreed=_agrees(along, by_admin=False),
    )


def connection(
    name: str,
    address: str,
    server: smtp.Server,
    given: Secret | None,
    mailbox: mailbox_card.MailboxForm | None,
    signed: tokens.Signed | None = None,
    *,
    new: bool,
    wanted: Collection[str] | None = None,
    agreed: Callable[[str], bool] = lambda _address: False,
) -> Connection:
    """Return the connection of an account.

    :param given: the password if entered now; None: keep the stored one.
    :param mailbox: the mailbox its mail is fetched from; None: none.
    :param signed: tokens from signing in at the provider, in place of passwords.
    :param new: whether to claim the address for the workspace, which already owns a live account's address.
    :param wanted: its aliases; None: the current ones. *agreed* is as for :func:`.aliases.store`.
    """
    asked_by = _asked_by()

    def store(session: Session, account: AccountRef) -> None:
        if new:
            ownership.take(session, account.workspace_id, address)
            if ownership.is_alias_here(session, account.workspace_id, address):
                raise AccountTakenError("It is a further address of another account of this workspace.")
        row = session.get(EmailAccount, account.id)
        if row is None:
            row = EmailAccount(account_id=account.id)
            session.add(row)
        row.address = address
        row.smtp_host, row.smtp_port, row.smtp_security = server.host, server.port, str(server.security)
        row.smtp_user = server.user
        if not server.user or signed is not None:
            row.smtp_password = row.password_set_at = None
        elif given is not None:
            row.smtp_password = seal(given, password_place(account))
            row.password_set_at = clock.now()
        mailbox_card.store(session, account, mailbox)
        tokens.store(session, account, signed)
        session.flush()
        aliases.store(session, account, wanted, asked_by=asked_by, agreed=agreed)

    way = "pasted" if signed is None else signed.way
    return Connection(external_id=address, name=name, handle=address, way=way, store=store)


def _taken_sentence() -> str:
    return str(
        _(
            "This address and its +tag variants share one mailbox, which is already connected in another "
            "workspace. A mailbox can belong to only one workspace."
        )
    )


def _right(workspace_id: int, address: str) -> ownership.Right:
    with db.read() as session:
        live_in = ownership.live_workspace(session, address)
        if live_in == workspace_id:
            return ownership.Right.KEEPS
        # The host has approved moving this account here: the person owns both workspaces.
        if live_in is not None:
            return ownership.Right.HAS
        return ownership.right_to(session, workspace_id, address)


def _ask(
    workspace_id: int,
    name: str,
    address: str,
    server: smtp.Server,
    mailbox: mailbox_card.MailboxForm | None,
    signed: tokens.Signed | None = None,
    wanted: Collection[str] | None = None,
) -> Asked | Problems:
    try:
        db.write(
            ownership.ask,
            workspace_id,
            _asked_by(),
            name,
            address,
            server,
            mailbox,
            signed,
            wanted,
        )
    except ownership.TooManyAskedError:
        sentence = _(
            "This workspace has too many addresses waiting for confirmation. Withdraw some, then try again."
        )
        return Problems({"address": sentence})
    return Asked(
        _(
            "The mail server accepted these settings. Before mail for %(address)s arrives here, a desk "
            "admin or an owner of the workspace that holds %(domain)s must confirm the address. They "
            "have been notified.",
            address=address,
            domain=domain_of(address),
        )
    )


def notices(workspace_id: int) -> Sequence[SectionNotice]:
    """Return notices about waiting addresses: this workspace's, and those its reader can confirm."""
    user = maybe_user()
    owned = {workspace_id}
    with db.read() as session:
        found = ownership.waiting(session, owned, admin=user is not None and user.is_admin)
    told = [
        SectionNotice(
            _("%(address)s is not connected yet.", address=one.row.address),
            _("An address must be confirmed first, so that nobody can connect one that isn't theirs."),
            ownership.PAGE,
            _("View pending addresses"),
        )
        for one in found
        if one.mine and not one.decides
    ]
    others = [one for one in found if one.decides]
    if others:
        told.append(
            SectionNotice(
                ngettext(
                    "%(num)s address needs your confirmation.",
                    "%(num)s addresses need your confirmation.",
                    len(others),
                ),
                _("Confirm or decline."),
                ownership.PAGE,
                _("Review"),
            )
        )
    return told


def _password(request: ConnectRequest, stored: EmailAccount | None) -> Secret | Problems | None:
    """Return the given password, else the stored one if the server is unchanged."""
    given = request.values.get("smtp_password", "")
    if not request.values["smtp_user"]:
        return None
    if given:
        return Secret(given)
    if stored is None or request.account is None or not stored.smtp_password:
        return Problems({"smtp_password": _("Enter a password to sign in.")})
    if any(str(getattr(stored, name)) != request.values[name] for name in _SERVER_FIELDS):
        return Problems(
            {
                "smtp_password": _(
                    "Enter the password again. The stored one is for a different server or user."
                )
            }
        )
    try:
        return unseal(stored.smtp_password, password_place(request.account))
    except SecretUnreadableError:
        return Problems({"smtp_password": _("The stored password can't be read. Enter it again.")})


def _check(server: smtp.Server) -> Problems | None:
    where = {"host": server.host, "port": server.port}
    try:
        smtp.check(server)
    except smtp.LoginRefusedError as error:
        if server.bearer is not None:
            words = _("%(host)s rejected the sign-in: %(words)s", words=error, **where)
            return Problems({"smtp_host": words})
        return Problems(
            {"smtp_user": _("The server rejected this username and password: %(words)s", words=error)}
        )
    except smtp.StepRefusedError as error:
        return Problems({"smtp_host": _("The server refused the connection: %(words)s", words=error)})
    except ForbiddenAddressError:
        return Problems({"smtp_host": mailbox_card.private(server.host, server.port)})
    except FetchError:
        sentence = _("No server responded at %(host)s, port %(port)s. Check the name and the port.", **where)
        return Problems({"smtp_host": sentence})
    except ssl.SSLError:
        sentence = _(
            "Couldn't open a trusted encrypted connection to %(host)s, port %(port)s. Check that the "
            "encryption fits the port and that the server's certificate is valid.",
            **where,
        )
        return Problems({"smtp_security": sentence})
    except (OSError, smtplib.SMTPException):
        sentence = _(
            "%(host)s closed the connection on port %(port)s. Check that the encryption fits the port.",
            **where,
        )
        return Problems({"smtp_security": sentence})
    return None


def status(account: AccountRef) -> CardStatus:
    """Return the contents of the card of *account*."""
    return statuses([account])[account.id]


def statuses(accounts: Sequence[AccountRef]) -> dict[int, CardStatus]:
    """Return the contents of the cards of *accounts*, by id."""
    kept = _kept(accounts)
    return {one.id: _status(one, kept.get(one.id)) for one in accounts}


def _status(account: AccountRef, kept: _StoredAccount | None) -> CardStatus:
    if kept is None:
        return CardStatus(
            notices=[("bad", _("No mail server."), _("Edit the account and enter one to send replies."))]
        )
    row, mailbox, signed, trip, further, keys = kept
    own_domain = domain_of(account.external_id)
    labels = {"starttls": "STARTTLS", "tls": "TLS", "none": _("not encrypted")}
    facts = [
        (_("Address"), row.address),
        *([(_("Additional addresses"), ", ".join(further.has))] if further.has else []),
        (_("Mail server"), f"{row.smtp_host}:{row.smtp_port}, {labels.get(row.smtp_security, '')}"),
        (_("Signs in as"), row.smtp_user or _("no sign-in")),
    ]
    facts += round_trip.facts(trip)
    listening = listen_address()
    notices: list[tuple[str, str, str]] = []
    if further.waits:
        notices.append(
            (
                "warn",
                _(
                    "Waiting for confirmation, so replies aren't sent from here yet: %(addresses)s.",
                    addresses=", ".join(further.waits),
                ),
                _("A desk admin or an owner of the workspace that holds the domain must confirm it."),
            )
        )
    for key in keys:
        facts += signing.facts(key, further=key.domain != own_domain)
        if key.domain == own_domain:
            notices += signing.notices(key)
    if signed is not None:
        facts.append((_("Signed in with the provider"), format_date(signed.signed_in_at)))
        if signed.person:
            facts.append((_("Shared mailbox, signed in as"), signed.person))
        facts.append((_("Sign-in last renewed"), format_datetime(signed.renewed_at)))
        if signed.problem:
            told = _("The sign-in has expired.") if signed.ended_at else _("The sign-in couldn't be renewed.")
            notices.append(("bad" if signed.ended_at else "warn", told, signed.problem))
    if mailbox is not None:
        facts += mailbox_card.facts(mailbox)
        notices += mailbox_card.notices(mailbox)
    missing = None
    if mailbox is None and listening is None:
        missing = Missing(
            _("This account can send, but no mail arrives here: it has no mailbox."),
            _("Add a mailbox"),
            "imap_host",
            _("Or ask an admin to set LOBBY_SMTP_LISTEN and route mail for this address there."),
        )
    if listening is not None:
        facts.append((_("Receives at"), f"{listening[0]}:{listening[1]} (SMTP)"))
    values: Mapping[str, str] = {
        "name": account.name,
        "address": row.address,
        "aliases": further.entered,
        "smtp_host": row.smtp_host,
        "smtp_port": str(row.smtp_port),
        "smtp_security": row.smtp_security,
        "smtp_user": row.smtp_user,
        **({} if mailbox is None else mailbox_card.values(mailbox)),
    }
    secrets = {}
    if mailbox is not None and mailbox.password and mailbox.password_set_at is not None:
        secrets["imap_password"] = _("set on %(date)s", date=format_date(mailbox.password_set_at))
    if row.smtp_password and row.password_set_at is not None:
        secrets["smtp_password"] = _("set on %(date)s", date=format_date(row.password_set_at))
    return CardStatus(
        facts=facts,
        notices=notices,
        values=values,
        stored_secrets=secrets,
        missing=missing,
        copyables=[copyable for key in keys for copyable in signing.copyables(key)],
        links=[
            Link(_("Signatures and replies"), signatures.page(account)),
            *([] if mailbox is None else [Link(_("Folders"), mailbox_card.page(account))]),
        ],
    )


class _StoredAccount(NamedTuple):
    row: EmailAccount
    mailbox: Mailbox | None
    signed: MailToken | None
    trip: RoundTrip | None
    further: aliases.AccountAliases
    keys: Sequence[DkimKey]


def _kept(accounts: Sequence[AccountRef]) -> dict[int, _StoredAccount]:
    """Return the stored data of *accounts*, by id, if there is any, in three statements."""
    own, ids = EmailAccount.account_id, [one.id for one in accounts]
    query = (
        sa.select(EmailAccount, Mailbox, MailToken, RoundTrip)
        .outerjoin(Mailbox, Mailbox.account_id == own)
        .outerjoin(MailToken, MailToken.account_id == own)
        .outerjoin(RoundTrip, RoundTrip.account_id == own)
        .where(own.in_(ids))
    )
    keys = signing.keys_of(accounts)
    with db.read() as session:
        further = aliases.shown(session, ids)
        return {
            found[0].account_id: _StoredAccount(
                *found, further[found[0].account_id], keys[found[0].account_id]
            )
            for found in session.execute(query)
        }


def disconnect(account: AccountRef) -> None:
    """Delete the password. The server and user are kept to prefill the form when reconnecting."""

    def forget(session: Session) -> None:
        row = session.get(EmailAccount, account.id)
        if row is not None:
            row.smtp_password = row.password_set_at = None
        mailbox_card.forget(session, account.id)
        tokens.forget(session, account.id)
        aliases.forget(session, account.id)

    db.write(forget)


def _row(account_id: int) -> EmailAccount | None:
    with db.read() as session:
        return session.get(EmailAccount, account_id)
