"""What rules of a workspace may ask and do on the toy."""

from __future__ import annotations

from host.sdk.rules import AskedAbout, React, RuleAction, RuleCondition, SendText

SIZES = (("40", "40 letters or more"), ("400", "400 letters or more"))


def is_long(about: AskedAbout, value: str) -> bool:
    return value.isdigit() and len(about.text) >= int(value)


def thank(about: AskedAbout) -> React | SendText | None:
    """Thank for a text; there is nothing to thank for in anything else."""
    return SendText("Thank you!") if about.kind == "text" else None


CONDITIONS = [RuleCondition("toy.long", "toy", "they wrote", is_long, SIZES)]
ACTIONS = [RuleAction("toy.thank", "toy", "say thank you", thank)]
