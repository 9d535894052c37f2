"""The composer's fields for the extras of a reply, and their submitted values."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from typing import Any
from zlib import crc32

import msgspec
import sqlalchemy as sa
from flask import request
from flask_babel import lazy_gettext as _l
from markupsafe import Markup
from sqlalchemy.orm import Session

from host.inbox import variables
from host.inbox.composition import recipients, sender_address
from host.inbox.composition.recipients import AnswerChoice, Audience, Person, Recipients
from host.inbox.queries import Row
from host.inbox.sendable import NotSendableError
from host.inbox.variable_values import values_of_conversation
from host.models.inbox import Direction, Message
from host.sdk.channel import AccountRef, ChannelAdapter
from host.sdk.formatting import to_html
from host.sdk.messages import OWN_ADDRESS

log = logging.getLogger(__name__)

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

    :param audience: whom the reply can go to; None if the channel has no copies.
    :param senders: the account's sender addresses, its own first; empty if there is only one.
    :param sender: the further address preselected as the sender; empty for the account's own.
    :param subject: the conversation's subject, if this reply may change it; otherwise None.
    """

    audience: Audience | None = None
    senders: tuple[str, ...] = ()
    sender: str = ""
    subject: str | None = None
    signature: Signature | None = None

    @property
    def to(self) -> str:
        """The initial value of the field *To*; empty if the channel has no copies."""
        return "" if self.audience is None else self.audience.everyone.to_field

    @property
    def cc(self) -> str:
        """The initial value of the field *Cc*."""
        return "" if self.audience is None else self.audience.everyone.cc_field

    @property
    def writer(self) -> str:
        """The name of who wrote the newest message."""
        return "" if self.audience is None else ", ".join(map(called, self.audience.everyone.to))

    @property
    def choices(self) -> Mapping[AnswerChoice, Recipients]:
        """The recipients to choose from; empty if there is no choice."""
        found = {} if self.audience is None else self.audience.choices
        return found if len(found) > 1 else {}

    def known(self) -> list[dict[str, str]]:
        """Return who took part in the last exchange, for the script that names who is left out."""
        known = () if self.audience is None else self.audience.known
        return [{"address": one.address, "name": called(one), "written": one.written} for one in known]

    def left_out(self, *fields: str) -> list[str]:
        """Return the names of those who took part in the last exchange and are in none of the *fields*."""
        if self.audience is None:
            return []
        given = {one for field in fields for one in addresses(field)}
        return [called(one) for one in self.audience.left_out(given)]

    def lists(self, *fields: str) -> dict[str, bool]:
        """Return the mailing lists of the conversation, and whether each is in one of the *fields*."""
        given = {one for field in fields for one in addresses(field)}
        return {one: one in given for one in (() if self.audience is None else self.audience.lists)}

    @property
    def mailing_list(self) -> str:
        """The address of the list that the newest message came through; empty if through none."""
        return "" if self.audience is None else self.audience.mailing_list

    @property
    def signed(self) -> str:
        """Return a value that changes when the page has to render the composer again."""
        return f"{crc32(repr(self).encode()):08x}"


NOTHING = ExtraFields()


def along(session: Session, row: Row, adapter: ChannelAdapter | None, user_id: int) -> ExtraFields:
    """Return the composer's extra fields for a reply to the conversation of *row*."""
    if adapter is None:
        return NOTHING
    signature = signature_of(session, row, adapter, user_id)
    audience = recipients.audience_of(session, row.id, adapter, row.account)
    if audience is None:
        return ExtraFields(signature=signature)
    own = sender_address.choices(adapter, row.account)
    sender = sender_address.led_from(session, row.id) if own else ""
    subject = None
    if adapter.capabilities.has_subject and not _answered(session, row.id):
        subject = row.subject or ""
    return ExtraFields(
        audience=audience,
        senders=own,
        sender=sender if sender in own[1:] else "",
        subject=subject,
        signature=signature,
    )


def called(person: Person) -> str:
    """Return a person as the composer names them."""
    return person.name or person.address


def _answered(session: Session, conversation_id: int) -> bool:
    query = sa.select(Message.id).where(
        Message.conversation_id == conversation_id, Message.direction == Direction.OUTBOUND
    )
    return session.scalar(query.limit(1)) is not None


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
    begun = {"to": several(found.to), "cc": several(found.cc), "signature": signature}
    return {name: value for name, value in begun.items() if value}


def given(adapter: ChannelAdapter | None) -> dict[str, Any]:
    """Return the content of the submitted extra fields, without the signature.

    :raises NotSendableError: code ``no_recipient``.
    """
    if adapter is None or adapter.capabilities.copies is None:
        return {}
    if not several(request.form.get("to", "-")):
        raise NotSendableError(
            "no_recipient",
            _l("No recipient was given. Nothing was sent."),
            next_step=_l("Enter an address in “To”."),
            field="to",
        )
    found: dict[str, Any] = {
        name: addresses for name in ("to", "cc", "bcc") if (addresses := several(request.form.get(name, "")))
    }
    lines = {name: " ".join(request.form.get(name, "").split()) for name in ("subject", OWN_ADDRESS)}
    return {**found, **{name: line for name, line in lines.items() if line}}


def addresses(field: str) -> list[str]:
    """Return the addresses of a field without names."""
    return [one.rpartition("<")[2].strip(" >").lower() for one in several(field)]


def several(field: str) -> list[str]:
    """Return the addresses of a field, separated by commas, semicolons or newlines."""
    return [one.strip() for one in _ONE.findall(field) if one.strip()]
