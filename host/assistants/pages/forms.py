"""Values of an assistant's forms. Invalid numbers become -1, which validation rejects with their field."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation

import msgspec
from flask import request

from host.assistants.pages.blueprint import MILLION
from host.assistants.values import CAPS, Body, Cap, Limits

LONGEST = 20_000
"""Most characters read from a text field."""


PROMPT = ("prompt", "announces", "announcement", "phrases", "pause")
HANDOFF = ("tells_handoff", "handoff")
"""The settings on each form, by their names in :class:`~host.assistants.values.Body`."""


def prompt(body: Body | None) -> Body:
    """Return *body* with the values of the prompt form."""
    return _filled(body, PROMPT)


def handoff(body: Body | None) -> Body:
    """Return *body* with the values of the handoff form."""
    return _filled(body, HANDOFF)


def _filled(body: Body | None, names: Sequence[str]) -> Body:
    """Return *body* with the values of the form for the settings *names*, each read by its type."""
    at_first = Body()
    read = {name: _READ[type(getattr(at_first, name))](name) for name in names}
    return msgspec.structs.replace(body or at_first, **read)


def _text(name: str) -> str:
    return request.form.get(name, "")[:LONGEST]


def _lines(name: str) -> tuple[str, ...]:
    return tuple(one for line in _text(name).splitlines() if (one := line.strip()))


_READ: Mapping[type, Callable[[str], object]] = {
    str: _text,
    tuple: _lines,
    bool: lambda name: bool(request.form.get(name)),
    int: lambda name: _number(request.form.get(name, "")),
}


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
