"""The settings card: its fields, its view of a connected account, and its actions."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.sdk import accounts as host_accounts
from host.sdk import clock, db
from host.sdk.accounts import AccountState
from host.sdk.cards import Advice, CardAction, CardStatus, Copyable, SettingsCard, Step
from host.sdk.channel import AccountRef
from host.sdk.errors import SecretUnreadableError
from host.sdk.i18n import format_date, lazy_gettext
from host.sdk.i18n import gettext as _
from host.sdk.secrets import Secret, unseal

from . import config, dashboard, permissions
from .accounts import credentials, new_verify_token, place, set_verify_token
from .config import COMMENTS_CHANNEL
from .connect import app_webhook, apps, comments_switch, facebook_login, instagram_login
from .connect.app_webhook import AppProofs, proofs_of
from .connect.connecting import WAY, connect, disconnect
from .connect.fields import (
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
from .diagnose.diagnosis import LEAD_HERE, diagnose
from .diagnose.sending import LATE_OFF
from .graph import GraphError
from .models import InstagramAccount, WorkspaceApp
from .monitoring.inspection import PERMISSIONS
from .monitoring.watchdog import look_after

PATIENCE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class CardFacts:
    """Stored facts about one account, for its card.

    :param messages: whether the messages of these credentials are connected; *comments*: whether comments
        are.
    :param own_app: whether its Meta app is its workspace's own.
    :param warned: permissions already named in a warning of the host.
    """

    row: InstagramAccount
    way: str
    state: str
    connected_at: datetime
    last_event_at: datetime | None
    messages: bool
    comments: bool
    held_comments: bool
    own_app: bool
    warned: Collection[str]
    proofs: AppProofs


def load_facts(accounts: Sequence[AccountRef]) -> dict[int, CardFacts]:
    """Return the facts of accounts by id, except those without credentials.

    It runs six statements, because the page of all accounts shows many.
    """
    host, warnings = db.host_table("channel_accounts"), db.host_table("account_warnings")
    homes = {
        one.id: one.beside_id if one.channel == COMMENTS_CHANNEL and one.beside_id else one.id
        for one in accounts
    }
    known = {*homes, *homes.values()}
    columns = host.c.id, host.c.channel, host.c.beside_id, host.c.state, host.c.way
    beside = sa.and_(host.c.beside_id.in_(known), host.c.channel == COMMENTS_CHANNEL)
    seen_query = sa.select(*columns, host.c.connected_at, host.c.last_event_at).where(
        sa.or_(host.c.id.in_(known), beside)
    )
    with db.read() as session:
        seen = {one.id: one for one in session.execute(seen_query)}
        live = [one for one in seen.values() if one.state != AccountState.DISCONNECTED]
        messages = {one.id for one in live}
        comments = {one.beside_id for one in live if one.channel == COMMENTS_CHANNEL}
        held = {
            one.beside_id
            for one in live
            if one.channel == COMMENTS_CHANNEL
            and one.state == AccountState.NEEDS_RECONNECT
            and one.beside_id in seen
            and seen[one.beside_id].state == AccountState.CONNECTED
        }
        rows = {
            row.account_id: row
            for row in session.scalars(
                sa.select(InstagramAccount).where(InstagramAccount.account_id.in_(known))
            )
        }
        brought_query = sa.select(WorkspaceApp).where(
            WorkspaceApp.workspace_id.in_({one.workspace_id for one in accounts})
        )
        brought = {(one.workspace_id, one.flavour): one.app_id for one in session.scalars(brought_query)}
        warned_query = sa.select(warnings.c.account_id, warnings.c.stage).where(
            warnings.c.account_id.in_(homes), warnings.c.kind == PERMISSIONS
        )
        warned = {account_id: stage.split(",") for account_id, stage in session.execute(warned_query)}
    proofs = proofs_of(list(rows.values()))
    found = {}
    for account in accounts:
        row, host_row = rows.get(account.id) or rows.get(homes[account.id]), seen.get(account.id)
        if row is None or host_row is None:
            continue
        found[account.id] = CardFacts(
            row=row,
            way=host_row.way,
            state=host_row.state,
            connected_at=host_row.connected_at,
            last_event_at=host_row.last_event_at,
            messages=row.account_id in messages,
            comments=row.account_id in comments - held,
            held_comments=row.account_id in held,
            own_app=bool(row.app_id) and brought.get((account.workspace_id, row.flavour)) == row.app_id,
            warned=warned.get(account.id, ()),
            proofs=proofs[row.account_id],
        )
    return found


def status(account: AccountRef) -> CardStatus:
    """Return the contents of the card of *account*."""
    return statuses([account])[account.id]


def statuses(accounts: Sequence[AccountRef]) -> dict[int, CardStatus]:
    """Return the contents of the cards of *accounts*, by id."""
    facts = load_facts(accounts)
    return {one.id: _status(one, facts.get(one.id)) for one in accounts}


def _status(account: AccountRef, facts: CardFacts | None) -> CardStatus:
    if facts is None:
        lost = _("This account's credentials are missing. Reconnect it.")
        return CardStatus(notices=(("bad", _("Incomplete."), lost),))
    row = facts.row
    notices: list[tuple[str, str, str]] = []
    pasted = facts.way == WAY
    if facts.state == host_accounts.AccountState.CONNECTED:
        notices = _first_message(account, facts, pasted=pasted)
        notices += _lacking(account, facts)
    if facts.held_comments:
        notices.append(
            ("bad", _("Comments stopped."), f"{_(comments_switch.LOST)} {_(comments_switch.LOST_STEP)}")
        )
    try:
        verify_token = unseal(row.verify_token, place(row, "verify_token")).reveal()
        unseal(row.token, place(row, "token"))
        unseal(row.app_secret, place(row, "app_secret"))
    except SecretUnreadableError:
        verify_token = ""
        notices.append(
            (
                "bad",
                _("The stored credentials can't be read."),
                _("Their encryption key is missing. Ask your admin, or paste them again."),
            )
        )
    return CardStatus(
        facts=_facts(row),
        steps=steps(account, facts),
        abilities=comments_switch.abilities(config.Flavour(row.flavour), row.scopes, on=facts.comments),
        # If people sign in, an admin sets the webhook once for the app.
        copyables=_copyables(account, row.app_id, verify_token) if pasted else (),
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


def steps(account: AccountRef, facts: CardFacts) -> list[Step]:
    """Return the steps until the first message arrives; each is ticked automatically."""
    row, proofs = facts.row, facts.proofs
    known = _("Enter the URL and verify token there")
    if proofs.verified_at is not None:
        known = _("Verified on %(date)s", date=format_date(proofs.verified_at))
    elif proofs.delivered_at is not None:
        known = _(
            "The Meta app delivers to this desk, last on %(date)s", date=format_date(proofs.delivered_at)
        )
    flavour = config.Flavour(row.flavour)
    wanted = config.fields_of(flavour, messages=facts.messages, comments=facts.comments)
    held = [name for name in wanted if name in row.subscribed_fields]
    return [
        Step(_("Webhook URL verified by Meta"), known, proofs.latest is not None),
        Step(
            _("Fields subscribed"),
            _("%(held)s of %(all)s subscribed by Lobby", held=len(held), all=len(wanted)),
            len(held) == len(wanted),
        ),
        Step(
            _("Comment on a post of %(handle)s", handle=account.handle)
            if comments_switch.is_one(account)
            else _("Send a message to %(handle)s", handle=account.handle),
            _("From any other Instagram account"),
            False,
        ),
    ]


def _facts(row: InstagramAccount) -> list[tuple[str, str]]:
    end = row.token_expires_at
    return [
        *([(_("Page"), f"{row.page_name} ({row.page_id})")] if row.page_id else []),
        (_("IG User ID"), row.ig_user_id),
        (_("Meta app"), row.app_id),
        (
            _("Token"),
            _("Valid until %(date)s", date=format_date(end)) if end else _("Doesn't expire"),
        ),
        (_("Token permissions"), comments_switch.abilities_in_words(config.Flavour(row.flavour), row.scopes)),
    ]


def _lacking(account: AccountRef, facts: CardFacts) -> list[tuple[str, str, str]]:
    """Return what missing permissions prevent. The host warns about revoked ones."""
    with_comments = comments_switch.is_one(account) or facts.comments
    missing = permissions.missing(config.Flavour(facts.row.flavour), facts.row.scopes, comments=with_comments)
    missing = [name for name in missing if name not in facts.warned]
    if not missing:
        return []
    return [("warn", _("Permissions are missing."), permissions.costs(missing))]


def _first_message(account: AccountRef, facts: CardFacts, *, pasted: bool) -> list[tuple[str, str, str]]:
    """Suggest sending a first message until one has arrived; after ten minutes, suggest what to check."""
    connected_at, last_event_at = facts.connected_at, facts.last_event_at
    if last_event_at is not None and last_event_at >= connected_at:
        return []
    if clock.now() - connected_at < PATIENCE:
        call = _("Send a message to %(handle)s from another account now.", handle=account.handle)
        return [("good", call, _("The card changes to Receiving with the first message."))]
    if last_event_at is not None:
        return []  # it has received before: a quiet night after a reconnect is not an error
    phone = _(
        "In the Instagram app, check that “Allow access to messages” is on, under Messages and story "
        "replies, Connected tools."
    )
    if facts.proofs.delivered_since(connected_at):
        app = ""  # it delivers for other accounts
    elif pasted:
        app = _(
            "In the Meta app, under Webhooks, Instagram, check that URL and Verify Token match those "
            "below, that the field messages is subscribed, and that the app is live."
        )
    elif facts.own_app:
        app = _("Also check your own Meta app: its webhook, and whether it's live.")
    else:
        app = _("If that doesn't help, ask your admin to check the desk's Meta app.")
    return [("warn", _("Nothing has arrived yet."), f"{phone} {app}".strip())]


def _copyables(account: AccountRef, app_id: str, verify_token: str) -> list[Copyable]:
    link = dashboard.webhooks(app_id)
    found = [
        Copyable(
            _("Webhook URL"),
            config.webhook_url(),
            _("In the Meta app, under Webhooks, Instagram, enter it as the Callback URL."),
            link,
        )
    ]
    if verify_token:
        where = _("Enter it next to the URL, then subscribe to the fields.")
        found.append(Copyable(_("Verify Token"), verify_token, where, link))
    found.append(
        Copyable(
            _("Webhook URL for this account only"),
            config.account_webhook_url(account.uuid),
            _("For a Meta app that serves only this account. Either URL works."),
            link,
        )
    )
    return found


def change_verify_token(account: AccountRef, values: Mapping[str, str]) -> str:
    """Replace the verify token by the one entered or a new one; the old one stops working immediately."""
    own = values.get(OWN_VERIFY_TOKEN.name, "")
    token = Secret(own) if own else new_verify_token()

    def use_case(session: Session) -> bool:
        if not set_verify_token(session, account.id, token):
            return False
        host_accounts.changed(session)
        return True

    if not db.write(use_case):
        raise ValueError(_("This account's credentials are missing. Reconnect it."))
    told: str = _("Verify Token created. The old one no longer works, so enter the new one in the Meta app.")
    if own:
        told = _("Verify Token saved. The old one no longer works, so enter the new one in the Meta app.")
    return told


def lead_here(account: AccountRef, _values: Mapping[str, str]) -> str:
    """Enter this desk's address, verify token and fields in the Meta app.

    :raises ValueError: with a sentence, if Meta rejects it.
    """
    try:
        led = app_webhook.lead_here(account, take_over=True)
    except SecretUnreadableError:
        raise ValueError(_("The stored credentials can't be read.")) from None
    except GraphError as error:
        by_hand = _("Enter the URL and verify token in the Meta app yourself.")
        told = _("Meta rejected it: %(words)s", words=error.quote)
        raise ValueError(f"{told} {by_hand}") from None
    if led is not app_webhook.Led.HERE:
        raise ValueError(
            _(
                "Lobby doesn't have the Meta app's ID and secret. Enter the URL and verify "
                "token there yourself."
            )
        )
    return str(_("The Meta app's webhook now points to this desk, with every field."))


def late_replies_off(account: AccountRef, _values: Mapping[str, str]) -> str:
    """Switch replies after 24 hours off, which Meta refuses as long as it has not approved them."""
    host_accounts.set_setting(account.id, HUMAN_AGENT.name, False)
    return str(_("The reply window of %(handle)s now closes after 24 hours.", handle=account.handle))


def subscribe_again(account: AccountRef, _values: Mapping[str, str]) -> str:
    """Subscribe at Meta to everything an account of its kind needs, and read it back.

    :raises ValueError: with a sentence, if Meta rejects it.
    """
    try:
        found = credentials(account.id)
        if found is None:
            raise ValueError(_("This account's credentials are missing. Reconnect it."))
        if not found.may_subscribe:
            raise ValueError(permissions.costs([permissions.SUBSCRIBES]))
        if not look_after(found):
            raise ValueError(_("Meta no longer accepts this account's sign-in. Reconnect the account."))
    except SecretUnreadableError:
        raise ValueError(_("The stored credentials can't be read.")) from None
    except GraphError as error:
        raise ValueError(_("Meta rejected it: %(words)s", words=error.quote)) from None
    return str(_("%(handle)s is subscribed at Meta.", handle=account.handle))


CARD = SettingsCard(
    channel=config.CHANNEL,
    summary=lazy_gettext("Direct messages, story replies and mentions"),
    fields=FIELDS,
    connect=connect,
    status=status,
    statuses=statuses,
    disconnect=disconnect,
    configure_label=lazy_gettext("Configure"),
    configure_help=lazy_gettext(
        "Paste the credentials of your own Meta app. When you save, Lobby checks them with Meta and "
        "subscribes the Page."
    ),
    sign_ins=(facebook_login.SIGN_IN, instagram_login.SIGN_IN),
    diagnose=diagnose,
    workspace=apps.PAGE,
    actions=(
        CardAction(name="subscribe", label=lazy_gettext("Subscribe again"), run=subscribe_again),
        CardAction(
            name="verify-token",
            label=lazy_gettext("New Verify Token"),
            run=change_verify_token,
            fields=(OWN_VERIFY_TOKEN,),
            ways=(WAY,),
            confirm=lazy_gettext("The current Verify Token stops working immediately."),
        ),
        CardAction(
            name=LEAD_HERE,
            label=lazy_gettext("Point the app's webhook here"),
            run=lead_here,
            confirm=lazy_gettext("The Meta app will deliver only to this desk."),
            listed=False,
        ),
        CardAction(name=LATE_OFF, label=lazy_gettext("Turn off"), run=late_replies_off, listed=False),
        comments_switch.ACTION,
    ),
    advice=Advice(
        when=lazy_gettext("You have your own Meta app"),
        how=lazy_gettext("Every value is checked with Meta before it's saved."),
        needs=lazy_gettext("Page ID, token, App Secret"),
        takes=lazy_gettext("10 minutes in Meta's dashboard"),
        lasts=lazy_gettext("As long as the token is valid"),
    ),
)
