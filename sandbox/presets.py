"""The faults a person can switch on from the phone page."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.box import Sandbox
from sandbox.world import App, Customer, Json, Token

ROADS = ("manage_messages",)
"""Permissions that both roads have, each with its own prefix."""


@dataclass(frozen=True, slots=True)
class Preset:
    """A switch: a rule, or a setting that is not a rule."""

    name: str
    label: str
    rule: Json | None
    scope: str = ""
    """A permission that tokens lose while it is on: one of road F, or what both roads call alike."""
    choice: bool = False
    """Whether the phone page enables it only for the customer it shows."""


PRESETS = (
    Preset("swallow", "Swallow this customer's webhooks", {"call": "webhook", "action": "drop"}, choice=True),
    Preset("twice", "Deliver every webhook twice", {"call": "webhook", "action": "repeat"}),
    Preset(
        "order",
        "Deliver out of order",
        {"call": "webhook", "action": "reorder", "size": 2, "seconds": 3},
    ),
    Preset("signature", "Break the signature", {"call": "webhook", "action": "bad_signature"}),
    Preset("ahead", "Echo before the answer", {"call": "echo", "action": "ahead"}),
    Preset(
        "token",
        "Token is dead (190)",
        {"call": "graph", "action": "error", "code": 190, "subcode": 460},
    ),
    Preset(
        "uploads",
        "Refuse uploads (200)",
        {
            "call": "upload",
            "action": "error",
            "code": 200,
            "message": "Requires pages_messaging permission to manage the object",
        },
    ),
    Preset("rate", "Too many calls (613)", {"call": "send", "action": "error", "code": 613}),
    Preset("app", "The app's limit is used up (4)", {"call": "send", "action": "error", "code": 4}),
    Preset("restrict", "Restrict this app (100)", None),
    Preset("usage", "Close to the limit (97 % used)", {"call": "send", "action": "usage", "percent": 97}),
    Preset(
        "timeout",
        "Time out, yet deliver",
        {"call": "send", "action": "timeout", "seconds": 30, "when": "after"},
    ),
    Preset(
        "pages_messaging",
        "Take pages_messaging away, refuse uploads",
        {
            "call": "upload",
            "action": "error",
            "code": 200,
            "message": "(#200) Requires pages_messaging permission to manage the object",
        },
        scope="pages_messaging",
    ),
    Preset("manage_messages", "Take the permission for messages away", None, scope="manage_messages"),
    Preset("stories", "Expire stories now", None),
    Preset("lost", "Lose the echo", {"call": "echo", "action": "drop"}),
    Preset("garbage", "Answer with nonsense", {"call": "send", "action": "garbage"}),
)
BY_NAME = {preset.name: preset for preset in PRESETS}


def show(box: Sandbox, switches: tuple[Preset, ...] = PRESETS) -> list[Json]:
    """Return the switches and whether each is on."""
    notes = {rule.note for rule in box.faults.rules}
    return [
        {
            "name": preset.name,
            "label": preset.label,
            "choice": preset.choice,
            "on": _note(preset) in notes if preset.rule is not None else _is_set(box, preset),
        }
        for preset in switches
    ]


def settings_on(box: Sandbox) -> int:
    """Return how many enabled switches are not rules."""
    return sum(preset.rule is None and _is_set(box, preset) for preset in PRESETS)


def switch(box: Sandbox, preset: Preset, on: bool, customer: Customer | None = None) -> None:
    """Turn a switch; turning it on twice changes nothing.

    :param customer: the only customer its rule applies to; None: everyone.
    """
    if preset.rule is None:
        _set(box, preset, on)
    else:
        for rule in [rule for rule in box.faults.rules if rule.note == _note(preset)]:
            box.faults.remove(rule.id)
        if on:
            match = {} if customer is None else {"match": {"customer": customer.igsid}}
            box.faults.add({**preset.rule, **match, "note": _note(preset)})
    if preset.scope:
        with box.lock:
            for token in box.world.tokens.values():
                _give(token, preset.scope, not on)
    box.ledger.add("fault_on" if on else "fault_off", fault=preset.name)


def _names(token: Token, scope: str) -> str:
    """Return what a permission is called on the road of a token; empty if that has none of the name."""
    if token.waba_ids is not None:
        return ""
    if scope not in ROADS:
        return "" if token.type == "IG_USER" else scope
    return f"instagram_{'business_' if token.type == 'IG_USER' else ''}{scope}"


def _give(token: Token, scope: str, given: bool) -> None:
    name = _names(token, scope)
    if name:
        kept = [one for one in token.scopes if one != name]
        token.scopes = [*kept, name] if given else kept


def _is_set(box: Sandbox, preset: Preset) -> bool:
    if preset.scope:
        return not any(_names(one, preset.scope) in one.scopes for one in box.world.tokens.values())
    return _desk_app(box).restricted if preset.name == "restrict" else box.media.stories_expired


def _set(box: Sandbox, preset: Preset, on: bool) -> None:
    if preset.scope:
        return
    if preset.name == "restrict":
        with box.lock:
            _desk_app(box).restricted = on
    else:
        box.media.stories_expired = on


def _desk_app(box: Sandbox) -> App:
    """Return the app named in the settings for a desk."""
    return next(iter(box.world.apps.values()))


def _note(preset: Preset) -> str:
    return f"switch:{preset.name}"
