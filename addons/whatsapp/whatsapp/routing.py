"""Conversation Routing: take a conversation from another responder of the number, pass it to one, release it.

https://developers.facebook.com/documentation/business-messaging/whatsapp/conversation-routing
"""

from __future__ import annotations

from typing import Any

from host.sdk.channel import AccountRef, ProviderProblem
from host.sdk.http import FetchError
from host.sdk.i18n import noop

from . import accounts, errors
from .checks import BAD_PARAMETER
from .graph import Graph, GraphError
from .rights import GONE
from .sending import NO_CREDENTIALS, to_whom

LONGEST_NOTE = 2000
NOT_ALLOWED = 2494191
"""Meta's code of a *take* by an app that is not the one conversations are escalated to."""
_REFUSED = noop("Meta didn't hand over this conversation.")
_NOT_OURS = noop("Meta didn't pass this conversation on, because another program has it.")
_TAKE_FIRST = noop("Take it over first, or leave it to that program.")
_TRY_AGAIN = noop("Try again in a minute. If Meta refuses it again, press Diagnose on the account's card.")
_ALLOW = noop(
    "In WhatsApp Manager, under conversation routing, make this desk's app the one that takes conversations "
    "over. Sending a message takes the conversation over, too."
)


def take(account: AccountRef, contact: str, note: str) -> ProviderProblem | None:
    """Take the conversation with *contact* from whichever responder has it; return why not, or None."""
    return _ask(account, contact, note, action="take")


def hand_on(account: AccountRef, contact: str, to: str, note: str) -> ProviderProblem | None:
    """Pass the conversation with *contact* to the role *to*, such as ``ai_agent``; errors as :func:`take`."""
    return _ask(account, contact, note, action="pass", control_pass={"target_role": to})


def release(account: AccountRef, contact: str, note: str) -> ProviderProblem | None:
    """Let go of the conversation with *contact*; errors as :func:`take`."""
    return _ask(account, contact, note, action="release")


def _ask(account: AccountRef, contact: str, note: str, **more: Any) -> ProviderProblem | None:
    found = accounts.of(account)
    if found is None:
        return ProviderProblem("no_token", NO_CREDENTIALS)
    if note:
        more["metadata"] = note[:LONGEST_NOTE]
    try:
        Graph.of(found).post(
            f"{account.external_id}/thread_control",
            messaging_product="whatsapp",
            **to_whom(contact),
            **more,
        )
    except FetchError as error:
        return ProviderProblem("away", noop("Meta didn't respond."), raw=error.reason)
    except GraphError as error:
        if error.code == GONE:
            return errors.problem_of(errors.meaning(error.code, error.status), error.code, str(error))
        if more["action"] != "take" and error.code == BAD_PARAMETER:
            return ProviderProblem(str(error.code), _NOT_OURS, _TAKE_FIRST, raw=str(error))
        step = _ALLOW if error.code == NOT_ALLOWED else _TRY_AGAIN
        return ProviderProblem(str(error.code), _REFUSED, step, raw=str(error))
    return None
