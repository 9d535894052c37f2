"""The condition of rules: whether the customer has an open order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from host.sdk import db
from host.sdk.i18n import noop
from host.sdk.rules import AskedAbout, RuleCondition

from .webhook import with_open_orders


def facts(about: Sequence[AskedAbout]) -> Sequence[Mapping[str, Any]]:
    """Return for each customer whether webhooks told of an open order."""
    keys = [(one.account.workspace_id, (one.email or "").strip().lower()) for one in about]
    asked = {key for key in keys if key[1]}
    if not asked:
        return [{} for _ in about]
    with db.read() as session:
        found = with_open_orders(session, asked)
    return [{"open_order": key in found} for key in keys]


def has_open_order(about: AskedAbout, _value: str) -> bool:
    """Return whether the customer has an open order."""
    return about.facts.get("open_order") is True


CONDITION = RuleCondition(
    "shop.open_order", None, noop("they have an open order"), has_open_order, facts=facts
)
