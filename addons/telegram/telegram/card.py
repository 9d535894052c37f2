"""How a workspace owner connects a bot, and what the card shows of it."""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from host.sdk import settings
from host.sdk.accounts import mark_needs_reconnect
from host.sdk.cards import (
    CardStatus,
    Connection,
    ConnectRequest,
    Field,
    Finding,
    Problems,
    SettingsCard,
    Verdict,
)
from host.sdk.channel import AccountRef
from host.sdk.http import FetchError
from host.sdk.i18n import format_date, lazy_gettext
from host.sdk.i18n import gettext as _
from host.sdk.secrets import Secret

from . import accounts, api
from .sending import TOKEN_GONE
from .values import identifier, mapping, text

log = logging.getLogger(__name__)

UPDATES = ["message", "edited_message"]
_TOKEN = re.compile(r"[0-9]{5,20}:[A-Za-z0-9_-]{30,80}")


def clean_token(value: str) -> str:
    """Return *value* if it looks like a bot's token.

    :raises ValueError: with a sentence if it does not.
    """
    if not _TOKEN.fullmatch(value):
        raise ValueError(
            _("A bot's token looks like 123456789:AAE…, a number, a colon and 35 characters. Copy all of it.")
        )
    return value


def webhook_address(bot_id: str) -> str:
    """Return the address Telegram is told. By the bot's id, which is known before the account is written."""
    return f"{settings.public_url()}/webhooks/telegram/{bot_id}"


def connect(request: ConnectRequest) -> Connection | Problems:
    """Ask Telegram whose token it is, and have it deliver here."""
    before = None if request.account is None else accounts.of(request.account)
    given = request.values.get("token")
    token = Secret(given) if given else None if before is None else before.token
    if token is None:
        return Problems({"token": _("Paste the token @BotFather gave you.")})
    address = settings.public_url()
    if not address.startswith("https://"):
        said = _("Telegram delivers to https only, and this desk's address is %(address)s.", address=address)
        return Problems({"": said})
    secret = Secret(secrets.token_urlsafe(32))
    try:
        me = mapping(api.call(token, "getMe"))
        bot_id, username = identifier(me.get("id")), text(me.get("username"))
        if not bot_id or not username or me.get("is_bot") is not True:
            return Problems({"token": _("Telegram does not say which bot this token is of.")})
        taken = request.taken(bot_id)
        if taken:
            return Problems({"token": taken})
        api.call(token, "setWebhook", **_webhook(bot_id, secret))
    except api.BotError as error:
        if error.code in {401, 404}:
            return Problems({"token": _("Telegram does not know this token. Was it replaced at @BotFather?")})
        return Problems({"": _("Telegram refused: %(words)s", words=error.words)})
    except FetchError as error:
        return Problems({"": _("Telegram cannot be reached: %(why)s.", why=error.reason)})

    def store(session: Session, account: AccountRef) -> None:
        accounts.store(session, account, token, secret)

    def undo() -> None:
        if before is None:
            api.call(token, "deleteWebhook")
        else:
            api.call(before.token, "setWebhook", **_webhook(bot_id, before.secret))

    name = text(me.get("first_name")) or username
    return Connection(bot_id, name, f"@{username}", "pasted", store, undo)


def _webhook(bot_id: str, secret: Secret) -> dict[str, Any]:
    return {"url": webhook_address(bot_id), "secret_token": secret.reveal(), "allowed_updates": UPDATES}


def status(account: AccountRef) -> CardStatus:
    """Return what the card of a connected bot shows."""
    return statuses([account])[account.id]


def statuses(every: Sequence[AccountRef]) -> dict[int, CardStatus]:
    """Return what the cards of connected bots show, by their ids."""
    found = accounts.of_all(every)
    return {account.id: _status(account, found.get(account.id)) for account in every}


def _status(account: AccountRef, found: accounts.Credentials | None) -> CardStatus:
    if found is None:
        lost = _("The token of this bot cannot be read here. Paste it again.")
        return CardStatus(notices=(("bad", _("Incomplete."), lost),))
    return CardStatus(
        facts=((_("Bot"), account.handle), (_("Link for customers"), f"https://t.me/{account.handle[1:]}")),
        stored_secrets={"token": _("set on %(date)s", date=format_date(found.token_set_at))},
    )


def disconnect(account: AccountRef) -> None:
    """Have Telegram deliver nowhere. The account is switched off here already, whatever it answers."""
    found = accounts.of(account)
    if found is None:
        return
    try:
        api.call(found.token, "deleteWebhook")
    except (api.BotError, FetchError) as error:
        log.warning("the webhook of bot %s could not be taken back: %s", account.handle, error)


def diagnose(account: AccountRef) -> Sequence[Finding]:
    """Ask Telegram what it knows of the bot and of deliveries to this desk."""
    found = accounts.of(account)
    again = _("Open the account's Settings and save; paste the token again if it was replaced at @BotFather.")
    if found is None:
        return (Finding("token", _("The token"), Verdict.FAIL, _("It cannot be read here."), again),)
    try:
        me = mapping(api.call(found.token, "getMe"))
        info = mapping(api.call(found.token, "getWebhookInfo"))
    except api.BotError as error:
        if error.code == 401:
            mark_needs_reconnect(account.id, TOKEN_GONE)
        return (Finding("token", _("The token"), Verdict.FAIL, str(error), again),)
    except FetchError as error:
        why = _("See that this desk may reach api.telegram.org by https.")
        return (Finding("reach", _("Reaching Telegram"), Verdict.FAIL, error.reason, why),)
    address, wanted = text(info.get("url")), webhook_address(account.external_id)
    waiting = info.get("pending_update_count")
    trouble = text(info.get("last_error_message"))
    late = bool(trouble and waiting)
    return (
        Finding("token", _("The token"), Verdict.PASS, f"@{text(me.get('username'))}"),
        Finding(
            "webhook",
            _("Telegram delivers to this desk"),
            Verdict.PASS if address == wanted else Verdict.FAIL,
            address or _("nowhere"),
            ""
            if address == wanted
            else _("Open the account's Settings and save: that tells Telegram again."),
        ),
        Finding(
            "deliveries",
            _("Deliveries arrive"),
            Verdict.FAIL if late else Verdict.PASS,
            _("%(count)s waiting. %(words)s", count=str(waiting or 0), words=trouble).strip(),
            _("Make %(address)s reachable from the internet.", address=wanted) if late else "",
        ),
    )


CARD = SettingsCard(
    channel="telegram",
    summary=lazy_gettext("Messages people write to your Telegram bot."),
    fields=(
        Field(
            "token",
            lazy_gettext("Token"),
            help=lazy_gettext("In Telegram, write /newbot to @BotFather, or /token for a bot you have."),
            secret=True,
            clean=clean_token,
        ),
    ),
    connect=connect,
    status=status,
    statuses=statuses,
    disconnect=disconnect,
    configure_help=lazy_gettext("Saving asks Telegram whose token it is, and has it deliver here."),
    diagnose=diagnose,
)
