"""Activate a release of an addon: the steps that must succeed before it serves, and undoing them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from host.addons import operation_lock, records
from host.addons.migrating import plan, runner
from host.addons.migrating.runner import MigrationError
from host.addons.package import store, trust
from host.addons.package.failures import AddonError, Skipped, last_lines
from host.addons.package.manifest import fit_problems
from host.addons.package.store import Release
from host.addons.records import ActivationStep, Before, Outcome
from host.addons.running import contributions, generation, hooks_apart, probe, selftest
from host.addons.running.generation import Generation, Host
from host.core import clock, db, migrations
from host.core.config import Config
from host.models.addons import AddonState
from host.sdk.channel import ChannelAdapter
from host.sdk.i18n import noop
from host.users.actor import Actor
from host.web.languages import gettext as _

log = logging.getLogger(__name__)

_OUTSIDE = (AddonState.INCOMPATIBLE, AddonState.MODIFIED, AddonState.UNTRUSTED)
"""States that name a cause outside the addon's code; any other failure leaves it inactive."""


def run_step(outcome: Outcome, name: str, do: Callable[[], str | None]) -> None:
    """Run one step, show that it runs, and time it; *do* returns its detail.

    An exception marks the step as failed.
    """
    step = ActivationStep(name, "running")
    outcome.steps.append(step)
    started = time.perf_counter()
    try:
        db.write(records.step_started, outcome.slug, outcome)
        found = do()
        step.detail = found or ""
        step.result = "skipped" if isinstance(found, Skipped) else "ok"
    except Exception as error:
        step.result = "failed"
        step.detail = error.sentence if isinstance(error, AddonError) else last_lines(error)
        raise
    finally:
        step.ms = round((time.perf_counter() - started) * 1000)


def bring_up(
    config: Config,
    release: Release,
    outcome: Outcome,
    host: Host | None,
    actor: Actor,
    *,
    vetted: bool = False,
) -> None:
    """Run every step for *release*.

    Afterwards it is active, or everything is unchanged and *outcome* has the reason.

    :param vetted: whether it comes with this release: its code is trusted like Lobby's, so neither it nor the
        migrations that create its first tables run in a separate process first.
    """
    before = records.before(release.slug)
    failed_state = AddonState.INACTIVE
    error: dict[str, Any] | None = None
    try:
        _steps(config, release, outcome, host, actor, before, vetted)
    except MigrationError as failure:
        failed_state = AddonState.MIGRATION_FAILED
        error = {
            "step": outcome.steps[-1].name,
            "sentence": failure.sentence,
            "statement": failure.statement,
            "database": failure.database,
        }
    except AddonError as failure:
        if failure.state in _OUTSIDE:
            failed_state = failure.state
        error = {"step": outcome.steps[-1].name, "sentence": failure.sentence, "database": failure.detail}
    except Exception as failure:
        log.exception("activating %s failed", release.slug)
        words = db.describe(failure)[1] or last_lines(failure)
        error = {
            "step": outcome.steps[-1].name,
            "sentence": _("An unexpected error occurred. Nothing was activated."),
            "database": words,
        }
    if error is not None:
        outcome.error = {**error, "version": release.version}
        if not outcome.switched:
            outcome.steps.append(ActivationStep(_("Switch over")))
        db.write(records.failed, release, outcome, failed_state, actor, clock.now())


def _steps(
    config: Config,
    release: Release,
    outcome: Outcome,
    host: Host | None,
    actor: Actor,
    before: Before,
    vetted: bool,
) -> None:
    folder: list[Path] = []
    webhooks: list[dict[str, Any]] = []
    channels: list[ChannelAdapter] = []
    trials: list[Generation] = []  # as long as one exists, its code stays imported

    def files() -> Any:
        problems = fit_problems(release.manifest)
        if problems:
            raise AddonError(" ".join(problems), state=AddonState.INCOMPATIBLE)
        trust.require(config, release)
        folder.append(store.materialise(config.data, release, heal=True))
        return _("%(count)s files, sha256 %(hash)s", count=len(release.files), hash=release.sha256[:12])

    run_step(outcome, _("Verify files"), files)
    try:
        _try_and_migrate(config, release, folder[0], outcome, vetted)
    except plan.PlanError as error:
        outcome.steps.append(ActivationStep(_("Migrations"), "failed", 0, str(error)))
        raise MigrationError(str(error), "", "") from error
    except migrations.BusyError as error:
        outcome.steps.append(ActivationStep(_("Migrations"), "failed", 0, str(error)))
        raise AddonError(str(error)) from error

    def build() -> None:
        trial = _trial(config, release, host)
        trials.append(trial)
        if release.slug in trial.failures:
            raise AddonError(
                trial.failures[release.slug],
                state=trial.failure_states[release.slug],
                detail=trial.failure_details[release.slug],
            )
        channels.extend(one for slug, one in trial.each(contributions.CHANNELS) if slug == release.slug)
        prefix = release.manifest.prefix
        webhooks.extend(
            {"path": route.path, "max_body": route.max_body}
            for path, route in trial.webhooks.items()
            if path.startswith(prefix)
        )

    run_step(outcome, _("Build the app with the addon"), build)

    def switch() -> None:
        db.write(records.activated, release, outcome, actor, clock.now(), webhooks, channels)
        outcome.switched = True
        if host is not None:
            host.refresh()

    run_step(outcome, _("Switch over"), switch)
    try:
        run_step(outcome, _("Test"), lambda: selftest.run(_live(config, release, host), release))
    except Exception as error:
        _undo(outcome, host, actor, release, before)
        if isinstance(error, AddonError):
            raise
        raise AddonError(noop("The addon could not be tested."), detail=last_lines(error)) from error
    db.write(records.keep_steps, release.slug, outcome)


def _try_and_migrate(config: Config, release: Release, folder: Path, outcome: Outcome, vetted: bool) -> None:
    """Probe the code in *folder* in a separate process, unless it is *vetted*, and migrate its tables.

    :raises plan.PlanError: if its revisions do not form a linear sequence.
    """

    def tried() -> Any:
        seen = probe.run(folder, release.manifest)
        brought = [
            f"{kind.noun} ({', '.join(names)})"
            for kind in contributions.KINDS
            if kind.noun and (names := seen.names(kind))
        ]
        return _("Contributes: %(what)s", what=", ".join(brought)) if brought else _("Contributes nothing.")

    def around(name: str, do: Callable[[], str | None]) -> None:
        run_step(outcome, name, do)

    @contextmanager
    def testing(stop: Callable[[], object]) -> Iterator[Callable[[], bool]]:
        earlier = records.standing(release.slug)
        with operation_lock.testing(config, release.slug, stop) as is_stopped:
            yield is_stopped
        if records.standing(release.slug) != earlier:
            raise AddonError(_("The addon was changed while its migrations were tested."))

    if vetted:
        runner.make_first_tables(config, release.manifest, folder, around)
    todo = runner.pending(release.manifest, folder)
    # Start its process now, so that its imports are done when it is needed.
    with runner.ready(config, todo) as apart:
        if not vetted:
            run_step(outcome, _("Load the code in a separate process"), tried)
        runner.take(config, release.manifest, folder, todo, around, apart, testing)


def _undo(outcome: Outcome, host: Host | None, actor: Actor, release: Release, before: Before) -> None:
    """Undo the activation: the previous release runs again; without one, the addon is inactive."""

    def back() -> None:
        db.write(records.switched_back, release, before, actor, clock.now())
        if host is not None:
            host.refresh()

    if before.running:
        run_step(outcome, _("Roll back to %(version)s", version=before.version), back)
    else:
        run_step(outcome, _("Deactivate again"), back)


def _live(config: Config, release: Release, host: Host | None) -> Generation:
    return _trial(config, release, None) if host is None else host.generation()


def _trial(config: Config, release: Release, host: Host | None) -> Generation:
    if host is None:
        return generation.build(config, create_app=None, replace={release.slug: release})
    return host.try_build({release.slug: release})


def tell_activated(config: Config, release: Release, outcome: Outcome, host: Host | None) -> None:
    """Notify the addon that :func:`bring_up` activated it; errors are logged and change nothing.

    Call it without the operation lock, which addon code must not hold without need.
    """
    hook = "addon_activated"
    if outcome.switched and outcome.error is None:
        live = _trial(config, release, None) if host is None else host.generation()
        if hooks_apart.has(live, release.slug, hook):
            hooks_apart.tell(config, release, hook)
