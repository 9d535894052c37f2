"""The settings card: what it asks for, what it shows of a connected account, what its buttons do."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.sdk import accounts as host_accounts
from host.sdk import clock, db
from host.sdk.cards import CardAction, CardStatus, Copyable, SettingsCard
from host.sdk.channel import AccountRef
from host.sdk.errors import SecretUnreadableError
from host.sdk.i18n import format_date, lazy_gettext
from host.sdk.i18n import gettext as _
from host.sdk.secrets import Secret, unseal

from . import apps, comments, config, facebook, login
from .accounts import credentials, find, new_verify_token, place, set_verify_token
from .connect import WAY, connect, disconnect
from .diagnose import diagnose
from .fields import (
    APP_SECRET,
    FIELDS,
    HUMAN_AGENT,
    IG_USER_ID,
    IG_USERNAME,
    NAME,
    OWN_VERIFY_TOKEN,
    PAGE_ID,
    PAGE_NAME,
    TOKEN,
)
from .graph import GraphError
from .models import InstagramAccount
from .watchdog import look_after

PATIENCE = timedelta(minutes=10)


def status(account: AccountRef) -> CardStatus:
    """Return what the card of *account* shows."""
    host = db.host_table("channel_accounts")
    with db.read() as session:
        row = find(session, account.id)
        seen = session.execute(
            sa.select(host.c.connected_at, host.c.last_event_at, host.c.state, host.c.way).where(
                host.c.id == account.id
            )
        ).one_or_none()
    if row is None or seen is None:
        lost = _("The credentials of this account are not here. Connect it again.")
        return CardStatus(notices=(("bad", _("Incomplete."), lost),))
    notices: list[tuple[str, str, str]] = []
    if seen.state == host_accounts.AccountState.CONNECTED:
        notices = _first_message(account, seen.connected_at, seen.last_event_at)
    try:
        verify_token = unseal(row.verify_token, place(row, "verify_token")).reveal()
        unseal(row.token, place(row, "token"))
        unseal(row.app_secret, place(row, "app_secret"))
    except SecretUnreadableError:
        verify_token = ""
        notices.append(
            (
                "bad",
                _("The stored credentials cannot be read."),
                _("The key they were encrypted with is missing. Ask your admin, or paste them again."),
            )
        )
    return CardStatus(
        facts=_facts(row),
        abilities=[comments.ability(account, config.Flavour(row.flavour), row.scopes)],
        # Where people sign in, the webhook is the admin's, set once for the app.
        copyables=_copyables(account, verify_token) if seen.way == WAY else (),
        notices=notices,
        values={
            NAME.name: account.name,
            PAGE_ID.name: row.page_id or "",
            PAGE_NAME.name: row.page_name,
            IG_USER_ID.name: row.ig_user_id,
            IG_USERNAME.name: row.ig_username,
            HUMAN_AGENT.name: "1" if account.settings.get("human_agent") is True else "",
        },
        stored_secrets={
            TOKEN.name: _("set on %(date)s", date=format_date(row.token_set_at)),
            APP_SECRET.name: _("set on %(date)s", date=format_date(row.app_secret_set_at)),
        },
    )


def _facts(row: InstagramAccount) -> list[tuple[str, str]]:
    end = row.token_expires_at
    return [
        *([(_("Page"), f"{row.page_name} ({row.page_id})")] if row.page_id else []),
        (_("IG User ID"), row.ig_user_id),
        (_("Meta app"), row.app_id),
        (
            _("Token"),
            _("Valid until %(date)s", date=format_date(end)) if end else _("Has no date at which it ends"),
        ),
        (_("The token allows"), comments.abilities_in_words(config.Flavour(row.flavour), row.scopes)),
    ]


def _first_message(
    account: AccountRef, connected_at: datetime, last_event_at: datetime | None
) -> list[tuple[str, str, str]]:
    """Invite to a first message until one came; after ten minutes say what to look at."""
    if last_event_at is not None and last_event_at >= connected_at:
        return []
    if clock.now() - connected_at < PATIENCE:
        call = _("Write to %(handle)s from another account now.", handle=account.handle)
        return [("good", call, _("The card turns to Receiving with the first message."))]
    if last_event_at is not None:
        return []  # it has received before: a quiet night after a reconnect is no fault
    return [
        (
            "warn",
            _("Nothing has arrived yet."),
            _(
                "In the Meta app, check under Webhooks, Instagram, that URL and Verify Token are those below "
                "and that the field messages is subscribed; that the app is live; and on the phone under "
                "Messages and story replies, Connected tools, that “Allow access to messages” is on."
            ),
        )
    ]


def _copyables(account: AccountRef, verify_token: str) -> list[Copyable]:
    found = [
        Copyable(
            _("Webhook URL"),
            config.webhook_url(),
            _("Enter it in the Meta app under Webhooks, Instagram, as the Callback URL."),
        )
    ]
    if verify_token:
        found.append(
            Copyable(
                _("Verify Token"), verify_token, _("Enter it beside the URL, then subscribe to the fields.")
            )
        )
    found.append(
        Copyable(
            _("Webhook URL of this account alone"),
            config.account_webhook_url(account.uuid),
            _("For a Meta app that serves only this account; either URL works."),
        )
    )
    return found


def change_verify_token(account: AccountRef, values: Mapping[str, str]) -> str:
    """Replace the verify token by one's own or a new one; the one before stops at once."""
    own = values.get(OWN_VERIFY_TOKEN.name, "")
    token = Secret(own) if own else new_verify_token()

    def use_case(session: Session) -> bool:
        if not set_verify_token(session, account.id, token):
            return False
        host_accounts.changed(session)
        return True

    if not db.write(use_case):
        raise ValueError(_("The credentials of this account are not here. Connect it again."))
    told: str = _("A new Verify Token was made. The old one has stopped; enter the new one in the Meta app.")
    if own:
        told = _("Your Verify Token is set. The old one has stopped; enter the new one in the Meta app.")
    return told


def subscribe_again(account: AccountRef, _values: Mapping[str, str]) -> str:
    """Subscribe at Meta to everything an account of its kind needs, and read it back.

    :raises ValueError: with a sentence, if Meta does not take it.
    """
    try:
        found = credentials(account.id)
        if found is None:
            raise ValueError(_("The credentials of this account are not here. Connect it again."))
        if not look_after(found):
            raise ValueError(_("Meta no longer accepts this account's sign-in. Reconnect it."))
    except SecretUnreadableError:
        raise ValueError(_("The stored credentials cannot be read.")) from None
    except GraphError as error:
        raise ValueError(_("Meta did not take it: %(words)s", words=error.quote)) from None
    return str(_("Meta lists the subscription of %(handle)s.", handle=account.handle))


CARD = SettingsCard(
    channel=config.CHANNEL,
    summary=lazy_gettext("Direct messages, story replies and mentions"),
    fields=FIELDS,
    connect=connect,
    status=status,
    disconnect=disconnect,
    configure_label=lazy_gettext("Configure"),
    configure_help=lazy_gettext(
        "Paste the credentials of your own Meta app. Saving checks them with Meta and subscribes the Page."
    ),
    sign_ins=(facebook.SIGN_IN, login.SIGN_IN),
    diagnose=diagnose,
    workspace=apps.PAGE,
    actions=(
        CardAction(name="subscribe", label=lazy_gettext("Subscribe again"), run=subscribe_again),
        CardAction(
            name="verify-token",
            label=lazy_gettext("New Verify Token"),
            run=change_verify_token,
            fields=(OWN_VERIFY_TOKEN,),
            confirm=lazy_gettext("The Verify Token in use stops working at once."),
        ),
        comments.ACTION,
    ),
)
