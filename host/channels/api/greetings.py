"""API routes of an account's ice breakers and menu, which are stored at the provider."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Annotated, TypeVar

from flask_babel import lazy_gettext as _l
from msgspec import Meta

from host.api.http.call import Call
from host.api.http.declare import Router, Wire
from host.automation import buttons
from host.channels.api.accounts import AccountNotFoundError, find_account
from host.channels.pages import greetings
from host.channels.pages.greetings import Block, GreetingItem, Sheet
from host.core import db
from host.core.errors import ConflictError, InvalidError
from host.inbox.errors import AccountDisconnectedError, ProviderRefusedError, UnknownChannelError
from host.models.channels import AccountState, ChannelAccount, ref
from host.sdk.channel import (
    Capabilities,
    ChannelAdapter,
    IceBreakerLimits,
    IceBreakers,
    Menu,
    MenuLimits,
    ProviderProblem,
)
from host.users.api_keys import Scope
from host.web.languages import gettext as _

routes = Router("Accounts", read=Scope.AUTOMATION_READ, write=Scope.SETTINGS_WRITE)

log = logging.getLogger("lobby.api")


class NotSupportedError(ConflictError):
    """The channel does not support this."""

    code = "not_supported"
    default_sentence = _l("This channel has no ice breakers.")
    default_next_step = ""


class IceBreakerError(InvalidError):
    """A question, or the list of them, breaks a limit of the channel."""

    code = "invalid_ice_breakers"
    status = 422
    default_sentence = _l("The ice breakers exceed a limit of the channel, so nothing was changed.")
    default_next_step = _l("The account lists the limits.")


class MenuError(InvalidError):
    """A menu item, or the list of them, breaks a limit of the channel."""

    code = "invalid_menu"
    status = 422
    default_sentence = _l("The menu exceeds a limit of the channel, so nothing was changed.")
    default_next_step = _l("The account lists the limits.")


class IceBreaker(Wire, frozen=True):
    """A question. A tap on it arrives as a message of the kind `postback`, with its payload."""

    question: Annotated[str, Meta(min_length=1, max_length=1000)]
    payload: Annotated[str, Meta(max_length=1000, description="What a tap sends. Default: the question.")] = (
        ""
    )


class IceBreakersOfAccount(Wire, frozen=True):
    """The questions per locale. `default` is shown for locales without their own."""

    locales: Annotated[
        dict[str, Annotated[list[IceBreaker], Meta(max_length=40)]],
        Meta(description="By locale, as `de_DE`, or `default`.", max_length=greetings.MOST_LOCALES),
    ]


class MenuItem(Wire, frozen=True):
    """A menu item: it opens `url`, or a tap arrives as a message of the kind `postback`."""

    title: Annotated[str, Meta(min_length=1, max_length=1000)]
    payload: Annotated[str, Meta(max_length=1000, description="What a tap sends. Default: the title.")] = ""
    url: Annotated[str, Meta(max_length=2000, description="An https URL, instead of a payload.")] = ""


class MenuOfAccount(Wire, frozen=True):
    """The menu items per locale. `default` is shown for locales without their own."""

    locales: Annotated[
        dict[str, Annotated[list[MenuItem], Meta(max_length=40)]],
        Meta(description="By locale, as `de_DE`, or `default`.", max_length=greetings.MOST_LOCALES),
    ]


MENU_EXAMPLE = {
    "Two items": {
        "locales": {
            "default": [
                {"title": "Talk to a person", "payload": "person"},
                {"title": "The shop", "url": "https://example.com/shop"},
            ]
        }
    }
}
EXAMPLE = {
    "Two questions": {
        "locales": {
            "default": [
                {"question": "When do you open?", "payload": "opening-hours"},
                {"question": "Where is my parcel?"},
            ]
        }
    }
}
COMMON = (
    AccountNotFoundError,
    AccountDisconnectedError,
    UnknownChannelError,
    NotSupportedError,
    ProviderRefusedError,
)


L = TypeVar("L")
A = TypeVar("A")


def _ice_breakers(
    call: Call, account_id: int | str
) -> tuple[ChannelAccount, ChannelAdapter, IceBreakerLimits]:
    return _account(call, account_id, lambda can: can.ice_breakers)


def _menu(call: Call, account_id: int | str) -> tuple[ChannelAccount, ChannelAdapter, MenuLimits]:
    return _account(call, account_id, lambda can: can.menu, _l("This channel has no menu."))


def _account(
    call: Call, account_id: int | str, wanted: Callable[[Capabilities], L | None], without: object = None
) -> tuple[ChannelAccount, ChannelAdapter, L]:
    """Return an account, its adapter and the channel's limits. *without* is the error if it has none."""
    with db.read() as session:
        row = find_account(session, call, account_id)
    adapter = call.adapter(row.channel)
    if adapter is None:
        raise UnknownChannelError()
    if row.state == AccountState.DISCONNECTED:
        raise AccountDisconnectedError(_l("The account is disconnected, so Lobby can't ask its provider."))
    limits = wanted(adapter.capabilities)
    if limits is None:
        raise NotSupportedError(without)
    return row, adapter, limits


def _ask(row: ChannelAccount, ask: Callable[[], A | ProviderProblem]) -> A:
    """Call the provider. Not inside a transaction.

    :raises ProviderRefusedError: with the provider's message, or ours if the addon raised.
    """
    try:
        answer = ask()
    except Exception:
        log.exception("the adapter of channel %s failed while asking its provider", row.channel)
        raise ProviderRefusedError(
            _l("The addon of this channel failed."), next_step=_l("Tell an admin.")
        ) from None
    if isinstance(answer, ProviderProblem):
        raise ProviderRefusedError(
            _(answer.sentence) if answer.sentence else None, next_step=answer.next_step
        )
    return answer


def _shown(found: IceBreakers) -> IceBreakersOfAccount:
    return IceBreakersOfAccount(
        locales={
            locale: [IceBreaker(question=one.question, payload=one.payload) for one in questions]
            for locale, questions in found.items()
        }
    )


@routes.get(
    "/accounts/{account_id}/ice-breakers", "Get the ice breakers of an account", limited=True, errors=COMMON
)
def get_ice_breakers(call: Call, account_id: int | str) -> IceBreakersOfAccount:
    """The current ice breakers at the provider."""
    row, adapter, _limits = _ice_breakers(call, account_id)
    return _shown(_ask(row, lambda: adapter.ice_breakers(ref(row))))


@routes.put(
    "/accounts/{account_id}/ice-breakers",
    "Set the ice breakers of an account",
    limited=True,
    errors=(IceBreakerError, *COMMON),
    examples=EXAMPLE,
)
def set_ice_breakers(call: Call, account_id: int | str, body: IceBreakersOfAccount) -> IceBreakersOfAccount:
    """Replaces all of them; returns those the provider has afterwards."""
    row, adapter, limits = _ice_breakers(call, account_id)
    wanted = _checked(body, limits)
    kept = _ask(row, lambda: adapter.set_ice_breakers(ref(row), wanted))
    _note(call, row, "ice_breakers", kept)
    return _shown(kept)


@routes.delete(
    "/accounts/{account_id}/ice-breakers",
    "Remove the ice breakers of an account",
    limited=True,
    errors=COMMON,
)
def delete_ice_breakers(call: Call, account_id: int | str) -> None:
    """In every locale."""
    row, adapter, _limits = _ice_breakers(call, account_id)
    kept = _ask(row, lambda: adapter.set_ice_breakers(ref(row), {}))
    _note(call, row, "ice_breakers", kept)


def _shown_menu(found: Menu) -> MenuOfAccount:
    return MenuOfAccount(
        locales={locale: [MenuItem.of(one) for one in items] for locale, items in found.items()}
    )


@routes.get("/accounts/{account_id}/menu", "Get the menu of an account", limited=True, errors=COMMON)
def get_menu(call: Call, account_id: int | str) -> MenuOfAccount:
    """The current menu at the provider."""
    row, adapter, _limits = _menu(call, account_id)
    return _shown_menu(_ask(row, lambda: adapter.menu(ref(row))))


@routes.put(
    "/accounts/{account_id}/menu",
    "Set the menu of an account",
    limited=True,
    errors=(MenuError, *COMMON),
    examples=MENU_EXAMPLE,
)
def set_menu(call: Call, account_id: int | str, body: MenuOfAccount) -> MenuOfAccount:
    """Replaces all of it; returns the menu the provider has afterwards."""
    row, adapter, limits = _menu(call, account_id)
    wanted = _checked_menu(body, limits)
    kept = _ask(row, lambda: adapter.set_menu(ref(row), wanted))
    _note(call, row, "menu", kept)
    return _shown_menu(kept)


@routes.delete("/accounts/{account_id}/menu", "Remove the menu of an account", limited=True, errors=COMMON)
def delete_menu(call: Call, account_id: int | str) -> None:
    """In every locale."""
    row, adapter, _limits = _menu(call, account_id)
    kept = _ask(row, lambda: adapter.set_menu(ref(row), {}))
    _note(call, row, "menu", kept)


def _checked_menu(body: MenuOfAccount, limits: MenuLimits) -> Menu:
    """Return the menu of a body, checked against the channel's limits as on the settings page.

    :raises MenuError: naming the first place that breaks a limit.
    """
    both = next(
        (
            f"locales.{locale}[{at}]"
            for locale, items in body.locales.items()
            for at, one in enumerate(items)
            if one.payload and one.url
        ),
        None,
    )
    if both is not None:
        raise MenuError(_l("An item opens a URL or sends a payload, not both."), field=both)
    blocks = [
        Block(
            locale,
            [
                GreetingItem(
                    one.title.strip(),
                    (one.url or one.payload).strip(),
                    does="url" if one.url else "payload",
                )
                for one in items
            ],
        )
        for locale, items in {greetings.DEFAULT: [], **body.locales}.items()
    ]
    sheet = Sheet(blocks)
    wanted = greetings.to_menu(sheet, limits)
    _refuse(sheet, MenuError, limits.most, "title", "payload")
    return wanted


def _refuse(sheet: Sheet, error: type[InvalidError], most: int, text: str, value: str) -> None:
    """Raise *error* for the first mistake of a sheet; *text* and *value* name the fields in the body."""
    if sheet.error:
        raise error(sheet.error, field="locales.default")
    for block in sheet.blocks:
        if block.error:
            raise error(block.error, field=f"locales.{block.locale}", limit=most)
        for at, line in enumerate(block.lines):
            if line.blank:
                line.errors["text"] = str(_("This item is empty."))
            for name, sentence in line.errors.items():
                part = text if name == "text" else "url" if line.does == "url" else value
                raise error(sentence, field=f"locales.{block.locale}[{at}].{part}")


def _checked(body: IceBreakersOfAccount, limits: IceBreakerLimits) -> IceBreakers:
    """Return the ice breakers of a body, checked against the channel's limits as on the settings page.

    :raises IceBreakerError: naming the first place that breaks a limit.
    """
    blocks = [
        Block(locale, [GreetingItem(one.question.strip(), one.payload.strip()) for one in questions])
        for locale, questions in {greetings.DEFAULT: [], **body.locales}.items()
    ]
    sheet = Sheet(blocks)
    wanted = greetings.to_ice_breakers(sheet, limits)
    _refuse(sheet, IceBreakerError, limits.most, "question", "payload")
    return wanted


def _note(call: Call, row: ChannelAccount, what: str, kept: IceBreakers | Menu) -> None:
    """Store the payloads, so that the inbox can name the tapped item. Each keeps its answer."""
    payloads = [one.payload for items in kept.values() for one in items]
    db.write(lambda session: buttons.keep(call.work(session), row.id, what, payloads))
