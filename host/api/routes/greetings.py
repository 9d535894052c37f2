"""The questions an account offers to somebody who has not written yet, kept at its provider."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Annotated

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from msgspec import Meta
from sqlalchemy.orm import Session

from host.api.http.call import Call
from host.api.http.declare import Wire, route
from host.api.http.errors import BodyError
from host.api.routes.accounts import AccountNotFoundError, find_account
from host.channels.pages import greetings
from host.channels.pages.greetings import Block, Line, Sheet
from host.core import db
from host.core.errors import ConflictError, InvalidError, LobbyError
from host.inbox.errors import AccountDisconnectedError, UnknownChannelError
from host.models.channels import AccountState, ChannelAccount, ref
from host.sdk.channel import ChannelAdapter, IceBreakerLimits, IceBreakers, ProviderProblem
from host.users import audit
from host.users.api_keys import Scope
from host.web.request_helpers import client_address

log = logging.getLogger("lobby.api")


class NotSupportedError(ConflictError):
    """The channel has nothing of the kind."""

    code = "not_supported"
    default_sentence = _l("This channel has no ice breakers.")
    default_next_step = ""


class ProviderError(LobbyError):
    """The provider did not do it, and said why."""

    code = "provider_refused"
    status = 502
    default_sentence = _l("The provider did not do it.")
    default_next_step = _l("Try again in a moment.")


class IceBreakerError(InvalidError):
    """A question, or the list of them, breaks a limit of the channel."""

    code = "invalid_ice_breakers"
    status = 422
    default_sentence = _l("The ice breakers break a limit of the channel, so nothing was changed.")
    default_next_step = _l("Its limits are in the account.")


class IceBreaker(Wire, frozen=True):
    """A question. A tap on it comes as a message of the kind `postback`, with its payload."""

    question: Annotated[str, Meta(min_length=1, max_length=1000)]
    payload: Annotated[str, Meta(max_length=1000, description="What a tap sends; else the question.")] = ""


class IceBreakersOfAccount(Wire, frozen=True):
    """The questions of each locale. `default` is shown wherever a locale has none of its own."""

    locales: Annotated[
        dict[str, Annotated[list[IceBreaker], Meta(max_length=40)]],
        Meta(description="By locale, as `de_DE`, or `default`.", max_length=greetings.MOST_LOCALES),
    ]


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
    ProviderError,
)


def _account(call: Call, account_id: int) -> tuple[ChannelAccount, ChannelAdapter, IceBreakerLimits]:
    with db.read() as session:
        row = find_account(session, call, account_id)
    adapter = call.adapter(row.channel)
    if adapter is None:
        raise UnknownChannelError()
    if row.state == AccountState.DISCONNECTED:
        raise AccountDisconnectedError(_l("The account is disconnected, so its provider is not asked."))
    limits = adapter.capabilities.ice_breakers
    if limits is None:
        raise NotSupportedError()
    return row, adapter, limits


def _ask(row: ChannelAccount, ask: Callable[[], IceBreakers | ProviderProblem]) -> IceBreakers:
    """Call the provider. Not inside a transaction.

    :raises ProviderError: with the provider's message, or ours if the addon raised.
    """
    try:
        answer = ask()
    except Exception:
        log.exception("the adapter of channel %s failed while asking its provider", row.channel)
        raise ProviderError(_l("The addon of this channel failed."), next_step=_l("Tell an admin.")) from None
    if isinstance(answer, ProviderProblem):
        raise ProviderError(_(answer.sentence) if answer.sentence else None, next_step=answer.next_step)
    return answer


def _shown(found: IceBreakers) -> IceBreakersOfAccount:
    return IceBreakersOfAccount(
        locales={
            locale: [IceBreaker(question=one.question, payload=one.payload) for one in questions]
            for locale, questions in found.items()
        }
    )


@route(
    "GET",
    "/accounts/{account_id}/ice-breakers",
    tag="Accounts",
    summary="Get the ice breakers of an account",
    scope=Scope.READ,
    answer=IceBreakersOfAccount,
    errors=COMMON,
)
def get_ice_breakers(call: Call, account_id: int) -> IceBreakersOfAccount:
    """As the provider has them now."""
    row, adapter, _limits = _account(call, account_id)
    return _shown(_ask(row, lambda: adapter.ice_breakers(ref(row))))


@route(
    "PUT",
    "/accounts/{account_id}/ice-breakers",
    tag="Accounts",
    summary="Set the ice breakers of an account",
    scope=Scope.WRITE,
    body=IceBreakersOfAccount,
    answer=IceBreakersOfAccount,
    errors=(BodyError, IceBreakerError, *COMMON),
    examples=EXAMPLE,
)
def set_ice_breakers(call: Call, account_id: int, body: IceBreakersOfAccount) -> IceBreakersOfAccount:
    """Replaces all of them; answers what the provider has after that."""
    row, adapter, limits = _account(call, account_id)
    wanted = _checked(body, limits)
    kept = _ask(row, lambda: adapter.set_ice_breakers(ref(row), wanted))
    db.write(_note, call, row)
    return _shown(kept)


@route(
    "DELETE",
    "/accounts/{account_id}/ice-breakers",
    tag="Accounts",
    summary="Remove the ice breakers of an account",
    scope=Scope.WRITE,
    errors=COMMON,
)
def delete_ice_breakers(call: Call, account_id: int) -> None:
    """In every locale."""
    row, adapter, _limits = _account(call, account_id)
    _ask(row, lambda: adapter.set_ice_breakers(ref(row), {}))
    db.write(_note, call, row)


def _checked(body: IceBreakersOfAccount, limits: IceBreakerLimits) -> IceBreakers:
    """Return the ice breakers of a body, checked against the channel's limits as on the settings page.

    :raises IceBreakerError: naming the first place that breaks a limit.
    """
    blocks = [
        Block(locale, [Line(one.question.strip(), one.payload.strip()) for one in questions])
        for locale, questions in {greetings.DEFAULT: [], **body.locales}.items()
    ]
    sheet = Sheet(blocks)
    wanted = greetings.to_ice_breakers(sheet, limits)
    if sheet.error:
        raise IceBreakerError(sheet.error, field="locales.default")
    for block in sheet.blocks:
        if block.error:
            raise IceBreakerError(block.error, field=f"locales.{block.locale}", limit=limits.most)
        for at, line in enumerate(block.lines):
            if line.blank:
                line.errors["text"] = str(_("The question is empty."))
            for name, error in line.errors.items():
                part = "question" if name == "text" else "payload"
                raise IceBreakerError(error, field=f"locales.{block.locale}[{at}].{part}")
    return wanted


def _note(session: Session, call: Call, row: ChannelAccount) -> None:
    audit.record(
        session,
        "account.ice_breakers_changed",
        row.handle,
        user_id=None,
        remote=client_address(),
        workspace_id=call.workspace_id,
        details={"channel": row.channel, "key": call.caller.name},
    )
