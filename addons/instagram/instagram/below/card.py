"""The settings card of comments: how they do, and a way to switch them off. They have no credentials."""

from __future__ import annotations

from collections.abc import Sequence

from host.sdk.cards import CardAction, CardStatus, Connection, ConnectRequest, Problems, SettingsCard
from host.sdk.channel import AccountRef
from host.sdk.i18n import gettext as _
from host.sdk.i18n import lazy_gettext

from .. import card as direct
from .. import comments, config, permissions
from ..cardfacts import CardFacts, load
from ..connect import disconnect
from ..diagnose import LEAD_HERE, diagnose
from ..look import way_of


def status(account: AccountRef) -> CardStatus:
    """Return what the card of *account* shows."""
    return statuses([account])[account.id]


def statuses(accounts: Sequence[AccountRef]) -> dict[int, CardStatus]:
    """Return what the cards of *accounts* show, by their ids."""
    facts = load(accounts)
    return {one.id: _status(one, facts.get(one.id)) for one in accounts}


def _status(account: AccountRef, facts: CardFacts | None) -> CardStatus:
    if facts is None:
        lost = _(
            "The credentials of this account are not here. Switch comments off, connect it, and on again."
        )
        return CardStatus(notices=(("bad", _("Incomplete."), lost),))
    row = facts.row
    flavour = config.Flavour(row.flavour)
    notices: list[tuple[str, str, str]] = []
    missing = permissions.missing(flavour, row.scopes, comments=True)
    if missing:
        notices.append(("warn", _("Permissions are missing."), permissions.costs(missing)))
    if not facts.messages:
        told = _("To renew their sign-in, connect the account anew; comments go on then.")
        notices.append(("good", _("Its direct messages are disconnected."), told))
    return CardStatus(
        facts=[
            (_("Credentials"), _("Those of its direct messages")),
            (_("Meta app"), row.app_id),
            (_("The token allows"), comments.abilities_in_words(flavour, row.scopes)),
        ],
        steps=direct.steps(account, facts),
        notices=notices,
    )


def connect(request: ConnectRequest) -> Connection | Problems:
    """Keep an account as it is: what it shares is changed where its direct messages are."""
    account = request.account
    if account is None:
        return Problems({"": _("Comments are switched on at the account of the direct messages.")})
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
    summary=lazy_gettext("Comments on posts, reels, ads and broadcasts, and mentions"),
    fields=(),
    connect=connect,
    status=status,
    statuses=statuses,
    disconnect=disconnect,
    configure_help=lazy_gettext(
        "Comments share the credentials of the account's direct messages, so there is nothing to enter."
    ),
    diagnose=diagnose,
    actions=(
        CardAction(name="subscribe", label=lazy_gettext("Subscribe again"), run=direct.subscribe_again),
        CardAction(
            name=LEAD_HERE,
            label=lazy_gettext("Lead the app's webhook here"),
            run=direct.lead_here,
            confirm=lazy_gettext("The Meta app delivers here from then on, and nowhere else."),
            listed=False,
        ),
    ),
)
