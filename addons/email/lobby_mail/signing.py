"""Sign mails with DKIM (RFC 6376), for domains whose mail server does not sign.

Each domain of a workspace has a key. Mails are signed only while its record is in the DNS: a signature that
cannot be verified only raises suspicion.
"""

from __future__ import annotations

import base64
import logging
import uuid
from collections.abc import Sequence
from importlib.util import find_spec

import sqlalchemy as sa
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy.orm import Session

from host.sdk import clock, db
from host.sdk.cards import Copyable
from host.sdk.channel import AccountRef
from host.sdk.errors import SecretUnreadableError
from host.sdk.i18n import format_datetime
from host.sdk.i18n import gettext as _
from host.sdk.secrets import Place, Secret, seal, unseal
from host.sdk.web import audit

from . import aliases, late
from .addresses import domain_of
from .mail import authentication
from .models import DkimKey

log = logging.getLogger(__name__)

BITS = 2048
EXTRA = "dkim"
SIGNED = (
    "From",
    "To",
    "Cc",
    "Reply-To",
    "Subject",
    "Date",
    "Message-ID",
    "In-Reply-To",
    "References",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
)
"""Headers to sign if present; From is listed twice, so that a second one cannot be added."""


def is_installed() -> bool:
    """Return whether the package for signing is installed."""
    return find_spec("dkim") is not None


def key_of(account: AccountRef, domain: str = "") -> DkimKey | None:
    """Return the key of *domain*, by default the account's, or None if there is none."""
    with db.read() as session:
        return session.scalar(sa.select(DkimKey).where(is_of(account, domain)))


def is_of(account: AccountRef, domain: str = "") -> sa.ColumnElement[bool]:
    """Return the condition for the key of *domain*, by default the account's."""
    return sa.and_(
        DkimKey.workspace_id == account.workspace_id,
        DkimKey.domain == (domain or domain_of(account.external_id)),
    )


def domains_of(account: AccountRef) -> list[str]:
    """Return the domains an account sends from: its own first, then those of its aliases."""
    return list(dict.fromkeys(map(domain_of, (account.external_id, *aliases.of(account.id)))))


def keys_of(accounts: Sequence[AccountRef]) -> dict[int, list[DkimKey]]:
    """Return the keys of the domains each account sends from, in their order. Runs one statement."""
    domains = {one.id: domains_of(one) for one in accounts}
    query = sa.select(DkimKey).where(
        DkimKey.workspace_id.in_({one.workspace_id for one in accounts}),
        DkimKey.domain.in_({domain for ones in domains.values() for domain in ones}),
    )
    with db.read() as session:
        keys = {(key.workspace_id, key.domain): key for key in session.scalars(query)}
    return {
        one.id: [
            keys[one.workspace_id, domain] for domain in domains[one.id] if (one.workspace_id, domain) in keys
        ]
        for one in accounts
    }


def _place(row: DkimKey) -> Place:
    return Place(DkimKey.__tablename__, "private_key", row.workspace_id, row.uuid)


def make(session: Session, account: AccountRef, domain: str = "") -> DkimKey:
    """Create a key for *domain*, by default the account's, unless it has one."""
    found = session.scalar(sa.select(DkimKey).where(is_of(account, domain)))
    if found is not None:
        return found
    made = rsa.generate_private_key(public_exponent=65537, key_size=BITS)
    pem = made.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    public = made.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    number = uuid.uuid4().hex
    row = DkimKey(
        uuid=number,
        workspace_id=account.workspace_id,
        domain=domain or domain_of(account.external_id),
        selector=f"lobby-{number[:8]}",
        public_key=base64.b64encode(public).decode(),
        made_at=clock.now(),
    )
    row.private_key = seal(Secret(pem.decode()), _place(row))
    session.add(row)
    session.flush()
    audit(session, "domain.key_made", row.domain, workspace_id=row.workspace_id)
    return row


def name_of(row: DkimKey) -> str:
    """Return the DNS name of a key's record."""
    return f"{row.selector}._domainkey.{row.domain}"


def record_of(row: DkimKey) -> str:
    """Return the DNS record of a key."""
    return f"v=DKIM1; k=rsa; p={row.public_key}"


def looked_up(row: DkimKey) -> bool | None:
    """Look up a key's record in the DNS; return whether it exists and matches, or None without a response.

    The result decides whether mails are signed from now on.
    """
    texts = late.machinery().texts(name_of(row))
    if texts is None:
        return None
    found = any(authentication.tags(one).get("p") == row.public_key for one in texts)
    now = clock.now()
    db.write(
        lambda session: session.execute(
            sa.update(DkimKey)
            .where(DkimKey.id == row.id)
            .values(checked_at=now, found_at=(row.found_at or now) if found else None)
        )
    )
    return found


def signed(account: AccountRef, mail: bytes, sender: str = "") -> bytes:
    """Return *mail* with a signature on top, or unchanged if no key of its domain was found in the DNS.

    :param sender: the address in its From; empty: the account's.
    """
    row = key_of(account, domain_of(sender))
    if row is None or row.found_at is None or not is_installed():
        return mail
    try:
        pem = unseal(row.private_key, _place(row)).reveal()
        line: bytes = late.machinery().sign(
            mail,
            row.selector.encode(),
            row.domain.encode(),
            pem.encode(),
            canonicalize=(b"relaxed", b"relaxed"),
            include_headers=_present(mail),
        )
    except SecretUnreadableError:
        log.error("the DKIM key of %s cannot be read, so a mail went out unsigned", row.domain)
        return mail
    except Exception:
        log.exception("a mail of %s could not be signed, so it went out as it is", row.domain)
        return mail
    return line + mail


def _present(mail: bytes) -> list[bytes]:
    head = mail.replace(b"\r\n", b"\n").partition(b"\n\n")[0].lower()
    names = [line.partition(b":")[0] for line in head.split(b"\n") if line[:1] not in {b" ", b"\t"}]
    return [name for name in (one.lower().encode() for one in SIGNED) if name in names] + [b"from"]


# ---- the card ------------------------------------------------------------------------------------------


def run(account: AccountRef) -> str:
    """Create a key the first time, and look up its record after that; return a sentence.

    :raises ValueError: with a sentence, if that fails.
    """
    if not is_installed():
        raise ValueError(_("Signing requires the extra %(extra)s. Ask an admin to install it.", extra=EXTRA))
    keys = {one: key_of(account, one) for one in domains_of(account)}
    missing = [one for one, key in keys.items() if key is None]
    for domain in missing:
        db.write(make, account, domain)
    if missing:
        return str(
            _(
                "Created a key for %(domain)s. Add the DNS record shown in this account's Settings, then "
                "choose this action again.",
                domain=", ".join(missing),
            )
        )
    rows = [key for key in keys.values() if key is not None]
    found = [(row, looked_up(row)) for row in rows]
    if any(is_there is None for _row, is_there in found):
        raise ValueError(_("Couldn't check: the name server didn't respond."))
    away = [row for row, is_there in found if not is_there]
    if away:
        raise ValueError(
            _(
                "The record at %(name)s is missing or different, so emails aren't signed. A new record "
                "can take up to an hour to appear.",
                name=", ".join(map(name_of, away)),
            )
        )
    domains = ", ".join(row.domain for row in rows)
    return str(_("Record found. Emails from %(domain)s are now signed.", domain=domains))


def facts(row: DkimKey, *, further: bool = False) -> list[tuple[str, str]]:
    """Return the facts about a key for the card.

    :param further: whether it belongs to an alias, so that the facts name its domain.
    """
    label = _("DKIM signing, %(domain)s", domain=row.domain) if further else _("DKIM signing")
    if row.found_at is not None:
        return [(label, _("on since %(at)s", at=format_datetime(row.found_at)))]
    return [(label, _("not yet, DNS record not found"))]


def notices(row: DkimKey) -> list[tuple[str, str, str]]:
    """Return notices about problems with a key."""
    if is_installed():
        return []
    sentence = _(
        "Ask an admin to install the extra %(extra)s. Until then, emails are sent unsigned.", extra=EXTRA
    )
    return [("warn", _("Emails are no longer signed."), sentence)]


def copyables(row: DkimKey) -> list[Copyable]:
    """Return the values to enter in the DNS."""
    return [
        Copyable(
            _("DKIM record: name (TXT)"),
            name_of(row),
            _("Some providers want the name without the domain at the end."),
        ),
        Copyable(
            _("DKIM record: value"),
            record_of(row),
            _("One line. Only needed if your mail server doesn't sign emails itself, as large providers do."),
        ),
    ]
