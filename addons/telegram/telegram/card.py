"""The settings card: connects a bot, and shows its status."""

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
            _(
                "A bot token looks like 123456789:AAE…: a number, a colon and 35 characters. Copy the "
                "whole token."
            )
        )
    return value


def webhook_address(bot_id: str) -> str:
    """Return the webhook URL to register, which contains the bot's id because the account has no row yet."""
    return f"{settings.public_url()}/webhooks/telegram/{bot_id}"


def connect(request: ConnectRequest) -> Connection | Problems:
    """Ask Telegram for the bot of a token, and register the webhook."""
    before = None if request.account is None else accounts.of(request.account)
    given = request.values.get("token")
    token = Secret(given) if given else None if before is None else before.token
    if token is None:
        return Problems({"token": _("Paste the token you got from @BotFather.")})
    address = settings.public_url()
    if not address.startswith("https://"):
        said = _(
            "Telegram only delivers to https addresses, and this desk's address is %(address)s.",
            address=address,
        )
        return Problems({"": said})
    secret = Secret(secrets.token_urlsafe(32))
    try:
        me = mapping(api.call(token, "getMe"))
        bot_id, username = identifier(me.get("id")), text(me.get("username"))
        if not bot_id or not username or me.get("is_bot") is not True:
            return Problems({"token": _("Telegram didn't return the bot for this token.")})
        taken = request.taken(bot_id)
        if taken:
            return Problems({"token": taken})
        api.call(token, "setWebhook", **_webhook(bot_id, secret))
    except api.BotError as error:
        if error.code in {401, 404}:
            return Problems(
                {
                    "token": _(
                        "Telegram doesn't recognize this token. It may have been replaced at @BotFather."
                    )
                }
            )
        return Problems({"": _("Telegram rejected the request: %(words)s", words=error.words)})
    except FetchError as error:
        return Problems({"": _("Telegram can't be reached: %(why)s.", why=error.reason)})

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
    """Return the contents of the card of a connected bot."""
    return statuses([account])[account.id]


def statuses(every: Sequence[AccountRef]) -> dict[int, CardStatus]:
    """Return the contents of the cards of connected bots, by id."""
    found = accounts.of_all(every)
    return {account.id: _status(account, found.get(account.id)) for account in every}


def _status(account: AccountRef, found: accounts.Credentials | None) -> CardStatus:
    if found is None:
        lost = _("This bot's token can't be read. Paste it again.")
        return CardStatus(notices=(("bad", _("Incomplete."), lost),))
    return CardStatus(
        facts=((_("Bot"), account.handle), (_("Link for customers"), f"https://t.me/{account.handle[1:]}")),
        stored_secrets={"token": _("set on %(date)s", date=format_date(found.token_set_at))},
    )


def disconnect(account: AccountRef) -> None:
    """Remove the webhook at Telegram. The account is already disabled here, whatever the response."""
    found = accounts.of(account)
    if found is None:
        return
    try:
        api.call(found.token, "deleteWebhook")
    except (api.BotError, FetchError) as error:
        log.warning("the webhook of bot %s could not be taken back: %s", account.handle, error)


def diagnose(account: AccountRef) -> Sequence[Finding]:
    """Ask Telegram for the state of the bot and its webhook."""
    found = accounts.of(account)
    again = _(
        "Open the account's Settings and save. If the token was replaced at @BotFather, paste the new one."
    )
    if found is None:
        return (Finding("token", _("The token"), Verdict.FAIL, _("It can't be read."), again),)
    try:
        me = mapping(api.call(found.token, "getMe"))
        info = mapping(api.call(found.token, "getWebhookInfo"))
    except api.BotError as error:
        if error.code == 401:
            mark_needs_reconnect(account.id, TOKEN_GONE)
        return (Finding("token", _("The token"), Verdict.FAIL, str(error), again),)
    except FetchError as error:
        why = _("Check that this desk can reach api.telegram.org over https.")
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
            else _("Open the account's Settings and save to register this desk with Telegram again."),
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
    summary=lazy_gettext("Messages to your Telegram bot"),
    fields=(
        Field(
            "token",
            lazy_gettext("Token"),
            help=lazy_gettext("In Telegram, send /newbot to @BotFather, or /token for an existing bot."),
            secret=True,
            clean=clean_token,
        ),
    ),
    connect=connect,
    status=status,
    statuses=statuses,
    disconnect=disconnect,
    configure_help=lazy_gettext(
        "When you save, Lobby checks the token with Telegram and sets up delivery to this desk."
    ),
    diagnose=diagnose,
)
