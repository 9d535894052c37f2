"""Recipients of a reply on a channel with copies: the writer of the newest message, and everyone else on it.

It is decided when the reply is written and stored in its content, so that the team sees who gets it. A
message without ``to`` in its content goes to the customer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.inbox.apply.participants import AFTER_FORWARD, is_forged
from host.inbox.composition import sender_address
from host.inbox.composition.quotes import reader
from host.inbox.sendable import NotSendableError
from host.models.inbox import ContactIdentity, Conversation, DeliveryState, Direction, Message, Origin
from host.sdk.channel import AccountRef, ChannelAdapter
from host.sdk.messages import ANSWER_TO, MAILING_LIST

MOST_LOOKED_AT = 20
"""Number of newest messages searched for the last exchange."""


class AnswerChoice(StrEnum):
    """Recipients to choose for a reply."""

    EVERYONE = "everyone"
    PERSON = "person"
    """The writer of the newest message alone."""
    LIST = "list"
    """The mailing list it came through."""


class Person(msgspec.Struct, frozen=True):
    """A recipient.

    :param name: empty if unknown.
    """

    address: str
    name: str = ""

    @property
    def written(self) -> str:
        """The person in the format of a mail header."""
        bare = " ".join(self.name.replace('"', " ").replace("<", " ").replace(">", " ").split())[:100]
        if not bare or bare.lower() == self.address:
            return self.address
        return f'"{bare}" <{self.address}>' if re.search(r"[,;]", bare) else f"{bare} <{self.address}>"


class Recipients(msgspec.Struct, frozen=True):
    """The recipients of a reply; nobody is among them twice."""

    to: tuple[Person, ...] = ()
    cc: tuple[Person, ...] = ()

    @property
    def to_field(self) -> str:
        """The value of a field with those in To."""
        return ", ".join(one.written for one in self.to)

    @property
    def cc_field(self) -> str:
        """The value of a field with those in Cc."""
        return ", ".join(one.written for one in self.cc)

    @property
    def content(self) -> dict[str, Any]:
        """Their part of a draft's content."""
        fields = {"to": self.to, "cc": self.cc}
        return {name: [one.written for one in people] for name, people in fields.items() if people}


class Audience(msgspec.Struct, frozen=True):
    """The recipients that a reply can have.

    :param customer: the customer's address.
    :param choices: by default everyone; only those that differ.
    :param known: who took part in the last exchange, the customer included.
    :param mailing_list: the list's address; empty if the newest message came through none.
    :param lists: the addresses of all lists that the newest messages came through.
    """

    customer: str
    choices: Mapping[AnswerChoice, Recipients]
    known: tuple[Person, ...] = ()
    mailing_list: str = ""
    lists: tuple[str, ...] = ()

    @property
    def everyone(self) -> Recipients:
        """The recipients if nothing is chosen."""
        return self.choices[AnswerChoice.EVERYONE]

    def left_out(self, addresses: Collection[str]) -> list[Person]:
        """Return who took part in the last exchange and is not in *addresses*."""
        return [one for one in self.known if one.address not in addresses]


def audience_of(
    session: Session, conversation_id: int, adapter: ChannelAdapter, account: AccountRef
) -> Audience | None:
    """Return whom a reply in a conversation can go to; None if the channel has no copies."""
    copies = adapter.capabilities.copies
    if copies is None:
        return None
    identity = session.execute(
        sa.select(ContactIdentity.external_id, ContactIdentity.name)
        .join(Conversation, Conversation.identity_id == ContactIdentity.id)
        .where(Conversation.id == conversation_id)
    ).one()
    customer = Person(reader(adapter, identity.external_id), identity.name or "")
    rows = _newest(session, conversation_id)
    said = _last_exchange(rows)
    newest: Mapping[str, Any] = next((one.content for one in said if one.direction == Direction.INBOUND), {})
    clean = _cleaning(adapter, account)
    writer = _people([newest.get("author")], clean) or _people([customer], clean) or [customer]
    trusted = {} if is_forged(newest) else newest
    answered = _people(trusted.get(ANSWER_TO), clean)
    known = _distinct([*writer, customer, *(one for each in said for one in _took_part(each.content))], clean)
    asked = [one.address for one in (*known, *answered)]
    gone = _erased(session, account, asked, _wrote_last(rows, customer.address))
    known, answered = _without(known, gone), _without(answered, gone)
    mailing_list = next((one.address for one in _people([trusted.get(MAILING_LIST)], clean)), "")
    to = answered if 0 < len(answered) <= copies.most else writer
    others = [customer, *_listed(trusted, "to"), *_listed(trusted, "cc"), *writer]
    cc = _without(_distinct(others, clean), {*gone, *(one.address for one in to)})
    if len(to) + len(cc) - 1 > copies.most:
        cc = _without(_distinct([customer], clean), {*gone, *(one.address for one in to)})
    everyone = Recipients(tuple(to), tuple(cc))
    choices = {AnswerChoice.EVERYONE: everyone}
    if cc and to[0].address != mailing_list:
        choices[AnswerChoice.PERSON] = Recipients(tuple(to))
    alone = Recipients((Person(mailing_list),))
    if mailing_list and everyone != alone:
        choices[AnswerChoice.LIST] = alone
    through = _people([one.content.get(MAILING_LIST) for one in rows], clean)
    lists = tuple(one.address for one in through)
    return Audience(customer.address, choices, tuple(known), mailing_list, lists)


def last_writers(session: Session, conversation_ids: Sequence[int]) -> dict[int, str]:
    """Return the participants who wrote the last message of these conversations, by their ids."""
    if not conversation_ids:
        return {}
    query = (
        sa.select(Message.conversation_id, Message.content)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .where(
            Message.conversation_id.in_(conversation_ids),
            Message.sent_at == Conversation.last_message_at,
            Message.writer_id.is_not(None),
            Message.unsent_at.is_(None),
        )
    )
    found = {row.conversation_id: _given([row.content.get("author")]) for row in session.execute(query)}
    return {id_: people[0].name or people[0].address for id_, people in found.items() if people}


def for_program(audience: Audience | None, choice: AnswerChoice, cc: Sequence[str]) -> dict[str, Any]:
    """Return the recipients of a program's reply as the content of a draft.

    :param cc: the program's own copies, in place of the others; the customer still gets the reply.
    :raises NotSendableError: code ``no_mailing_list``.
    """
    if audience is None:
        return {}
    if choice is AnswerChoice.LIST and not audience.mailing_list:
        raise NotSendableError(
            "no_mailing_list",
            _l("The newest message did not come through a mailing list. Nothing was sent."),
            next_step=_l("Choose other recipients."),
            field="answer",
        )
    found = audience.choices.get(choice, audience.everyone)
    content = found.content
    if [one.address for one in found.to] == [audience.customer]:
        del content["to"]
    if not cc:
        return content
    customer = [one.written for one in found.cc if one.address == audience.customer]
    return {**content, "cc": [*(customer if choice is AnswerChoice.EVERYONE else ()), *cc]}


def _newest(session: Session, conversation_id: int) -> Sequence[Any]:
    """Return content, direction and time of the newest messages that people wrote or got, newest first.

    Answers to a forward are not among them: the customer does not know of it.
    """
    query = (
        sa.select(Message.content, Message.direction, Message.sent_at)
        .where(
            Message.conversation_id == conversation_id,
            Message.direction.in_((Direction.INBOUND, Direction.OUTBOUND)),
            Message.unsent_at.is_(None),
            Message.origin != Origin.SYSTEM,
            sa.or_(Message.state.is_(None), Message.state.not_in(_NEVER_SENT)),
        )
        .order_by(Message.sent_at.desc(), Message.id.desc())
        .limit(MOST_LOOKED_AT)
    )
    return [row for row in session.execute(query) if AFTER_FORWARD not in row.content]


def _last_exchange(rows: Sequence[Any]) -> list[Any]:
    """Return the newest message of each side, and the one that the team's newest answered."""
    found: list[Any] = []
    for row in rows:
        before = [one.direction for one in found]
        if row.direction not in before or (
            row.direction == Direction.INBOUND and before == [Direction.INBOUND, Direction.OUTBOUND]
        ):
            found.append(row)
    return found


def _wrote_last(rows: Sequence[Any], customer: str) -> dict[str, datetime]:
    """Return when each writer of *rows* wrote last, by address."""
    found: dict[str, datetime] = {}
    for row in rows:
        if row.direction == Direction.INBOUND:
            author = next(iter(_given([row.content.get("author")])), Person(customer))
            found.setdefault(author.address, row.sent_at)
    return found


_NEVER_SENT = (DeliveryState.CANCELLED, DeliveryState.FAILED)


def _took_part(content: Mapping[str, Any]) -> list[Person]:
    """Return the recipients and the author of a message; nobody if it is forged."""
    if is_forged(content):
        return []
    author = content.get("author")
    return [*_given([author]), *_listed(content, "to"), *_listed(content, "cc")]


def _listed(content: Mapping[str, Any], name: str) -> list[Person]:
    names = content.get("names")
    return _given(content.get(name), names if isinstance(names, Mapping) else {})


def _given(given: object, names: Mapping[str, Any] | None = None) -> list[Person]:
    """Return the people of a stored list of addresses, or of mappings with ``name`` and ``address``."""
    found = []
    for one in given if isinstance(given, list | tuple) else ():
        if isinstance(one, Person):
            found.append(one)
        elif isinstance(one, Mapping):
            found.append(Person(str(one.get("address") or ""), str(one.get("name") or "")))
        elif isinstance(one, str):
            found.append(Person(one, str((names or {}).get(one) or "")))
    return found


def _people(given: object, clean: Callable[[str], str | None]) -> list[Person]:
    return _distinct(_given(given), clean)


def _distinct(given: Iterable[Person], clean: Callable[[str], str | None]) -> list[Person]:
    """Return the people with an address that is valid and not ours, each once."""
    found: dict[str, Person] = {}
    for one in given:
        address = clean(one.address)
        if address is not None and (address not in found or not found[address].name):
            found[address] = Person(address, one.name)
    return list(found.values())


def _without(people: Iterable[Person], addresses: Collection[str]) -> list[Person]:
    return [one for one in people if one.address not in addresses]


def _cleaning(adapter: ChannelAdapter, account: AccountRef) -> Callable[[str], str | None]:
    """Return a function that normalises an address; it returns None for one that is invalid or ours."""
    copies = adapter.capabilities.copies
    assert copies is not None
    clean = copies.clean
    known = (account.external_id, account.handle, *sender_address.further(adapter, account))
    ours = {clean(one) for one in known if one}

    def cleaned(given: str) -> str | None:
        address = clean(given) if given else None
        if address is None or address in ours:
            return None
        can_start = adapter.capabilities.can_start
        return address if not can_start or adapter.id_for_address(account, address) is not None else None

    return cleaned


def _erased(
    session: Session, account: AccountRef, addresses: Sequence[str], wrote: Mapping[str, datetime]
) -> set[str]:
    """Return those of *addresses* whose people were erased and have not written since."""
    query = sa.select(ContactIdentity.external_id, ContactIdentity.erased_at).where(
        ContactIdentity.account_id == account.id,
        ContactIdentity.external_id.in_(addresses),
        ContactIdentity.erased_at.is_not(None),
    )
    return {
        row.external_id
        for row in session.execute(query)
        if row.external_id not in wrote or wrote[row.external_id] <= row.erased_at
    }
