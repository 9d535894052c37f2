"""Select the bodies of events for a subscriber."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from host.events.bodies.building import OutgoingBody

EVERYTHING = "*"
"""Pattern for all events."""


def hears(patterns: Collection[str], name: str) -> bool:
    """Return whether one of *patterns* matches the event *name*."""
    return EVERYTHING in patterns or name in patterns or f"{name.partition('.')[0]}.*" in patterns


def heard(
    patterns: Collection[str], bodies: Sequence[OutgoingBody], *, both_names: bool
) -> Sequence[OutgoingBody]:
    """Return the bodies of one event for a subscriber of *patterns*.

    The built-in body is left out if a channel's replaces it, unless *both_names*. Bodies for a single
    endpoint are also left out.
    """
    found = [one for one in bodies if one.only is None and hears(patterns, one.body.name)]
    replaced = not both_names and any(one.replaces for one in found)
    return [one for one in found if not one.later and not (replaced and one.is_hosts)]
