"""The composer's fields for the extras of a reply, and their submitted values."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any
from zlib import crc32

import msgspec
import sqlalchemy as sa
from flask import request
from markupsafe import Markup
from sqlalchemy.orm import Session

from host.inbox import variables
from host.inbox.along import sent_from
from host.inbox.apply.participants import AFTER_FORWARD
from host.inbox.queries import Row
from host.inbox.variable_values import values_of_conversation
from host.models.inbox import Direction, Message
from host.sdk.capabilities import CopyLimits
from host.sdk.channel import AccountRef, ChannelAdapter
from host.sdk.formatting import to_html
from host.sdk.messages import OWN_ADDRESS

log = logging.getLogger(__name__)

MOST_LOOKED_AT = 20
"""Number of newest messages searched for the customer's."""
_ONE = re.compile(r'(?:"[^"\n]*"|[^,;\n"])+')
"""An address in a field with several. A comma within quotes belongs to a name."""


class Signature(msgspec.Struct, frozen=True):
    """The signature below a reply as it will be sent.

    :param html: as the customer sees it; empty if there is none yet.
    :param url: the page to edit it.
    """

    text: str
    html: Markup
    url: str


class ExtraFields(msgspec.Struct, frozen=True):
    """The composer's extra fields.

    :param to: the customer's own address; empty if the channel has no copies.
    :param senders: the account's sender addresses, its own first; empty if there is only one.
    :param sender: the further address preselected as the sender; empty for the account's own.
    :param cc: initial value: the other recipients of the customer's newest message.
    :param subject: the conversation's subject, if this reply may change it; otherwise None.
    """

    to: str = ""
    senders: tuple[str, ...] = ()
    sender: str = ""
    cc: str = ""
    most: int = 0
    subject: str | None = None
    signature: Signature | None = None

    @property
    def signed(self) -> str:
        """Return a value that changes when the page has to render the composer again."""
        return f"{crc32(repr(self).encode()):08x}"


NOTHING = ExtraFields()


def along(session: Session, row: Row, adapter: ChannelAdapter | None, user_id: int) -> ExtraFields:
    """Return the composer's extra fields for a reply to the conversation of *row*."""
    if adapter is None:
        return NOTHING
    copies = adapter.capabilities.copies
    signature = signature_of(session, row, adapter, user_id)
    if copies is None:
        return ExtraFields(signature=signature)
    own = sent_from.choices(adapter, row.account)
    sender = sent_from.led_from(session, row.id) if own else ""
    subject = None
    if adapter.capabilities.has_subject and not _answered(session, row.id):
        subject = row.subject or ""
    return ExtraFields(
        to=row.identity_external_id,
        senders=own,
        sender=sender if sender in own[1:] else "",
        cc=", ".join(_others(session, row, copies, own)),
        most=copies.most,
        subject=subject,
        signature=signature,
    )


def _answered(session: Session, conversation_id: int) -> bool:
    query = sa.select(Message.id).where(
        Message.conversation_id == conversation_id, Message.direction == Direction.OUTBOUND
    )
    return session.scalar(query.limit(1)) is not None


def _others(session: Session, row: Row, copies: CopyLimits, own: Collection[str]) -> list[str]:
    """Return the other recipients of the customer's newest message; none if there are too many."""
    query = (
        sa.select(Message.content)
        .where(Message.conversation_id == row.id, Message.direction == Direction.INBOUND)
        .order_by(Message.sent_at.desc(), Message.id.desc())
        .limit(MOST_LOOKED_AT)
    )
    # Recipients of a forward are not the customer's recipients.
    known_to_them = (one for one in session.scalars(query) if AFTER_FORWARD not in (one or {}))
    content: Mapping[str, Any] = next(known_to_them, {}) or {}
    known = {row.identity_external_id, row.account.external_id, row.account.handle, *own}
    ours = {copies.clean(one) for one in known if one} | {None}
    found: dict[str, str] = {}
    for name in ("to", "cc"):
        given = content.get(name)
        for one in given if isinstance(given, list) else ():
            address = copies.clean(str(one.get("address", ""))) if isinstance(one, Mapping) else None
            if address is not None and address not in ours:
                found.setdefault(address, _written(str(one.get("name") or ""), address))
    return list(found.values()) if len(found) <= copies.most else []


def _written(name: str, address: str) -> str:
    """Return a name and address in the format of a mail header."""
    bare = " ".join(name.replace('"', " ").replace("<", " ").replace(">", " ").split())[:100]
    if not bare or bare.lower() == address:
        return address
    return f'"{bare}" <{address}>' if re.search(r"[,;]", bare) else f"{bare} <{address}>"


def signature_of(
    session: Session, row: Row, adapter: ChannelAdapter | None, user_id: int
) -> Signature | None:
    """Return a person's signature, filled in; None if the channel does not support signatures."""
    if adapter is None:
        return None
    return signature_at(row.account, adapter, user_id, lambda: values_of_conversation(session, row, user_id))


def signature_at(
    account: AccountRef, adapter: ChannelAdapter, user_id: int, values: Callable[[], Mapping[str, str]]
) -> Signature | None:
    """Return a person's signature on *account*, filled in with *values*."""
    if not adapter.capabilities.signatures:
        return None
    try:
        found = adapter.signature(account, user_id)
    except Exception:
        log.exception("the adapter of %s cannot tell a signature", account.channel)
        return None
    if found is None:
        return None
    text = filled(found.text, values())
    return Signature(text, Markup(to_html(text)), found.url)  # noqa: S704  # cleaned by nh3


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return a signature with its variables filled in; those without a value are removed."""
    try:
        parts = variables.fill(variables.parse(text), values)
    except variables.VariableError:
        return text
    return "".join("" if part.state == "open" else part.text for part in parts).strip()


def as_begun(session: Session, row: Row, adapter: ChannelAdapter | None, user_id: int) -> Mapping[str, Any]:
    """Return the extras sent with a reply if the fields stay unchanged."""
    found = along(session, row, adapter, user_id)
    signature = "" if found.signature is None else found.signature.text
    begun = {"cc": several(found.cc), "signature": signature}
    return {name: value for name, value in begun.items() if value}


def given(adapter: ChannelAdapter | None) -> dict[str, Any]:
    """Return the content of the submitted extra fields, without the signature."""
    if adapter is None or adapter.capabilities.copies is None:
        return {}
    found: dict[str, Any] = {
        name: addresses for name in ("cc", "bcc") if (addresses := several(request.form.get(name, "")))
    }
    lines = {name: " ".join(request.form.get(name, "").split()) for name in ("subject", OWN_ADDRESS)}
    return {**found, **{name: line for name, line in lines.items() if line}}


def several(field: str) -> list[str]:
    """Return the addresses of a field, separated by commas, semicolons or newlines."""
    return [one.strip() for one in _ONE.findall(field) if one.strip()]
