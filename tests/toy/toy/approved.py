"""Templates that the toy provider approved, and one that it paused."""

from __future__ import annotations

from host.sdk.channel import (
    ApprovalState,
    ApprovedButton,
    ApprovedHeader,
    ApprovedPage,
    ApprovedParameter,
    ApprovedTemplate,
    ProviderProblem,
)
from host.sdk.i18n import noop

TEMPLATES = (
    ApprovedTemplate(
        "order-en",
        "order_shipped",
        "en",
        "Hello {{first_name}}, your order {{order}} is on its way.",
        category=noop("Utility"),
        price=noop("4 cents"),
        header=ApprovedHeader(text="Order {{order}}"),
        footer="Reply STOP to opt out.",
        buttons=(
            ApprovedButton("Track it", url="https://toy.example/track/{{order}}"),
            ApprovedButton("Thanks"),
        ),
        parameters=(
            ApprovedParameter("first_name", "Zoe"),
            ApprovedParameter("order", "A-17", max_length=20),
        ),
    ),
    ApprovedTemplate(
        "sale-de",
        "winter_sale",
        "de",
        "Der Winterschlussverkauf beginnt am {{1}}.",
        category=noop("Marketing"),
        promotional=True,
        parameters=(ApprovedParameter("1", "Montag"),),
    ),
    ApprovedTemplate(
        "old-en",
        "old_offer",
        "en",
        "Nobody liked this.",
        ApprovalState.PAUSED,
        sentence=noop("Too many people blocked the account after it."),
        category=noop("Marketing"),
        promotional=True,
    ),
)


def listed(after: str) -> ApprovedPage:
    """Return a page: two templates on the first, the rest on the second."""
    return ApprovedPage(TEMPLATES[2:]) if after else ApprovedPage(TEMPLATES[:2], after="2")


def find(external_id: str) -> ApprovedTemplate | ProviderProblem:
    """Return a template by its id."""
    for template in TEMPLATES:
        if template.external_id == external_id:
            return template
    return ProviderProblem("unknown", noop("The toy has no such template."))
