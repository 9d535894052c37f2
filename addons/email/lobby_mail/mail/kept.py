"""Mails from a mailbox: whether the team sent them, and whether they are older than the connection."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from email.message import Message
from enum import StrEnum

from host.sdk.i18n import noop
from host.sdk.messages import (
    INVITATION,
    OWN_ADDRESS,
    AccountNoticed,
    Ignored,
    InboundChange,
    MessageBounced,
    MessageEchoed,
    MessageKind,
    MessageReceived,
)
from host.sdk.webhooks import Envelope

from . import headers, identity, lists

AHEAD = timedelta(days=1)
"""How far a sender's clock may be ahead of the mailbox's."""


CUT = b"X-Lobby-Cut: "
"""Prefix of an envelope's body with only the beginning of a mail. No received mail can start with it."""
_CUT = re.compile(re.escape(CUT) + rb"(\d{1,12})\r\n")


class Kind(StrEnum):
    """Kind of a mail in the inbound log; ``mail`` is one that has just arrived."""

    MAIL = "mail"
    EARLIER = "mail-earlier"
    SENT = "mail-sent"
    SENT_EARLIER = "mail-sent-earlier"

    @property
    def is_sent(self) -> bool:
        """Return whether the team sent it."""
        return self in {Kind.SENT, Kind.SENT_EARLIER}

    @property
    def is_earlier(self) -> bool:
        """Return whether it is from before the mailbox was connected."""
        return self in {Kind.EARLIER, Kind.SENT_EARLIER}


def kind_of(*, sent: bool, earlier: bool) -> Kind:
    """Return the kind of a mail from a mailbox."""
    if sent:
        return Kind.SENT_EARLIER if earlier else Kind.SENT
    return Kind.EARLIER if earlier else Kind.MAIL


def envelope(
    raw: bytes,
    address: str,
    account_id: int,
    kind: Kind,
    at: datetime,
    *,
    whole_size: int | None = None,
    aliases: Sequence[str] = (),
) -> Envelope:
    """Return the envelope of a mail from a mailbox.

    :param address: the account's address.
    :param at: when the server received it.
    :param whole_size: size of the mail in bytes, if *raw* is only its beginning.
    """
    message = identity.head(raw)
    lane = addressee(message, {address, *aliases}) if kind.is_sent else headers.sender(message)[1]
    return Envelope(
        account_id=account_id,
        lane=lane or headers.UNKNOWN_SENDER,
        # A mail to a customer and to ourselves is in two folders, and counts as both sent and received.
        dedupe_key=("sent:" if kind.is_sent else "") + identity.key(message, raw, at.isoformat()),
        kind=kind,
        body=b"".join(
            [
                b"" if whole_size is None else CUT + b"%d\r\n" % whole_size,
                identity.delivered_to(address, aliases),
                identity.BELOW,
                raw,
            ]
        ),
        occurred_at=at,
    )


def is_of_ours(raw: bytes, own: Collection[str]) -> bool:
    """Return whether the team sent a mail, whatever its folder.

    A mail from our contact form names its visitor in Reply-To, so it counts as received.
    """
    message = identity.head(raw)
    claim = lists.claim(message)
    if claim and claim.address and claim.address not in own:
        return False  # a group of ours names somebody else
    return headers.sender(message, own)[1] in own and bool(addressee(message, own))


def addressee(message: Message, own: Collection[str]) -> str:
    """Return the first recipient of a sent mail besides *own* addresses, or an empty string."""
    for name in ("To", "Cc"):
        for _, found in headers.addresses(message, name):
            if found not in own:
                return found
    return ""


def told(change: InboundChange, envelope_: Envelope) -> tuple[InboundChange, ...]:
    """Return the changes for a stored mail, given the changes it would make as a new one."""
    try:
        kind = Kind(envelope_.kind)
    except ValueError:  # an event logged by a test or an admin
        kind = Kind.MAIL
    if isinstance(change, MessageBounced) and change.report is not None and kind.is_earlier:
        return (replace(change, report=replace(change.report, earlier=True)),)
    if not isinstance(change, MessageReceived):
        return (change,)
    size = _whole_size(envelope_.body)
    if size is not None:
        change = replace(
            change, kind=MessageKind.TEXT, attachments=(), content={**change.content, "cut": size}
        )
    kept = change if kind is Kind.MAIL else _as_kept(change, envelope_, kind)
    if size is None or kind.is_earlier or kind.is_sent:
        return (kept,)
    return kept, AccountNoticed(
        kind="large-mail",
        at=change.sent_at,
        sentence=noop(
            "An email from %(sender)s is too large (%(size)s MB), so only its beginning was imported."
        ),
        next_step=noop("Read it in the mailbox."),
        details={"sender": change.contact, "size": str(round(size / 1e6))},
    )


def _whole_size(body: bytes) -> int | None:
    found = _CUT.match(body)
    return None if found is None else int(found[1])


def _as_kept(change: MessageReceived, envelope_: Envelope, kind: Kind) -> InboundChange:
    message = identity.head(envelope_.body)
    sent_at = change.sent_at
    written = headers.date(message)
    if kind.is_earlier and written is not None and written < sent_at + AHEAD:
        sent_at = written
    if not kind.is_sent:
        return replace(change, sent_at=sent_at, earlier=True)
    own = identity.own(message)
    contact = addressee(message, own)
    if not contact:
        return Ignored("written to nobody else")
    content = {name: value for name, value in change.content.items() if name in _OF_ECHOES}
    sender = next((one for _, one in headers.addresses(message, "From") if one in own[1:]), "")
    return MessageEchoed(
        contact=contact,
        external_id=change.external_id or f"sent:{envelope_.dedupe_key}",
        sent_at=sent_at,
        kind=change.kind,
        text=change.text,
        attachments=change.attachments,
        content={**content, OWN_ADDRESS: sender} if sender else content,
        subject=change.subject,
        references=change.references,
        earlier=kind.is_earlier,
    )


_OF_ECHOES = frozenset({"to", "cc", "html", "cut", "own", INVITATION})
