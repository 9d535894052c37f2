"""The webhook of a Meta app, set by Lobby if it has the app's id and secret.

Meta's page: docs/graph-api/reference/app/subscriptions.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

import sqlalchemy as sa

from host.sdk import db, deliveries
from host.sdk.channel import AccountRef
from host.sdk.errors import SecretUnreadableError
from host.sdk.secrets import Secret, unseal

from .. import config
from ..accounts import find, live_ids, own_app, place
from ..answers import AppSubscription
from ..config import Flavour
from ..graph import Graph, GraphError
from ..models import InstagramAccount
from . import apps

log = logging.getLogger(__name__)

IF_KNOWN = ("messaging_optins", "response_feedback", "message_edit")
"""Optional fields, most likely first: Meta's pages disagree about which of them the object has."""
UNKNOWN_FIELD = 100
"""Meta's code for an unknown parameter, and so for an unknown field."""


class Led(Enum):
    """Target of an app's webhook."""

    HERE = "here"
    """This desk, with every field."""
    ELSEWHERE = "elsewhere"
    """Another address, which may be in use."""
    NOT_HELD = "not held"
    """Unknown: Lobby does not have the app's id and secret, so an admin sets it by hand."""


@dataclass(frozen=True, slots=True)
class AppWebhook:
    """The webhook of the app an account is connected through, and its required settings.

    :ivar own_url: the account's own address, which is also accepted.
    """

    app_id: str
    graph: Graph
    verify_token: Secret
    own_url: str
    own_verify_token: Secret
    messages: bool = True
    comments: bool = False
    """Whether any account of the app has messages switched on, and whether any has comments."""

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that must be selected."""
        messages = config.object_fields() if self.messages else ()
        return messages + (config.object_comment_fields() if self.comments else ())

    def lacking(self, webhook: AppSubscription | None) -> list[str]:
        """Return which of :attr:`fields` are not selected."""
        held = () if webhook is None else {one.name for one in webhook.fields}
        return [name for name in self.fields if name not in held]

    def read(self) -> AppSubscription | None:
        """Return the webhook's current settings at Meta, or None if it has none.

        :raises GraphError: if Meta does not answer.
        """
        return self.graph.app_webhook(self.app_id)

    def is_ours(self, url: str) -> bool:
        """Return whether *url* is an address of this desk for this account."""
        return url in {config.webhook_url(), *self._alone}

    @property
    def _alone(self) -> tuple[str, str]:
        return self.own_url, self.own_url.replace("/addons/", "/webhooks/", 1)

    def set(self, before: AppSubscription | None, tidy: bool = False) -> None:
        """Point the webhook here with every required field, and those of :data:`IF_KNOWN` if Meta accepts
        them.

        Other fields of it stay.

        :param tidy: remove the comment fields if no account has comments switched on.

        :raises GraphError: if Meta does not take it.
        """
        url, token = config.webhook_url(), self.verify_token
        if before is not None and before.callback_url in self._alone:
            url, token = before.callback_url, self.own_verify_token
        unwanted = config.object_comment_fields() if tidy and not self.comments else ()
        held = [] if before is None else [one.name for one in before.fields if one.name not in unwanted]
        needed = tuple(dict.fromkeys((*self.fields, *held)))
        besides = [name for name in (IF_KNOWN if self.messages else ()) if name not in needed]
        while True:
            try:
                self.graph.set_app_webhook(self.app_id, url, token, (*needed, *besides))
            except GraphError as error:
                if error.code != UNKNOWN_FIELD or not besides:
                    raise
                besides.pop()
            else:
                return


def of(account: AccountRef) -> AppWebhook | None:
    """Return the webhook of the account's app; None if Lobby lacks the credentials to set it.

    :raises SecretUnreadableError: if a stored secret cannot be decrypted.
    """
    with db.read() as session:
        row = find(session, account.id)
        own = None if row is None else own_app(session, account.workspace_id, Flavour.PAGE)
    if row is None:
        return None
    verify_token = unseal(row.verify_token, place(row, "verify_token"))
    if row.person_id is None:
        app_id, secret, shared = row.app_id, unseal(row.app_secret, place(row, "app_secret")), verify_token
        if row.flavour != Flavour.PAGE:
            return None
    else:
        # With Instagram Login, the webhook belongs to the Meta app that contains the Instagram app.
        app = apps.app_of(Flavour.PAGE, account.workspace_id)
        if app is None or (row.flavour == Flavour.PAGE and app.id != row.app_id):
            return None
        app_id, secret = app.id, app.secret
        shared = Secret(config.verify_token(None if own is None else account.workspace_id))
    messages, comments = _wanted(row.app_id)
    return AppWebhook(
        app_id=app_id,
        messages=messages,
        comments=comments,
        graph=Graph(Flavour.PAGE, secret, secret, prove=False),
        verify_token=shared,
        own_url=config.account_webhook_url(account.uuid),
        own_verify_token=verify_token,
    )


@dataclass(frozen=True, slots=True)
class AppProofs:
    """When the Meta app of an account last proved that it knows this desk's address.

    :ivar delivered_at: when it last delivered an event for any account connected through it.
    :ivar verified_at: when it last verified the address.
    """

    delivered_at: datetime | None
    verified_at: datetime | None

    def delivered_since(self, then: datetime) -> bool:
        """Return whether the app has delivered something since *then*."""
        return self.delivered_at is not None and self.delivered_at >= then

    @property
    def latest(self) -> datetime | None:
        return max((at for at in (self.delivered_at, self.verified_at) if at is not None), default=None)


def proofs(row: InstagramAccount) -> AppProofs:
    """Return the proofs of one account's Meta app, see :func:`proofs_of`."""
    return proofs_of([row])[row.account_id]


def proofs_of(rows: Sequence[InstagramAccount]) -> dict[int, AppProofs]:
    """Return the proofs of accounts' Meta apps, by account.

    An app has one webhook for all its accounts. Runs two statements.
    """
    host, own = db.host_table("channel_accounts"), InstagramAccount
    apps_of = {row.app_id for row in rows if row.app_id}
    comments = host.c.channel == config.COMMENTS_CHANNEL
    home = sa.case((comments, host.c.beside_id), else_=host.c.id)
    query = (
        sa.select(own.account_id, own.app_id, host.c.id, host.c.last_event_at)
        .join(own, own.account_id == home)
        .where(host.c.channel.in_([config.CHANNEL, config.COMMENTS_CHANNEL]))
        .where(sa.or_(own.app_id.in_(apps_of), own.account_id.in_([row.account_id for row in rows])))
    )
    members: dict[str | int, set[int]] = {}
    delivered: dict[str | int, datetime] = {}
    with db.read() as session:
        for account_id, app_id, member, at in session.execute(query):
            key = app_id or account_id
            members.setdefault(key, set()).add(member)
            if at is not None:
                delivered[key] = max(at, delivered.get(key, at))
    verified = deliveries.verified_times(
        config.CHANNEL, [None, *(one for ids in members.values() for one in ids)]
    )
    found = {}
    for row in rows:
        key = row.app_id or row.account_id
        # Apps people sign in to verify with a token that belongs to no account.
        names = [*members.get(key, ()), *([None] if row.person_id is not None else ())]
        verified_at = max((verified[one] for one in names if one in verified), default=None)
        found[row.account_id] = AppProofs(delivered.get(key), verified_at)
    return found


def _wanted(app_id: str) -> tuple[bool, bool]:
    """Return whether any account of an app has messages switched on, and whether any has comments."""
    with db.read() as session:
        rows = list(
            session.scalars(sa.select(InstagramAccount.account_id).where(InstagramAccount.app_id == app_id))
        )
        live = {one: live_ids(session, one) for one in rows}
    messages = any(one in found for one, found in live.items())
    return messages, any(set(found) - {one} for one, found in live.items())


def lead_here(account: AccountRef, *, take_over: bool = False, tidy: bool = False) -> Led:
    """Point the webhook of the account's app here, unless it points elsewhere and may not be changed.

    :param tidy: remove the comment fields if no account of the app has comments switched on.
    :raises GraphError: if Meta does not take it.
    :raises SecretUnreadableError: if a stored secret cannot be decrypted.
    """
    found = of(account)
    if found is None:
        return Led.NOT_HELD
    before = found.read()
    url = "" if before is None else before.callback_url
    ours = found.is_ours(url)
    if url and not ours and not take_over:
        return Led.ELSEWHERE
    active = before is not None and before.active
    held = set() if before is None else {one.name for one in before.fields}
    too_much = tidy and not found.comments and held.intersection(config.object_comment_fields())
    if not (ours and active) or found.lacking(before) or too_much:
        found.set(before, tidy)
    return Led.HERE


def after_connecting(account: AccountRef) -> None:
    """Try to set the webhook of a newly connected account. If that fails, its card shows the addresses."""
    try:
        led = lead_here(account)
    except GraphError as error:
        log.info("the webhook of the app of account %s could not be set: %s", account.id, error.quote)
    except SecretUnreadableError as error:
        log.error("the secrets of account %s cannot be read: %s", account.id, error)
    else:
        log.info("the webhook of the app of account %s: %s", account.id, led.value)
