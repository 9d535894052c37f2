"""The settings card of comments: their status, and a switch. They have no credentials."""

from __future__ import annotations

from collections.abc import Sequence

from host.sdk.cards import CardAction, CardStatus, Connection, ConnectRequest, Problems, SettingsCard
from host.sdk.channel import AccountRef
from host.sdk.i18n import gettext as _
from host.sdk.i18n import lazy_gettext

from .. import card as direct
from .. import config, permissions
from ..card import CardFacts, load_facts
from ..connect import comments_switch
from ..connect.connecting import disconnect
from ..diagnose.diagnosis import LEAD_HERE, diagnose
from ..diagnose.examination import way_of


def status(account: AccountRef) -> CardStatus:
    """Return the contents of the card of *account*."""
    return statuses([account])[account.id]


def statuses(accounts: Sequence[AccountRef]) -> dict[int, CardStatus]:
    """Return the contents of the cards of *accounts*, by id."""
    facts = load_facts(accounts)
    return {one.id: _status(one, facts.get(one.id)) for one in accounts}


def _status(account: AccountRef, facts: CardFacts | None) -> CardStatus:
    if facts is None:
        lost = _(
            "This account's credentials are missing. Turn comments off, reconnect the account, then turn "
            "comments on again."
        )
        return CardStatus(notices=(("bad", _("Incomplete."), lost),))
    row = facts.row
    flavour = config.Flavour(row.flavour)
    notices: list[tuple[str, str, str]] = []
    missing = permissions.missing(flavour, row.scopes, comments=True)
    if missing:
        notices.append(("warn", _("Permissions are missing."), permissions.costs(missing)))
    if not facts.messages:
        told = _("Reconnect the account to renew the sign-in. Comments will then continue.")
        notices.append(("good", _("Direct messages are disconnected."), told))
    return CardStatus(
        facts=[
            (_("Credentials"), _("Shared with direct messages")),
            (_("Meta app"), row.app_id),
            (_("Token permissions"), comments_switch.abilities_in_words(flavour, row.scopes)),
        ],
        steps=direct.steps(account, facts),
        notices=notices,
    )


def connect(request: ConnectRequest) -> Connection | Problems:
    """Keep an account unchanged: the credentials it shares are edited on the card of its direct messages."""
    account = request.account
    if account is None:
        return Problems({"": _("Turn on comments on the account's direct messages card.")})
    return Connection(
        external_id=account.external_id,
        name=account.name,
        handle=account.handle,
        way=way_of(account),
        store=lambda _session, _account: None,
        renewed=False,
    )


CARD = SettingsCard(
    channel=config.COMMENTS_CHANNEL,
    summary=lazy_gettext("Mentions, and comments on posts, reels, ads and live broadcasts"),
    fields=(),
    connect=connect,
    status=status,
    statuses=statuses,
    disconnect=disconnect,
    configure_help=lazy_gettext(
        "Comments use the same credentials as the account's direct messages, so there is nothing to enter."
    ),
    diagnose=diagnose,
    actions=(
        CardAction(name="subscribe", label=lazy_gettext("Subscribe again"), run=direct.subscribe_again),
        CardAction(
            name=LEAD_HERE,
            label=lazy_gettext("Point the app's webhook here"),
            run=direct.lead_here,
            confirm=lazy_gettext("The Meta app will deliver only to this desk."),
            listed=False,
        ),
    ),
)
