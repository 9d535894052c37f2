"""The faults a person can switch on from the WhatsApp page."""

from __future__ import annotations

from sandbox import presets
from sandbox.box import Sandbox
from sandbox.presets import Preset
from sandbox.world import Json


def _refuses(name: str, label: str, code: int) -> Preset:
    return Preset(f"whatsapp-{name}", label, {"call": "send", "action": "error", "code": code})


PRESETS = (
    Preset("whatsapp-twice", "Deliver every webhook twice", {"call": "webhook", "action": "repeat"}),
    Preset(
        "whatsapp-order",
        "Let statuses overtake",
        {"call": "status", "action": "reorder", "size": 2, "seconds": 3},
    ),
    Preset("whatsapp-double", "Send statuses twice", {"call": "status", "action": "repeat"}),
    Preset("whatsapp-lost", "Lose statuses", {"call": "status", "action": "drop"}),
    Preset("whatsapp-ahead", "Status before the answer", {"call": "status", "action": "ahead"}),
    Preset("whatsapp-signature", "Break the signature", {"call": "webhook", "action": "bad_signature"}),
    _refuses("token", "Token is dead (190)", 190),
    _refuses("rate", "Too many messages (130429)", 130429),
    _refuses("pair", "Too many to this person (131056)", 131056),
    _refuses("spam", "Blocked as spam (131048)", 131048),
    _refuses("policy", "Blocked for policy (368)", 368),
    Preset(
        "whatsapp-timeout",
        "Time out, yet deliver",
        {"call": "send", "action": "timeout", "seconds": 30, "when": "after"},
    ),
)
BY_NAME = {preset.name: preset for preset in PRESETS}


def show(box: Sandbox) -> list[Json]:
    """Return the switches and whether each is on."""
    return presets.show(box, PRESETS)
