"""Signatures below mails: one of the account, and one of each person, which replaces it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from host.sdk.channel import AccountRef

from .models import EmailAccount, PersonsSignature

MOST = 2000
"""Maximum characters of a signature."""
PAGE = "/w/<int:workspace_id>/accounts/<int:account_id>/signature"


def page(account: AccountRef) -> str:
    """Return the address of the page for editing the signatures of *account*."""
    return f"/addons/email/w/{account.workspace_id}/accounts/{account.id}/signature"


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts of an account for one person.

    :param shared: the account's signature; *own*: the person's own, which replaces it; empty: none.
    :param reply_to: the address for replies; empty: the account's address.
    :param quotes: whether replies quote the message they answer.
    """

    shared: str
    own: str
    reply_to: str
    quotes: bool = False

    @property
    def used(self) -> str:
        """The signature below the person's messages."""
        return self.own or self.shared


def read(session: Session, account_id: int, user_id: int) -> Texts | None:
    """Return the texts of an account; None if it has no mail server."""
    row = session.get(EmailAccount, account_id)
    if row is None:
        return None
    own = session.get(PersonsSignature, (account_id, user_id))
    return Texts(row.signature or "", own.text if own else "", row.reply_to or "", bool(row.quotes))


def keep_own(session: Session, account_id: int, user_id: int, text: str) -> None:
    """Save a person's signature; an empty *text* restores the account's."""
    row = session.get(PersonsSignature, (account_id, user_id))
    if not text:
        if row is not None:
            session.delete(row)
    elif row is None:
        session.add(PersonsSignature(account_id=account_id, user_id=user_id, text=text))
    else:
        row.text = text


def keep_shared(session: Session, account_id: int, text: str, reply_to: str, *, quotes: bool = False) -> None:
    """Save the signature of an account, its reply address, and whether replies quote."""
    row = session.get(EmailAccount, account_id)
    if row is not None:
        row.signature, row.reply_to, row.quotes = text or None, reply_to or None, quotes
