"""Settings -> Channels -> an account: how it handles messages, its ice breakers and its menu."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Any

import msgspec
from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import ngettext
from msgspec import UNSET

from host.automation import buttons, texts
from host.channels import refusals
from host.channels.accounts import change_messages
from host.channels.directory import current_directory
from host.channels.pages import greetings
from host.channels.pages.blueprint import account_of, bp
from host.channels.pages.greetings import Sheet
from host.channels.pages.messaging import Choices, Messaging, target_from, targets
from host.core import clock, db
from host.core.errors import NotFoundError
from host.features import registry
from host.inbox.teams import teams
from host.models.channels import AccountState, ChannelAccount, ref
from host.sdk.channel import AccountRef, ChannelAdapter, ProviderProblem
from host.web.formats import round_length
from host.web.languages import gettext as _
from host.web.request_helpers import Permission, flash_good, workspace_view, write

log = logging.getLogger(__name__)

LATELY = timedelta(days=28)
"""How far back taps are counted."""

BELOW = "/w/<int:workspace_id>/settings/channels/accounts/<int:account_id>"


def settable(workspace_id: int, account_id: int) -> tuple[ChannelAccount, ChannelAdapter, Choices]:
    """Return a connected account, its adapter, and which settings it has.

    :raises NotFoundError: if it does not exist, is disconnected, or no active addon provides its channel.
    """
    row = account_of(workspace_id, account_id)
    adapter = current_directory().adapter(row.channel)
    if adapter is None or row.state == AccountState.DISCONNECTED:
        raise NotFoundError()
    return row, adapter, Choices.of(adapter)


@bp.route(f"{BELOW}/messages", methods=["GET", "POST"])
@workspace_view(Permission.ACCOUNTS)
def messages(workspace_id: int, account_id: int) -> ResponseReturnValue:
    """Show and change how an account handles messages."""
    row, adapter, choices = settable(workspace_id, account_id)
    if request.method == "GET":
        return render_template(
            "channels/messages.html",
            account=row,
            label=adapter.label,
            choices=choices,
            chosen=Messaging.of(row.settings),
            limit=adapter.capabilities.text_limit,
            targets=[(one, round_length(one)) for one in targets(row.reply_target)],
            has_reports=registry.is_on("reports"),
        )
    chosen = Messaging.read(request.form)
    # A form without a reply target leaves it unchanged.
    target = target_from(request.form) if "reply_target" in request.form else UNSET
    write(
        change_messages,
        account_id,
        settings=chosen.settings(choices),
        reply_target=target,
        shown=Messaging.of(row.settings).settings(choices),
    )
    flash_good(_("Saved."))
    return redirect(url_for("channels.messages", workspace_id=workspace_id, account_id=account_id), 303)


class Greeting(msgspec.Struct, frozen=True):
    """One of an account's two lists at its provider, with functions to read, validate and write it."""

    name: str
    limits: Callable[[ChannelAdapter], Any]
    get: Callable[[ChannelAdapter, AccountRef], Mapping[str, Any] | ProviderProblem]
    put: Callable[[ChannelAdapter, AccountRef, Mapping[str, Any]], Mapping[str, Any] | ProviderProblem]
    to_sheet: Callable[[Any, int], Sheet]
    from_sheet: Callable[[Sheet, Any], Mapping[str, Any]]
    text_length: Callable[[Any], int]


ICE_BREAKERS = Greeting(
    name="ice_breakers",
    limits=lambda adapter: adapter.capabilities.ice_breakers,
    get=lambda adapter, account: adapter.ice_breakers(account),
    put=lambda adapter, account, wanted: adapter.set_ice_breakers(account, wanted),
    to_sheet=greetings.from_ice_breakers,
    from_sheet=greetings.to_ice_breakers,
    text_length=lambda limits: int(limits.question_length),
)
MENU = Greeting(
    name="menu",
    limits=lambda adapter: adapter.capabilities.menu,
    get=lambda adapter, account: adapter.menu(account),
    put=lambda adapter, account, wanted: adapter.set_menu(account, wanted),
    to_sheet=greetings.from_menu,
    from_sheet=greetings.to_menu,
    text_length=lambda limits: int(limits.title_length),
)


@bp.route(f"{BELOW}/ice-breakers", methods=["GET", "POST"])
@workspace_view(Permission.ACCOUNTS)
def ice_breakers(workspace_id: int, account_id: int) -> ResponseReturnValue:
    """Show and change the questions offered to a customer who has not written yet."""
    return _greeting(workspace_id, account_id, ICE_BREAKERS)


@bp.route(f"{BELOW}/menu", methods=["GET", "POST"])
@workspace_view(Permission.ACCOUNTS)
def menu(workspace_id: int, account_id: int) -> ResponseReturnValue:
    """Show and change the menu next to the customer's composer."""
    return _greeting(workspace_id, account_id, MENU)


def _greeting(workspace_id: int, account_id: int, greeting: Greeting) -> ResponseReturnValue:
    row, adapter, choices = settable(workspace_id, account_id)
    limits = greeting.limits(adapter)
    if limits is None:
        raise NotFoundError()
    with db.read() as session:
        listed = [(one.id, one.name) for one in teams.all_of(session, workspace_id)]
        kept = buttons.of_list(session, account_id, greeting.name)
        counts = buttons.counted(session, account_id, greeting.name, clock.now() - LATELY)

    def page(sheet: Sheet | None, problem: ProviderProblem | None = None) -> ResponseReturnValue:
        refused = request.method == "POST" and (problem is not None or (sheet is not None and not sheet.fine))
        body = render_template(
            "channels/greeting.html",
            account=row,
            label=adapter.label,
            choices=choices,
            name=greeting.name,
            limits=limits,
            text_length=greeting.text_length(limits),
            sheet=sheet,
            problem=problem,
            most_locales=greetings.MOST_LOCALES,
            teams=listed,
            gone=greetings.GONE,
            can=adapter.capabilities,
            variables=texts.offered(),
            days=LATELY.days,
        )
        return body, 422 if refused and problem else 400 if refused else 200

    if request.method == "GET":
        found = _ask(lambda: greeting.get(adapter, ref(row)), row)
        if isinstance(found, ProviderProblem):
            return page(None, found)
        sheet = greeting.to_sheet(found, limits.most)
        greetings.show_answers(sheet, kept, counts)
        sheet.offer(request.args.get("ask", ""), greeting.text_length(limits))
        return page(sheet)
    sheet = greetings.read_sheet(request.form, limits.most)
    if "add" in request.form:
        sheet.add_locale(limits.most)
        return page(sheet)
    if "remove" in request.form:
        sheet.remove_locale(_number(request.form["remove"]))
        return page(sheet)
    if "suggest" in request.form:
        for question in greetings.suggested():
            sheet.offer(question, greeting.text_length(limits))
        return page(sheet)
    wanted = greeting.from_sheet(sheet, limits)
    with db.read() as session:
        checked = partial(buttons.checked, session, workspace_id, capabilities=adapter.capabilities)
        answers = greetings.read_answers(sheet, checked)
    if not sheet.fine:
        return page(sheet)
    shown = _ask(lambda: greeting.put(adapter, ref(row), wanted), row)
    if isinstance(shown, ProviderProblem):
        return page(sheet, shown)
    payloads = [line.payload for lines in shown.values() for line in lines]
    write(buttons.keep, account_id, greeting.name, payloads, answers)
    count = sum(len(lines) for lines in shown.values())
    if not count:
        flash_good(_("Saved. %(channel)s now shows none.", channel=adapter.label))
    else:
        flash_good(
            ngettext(
                "Saved. %(channel)s now shows %(num)s.",
                "Saved. %(channel)s now shows %(num)s.",
                count,
                channel=adapter.label,
            )
        )
    return redirect(request.path, 303)


def _ask(
    call: Callable[[], Mapping[str, Any] | ProviderProblem], row: ChannelAccount
) -> Mapping[str, Any] | ProviderProblem:
    """Call the provider; an exception of the adapter becomes a sentence."""
    try:
        return call()
    except Exception as error:
        log.exception("the adapter of channel %s failed while asking its provider", row.channel)
        blame = _("The addon of this channel failed, so nothing was changed.")
        sentence = refusals.sentence(error, blame)
        return ProviderProblem("", sentence, _("Tell an admin.") if sentence == blame else "")


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 3 else 0
