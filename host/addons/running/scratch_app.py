"""Register a blueprint of an addon on a throw-away app, to check what it adds to the app."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Flask

from host.addons.package.failures import AddonError, last_lines
from host.addons.package.manifest import Manifest
from host.models.addons import AddonState
from host.sdk.i18n import noop


def rules(manifest: Manifest, blueprint: Blueprint) -> list[str]:
    """Register *blueprint* on a throw-away app and return the URL rules it made.

    :raises AddonError: if it reaches outside itself: handlers, processors or filters for the whole app, or
        pages that are not under the addon's own prefix.
    """
    app = Flask("scratch", static_folder=None)
    before = _app_wide(app)
    try:
        app.register_blueprint(blueprint, url_prefix=manifest.prefix.rstrip("/"))
    except Exception as error:
        raise AddonError(
            noop("register_blueprints: registration failed."),
            state=AddonState.QUARANTINED,
            detail=last_lines(error),
        ) from error
    after = _app_wide(app)
    changed = sorted(name for name in before if before[name] != after[name])
    if changed:
        raise _wrong(f"{blueprint.name!r} reaches into the whole app: {', '.join(changed)}")
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith(manifest.prefix) or rule.rule.startswith(f"{manifest.prefix}static"):
            raise _wrong(f"{rule.rule} is outside {manifest.prefix}")
    return [rule.rule for rule in app.url_map.iter_rules()]


def _wrong(what: str) -> AddonError:
    return AddonError(f"register_blueprints: {what}.", state=AddonState.QUARANTINED)


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
