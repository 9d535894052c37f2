"""Name what was pasted into the wrong field: Meta's pages show four ids beside each other, all of digits."""

from __future__ import annotations

from host.sdk.i18n import gettext as _

from . import checks
from .graph import Graph, GraphError
from .values import digits

SHORTEST = 6
"""Digits by which a number without its country is recognised."""


def in_number(graph: Graph, app_id: str, number_id: str, business_id: str) -> dict[str, str]:
    """Return what stands in the field of the phone number ID instead, by field; nothing if it is unknown.

    :raises FetchError: if Meta does not answer; so does :func:`in_business`.
    """
    if number_id == app_id:
        return {"number": app_for_number()}
    if _is_account(graph, number_id):
        problems = {"number": account_for_number()}
        if business_id != number_id and _number_of(graph, business_id):
            problems["business"] = number_for_account()
        return problems
    dialled = number_id.lstrip("0")  # as at home, or with 00 for abroad
    for id_, international in _numbers(graph, business_id).items():
        if len(dialled) >= SHORTEST and international.endswith(dialled):
            return {"number": _("This is the phone number itself. Enter its ID: %(id)s.", id=id_)}
    if checks.is_portfolio(graph, number_id):
        return {"number": _portfolio_for("number")}
    return {}


def in_business(graph: Graph, app_id: str, business_id: str, display: str) -> dict[str, str]:
    """Return what stands in the field of the WhatsApp Business Account ID instead, as :func:`in_number`.

    :param display: the phone number, whose ID is right.
    """
    if business_id == app_id:
        said = _("This is the app ID. Enter the WhatsApp Business Account ID, below the phone number ID.")
    elif business_id == digits(display):
        said = _(
            "This is the phone number itself. Enter the WhatsApp Business Account ID, below the phone "
            "number ID."
        )
    elif _number_of(graph, business_id):
        said = number_for_account()
    elif checks.is_portfolio(graph, business_id):
        said = _portfolio_for("business")
    else:
        return {}
    return {"business": said}


def app_for_number() -> str:
    """Return that the app ID is in the field of the phone number ID."""
    return str(_("This is the app ID. Enter the phone number ID: in the Meta app under WhatsApp, API Setup."))


def account_for_number() -> str:
    """Return that the WhatsApp Business Account ID is in the field of the phone number ID."""
    return str(
        _(
            "This is the WhatsApp Business Account ID. It belongs in the field of that name: here, enter the "
            "phone number ID."
        )
    )


def number_for_account() -> str:
    """Return that a phone number ID is in the field of the WhatsApp Business Account ID."""
    return str(
        _(
            "This is a phone number ID. It belongs in the field of that name: here, enter the WhatsApp "
            "Business Account ID."
        )
    )


def _portfolio_for(field: str) -> str:
    if field == "number":
        return str(
            _(
                "This is the ID of the business portfolio, which isn't needed. Enter the phone number ID: in "
                "the Meta app under WhatsApp, API Setup."
            )
        )
    return str(
        _(
            "This is the ID of the business portfolio, which isn't needed. Enter the WhatsApp Business "
            "Account ID, below the phone number ID."
        )
    )


def _is_account(graph: Graph, id_: str) -> bool:
    try:
        checks.numbers(graph, id_)
    except GraphError:
        return False
    return True


def _numbers(graph: Graph, business_id: str) -> dict[str, str]:
    try:
        return dict(checks.numbers(graph, business_id))
    except GraphError:
        return {}


def _number_of(graph: Graph, id_: str) -> str:
    try:
        return checks.number(graph, id_).display
    except GraphError:
        return ""
