"""Values of an assistant's forms. Invalid numbers become -1, which validation rejects with their field."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

import msgspec
from flask import request

from host.assistants.pages.blueprint import MILLION
from host.assistants.values import Body, Cap, Limits

LONGEST = 20_000
"""Most characters read from a text field."""
CAPS = ("conversation", "day", "month")


def prompt(body: Body | None) -> Body:
    """Return *body* with the values of the prompt form."""
    form = request.form
    return msgspec.structs.replace(
        body or Body(),
        prompt=form.get("prompt", "")[:LONGEST],
        announces=bool(form.get("announces")),
        announcement=form.get("announcement", "")[:LONGEST],
        phrases=tuple(
            one for line in form.get("phrases", "")[:LONGEST].splitlines() if (one := line.strip())
        ),
        pause=_number(form.get("pause", "")),
    )


def handoff(body: Body | None) -> Body:
    """Return *body* with the values of the handoff form."""
    return msgspec.structs.replace(
        body or Body(),
        tells_handoff=bool(request.form.get("tells_handoff")),
        handoff=request.form.get("handoff", "")[:LONGEST],
    )


def limits(body: Body | None) -> Body:
    """Return *body* with the values of the limits form."""
    caps = {which: _cap(which) for which in CAPS}
    seconds, calls = _number(request.form.get("seconds", "")), _number(request.form.get("calls", "0"))
    return msgspec.structs.replace(body or Body(), limits=Limits(**caps, seconds=seconds, calls=calls))


def _cap(which: str) -> Cap:
    form = request.form
    return Cap(
        turns=_number(form.get(f"{which}.turns", "")),
        tokens=_number(form.get(f"{which}.tokens", "")),
        money=_millionths(form.get(f"{which}.money", "")),
    )


def _number(text: str) -> int:
    """Return a number as typed; 0 if empty."""
    text = text.strip()
    if not text:
        return 0
    return int(text) if text.isascii() and text.isdigit() and len(text) < 18 else -1


def _millionths(text: str) -> int:
    """Return an amount of money in millionths; 0 if empty."""
    text = text.strip().replace(",", ".")
    if not text:
        return 0
    try:
        amount = Decimal(text) if text.isascii() and len(text) < 18 else Decimal(-1)
    except InvalidOperation:
        return -1
    return int(amount * MILLION) if amount.is_finite() and 0 <= amount <= 10**10 else -1
