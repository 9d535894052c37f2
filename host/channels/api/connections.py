"""API routes to connect accounts with credentials, and to disconnect them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Literal

from flask_babel import lazy_gettext as _l
from msgspec import Meta

from host.api import shapes
from host.api.http.call import Call
from host.api.http.declare import Router, Wire
from host.api.http.errors import BodyError
from host.channels import connecting
from host.channels.api.accounts import AccountNotFoundError, find_account, shown
from host.channels.other_workspaces import elsewhere_sentence, taken_sentence
from host.channels.pages import forms
from host.core import db
from host.core.errors import LobbyError
from host.models.channels import AccountState
from host.sdk.cards import Asked, Field, Problems, SettingsCard
from host.sdk.errors import AccountGoneError, AccountTakenError
from host.users.api_keys import Scope

routes = Router("Accounts", read=Scope.SETTINGS_READ, write=Scope.ACCOUNTS_WRITE)


class ConnectError(LobbyError):
    """The provider, or the channel's addon, did not accept the values."""

    code = "not_connected"
    status = 422
    default_sentence = _l("The account could not be connected, so nothing was changed.")
    default_next_step = ""


class ChannelFieldChoice(Wire, frozen=True):
    """An option of a field."""

    value: str
    label: str


class ChannelField(Wire, frozen=True):
    """A field to fill in to connect an account."""

    name: Annotated[str, Meta(description="Its name in `values`.")]
    label: str
    help: str
    kind: Annotated[
        Literal["text", "lines", "number", "checkbox", "select"],
        Meta(description="`lines`: several lines; `checkbox`: `1` or empty; `select`: see `choices`."),
    ]
    required: bool
    secret: Annotated[bool, Meta(description="Whether it is a credential, which is never returned.")]
    max_length: int
    choices: list[ChannelFieldChoice]


class Channel(Wire, frozen=True):
    """A channel whose accounts can be connected with credentials."""

    key: Annotated[str, Meta(description="Its key, as in `channel` of an account.")]
    name: str
    fields: list[ChannelField]


class Channels(Wire, frozen=True):
    """The channels whose accounts can be connected with credentials."""

    data: list[Channel]


class ConnectAccount(Wire, frozen=True):
    """A channel, and the values of its fields."""

    channel: Annotated[str, Meta(max_length=32, description="The key of a channel of `GET /channels`.")]
    values: Annotated[
        dict[str, str], Meta(description="The values by the name of the field.", max_length=100)
    ]


class ConnectedAccount(Wire, frozen=True):
    """The account that was connected, or why it isn't yet."""

    account: shapes.Account | None
    asked: Annotated[
        str | None, Meta(description="The person who has to approve it first, and what happens then.")
    ]


class DisconnectedAccount(Wire, frozen=True):
    """A disconnected account."""

    account: shapes.Account
    provider_notified: Annotated[
        bool,
        Meta(description="False: the provider could not be notified. Remove Lobby's access there, too."),
    ]


def _field(one: Field) -> ChannelField:
    return ChannelField.of(
        one,
        label=str(one.label),
        help=str(one.help),
        choices=[ChannelFieldChoice(value=value, label=str(label)) for value, label in one.choices],
    )


def _cards(call: Call) -> dict[str, SettingsCard]:
    """Return the cards of the channels that can be connected, by key."""
    return {
        adapter.key: card
        for adapter in call.directory.adapters
        if not adapter.beside and (card := call.directory.card(adapter.key)) is not None
    }


@routes.get("/channels", "List channels to connect", limited=True)
def list_channels(call: Call) -> Channels:
    """Each with the fields of its form. Signing in at a provider is only possible on the page."""
    return Channels(
        data=[
            Channel(key=key, name=call.directory.label(key), fields=[_field(one) for one in card.fields])
            for key, card in sorted(_cards(call).items())
        ]
    )


@routes.post(
    "/accounts",
    "Connect an account",
    errors=(ConnectError,),
    examples={"An account with a token": {"channel": "chat", "values": {"token": "123456:ABC"}}},
)
def connect_account(call: Call, body: ConnectAccount) -> ConnectedAccount:
    """Checks the values with the provider, and stores the account. Credentials are never returned.

    An account that was connected before keeps its `id` and its conversations. A wrong value is named by
    `field`, such as `values.token`.
    """
    card = _cards(call).get(body.channel)
    if card is None:
        raise BodyError(_l("Accounts of this channel can't be connected with credentials."), field="channel")
    names = {one.name for one in card.fields}
    for name in body.values:
        if name not in names:
            raise BodyError(_l("The channel has no such field."), field=f"values.{name[:64]}")
    entered = forms.read_form(card.fields, body.values, editing=False)
    _check(card, entered.errors)
    outcome = connecting.ask(
        card,
        workspace_id=call.workspace_id,
        account=None,
        values=entered.clean,
        taken=lambda external_id: taken_sentence(call.workspace_id, card.channel, external_id),
        by_admin=False,
    )
    if isinstance(outcome, Asked):
        return ConnectedAccount(account=None, asked=outcome.sentence)
    if isinstance(outcome, Problems):
        _check(card, outcome.by_field)
        raise ConnectError()

    try:
        saved = connecting.save(
            workspace_id=call.workspace_id, channel=card.channel, connection=outcome, by=call.actor
        )
    except AccountTakenError:
        raise ConnectError(elsewhere_sentence(card.channel, outcome.external_id)) from None
    with db.read() as session:
        return ConnectedAccount(account=shown(call, find_account(session, call, saved.id)), asked=None)


def _check(card: SettingsCard, problems: Mapping[str, str]) -> None:
    """Raise for the first problem in the order of the card's fields, or for one of the whole form.

    :raises ConnectError: if there is one.
    """
    for name in (*(one.name for one in card.fields), ""):
        if name in problems:
            raise ConnectError(problems[name], field=f"values.{name}" if name else None)
    for sentence in problems.values():
        raise ConnectError(sentence)


@routes.delete("/accounts/{account_id}", "Disconnect an account", errors=(AccountNotFoundError,))
def disconnect_account(call: Call, account_id: int | str) -> DisconnectedAccount:
    """The account neither receives nor sends any more. Its conversations stay. Repeating it does nothing."""
    with db.read() as session:
        row = find_account(session, call, account_id)
    notified = True
    if row.state != AccountState.DISCONNECTED:
        with suppress(AccountGoneError):  # somebody else disconnected it meanwhile
            notified = connecting.disconnect(call.directory.card(row.channel), row, call.actor)
    with db.read() as session:
        found = find_account(session, call, row.id)
        return DisconnectedAccount(account=shown(call, found), provider_notified=notified)
