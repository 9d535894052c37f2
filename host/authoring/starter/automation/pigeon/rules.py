"""The condition it adds to rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from host.sdk import db
from host.sdk.i18n import noop
from host.sdk.rules import AskedAbout, RuleCondition

from . import models

CHOICES = (("3", noop("3 times or more")), ("10", noop("10 times or more")))


def facts(subjects: Sequence[AskedAbout]) -> Sequence[Mapping[str, Any]]:
    """Return how often each customer wrote: one statement for all of them."""
    with db.read() as session:
        counted = models.counts(session, {one.contact_id for one in subjects if one.contact_id is not None})
    return [{"messages": counted.get(one.contact_id or 0, 0)} for one in subjects]


def often(about: AskedAbout, value: str) -> bool:
    return value.isdigit() and int(about.facts.get("messages", 0)) >= int(value)


CONDITION = RuleCondition("pigeon.often", None, noop("they wrote often"), often, CHOICES, facts)
