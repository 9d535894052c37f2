"""Asking one addon for everything it contributes, and checking that before any of it is used."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pluggy
from flask import Blueprint, Flask

from host.addons import watch
from host.addons.failures import AddonError, last_lines
from host.addons.manifest import Manifest
from host.addons.models import AddonState
from host.sdk import hookspecs
from host.sdk.cards import SettingsCard
from host.sdk.channel import ChannelAdapter, ChannelMark
from host.sdk.i18n import noop
from host.sdk.pages import AdminPage, Job, Migrations
from host.sdk.webhooks import Receiver, WebhookRoute

_KEY = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_PATH = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}(/[a-z0-9][a-z0-9_.-]{0,62}){0,4}")


@dataclass(frozen=True, slots=True)
class Contribution:
    """Everything one addon brings, checked."""

    slug: str
    channels: tuple[ChannelAdapter, ...] = ()
    cards: tuple[SettingsCard, ...] = ()
    webhooks: tuple[WebhookRoute, ...] = ()
    receivers: tuple[Receiver, ...] = ()
    migrations: Migrations | None = None
    admin_page: AdminPage | None = None
    blueprints: tuple[Blueprint, ...] = ()
    jobs: tuple[Job, ...] = ()


def new_manager() -> pluggy.PluginManager:
    """Return a plugin manager that knows the hooks and no addon."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    return manager


def register(manager: pluggy.PluginManager, slug: str, plugin: object) -> None:
    """Register *plugin* under *slug*.

    :raises AddonError: for a hook that does not exist or whose arguments differ; the addon is out again.
    """
    try:
        manager.register(plugin, name=slug)
        manager.check_pending()
    except (pluggy.PluginValidationError, ValueError) as error:
        if manager.has_plugin(slug):
            manager.unregister(name=slug)
        words = str(error).strip().splitlines()
        raise AddonError(
            noop("It implements a hook this host does not have, or with other arguments."),
            state=AddonState.QUARANTINED,
            detail=words[-1] if words else "",
        ) from error


def call(manager: pluggy.PluginManager, manifest: Manifest, hook: str) -> list[Any]:
    """Call *hook* of the addon of *manifest* alone and return what its implementations returned.

    :raises AddonError: for whatever it raises, even an attempt to end the process.
    """
    slug = manifest.slug
    others = [plugin for name, plugin in manager.list_name_plugin() if name != slug and plugin is not None]
    caller = manager.subset_hook_caller(hook, others)
    try:
        with watch.of_process().timing(slug, manifest.version, hook):
            result = caller()
    except GeneratorExit:
        raise
    except BaseException as error:
        raise AddonError(
            f"It failed in {hook}.",
            state=AddonState.QUARANTINED,
            detail=f"{hook}: {last_lines(error)}",
        ) from error
    return list(result)


def collect(manager: pluggy.PluginManager, manifest: Manifest, folder: Path) -> Contribution:
    """Ask the registered addon of *manifest*, whose files are in *folder*, for all it brings and check it.

    :raises AddonError: for the first thing that is not as it must be.
    """
    slug = manifest.slug

    def many(hook: str, kind: type) -> tuple[Any, ...]:
        items: list[Any] = []
        for returned in call(manager, manifest, hook):
            if isinstance(returned, str | bytes) or not isinstance(returned, Sequence):
                raise _wrong(hook, f"returned {type(returned).__name__} instead of a list")
            items.extend(returned)
        for item in items:
            if not isinstance(item, kind):
                raise _wrong(hook, f"returned {type(item).__name__} where {kind.__name__} belongs")
        return tuple(items)

    migrations: Migrations | None = None
    for returned in call(manager, manifest, "register_migrations"):
        if not isinstance(returned, Migrations):
            raise _wrong("register_migrations", f"returned {type(returned).__name__} instead of Migrations")
        migrations = returned
    pages = many("register_admin_pages", AdminPage)
    found = Contribution(
        slug=slug,
        channels=many("register_channels", ChannelAdapter),
        cards=many("register_settings_cards", SettingsCard),
        webhooks=many("register_webhook_routes", WebhookRoute),
        receivers=many("register_receivers", Receiver),
        migrations=migrations,
        admin_page=pages[0] if pages else None,
        blueprints=many("register_blueprints", Blueprint),
        jobs=many("register_jobs", Job),
    )
    if len(pages) > 1:
        raise _wrong("register_admin_pages", "returned more than one page")
    for check in _CHECKS:
        check(manifest, found, folder)
    return found


def _wrong(where: str, what: str) -> AddonError:
    return AddonError(f"{where}: {what}.", state=AddonState.QUARANTINED)


def _check_channels(manifest: Manifest, found: Contribution, _folder: Path) -> None:
    keys = set()
    for adapter in found.channels:
        key = getattr(adapter, "key", None)
        if not isinstance(key, str) or not _KEY.fullmatch(key):
            raise _wrong("register_channels", f"the channel key {key!r} is not usable")
        if key not in manifest.channels:
            raise _wrong("register_channels", f"the channel {key!r} is not declared in addon.toml")
        if key in keys:
            raise _wrong("register_channels", f"the channel {key!r} comes twice")
        if not getattr(adapter, "label", "") or not isinstance(getattr(adapter, "mark", None), ChannelMark):
            raise _wrong("register_channels", f"the channel {key!r} has no label or no mark")
        if getattr(adapter, "capabilities", None) is None:
            raise _wrong("register_channels", f"the channel {key!r} declares no capabilities")
        keys.add(key)
    for where, items in (
        ("register_settings_cards", found.cards),
        ("register_webhook_routes", found.webhooks),
        ("register_receivers", found.receivers),
    ):
        for item in items:
            if item.channel not in keys:
                raise _wrong(where, f"{item.channel!r} is not a channel of this addon")
    cards = [card.channel for card in found.cards]
    if len(cards) != len(set(cards)):
        raise _wrong("register_settings_cards", "a channel has two cards")


def _check_webhooks(manifest: Manifest, found: Contribution, _folder: Path) -> None:
    paths = set()
    for route in found.webhooks:
        if not _PATH.fullmatch(route.path) or route.path.startswith("static"):
            raise _wrong("register_webhook_routes", f"the path {route.path!r} is not usable")
        if route.path not in manifest.declares.routes:
            raise _wrong("register_webhook_routes", f"{route.path!r} is not among the declared routes")
        if route.path in paths:
            raise _wrong("register_webhook_routes", f"{route.path!r} comes twice")
        if not 0 < route.max_body <= 16 * 1024 * 1024:
            raise _wrong("register_webhook_routes", f"{route.path!r} wants bodies of up to {route.max_body}")
        paths.add(route.path)


def _check_jobs(manifest: Manifest, found: Contribution, _folder: Path) -> None:
    names = [job.name for job in found.jobs]
    for job in found.jobs:
        if job.name not in manifest.declares.jobs:
            raise _wrong("register_jobs", f"the job {job.name!r} is not declared in addon.toml")
        if job.every.total_seconds() < 1:
            raise _wrong("register_jobs", f"the job {job.name!r} repeats more often than every second")
    if len(names) != len(set(names)):
        raise _wrong("register_jobs", "two jobs have the same name")


def _check_files(manifest: Manifest, found: Contribution, folder: Path) -> None:
    root = folder.resolve()
    if found.migrations is not None:
        directory = found.migrations.directory.resolve()
        if not directory.is_relative_to(root) or not (directory / "versions").is_dir():
            raise _wrong("register_migrations", "the folder has no versions/, or is not inside the addon")
    page = found.admin_page
    if page is not None:
        name = page.template
        if not name.startswith(f"{manifest.slug}/") or not (root / "templates" / name).is_file():
            raise _wrong("register_admin_pages", f"there is no template {name!r} in the addon's templates/")


def _check_blueprints(manifest: Manifest, found: Contribution, _folder: Path) -> None:
    names = [blueprint.name for blueprint in found.blueprints]
    if len(names) != len(set(names)):
        raise _wrong("register_blueprints", "two blueprints have the same name")
    webhooks = {manifest.prefix + route.path for route in found.webhooks}
    for blueprint in found.blueprints:
        if blueprint.name != manifest.slug and not blueprint.name.startswith(f"{manifest.slug}_"):
            raise _wrong("register_blueprints", f"the name {blueprint.name!r} must be {manifest.slug}_...")
        for rule in scratch_rules(manifest, blueprint):
            if rule in webhooks:
                raise _wrong("register_blueprints", f"{rule} is a webhook route already")


def scratch_rules(manifest: Manifest, blueprint: Blueprint) -> list[str]:
    """Register *blueprint* on an app that is thrown away and return the rules it made.

    :raises AddonError: if it reaches outside itself: handlers, processors or filters for the whole app, or
        pages that are not under the addon's own prefix.
    """
    app = Flask("scratch", static_folder=None)
    before = _app_wide(app)
    try:
        app.register_blueprint(blueprint, url_prefix=manifest.prefix.rstrip("/"))
    except Exception as error:
        raise AddonError(
            noop("register_blueprints: it could not be registered."),
            state=AddonState.QUARANTINED,
            detail=last_lines(error),
        ) from error
    after = _app_wide(app)
    changed = sorted(name for name in before if before[name] != after[name])
    if changed:
        raise _wrong(
            "register_blueprints", f"{blueprint.name!r} reaches into the whole app: {', '.join(changed)}"
        )
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith(manifest.prefix) or rule.rule.startswith(f"{manifest.prefix}static"):
            raise _wrong("register_blueprints", f"{rule.rule} is outside {manifest.prefix}")
    return [rule.rule for rule in app.url_map.iter_rules()]


def _app_wide(app: Flask) -> dict[str, object]:
    def of_app(table: dict[Any, Any]) -> int:
        found = table.get(None)
        return len(found) if found else 0

    handlers = app.error_handler_spec.get(None)
    return {
        "before_app_request": of_app(app.before_request_funcs),
        "after_app_request": of_app(app.after_request_funcs),
        "teardown_app_request": of_app(app.teardown_request_funcs) + len(app.teardown_appcontext_funcs),
        "app_errorhandler": sum(len(v) for v in handlers.values()) if handlers else 0,
        "app_context_processor": of_app(app.template_context_processors),
        "app_url_value_preprocessor": of_app(app.url_value_preprocessors),
        "app_url_defaults": of_app(app.url_default_functions),
        "shell_context_processor": len(app.shell_context_processors),
        "config": dict(app.config),
        "extensions": set(app.extensions),
        "jinja": (
            set(app.jinja_env.filters),
            set(app.jinja_env.tests),
            set(app.jinja_env.globals),
        ),
        "commands": set(app.cli.commands),
        "wsgi_app": getattr(app.wsgi_app, "__func__", app.wsgi_app),
    }


_CHECKS: tuple[Callable[[Manifest, Contribution, Path], None], ...] = (
    _check_channels,
    _check_webhooks,
    _check_jobs,
    _check_files,
    _check_blueprints,
)
