"""What each state of an addon is called, and what an admin can do about it.

One table: the list of addons, its buttons and the tests read it, so that no state is without a way on.
"""

from __future__ import annotations

from dataclasses import dataclass

from flask_babel import lazy_gettext as _l

from host.addons.models import AddonState, Operation


@dataclass(frozen=True, slots=True)
class Shown:
    """How a state looks, and its button.

    :param tone: of the chip: empty, ``good``, ``warn`` or ``bad``.
    :param recoverable: whether the button can bring the addon (back) up by itself; otherwise something
        outside it has to change first, which *otherwise* says.
    :param button: what the button that goes on says; empty where there is nothing to press but to wait.
    """

    label: object
    tone: str
    icon: str
    recoverable: bool
    button: object
    otherwise: object = ""


STATES: dict[AddonState, Shown] = {
    AddonState.INACTIVE: Shown(_l("Inactive"), "", "", True, _l("Activate")),
    AddonState.ACTIVATING: Shown(_l("Activating"), "warn", "wait", True, ""),
    AddonState.ACTIVE: Shown(_l("Active"), "good", "check", True, _l("Deactivate")),
    AddonState.MIGRATION_FAILED: Shown(_l("Migration failed"), "bad", "alert", True, _l("Try again")),
    AddonState.QUARANTINED: Shown(_l("Quarantined"), "bad", "ban", True, _l("Try again")),
    AddonState.MODIFIED: Shown(_l("Modified"), "bad", "alert", True, _l("Restore the files")),
    AddonState.INCOMPATIBLE: Shown(
        _l("Incompatible"),
        "bad",
        "alert",
        False,
        _l("Try again"),
        _l("Upload a release that fits this Lobby, or roll back."),
    ),
    AddonState.UNTRUSTED: Shown(
        _l("Not trusted"),
        "bad",
        "shield",
        False,
        _l("Try again"),
        _l("Trust its publisher's key, or upload a release signed with one you trust."),
    ),
}

OPERATIONS: dict[Operation, object] = {
    Operation.UPDATING: _l("Updating"),
    Operation.ROLLING_BACK: _l("Rolling back"),
    Operation.REMOVING: _l("Removing"),
}
