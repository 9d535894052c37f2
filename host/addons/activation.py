"""Activate a release of an addon: the steps that must succeed before it serves, and undoing them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask_babel import gettext as _

from host.addons import records
from host.addons.migrating import plan, runner
from host.addons.migrating.runner import MigrationError
from host.addons.package import store, trust
from host.addons.package.failures import AddonError, Skipped, last_lines
from host.addons.package.manifest import fit_problems
from host.addons.package.store import Release
from host.addons.records import Actor, Before, Outcome, Step
from host.addons.running import contributions, generation, hooks_apart, probe, selftest
from host.addons.running.generation import Generation, Host
from host.core import clock, db, migrations
from host.core.config import Config
from host.models.addons import AddonState
from host.sdk.channel import ChannelAdapter
from host.sdk.i18n import noop

log = logging.getLogger(__name__)

_OUTSIDE = (AddonState.INCOMPATIBLE, AddonState.MODIFIED, AddonState.UNTRUSTED)
"""States that name a cause outside the addon's code; any other failure leaves it inactive."""


def run_step(outcome: Outcome, name: str, do: Callable[[], str | None]) -> None:
    """Run one step and time it; *do* returns its detail. An exception marks the step as failed."""
    step = Step(name)
    outcome.steps.append(step)
    started = time.perf_counter()
    try:
        found = do()
        step.detail = found or ""
        step.result = "skipped" if isinstance(found, Skipped) else "ok"
    except Exception as error:
        step.result = "failed"
        step.detail = error.sentence if isinstance(error, AddonError) else last_lines(error)
        raise
    finally:
        step.ms = round((time.perf_counter() - started) * 1000)


def bring_up(config: Config, release: Release, outcome: Outcome, host: Host | None, actor: Actor) -> None:
    """Run every step for *release*. Afterwards it is active, or all is as before and *outcome* says why."""
    before = records.before(release.slug)
    failed_state = AddonState.INACTIVE
    error: dict[str, Any] | None = None
    try:
        _steps(config, release, outcome, host, actor, before)
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
            "sentence": _("Something unexpected stopped it; nothing was switched on."),
            "database": words,
        }
    if error is not None:
        outcome.error = {**error, "version": release.version}
        if not outcome.switched:
            outcome.steps.append(Step(_("Switch over")))
        db.write(records.failed, release, outcome, failed_state, actor, clock.now())


def _steps(
    config: Config,
    release: Release,
    outcome: Outcome,
    host: Host | None,
    actor: Actor,
    before: Before,
) -> None:
    folder: list[Path] = []
    webhooks: list[dict[str, Any]] = []
    channels: list[ChannelAdapter] = []

    def files() -> Any:
        problems = fit_problems(release.manifest)
        if problems:
            raise AddonError(" ".join(problems), state=AddonState.INCOMPATIBLE)
        trust.require(config, release)
        folder.append(store.materialise(config.data, release, heal=True))
        return _("%(count)s files, sha256 %(hash)s", count=len(release.files), hash=release.sha256[:12])

    def tried() -> Any:
        seen = probe.run(folder[0], release.manifest)
        brought = (*seen.names(contributions.CHANNELS), *seen.names(contributions.WEBHOOKS))
        return _("It brings: %(what)s", what=", ".join(brought) or "–")

    run_step(outcome, _("Check the files"), files)

    def around(name: str, do: Callable[[], str | None]) -> None:
        run_step(outcome, name, do)

    try:
        todo = runner.pending(release.manifest, folder[0])
        # Its process begins here: it has done its imports when it is needed.
        with runner.ready(config, todo) as apart:
            run_step(outcome, _("Try the code in a process of its own"), tried)
            runner.take(config, release.manifest, folder[0], todo, around, apart)
    except plan.PlanError as error:
        outcome.steps.append(Step(_("Migrations"), "failed", 0, str(error)))
        raise MigrationError(str(error), "", "") from error
    except migrations.BusyError as error:
        outcome.steps.append(Step(_("Migrations"), "failed", 0, str(error)))
        raise AddonError(str(error)) from error

    def build() -> None:
        trial = _trial(config, release, host)
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

    run_step(outcome, _("Build the desk with it"), build)

    def switch() -> None:
        db.write(records.activated, release, outcome, actor, clock.now(), webhooks, channels)
        outcome.switched = True
        if host is not None:
            host.refresh()

    run_step(outcome, _("Switch over"), switch)
    try:
        run_step(outcome, _("Try it out"), lambda: selftest.run(_live(config, release, host), release))
    except Exception as error:
        _undo(outcome, host, actor, release, before)
        if isinstance(error, AddonError):
            raise
        raise AddonError(noop("It could not be tried out."), detail=last_lines(error)) from error
    db.write(records.keep_steps, release.slug, outcome)


def _undo(outcome: Outcome, host: Host | None, actor: Actor, release: Release, before: Before) -> None:
    """Undo the activation: the release before runs again; if there was none, the addon is inactive."""

    def back() -> None:
        db.write(records.switched_back, release, before, actor, clock.now())
        if host is not None:
            host.refresh()

    if before.running:
        run_step(outcome, _("Roll back to %(version)s", version=before.version), back)
    else:
        run_step(outcome, _("Switch it off again"), back)


def _live(config: Config, release: Release, host: Host | None) -> Generation:
    return _trial(config, release, None) if host is None else host.generation()


def _trial(config: Config, release: Release, host: Host | None) -> Generation:
    if host is None:
        return generation.build(config, create_app=None, replace={release.slug: release})
    return host.try_build({release.slug: release})


def tell_activated(config: Config, release: Release, outcome: Outcome, host: Host | None) -> None:
    """Tell the addon if :func:`bring_up` switched it on; whatever it does is logged and changes nothing.

    To be called without the lock for operations, which no addon's code may hold without need.
    """
    hook = "addon_activated"
    if outcome.switched and outcome.error is None:
        live = _trial(config, release, None) if host is None else host.generation()
        if hooks_apart.has(live, release.slug, hook):
            hooks_apart.tell(config, release, hook)
