"""Settings -> Channels: connecting, changing and disconnecting accounts."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta

from flask import g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext
from sqlalchemy.orm import Session

from host.channels import accounts, connecting, deliveries, feature_requests, other_workspaces, refusals
from host.channels.directory import Directory, current_directory
from host.channels.other_workspaces import elsewhere_sentence, taken_sentence
from host.channels.pages import cards, forms, looks
from host.channels.pages.blueprint import account_of, bp
from host.channels.pages.forms import Entered
from host.channels.pages.messaging import Choices
from host.channels.warnings import in_need, standing_warnings
from host.core import clock, db
from host.core.errors import NotFoundError
from host.features import registry
from host.features.account_link import AccountLink
from host.live.events import newest_id
from host.models.channels import AccountState, ChannelAccount, ref
from host.notifications.notify import translated
from host.queue.catch_ups import catching_up
from host.sdk.cards import Asked, CardAction, Connection, Problems, SettingsCard
from host.sdk.errors import AccountGoneError, AccountTakenError, OtherAccountError
from host.users.pages import sudo
from host.users.pages.sudo import fresh_password
from host.web import navigation
from host.web.languages import gettext as _
from host.web.portions import portion
from host.web.request_helpers import (
    Permission,
    actor,
    current_user,
    flash_bad,
    flash_good,
    id_argument,
    shown_workspace,
    workspace_view,
    write,
)

__all__ = ["bp"]

log = logging.getLogger(__name__)

PATIENCE = timedelta(minutes=10)
"""How long a new account may wait for its first message before the page suggests Diagnose."""


def _mark() -> navigation.Mark | None:
    workspace = shown_workspace()
    if workspace is None:
        return None
    with db.read() as reading:
        bad, warn = in_need(reading, workspace.id)
    if not bad + warn:
        return None
    words = ngettext("%(num)s account needs attention", "%(num)s accounts need attention", bad + warn)
    return navigation.Mark(bad + warn, "bad" if bad else "warn", words)


def _words() -> str:
    """Return other words for the page, with the names of the channels that it has or could have."""
    own = (
        "accounts, connect, inboxes, reconnect, signature, prices, Konten, verbinden, Postfach, Anbindung, "
        "Signatur, Preise, Kosten"
    )
    names = {one.label for one in current_directory().adapters}
    return ", ".join([own, *sorted(names | {one.label for one in navigation.channel_offers()})])


navigation.add_settings(
    "channels.index",
    _l("Channels"),
    order=20,
    icon="plug",
    mark=_mark,
    words=_words,
)


def _directory() -> Directory:
    return current_directory()


def _card(channel: str) -> SettingsCard:
    card = _directory().card(channel)
    if card is None:
        raise NotFoundError()
    return card


def _check_connectable(channel: str) -> None:
    """Respond with 404 if accounts of *channel* are switched on from other accounts.

    :raises NotFoundError: in that case, or if the channel has no card.
    """
    _card(channel)
    adapter = _directory().adapter(channel)
    if adapter is not None and adapter.beside:
        raise NotFoundError()


def _index_url(workspace_id: int, account_id: int | None = None) -> str:
    if account_id is None:
        return url_for("channels.index", workspace_id=workspace_id)
    return url_for(
        "channels.index", workspace_id=workspace_id, account=account_id, _anchor=f"account-{account_id}"
    )


def _links(session: Session, workspace_id: int) -> dict[int, list[AccountLink]]:
    """Return the links of features on the cards of accounts."""
    links: dict[int, list[AccountLink]] = {}
    for found in registry.hooks().on_accounts(session=session, workspace_id=workspace_id):
        for account_id, link in found.items():
            links.setdefault(account_id, []).append(link)
    return links


@bp.get("/w/<int:workspace_id>/settings/channels")
@workspace_view(Permission.ACCOUNTS)
def index(workspace_id: int) -> ResponseReturnValue:
    """Show all channels that can be connected, and a page of accounts.

    The parameter ``account`` is the id of an account to show, which determines the page.
    """
    directory, wanted = _directory(), cards.WantedAccounts.asked()
    with db.read() as session:
        every = cards.listing(session, directory, workspace_id)
        chosen = [one for one in every if wanted.takes(one)]
        account_id = id_argument("account")
        containing = next((place for place, one in enumerate(chosen) if one.id == account_id), None)
        part = portion(chosen, cards.SIZE, containing)
        first = not wanted.any and part.number == 1
        gone = {} if wanted.any else cards.gone_by_channel(every)
        keys = {one.channel for one in part.rows}
        below = [one for key, ones in gone.items() if first or key in keys for one in ones[: cards.MOST_GONE]]
        rows = cards.rows_of(session, [one.id for one in (*part.rows, *below)])
        warnings = standing_warnings(session, [row.id for row in rows])
        after = newest_id(session)
        busy = catching_up(session, workspace_id)
        hours = deliveries.by_hour(session, rows)
        looked = looks.reports(session, [row.id for row in rows])
        asked = feature_requests.asked(session, workspace_id) if first else {}
        links = _links(session, workspace_id)
    sections = cards.sections(directory, workspace_id, rows, warnings, busy, looked)
    return render_template(
        "channels/index.html",
        sections=[one for one in sections if first or one.live or one.gone],
        every=[one for one in every if not one.gone],
        part=part,
        wanted=wanted,
        first=first,
        gone=gone,
        totals=Counter(one.channel for one in every if not one.gone),
        states=cards.STATES,
        searchable=len(every) > cards.SIZE,
        unfolds=len(part.rows) <= cards.MOST_SETUPS,
        offers=navigation.channel_offers() if first else (),
        asked=asked,
        addon_page=navigation.addon_page,
        live_after=after,
        hours=hours,
        links=links,
        told=translated,
        patience_over=lambda at: clock.now() - at > PATIENCE,
    )


@bp.get("/w/<int:workspace_id>/settings/channels/<channel>/connect")
@workspace_view(Permission.ACCOUNTS)
def choose_way(workspace_id: int, channel: str) -> ResponseReturnValue:
    """Explain which way to connect suits an account, and offer each."""
    _check_connectable(channel)
    (section,) = [one for one in cards.sections(_directory(), workspace_id, ()) if one.key == channel]
    return render_template("channels/connect.html", section=section, live_after=0)


@bp.route("/w/<int:workspace_id>/settings/channels/<channel>/new", methods=["GET", "POST"])
@workspace_view(Permission.ACCOUNTS)
def new(workspace_id: int, channel: str) -> ResponseReturnValue:
    """Connect an account."""
    _check_connectable(channel)
    card = _card(channel)
    if request.method == "GET":
        values = {one.name: one.choices[0][0] for one in card.fields if one.choices}
        return _form(card, forms.blank(card.fields, values), None)
    return _save(workspace_id, card, None)


@bp.route("/w/<int:workspace_id>/settings/channels/accounts/<int:account_id>", methods=["GET", "POST"])
@workspace_view(Permission.ACCOUNTS)
def edit(workspace_id: int, account_id: int) -> ResponseReturnValue:
    """Change or reconnect an account. Its credentials decide where messages are sent."""
    row = account_of(workspace_id, account_id)
    card = cards.card_for(_card(row.channel), row)
    if request.method == "GET":
        if card.fields:
            sudo.require()
        return _form(card, forms.blank(card.fields, cards.status_of(card, row).values), row)
    return _save(workspace_id, card, row)


def _form(
    card: SettingsCard,
    entered: Entered,
    row: ChannelAccount | None,
    offered: tuple[str, other_workspaces.Elsewhere] | None = None,
) -> ResponseReturnValue:
    """Show the form.

    :param offered: the account that was refused for being elsewhere, which may be moved here, and the field
        whose sentence says so.
    """
    status = None if row is None else cards.status_of(card, row)
    adapter = _directory().adapter(card.channel)
    live = row is not None and row.state != AccountState.DISCONNECTED
    page = render_template(
        "channels/form.html",
        movable=[] if live or offered else _movable(card.channel),
        offered=offered,
        move=request.form.get("move_account", ""),
        card=card,
        label=_directory().label(card.channel),
        entered=entered,
        account=row,
        reconnecting=row is not None and row.state != AccountState.CONNECTED,
        opened=sudo.proof_of_opening() if row is not None else "",
        # An account connected by signing in has no credentials to enter.
        sign_in=next((one for one in card.sign_ins if row is not None and one.name == row.way), None),
        stored={} if status is None else status.stored_secrets,
        shown=cards.account_card(row, status) if live and row is not None and status is not None else None,
        choices=Choices.of(adapter) if adapter is not None and live else None,
        here="edit",
    )
    # Entered credentials must not reappear with the Back button or from a cache.
    return page, 400 if entered.errors else 200, {"Cache-Control": "no-store"}


def _movable(channel: str) -> Sequence[other_workspaces.Elsewhere]:
    with db.read() as session:
        return other_workspaces.movable_accounts(session, g.workspace.id, channel)


def _save(workspace_id: int, card: SettingsCard, row: ChannelAccount | None) -> ResponseReturnValue:
    kept = forms.KeptSecrets(workspace_id, card.channel, current_user().id)
    given = kept.filled_in(card.fields, forms.typed(card.fields))
    entered = forms.read_form(card.fields, given, editing=row is not None)
    kept.keep(entered, card.fields)
    if entered.errors:
        return _form(card, entered, row)
    asked = request.form.get("move_account", "")
    moved = next((one for one in _movable(card.channel) if asked and str(one.account.id) == asked), None)
    stopped = row is not None and row.state != AccountState.CONNECTED
    if moved is not None or (row is not None and not (stopped and sudo.was_opened_fresh())):
        sudo.require(typed=forms.names_of_secrets(card.fields))
    refused: dict[str, str] = {}
    outcome = _ask(workspace_id, card, row, entered, moved, refused)
    if isinstance(outcome, Asked):
        flash_good(outcome.sentence)
        return redirect(_index_url(workspace_id))
    if isinstance(outcome, Connection) and moved and moved.account.external_id != outcome.external_id:
        outcome = Problems(
            {"": _("These credentials belong to a different account than the one you are moving.")}
        )
    if isinstance(outcome, Problems):
        forms.add_problems(entered, outcome.by_field, card.fields)
        return _refused(card, entered, row, refused, kept)

    try:
        saved = connecting.save(
            workspace_id=workspace_id,
            channel=card.channel,
            connection=outcome,
            account_id=None if row is None else row.id,
            by=actor(),
            moved=None if moved is None else moved.account,
        )
    except AccountTakenError:
        sentence = elsewhere_sentence(card.channel, outcome.external_id)
        refused[sentence] = outcome.external_id
        forms.add_problems(entered, {"": sentence}, card.fields)
    except OtherAccountError:
        sentence = _("These credentials belong to a different account. Connect it as a new account.")
        forms.add_problems(entered, {"": sentence}, card.fields)
    except AccountGoneError as error:
        raise NotFoundError() from error
    except Exception:
        log.exception("an account of channel %s could not be written", card.channel)
        sentence = _(
            "The account could not be saved, so nothing was changed. Try again. If the problem "
            "persists, tell an admin."
        )
        forms.add_problems(entered, {"": sentence}, card.fields)
    else:
        if moved is not None:
            other_workspaces.clean_up_moved(card, moved)
        flash_good(_("%(handle)s is connected.", handle=saved.handle), at=f"account-{saved.id}")
        if outcome.lost:
            flash_bad(f"{outcome.lost} {outcome.lost_step}")
        return redirect(_index_url(workspace_id, saved.id))
    return _refused(card, entered, row, refused, kept)


def _refused(
    card: SettingsCard,
    entered: Entered,
    row: ChannelAccount | None,
    refused: Mapping[str, str],
    kept: forms.KeptSecrets,
) -> ResponseReturnValue:
    """Show the form again; beside the refusal of an account that can be moved here stands the button.

    :param refused: the provider's ids of accounts that are connected elsewhere, by the sentence about it.
    """
    movable = {one.account.external_id: one for one in _movable(card.channel)} if refused else {}
    for name, words in entered.errors.items():
        for sentence, external_id in refused.items():
            if sentence in words and external_id in movable:
                kept.keep(entered, card.fields, optional=True)
                return _form(card, entered, row, (name, movable[external_id]))
    return _form(card, entered, row)


def _ask(
    workspace_id: int,
    card: SettingsCard,
    row: ChannelAccount | None,
    entered: Entered,
    moved: other_workspaces.Elsewhere | None,
    refused: dict[str, str],
) -> Connection | Problems | Asked:
    """Let the addon check with its provider; an exception becomes a sentence.

    :param refused: takes the ids that are connected elsewhere, by the sentence about it.
    """
    account = None if row is None else ref(row)

    def taken(external_id: str) -> str | None:
        if moved is not None and external_id == moved.account.external_id:
            return None
        sentence = taken_sentence(workspace_id, card.channel, external_id)
        if sentence is not None:
            refused[sentence] = external_id
        return sentence

    return connecting.ask(
        card,
        workspace_id=workspace_id,
        account=account,
        values=entered.clean,
        taken=taken,
        by_admin=current_user().is_admin,
    )


@bp.post("/w/<int:workspace_id>/settings/channels/accounts/<int:account_id>/disconnect")
@workspace_view(Permission.ACCOUNTS)
@fresh_password
def disconnect(workspace_id: int, account_id: int) -> ResponseReturnValue:
    """Disconnect an account, then notify the provider."""
    row = account_of(workspace_id, account_id)
    card = _card(row.channel)

    try:
        notified = connecting.disconnect(card, row, actor())
    except AccountGoneError:
        flash_good(_("%(handle)s was already disconnected.", handle=row.handle))
        return redirect(_index_url(workspace_id))
    if notified:
        flash_good(_("%(handle)s is disconnected. Its conversations are kept.", handle=row.handle))
    else:
        flash_bad(
            _(
                "%(handle)s is disconnected here, but the provider could not be notified. Remove "
                "Lobby's access there, too.",
                handle=row.handle,
            )
        )
    return redirect(_index_url(workspace_id))


@bp.post("/w/<int:workspace_id>/settings/channels/accounts/<int:account_id>/actions/<name>")
@workspace_view(Permission.ACCOUNTS)
def act(workspace_id: int, account_id: int, name: str) -> ResponseReturnValue:
    """Run one of the card's own buttons."""
    row = account_of(workspace_id, account_id)
    card = _card(row.channel)
    action = next((one for one in card.actions if one.name == name), None)
    if action is None or not action.is_for(row.way) or row.state == AccountState.DISCONNECTED:
        raise NotFoundError()
    sentence, fine = _run(action, row)
    if fine:
        write(accounts.note_action, row, action.name)
        flash_good(sentence, at=f"account-{account_id}")
    else:
        flash_bad(sentence, at=f"account-{account_id}")
    return redirect(_index_url(workspace_id, account_id))


def _run(action: CardAction, row: ChannelAccount) -> tuple[str, bool]:
    entered = forms.read_form(action.fields, request.form, editing=False)
    if entered.errors:
        labels = {one.name: str(one.label) for one in action.fields}
        return " ".join(f"{labels[name]}: {why}" for name, why in entered.errors.items()), False
    try:
        return str(action.run(ref(row), entered.clean)), True
    except ValueError as error:
        return str(error) or str(_("That value is invalid.")), False
    except Exception as error:
        log.exception("the action %s of channel %s failed", action.name, row.channel)
        blame = _("The addon of this channel failed, so nothing was changed. Tell an admin.")
        return refusals.sentence(error, str(blame)), False
