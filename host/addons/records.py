"""Read and write the rows of installed addons, for operations and for the admin's list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host import counters
from host.addons.package import trust
from host.addons.package.failures import AddonError
from host.addons.package.manifest import Manifest
from host.addons.package.store import Release, as_release
from host.addons.running import channel_names, held_webhooks, listening
from host.core import db
from host.events.writing import EVERYBODY, show
from host.models.addons import Addon, AddonRelease, AddonState, Operation
from host.models.users import InstallationValue
from host.sdk.channel import ChannelAdapter
from host.users.actor import DESK, Actor
from host.web.languages import gettext as _

OPERATION = timedelta(minutes=10)
REPLACED_ONCE_IN = timedelta(hours=1)
"""Period in which one addon causes the replacement of at most one process."""


def audit(session: Session, actor: Actor, action: str, release: Release | str, **details: Any) -> None:
    """Write a line of the audit log about an addon, in the current write."""
    if isinstance(release, Release):
        details = {"version": release.version, "sha256": release.sha256[:16], **details}
        release = release.slug
    actor.audit(session, action, release, workspace_id=None, details=details)


@dataclass(slots=True)
class ActivationStep:
    """One step of an activation, for pages and database.

    :param name: its label, for people.
    :param result: ``ok``, ``failed`` or ``skipped``, or ``running`` while it is under way.
    """

    name: str
    result: str = "skipped"
    ms: int = 0
    detail: str = ""


@dataclass(slots=True)
class Outcome:
    """The result of an activation."""

    slug: str
    steps: list[ActivationStep] = field(default_factory=list)
    error: dict[str, Any] | None = None
    switched: bool = False
    """Whether the release was active, even if only briefly."""

    @property
    def ok(self) -> bool:
        return self.error is None


class Before(msgspec.Struct, frozen=True):
    """The state of an addon before an operation, to restore on failure."""

    running: bool
    wanted: bool
    release_id: int
    version: str
    previous_release_id: int | None
    webhooks: list[dict[str, Any]]


def standing(slug: str) -> tuple[object, ...] | None:
    """Return what an operation on the addon *slug* relies on; None if it is not installed."""
    with db.read() as session:
        row = session.get(Addon, slug)
        return None if row is None else (row.state, row.wanted, row.release_id, row.operation)


def before(slug: str) -> Before:
    """Return the current state of the addon *slug*."""
    with db.read() as session:
        row = session.get_one(Addon, slug)
        return Before(
            running=row.state == AddonState.ACTIVE,
            wanted=row.wanted,
            release_id=row.release_id,
            version=session.get_one(AddonRelease, row.release_id).version,
            previous_release_id=row.previous_release_id,
            webhooks=row.webhooks,
        )


class Card(msgspec.Struct, frozen=True):
    """One installed addon as the admin's list shows it."""

    slug: str
    state: AddonState
    release: Release
    previous_version: str | None
    error: dict[str, Any] | None
    steps: list[dict[str, Any]]
    activated_at: datetime | None
    wanted: bool
    operation: Operation | None

    @property
    def manifest(self) -> Manifest:
        return self.release.manifest

    @property
    def version(self) -> str:
        return self.release.version

    @property
    def under_way(self) -> dict[str, Any] | None:
        """The step that is running, one of *steps*; None if no operation is, or none has begun its steps."""
        if self.state is not AddonState.ACTIVATING and self.operation is None:
            return None
        return next((step for step in self.steps if step["result"] == "running"), None)


def installed() -> list[Card]:
    """Return every installed addon, by name."""
    previous = sa.orm.aliased(AddonRelease)
    query = (
        sa.select(Addon, AddonRelease, previous.version)
        .join(AddonRelease, AddonRelease.id == Addon.release_id)
        .outerjoin(previous, previous.id == Addon.previous_release_id)
    )
    with db.read() as session:
        cards = [
            Card(
                slug=addon.slug,
                state=AddonState(addon.state),
                release=as_release(release),
                previous_version=version,
                error=addon.error,
                steps=addon.steps,
                activated_at=addon.activated_at,
                wanted=addon.wanted,
                operation=Operation(addon.operation) if addon.operation else None,
            )
            for addon, release, version in session.execute(query)
        ]
    return sorted(cards, key=lambda card: card.manifest.name.casefold())


def starting(session: Session, release: Release, actor: Actor, current: Release | None) -> None:
    """Record that *release* is about to be installed, before the first step."""
    before = {"before": current.version} if current is not None else {}
    audit(session, actor, "addon.install_started", release, **before)


def put(session: Session, release: Release, actor: Actor, now: datetime) -> None:
    audit(session, actor, "addon.installed", release)
    trust.record_publisher(session, release)
    row = session.get(Addon, release.slug)
    if row is None:
        session.add(
            Addon(
                slug=release.slug,
                state=AddonState.INACTIVE,
                release_id=release.id,
                previous_release_id=None,
                error=None,
                steps=[],
                wanted=False,
                webhooks=[],
                operation=None,
                operation_until=None,
                activated_at=None,
                updated_at=now,
            )
        )
    else:
        row.previous_release_id, row.release_id = row.release_id, release.id
        row.state = AddonState.INACTIVE
        row.error = None
        row.steps = []
        row.updated_at = now
    show(session, EVERYBODY, "addons")


def mark(session: Session, release: Release, actor: Actor, now: datetime) -> None:
    audit(session, actor, "addon.activation_started", release)
    row = session.get_one(Addon, release.slug)
    row.state = AddonState.ACTIVATING
    row.operation_until = now + OPERATION
    row.updated_at = now


def begin(session: Session, slug: str, what: Operation, now: datetime) -> None:
    """Record that the operation *what* has started on an addon that keeps running."""
    row = session.get_one(Addon, slug)
    row.operation, row.operation_until = what, now + OPERATION
    show(session, EVERYBODY, "addons")


def end(session: Session, slug: str) -> None:
    """Record that the operation on an addon has ended."""
    row = session.get(Addon, slug)
    if row is not None:
        row.operation = row.operation_until = None
        show(session, EVERYBODY, "addons")


def activated(
    session: Session,
    release: Release,
    outcome: Outcome,
    actor: Actor,
    now: datetime,
    webhooks: Sequence[Mapping[str, Any]],
    channels: Iterable[ChannelAdapter] = (),
) -> None:
    """Make *release* the active one.

    :param webhooks: for each route its ``path`` and ``max_body``.
    :param channels: its channels, whose names and marks are stored.
    """
    audit(session, actor, "addon.activated", release)
    trust.record_publisher(session, release)
    row = session.get_one(Addon, release.slug)
    row.wanted = True
    row.webhooks = [dict(one) for one in webhooks]
    if row.release_id != release.id:
        row.previous_release_id, row.release_id = row.release_id, release.id
    row.state = AddonState.ACTIVE
    row.error = None
    row.steps = [asdict(step) for step in outcome.steps]
    row.operation_until = None
    channel_names.remember(session, channels)
    row.activated_at = row.updated_at = now
    counters.bump(session, counters.GENERATION)
    show(session, EVERYBODY, "addons")


def switched_back(session: Session, release: Release, earlier: Before, actor: Actor, now: datetime) -> None:
    """Undo that *release* is active: restore *earlier*."""
    row = session.get_one(Addon, release.slug)
    if earlier.running:
        audit(session, actor, "addon.rolled_back", release, to=earlier.version)
    else:
        audit(session, actor, "addon.switched_off", release)
        row.state = AddonState.INACTIVE
    row.wanted, row.webhooks = earlier.wanted, earlier.webhooks
    row.release_id, row.previous_release_id = earlier.release_id, earlier.previous_release_id
    row.updated_at = now
    counters.bump(session, counters.GENERATION)
    show(session, EVERYBODY, "addons")


def step_started(session: Session, slug: str, outcome: Outcome) -> None:
    """Show which step of an operation is running to everybody who looks at the addon."""
    session.get_one(Addon, slug).steps = [asdict(step) for step in outcome.steps]
    show(session, EVERYBODY, "addons")


def keep_steps(session: Session, slug: str, outcome: Outcome) -> None:
    session.get_one(Addon, slug).steps = [asdict(step) for step in outcome.steps]


def failed(
    session: Session, release: Release, outcome: Outcome, state: AddonState, actor: Actor, now: datetime
) -> None:
    step = (outcome.error or {}).get("step", "")
    audit(session, actor, "addon.activation_failed", release, step=step)
    row = session.get_one(Addon, release.slug)
    # A failed update leaves the previous release active; its row was never marked as activating.
    if row.state != AddonState.ACTIVE:
        # A quarantined addon stays quarantined: requests to its webhooks are still kept.
        row.state = AddonState.QUARANTINED if row.wanted and state == AddonState.INACTIVE else state
    row.error = outcome.error
    row.steps = [asdict(step) for step in outcome.steps]
    row.operation_until = None
    row.updated_at = now
    show(session, EVERYBODY, "addons")


def deactivated(session: Session, slug: str, actor: Actor, now: datetime) -> None:
    row = session.get(Addon, slug)
    if row is None:
        raise AddonError(_("The addon %(slug)s is not installed.", slug=slug))
    if row.state == AddonState.INACTIVE and not row.wanted:
        return
    audit(session, actor, "addon.deactivated", slug)
    row.state = AddonState.INACTIVE
    row.wanted = False
    held_webhooks.delete_of(session, slug)
    listening.forget(session, slug)
    row.error = None
    row.operation_until = None
    row.updated_at = now
    counters.bump(session, counters.GENERATION)
    show(session, EVERYBODY, "addons")


def removed(session: Session, slug: str, actor: Actor) -> None:
    row = session.get(Addon, slug)
    if row is None:
        raise AddonError(_("The addon %(slug)s is not installed.", slug=slug))
    if row.state in (AddonState.ACTIVE, AddonState.ACTIVATING):
        raise AddonError(_("Deactivate the addon first. Nothing was removed."))
    audit(session, actor, "addon.removed", slug)
    listening.forget(session, slug)
    session.delete(row)
    session.flush()
    session.execute(sa.delete(AddonRelease).where(AddonRelease.slug == slug))
    show(session, EVERYBODY, "addons")


def interrupted(session: Session, slug: str, now: datetime) -> None:
    row = session.get_one(Addon, slug)
    if row.state != AddonState.ACTIVATING:
        return
    row.steps = [{**step, "result": "failed"} if step["result"] == "running" else step for step in row.steps]
    row.state = AddonState.QUARANTINED if row.wanted else AddonState.INACTIVE
    row.error = {
        "step": "",
        "sentence": _(
            "Activation was interrupted because the process ended. Nothing was activated. Press "
            "Activate to resume."
        ),
    }
    row.operation_until = None
    row.updated_at = now


def quarantined(session: Session, slug: str, error: dict[str, Any], now: datetime) -> bool:
    """Quarantine a running addon; return whether it was running."""
    row = session.get(Addon, slug)
    if row is None or row.state != AddonState.ACTIVE:
        return False
    audit(session, DESK, "addon.quarantined", slug, reason=str(error["sentence"])[:200])
    row.state = AddonState.QUARANTINED
    row.error = error
    row.updated_at = now
    counters.bump(session, counters.GENERATION)
    show(session, EVERYBODY, "addons")
    return True


def hung(session: Session, slug: str, error: dict[str, Any], now: datetime) -> bool | None:
    """Record that a process disabled a running addon because it hung.

    Returns True if the process may be replaced, None if the addon was not running. If a process was replaced
    for it within :data:`REPLACED_ONCE_IN`, the addon is quarantined, and False is returned.
    """
    row = session.get(Addon, slug, with_for_update=True)
    if row is None or row.state != AddonState.ACTIVE:
        return None
    name = f"hung:{slug}"
    before = session.get(InstallationValue, name)
    if before is not None and now - datetime.fromisoformat(before.value) < REPLACED_ONCE_IN:
        quarantined(session, slug, error, now)
        return False
    audit(session, DESK, "addon.process_replaced", slug)
    if before is None:
        session.add(InstallationValue(name=name, value=now.isoformat()))
    else:
        before.value = now.isoformat()
    return True


def retried(session: Session, slug: str, now: datetime) -> None:
    """Make a quarantined addon active again, because it or the host has changed since."""
    row = session.get_one(Addon, slug)
    audit(session, DESK, "addon.retried", slug)
    row.state = AddonState.ACTIVE
    row.error = None
    row.updated_at = now
    counters.bump(session, counters.GENERATION)
    show(session, EVERYBODY, "addons")


def switch_off(slug: str) -> None:
    """Deactivate the addon *slug* in any state by writing one row, without locks and without running its
    code.

    A last resort. The addon's data is kept.

    :raises AddonError: if no such addon is installed.
    """
    db.write(_disable, slug)


def _disable(session: Session, slug: str) -> None:
    row = session.get(Addon, slug)
    if row is None:
        raise AddonError(f"No addon {slug} is installed.")
    row.state, row.wanted, row.operation = AddonState.INACTIVE, False, None
    counters.bump(session, counters.GENERATION)
    audit(session, DESK, "addon.disabled_offline", slug)
