"""The condition that rules can have about a customer's last score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from host.sdk.i18n import noop
from host.sdk.rules import AskedAbout, RuleCondition

from . import keeping

_CHOICES = {"low": (1, 2), "middle": (3,), "high": (4, 5)}


def facts(subjects: Sequence[AskedAbout]) -> Sequence[Mapping[str, int]]:
    """Return the last score of each customer, empty without one."""
    contacts = {one.contact_id for one in subjects if one.contact_id is not None}
    found = keeping.last_scores(contacts) if contacts else {}
    scores = [found.get(one.contact_id or 0) for one in subjects]
    return [{} if score is None else {"score": score} for score in scores]


def rated(about: AskedAbout, value: str) -> bool:
    """Return whether the customer's last score is among those of the choice *value*."""
    return about.facts.get("score") in _CHOICES.get(value, ())


CONDITION = RuleCondition(
    "satisfaction.rated",
    None,
    noop("they last rated us"),
    rated,
    (("low", noop("1 or 2")), ("middle", noop("3")), ("high", noop("4 or 5"))),
    facts,
)
