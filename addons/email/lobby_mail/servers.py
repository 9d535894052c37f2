"""The servers of an account with their credentials: a password, or tokens from a provider."""

from __future__ import annotations

from host.sdk import db
from host.sdk.channel import AccountRef
from host.sdk.secrets import unseal

from . import aliases, smtp
from .imap.server import Server, Settings
from .models import EmailAccount, Mailbox, MailToken, mailbox_password_place, password_place
from .oauth import tokens


def to_send(account: AccountRef, row: EmailAccount) -> smtp.Server:
    """Return the outgoing server of an account.

    :raises SecretUnreadableError: if its password cannot be opened.
    """
    security = smtp.Security(row.smtp_security)
    if tokens.row_of(account.id) is not None:
        bearer = tokens.Bearer(account)
        return smtp.Server(row.smtp_host, row.smtp_port, security, row.smtp_user, bearer=bearer)
    password = unseal(row.smtp_password, password_place(account)) if row.smtp_password else None
    return smtp.Server(row.smtp_host, row.smtp_port, security, row.smtp_user, password)


def to_read(account: AccountRef, largest: int) -> Settings | None:
    """Return the settings for reading the mailbox of *account*, or None if it has none.

    :param largest: size in bytes of the largest mail that is fetched completely.
    :raises SecretUnreadableError: if its password cannot be opened.
    """
    with db.read() as session:
        box, out = session.get(Mailbox, account.id), session.get(EmailAccount, account.id)
        signed = session.get(MailToken, account.id)
    if box is None:
        return None
    user, password, bearer = box.user_name, None, None
    if out is not None and signed is not None:
        user, bearer = out.smtp_user, tokens.Bearer(account)
    elif box.password:
        password = unseal(box.password, mailbox_password_place(account))
    elif out is not None and out.smtp_password and not box.user_name:
        user, password = out.smtp_user, unseal(out.smtp_password, password_place(account))
    server = Server(box.host, box.port, smtp.Security(box.security), user, password, bearer)
    return Settings(
        account.id,
        account.external_id,
        server,
        box.since,
        box.connected_at,
        largest,
        aliases.of(account.id),
        box.further,
    )
