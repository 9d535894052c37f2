"""Accounts a contact can be written to first, and the conversations that continue others."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.channels.directory import Directory
from host.core import clock
from host.inbox.apply import phone_numbers
from host.inbox.contacts import look_alikes
from host.models.channels import AccountState, ChannelAccount
from host.models.channels import ref as account_ref
from host.models.inbox import Contact, ContactIdentity, Conversation, ConversationLink
from host.sdk.channel import AccountRef, ChannelAdapter, ReplyContext, ReplyState
from host.users.reach import Accounts


class Place(msgspec.Struct, frozen=True):
    """An account on which a contact can be written to first.

    :param to: the contact's external id there.
    :param of_another: id of another contact who already has that external id, or None.
    :param is_known: whether they have this id on the account already, as those who wrote to it.
    :param by_template: whether the first message has to be an approved template.
    """

    account: AccountRef
    adapter: ChannelAdapter
    to: str
    of_another: int | None = None
    is_known: bool = False
    by_template: bool = False

    @property
    def key(self) -> str:
        """Return its key in forms."""
        return f"{self.account.id}:{self.to}"


def places(
    session: Session,
    directory: Directory,
    workspace_id: int,
    contact: Contact,
    accounts: Accounts = None,
) -> list[Place]:
    """Return the accounts and addresses at which *contact* can be written to first.

    Accounts they have written to come first, and on each account the addresses they wrote from.

    :param accounts: the accounts the person may see; None for all.
    """
    now = clock.now()
    starting = {one.key for one in directory.adapters if one.capabilities.can_start}
    if not starting or contact.blocked_at is not None:
        return []
    found = [
        (account_ref(row), adapter)
        for row in _accounts(session, workspace_id, starting)
        if (accounts is None or row.id in accounts)
        and (adapter := directory.adapter(row.channel)) is not None
    ]
    if not found:
        return []
    known = _known_as(session, contact.id)
    numbers = look_alikes.numbers_of(session, [contact.id], accounts).get(contact.id, ())
    addresses = [contact.email, *map(phone_numbers.with_plus, numbers)]
    there = {(one.account_id, one.external_id) for one in known}
    wanted = []
    for account, adapter in found:
        # An id of another channel is none here, however much it looks like one, such as a row of digits.
        ids = [one.external_id for one in known if one.channel == account.channel]
        ids.sort(key=lambda to: (account.id, to) not in there)
        wanted += [(account, adapter, to) for to in _ids(adapter, account, [*ids, *addresses])]
    owners = _owners(session, [(account.id, to) for account, _, to in wanted])
    made = []
    for account, adapter, to in wanted:
        owner = owners.get((account.id, to))
        other = None if owner in {None, contact.id} else owner
        by_template = not _may_write_freely(adapter, account, now)
        made.append(Place(account, adapter, to, other, (account.id, to) in there, by_template))
    written_to = {one.account_id for one in known}
    return sorted(made, key=lambda one: one.account.id not in written_to)


def _may_write_freely(adapter: ChannelAdapter, account: AccountRef, now: datetime) -> bool:
    return adapter.reply_policy(ReplyContext(account, now, None)).state is not ReplyState.CLOSED


def _accounts(session: Session, workspace_id: int, channels: Collection[str]) -> Sequence[ChannelAccount]:
    query = (
        sa.select(ChannelAccount)
        .where(
            ChannelAccount.workspace_id == workspace_id,
            ChannelAccount.state != AccountState.DISCONNECTED,
            ChannelAccount.channel.in_(sorted(channels)),
        )
        .order_by(ChannelAccount.id)
    )
    return session.scalars(query).all()


def _known_as(session: Session, contact_id: int) -> Sequence[Any]:
    """Return the external id of a contact on each account, with the account's channel."""
    query = (
        sa.select(ContactIdentity.account_id, ChannelAccount.channel, ContactIdentity.external_id)
        .join(ChannelAccount, ChannelAccount.id == ContactIdentity.account_id)
        .where(ContactIdentity.contact_id == contact_id, ContactIdentity.same_as_id.is_(None))
        .order_by(ContactIdentity.id)
    )
    return session.execute(query).all()


def _ids(adapter: ChannelAdapter, account: AccountRef, given: Sequence[str | None]) -> list[str]:
    found = [adapter.id_for_address(account, one) for one in given if one]
    return list(dict.fromkeys(one for one in found if one is not None))


def _owners(session: Session, wanted: Sequence[tuple[int, str]]) -> dict[tuple[int, str], int]:
    """Return the contact id that owns each of *wanted*, pairs of account and external id."""
    if not wanted:
        return {}
    query = sa.select(
        ContactIdentity.account_id, ContactIdentity.external_id, ContactIdentity.contact_id
    ).where(
        ContactIdentity.account_id.in_({account_id for account_id, _ in wanted}),
        ContactIdentity.external_id.in_({to for _, to in wanted}),
    )
    return {(account_id, to): contact_id for account_id, to, contact_id in session.execute(query)}


class Linked(msgspec.Struct, frozen=True):
    """The id of the conversation before or after another, and that of its account."""

    id: int
    account_id: int


def before(session: Session, conversation_id: int) -> Linked | None:
    """Return the conversation that this one continues, or None.

    It is ignored if it belongs to another contact, such as after a merge was undone.
    """
    link = ConversationLink
    return _linked(session, link.before_id, link.after_id == conversation_id, link.after_id)


def after(session: Session, conversation_id: int) -> Linked | None:
    """Return the conversation that continues this one, or None."""
    link = ConversationLink
    return _linked(session, link.after_id, link.before_id == conversation_id, link.before_id)


def _linked(session: Session, of: Any, where: Any, own: Any) -> Linked | None:
    mine, theirs = sa.orm.aliased(Conversation), sa.orm.aliased(Conversation)
    query = (
        sa.select(theirs.id, theirs.account_id)
        .select_from(ConversationLink)
        .join(theirs, theirs.id == of)
        .join(mine, mine.id == own)
        .where(where, theirs.contact_id == mine.contact_id)
    )
    row = session.execute(query).one_or_none()
    return None if row is None else Linked(*row)


def around(
    session: Session, ids: Sequence[int], accounts: Accounts = None
) -> tuple[dict[int, int], dict[int, int]]:
    """Return the conversations before and after each of these, by id.

    :param accounts: only conversations on these accounts.
    """
    if not ids:
        return {}, {}
    link = ConversationLink
    first, second = sa.orm.aliased(Conversation), sa.orm.aliased(Conversation)
    query = (
        sa.select(link.before_id, link.after_id)
        .join(first, first.id == link.before_id)
        .join(second, second.id == link.after_id)
        .where(sa.or_(link.before_id.in_(ids), link.after_id.in_(ids)), first.contact_id == second.contact_id)
    )
    if accounts is not None:
        seen = sorted(accounts)
        query = query.where(first.account_id.in_(seen), second.account_id.in_(seen))
    pairs = [(row.before_id, row.after_id) for row in session.execute(query)]
    return {later: earlier for earlier, later in pairs}, dict(pairs)
