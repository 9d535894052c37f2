"""How a workspace owner connects an account."""

from __future__ import annotations

from sqlalchemy.orm import Session

from host.sdk import settings
from host.sdk.cards import (
    CardStatus,
    Connection,
    ConnectRequest,
    Copyable,
    Field,
    Problems,
    SettingsCard,
)
from host.sdk.channel import AccountRef
from host.sdk.http import FetchError
from host.sdk.i18n import gettext as _
from host.sdk.i18n import lazy_gettext
from host.sdk.secrets import Secret

from . import accounts, api


def connect(request: ConnectRequest) -> Connection | Problems:
    """Ask Pigeon for the owner of the token. Called outside any transaction."""
    given = request.values.get("token")
    token = Secret(given) if given else request.account and accounts.token_of(request.account)
    if not token:
        return Problems({"token": _("Paste the account's token.")})
    try:
        me = api.call(token, "GET", "/me")
    except api.RefusedError:
        return Problems({"token": _("Pigeon does not accept this token.")})
    except FetchError as error:
        return Problems({"": _("Pigeon cannot be reached: %(why)s.", why=error.reason)})
    handle = str(me.get("handle") or "")
    if not handle:
        return Problems({"token": _("Pigeon does not say whose token this is.")})
    taken = request.taken(handle)
    if taken:
        return Problems({"token": taken})

    def store(session: Session, account: AccountRef) -> None:
        accounts.store(session, account, token)

    name = str(me.get("name") or handle)
    return Connection(external_id=handle, name=name, handle=f"@{handle}", way="pasted", store=store)


def status(account: AccountRef) -> CardStatus:
    """Return the status on the card of a connected account."""
    address = f"{settings.public_url()}/webhooks/pigeon/{account.uuid}"
    return CardStatus(
        facts=((_("Account"), account.handle),),
        copyables=(Copyable(_("Webhook"), address, _("Enter this address at Pigeon.")),),
        stored_secrets={"token": _("set")},
    )


def disconnect(account: AccountRef) -> None:
    """Do nothing more, as Pigeon need not be told. The account is already disabled here."""


CARD = SettingsCard(
    channel="pigeon",
    summary=lazy_gettext("Messages that reach you by Pigeon."),
    fields=(Field("token", lazy_gettext("Token"), secret=True),),
    connect=connect,
    status=status,
    disconnect=disconnect,
)
