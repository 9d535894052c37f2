"""Ask Meta about a number, its token and its app: for connecting and for Diagnose.

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/override
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from host.sdk.secrets import Secret

from .graph import Graph, GraphError, verify_token, webhook_url
from .values import digits, identifier, items, mapping, moment, text

PERMISSIONS = ("whatsapp_business_messaging", "whatsapp_business_management")
OBJECT = "whatsapp_business_account"
BAD_PARAMETER = 100
"""Meta's code of a value it doesn't take."""
FIELDS = ("messages", "account_update", "phone_number_quality_update", "message_template_status_update")
"""Fields of the app's webhook; without the first nothing arrives."""
ECHOES = "smb_message_echoes"
"""Field with messages written in the WhatsApp Business app."""
RESPONDERS = ("standby", "messaging_handovers")
"""Fields of conversations that another responder of the number has. Without them, their messages are missing.
"""
OPTIONAL = (ECHOES, *RESPONDERS, "calls", "history", "user_preferences", "template_category_update")
"""Fields that not every app may have."""


@dataclass(frozen=True, slots=True)
class Number:
    """A phone number at Meta. *quality*: ``GREEN``, ``YELLOW``, ``RED`` or empty."""

    display: str
    name: str
    quality: str


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """The state of a token at Meta.

    :param until: when it expires; None: never.
    :param missing: permissions it lacks.
    """

    app_id: str
    until: datetime | None
    missing: tuple[str, ...]


def number(graph: Graph, number_id: str) -> Number:
    """Return a phone number; errors as :meth:`Graph.get`."""
    found = graph.get(number_id, fields="display_phone_number,verified_name,quality_rating")
    return Number(
        text(found.get("display_phone_number"), 60),
        text(found.get("verified_name"), 200),
        text(found.get("quality_rating"), 20),
    )


def numbers(graph: Graph, business_id: str) -> Mapping[str, str]:
    """Return the digits of the numbers of a WhatsApp Business Account by id; errors as :meth:`Graph.get`."""
    found = graph.get(f"{business_id}/phone_numbers", fields="id,display_phone_number", limit="100")
    return {
        identifier(one.get("id")): digits(text(one.get("display_phone_number"), 60))
        for one in items(found.get("data"))
    }


def is_portfolio(graph: Graph, id_: str) -> bool:
    """Return whether an id is that of a business portfolio, as far as the token can see."""
    try:
        graph.get(f"{id_}/owned_whatsapp_business_accounts", fields="id", limit="1")
    except GraphError:
        return False
    return True


def token_facts(token: Secret) -> TokenFacts | None:
    """Return what Meta says of a token; None if it is not valid; errors as :meth:`Graph.get`."""
    found = mapping(Graph(token).get("debug_token", input_token=token.reveal()).get("data"))
    app_id = identifier(found.get("app_id"))
    if found.get("is_valid") is not True or not app_id:
        return None
    scopes = found.get("scopes")
    given = scopes if isinstance(scopes, list) else []
    missing = tuple(one for one in PERMISSIONS if one not in given)
    return TokenFacts(app_id, moment(found.get("expires_at")), missing)


def app_fields(app_id: str, app_secret: Secret) -> tuple[str, frozenset[str]]:
    """Return the callback address of an app's webhook, empty if it has none, and its active fields.

    Errors as :meth:`Graph.get`.
    """
    found = _app(app_id, app_secret).get(f"{app_id}/subscriptions")
    for one in items(found.get("data")):
        if one.get("object") == OBJECT and one.get("active") is not False:
            fields = frozenset(text(each.get("name"), 60) for each in items(one.get("fields")))
            return text(one.get("callback_url"), 1000), fields
    return "", frozenset()


def set_app_fields(app_id: str, app_secret: Secret) -> None:
    """Point an app's webhook to this desk, with every field it may have; errors as :meth:`Graph.get`."""
    if _may_set(app_id, app_secret, (*FIELDS, *OPTIONAL)):
        return
    chosen: tuple[str, ...] = FIELDS
    _set_fields(app_id, app_secret, chosen)
    for one in OPTIONAL:  # Meta doesn't say which it refuses
        if _may_set(app_id, app_secret, (*chosen, one)):
            chosen = (*chosen, one)


def _may_set(app_id: str, app_secret: Secret, fields: Sequence[str]) -> bool:
    try:
        _set_fields(app_id, app_secret, fields)
    except GraphError as error:
        if error.code != BAD_PARAMETER:
            raise
        return False
    return True


def _set_fields(app_id: str, app_secret: Secret, fields: Sequence[str]) -> None:
    _app(app_id, app_secret).post(
        f"{app_id}/subscriptions",
        object=OBJECT,
        callback_url=webhook_url(),
        verify_token=verify_token(),
        fields=",".join(fields),
    )


def _app(app_id: str, app_secret: Secret) -> Graph:
    return Graph(Secret(f"{app_id}|{app_secret.reveal()}"))


def subscribe(graph: Graph, business_id: str) -> None:
    """Have the messages of a WhatsApp Business Account delivered to this desk, whatever address the app has.

    Meta verifies this desk's address meanwhile. Errors as :meth:`Graph.get`.
    """
    graph.post(
        f"{business_id}/subscribed_apps",
        override_callback_uri=webhook_url(),
        verify_token=verify_token(),
    )


def unsubscribe(graph: Graph, business_id: str) -> None:
    """Have them delivered to the app's own address again; errors as :meth:`Graph.get`."""
    graph.post(f"{business_id}/subscribed_apps")


def delivers_to(graph: Graph, business_id: str, app_id: str) -> str | None:
    """Return where an app's messages of a WhatsApp Business Account are delivered.

    Empty: to the app's own address. None: nowhere, because it is not subscribed. Errors as :meth:`Graph.get`.
    """
    found = graph.get(f"{business_id}/subscribed_apps")
    for one in items(found.get("data")):
        app: Mapping[str, Any] = mapping(one.get("whatsapp_business_api_data"))
        if identifier(app.get("id")) == app_id:
            return text(one.get("override_callback_uri"), 1000)
    return None
