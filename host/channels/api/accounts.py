"""The accounts of the workspace, and its people."""

from __future__ import annotations

from typing import Literal

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from msgspec import UnsetType
from sqlalchemy.orm import Session

from host.api import shapes
from host.api.capabilities import declared
from host.api.http.call import Call
from host.api.http.declare import Router
from host.api.http.errors import BodyError
from host.automation import routing
from host.channels import accounts
from host.core import db
from host.core.errors import InvalidError, NotFoundError
from host.inbox import queries
from host.inbox.composition import sender_address
from host.inbox.errors import AccountDisconnectedError
from host.models.channels import AccountState, ChannelAccount, ref
from host.models.users import Membership, Role, User
from host.users.actor import UnitOfWork
from host.users.api_keys import Scope
from host.users.reach import includes


class AccountNotFoundError(NotFoundError):
    """No such account in this workspace."""

    code = "account_not_found"
    default_sentence = _l("This account does not exist in this workspace.")
    default_next_step = ""


class MemberNotFoundError(NotFoundError):
    """No such person, or they may not answer in this workspace."""

    code = "member_not_found"
    default_sentence = _l("This person does not exist in this workspace, or can't reply in it.")
    default_next_step = ""


SETTING_UP = (
    Scope.CONVERSATIONS_READ,
    Scope.MESSAGES_READ,
    Scope.MESSAGES_WRITE,
    Scope.CONTACTS_READ,
    Scope.REPORTS_READ,
    Scope.AUTOMATION_READ,
    Scope.SETTINGS_READ,
)
"""Scopes whose routes take ids of accounts or people, so that each of them also opens the lists of these."""

routes = Router("Accounts", read=SETTING_UP, write=Scope.SETTINGS_WRITE)

State = Literal["connected", "needs_reconnect", "disconnected"]


def shown(call: Call, row: ChannelAccount) -> shapes.Account:
    """Return an account as the API shows it."""
    adapter = call.adapter(row.channel)
    return shapes.Account.of(
        row,
        channel_id=row.uuid,
        channel_name=call.directory.label(row.channel),
        active=adapter is not None,
        capabilities=None if adapter is None else declared(adapter.capabilities_of(ref(row))),
        own_addresses=list(sender_address.choices(adapter, ref(row))),
    )


@routes.get("/accounts", "List accounts", limited=True)
def list_accounts(call: Call) -> shapes.Accounts:
    """All accounts the workspace ever connected, including disconnected ones."""
    query = (
        sa.select(ChannelAccount)
        .where(ChannelAccount.workspace_id == call.workspace_id)
        .order_by(ChannelAccount.channel, ChannelAccount.name, ChannelAccount.id)
    )
    if call.accounts is not None:
        query = query.where(ChannelAccount.id.in_(sorted(call.accounts)))
    with db.read() as session:
        return shapes.Accounts(data=[shown(call, row) for row in session.scalars(query)])


def find_account(
    session: Session, call: Call, account: int | str, *, field: str | None = None
) -> ChannelAccount:
    """Return an account of the key's workspace, and of the accounts it is limited to.

    :param account: its id, or its public one, a string.
    :param field: the field that holds the id, if it is not in the path; for errors.
    :raises AccountNotFoundError: if the workspace has no such account.
    """
    by = ChannelAccount.uuid if isinstance(account, str) else ChannelAccount.id
    row = session.scalars(sa.select(ChannelAccount).where(by == account)).one_or_none()
    if row is None or row.workspace_id != call.workspace_id or not includes(call.accounts, row.id):
        raise AccountNotFoundError(field=field)
    return row


def connected_account(session: Session, call: Call, account: int | str) -> ChannelAccount:
    """Return an account as :func:`find_account` does.

    :raises AccountDisconnectedError: if it is disconnected.
    """
    row = find_account(session, call, account)
    if row.state == AccountState.DISCONNECTED:
        raise AccountDisconnectedError(next_step="")
    return row


@routes.get("/accounts/{account_id}", "Get an account", limited=True, errors=(AccountNotFoundError,))
def get_account(call: Call, account_id: int | str) -> shapes.Account:
    """The account, with what can be sent through it and the limits."""
    with db.read() as session:
        return shown(call, find_account(session, call, account_id))


@routes.patch(
    "/accounts/{account_id}",
    "Set the response time of an account",
    limited=True,
    errors=(AccountNotFoundError, AccountDisconnectedError),
    examples={"An hour": {"replyTarget": 60}, "No response time": {"replyTarget": None}},
)
def change_account(call: Call, account_id: int | str, body: shapes.UpdateAccount) -> shapes.Account:
    """Sets the minutes within which customers should be answered, from their first unanswered message.

    The new target also applies to customers who are already waiting. Reports measure each wait by the target
    that applied when it began.
    """
    return call.write(lambda work: shown(call, _set_target(work, call, account_id, body.reply_target)))


def _set_target(
    work: UnitOfWork, call: Call, account_id: int | str, minutes: int | UnsetType | None
) -> ChannelAccount:
    row = connected_account(work.session, call, account_id)
    try:
        accounts.change_messages(work, row.id, reply_target=minutes)
    except InvalidError as error:
        raise BodyError(error.sentence, field="replyTarget") from None
    return row


@routes.get("/members", "List people", tag="Team", limited=True)
def list_members(call: Call) -> shapes.Members:
    """All people a conversation can be assigned to. Only a key with `settings:write` gets their emails."""
    with db.read() as session:
        return shapes.Members(data=_members(session, call))


def _members(session: Session, call: Call, user_id: int | None = None) -> list[shapes.Member]:
    shown_email = call.may(Scope.SETTINGS_WRITE)
    query = (
        sa.select(User.id, User.name, User.email, Membership.role, Membership.on_duty_since)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.workspace_id == call.workspace_id, User.disabled_at.is_(None))
        .order_by(User.name, User.id)
    )
    if user_id is not None:
        query = query.where(User.id == user_id)
    return [
        shapes.Member(
            id=id_, name=name, role=Role(role), email=email if shown_email else None, on_duty_since=since
        )
        for id_, name, email, role, since in session.execute(query)
    ]


@routes.put(
    "/members/{member_id}/duty",
    "Put a person on duty or take them off",
    tag="Team",
    scope=Scope.CONVERSATIONS_WRITE,
    errors=(MemberNotFoundError,),
    examples={"On duty": {"on": True}, "Off duty": {"on": False}},
)
def set_duty(call: Call, member_id: int, body: shapes.UpdateDuty) -> shapes.Member:
    """Conversations of a team go to its members who are on duty. They can change it themselves."""
    return call.write(lambda work: _set_duty(work, call, member_id, body.on))


def _set_duty(work: UnitOfWork, call: Call, member_id: int, on: bool) -> shapes.Member:
    if all(one.id != member_id for one in queries.all_members(work.session, work.workspace_id)):
        raise MemberNotFoundError()
    routing.set_duty(work, member_id, on=on)
    return _members(work.session, call, member_id)[0]
