"""Descriptions of fields for programs, said where a feature declares them."""

from __future__ import annotations

from typing import Any

from msgspec import Meta

GIVEN = "given"
"""The name under which a field's annotation says what a request may hold."""


def described(description: str, *, given: str = "", each: Meta | None = None, **bounds: Any) -> Meta:
    """Return the annotation of a field that answers and requests of the API are derived from.

    What is stored is not held to *bounds*: it may be from before a limit.

    :param given: what the document says of the field of a request; empty: the same.
    :param each: the bounds of each of several values.
    """
    request = Meta(description=given or description, **bounds)
    return Meta(description=description or None, extra={GIVEN: (request, each)})
