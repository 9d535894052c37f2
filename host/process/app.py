"""Build the Flask app of one generation: wiring only. Every activation builds an app, so it must be cheap."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
from flask import Flask, Request, Response, g, request, send_from_directory
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from flask.typing import ResponseReturnValue
from flask_bootstrap import Bootstrap5
from itsdangerous import BadSignature
from jinja2.bccache import Bucket, BytecodeCache
from werkzeug.local import LocalProxy
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import IntegerConverter, Rule

from host.addons.metrics import in_process
from host.addons.metrics.in_process import EndedProcessError
from host.addons.running import contributions
from host.core import call_budget, secrets
from host.core.config import Config
from host.core.db import db
from host.core.errors import NotFoundError
from host.core.ids import MAX_ID
from host.features import registry
from host.process import features as _features  # noqa: F401 - says which there are
from host.process.incoming import RULE_OF_REQUEST
from host.users import sessions
from host.users.desk_settings import Desk
from host.users.pages import sudo
from host.web import (
    assets,
    compression,
    devices,
    error_pages,
    headers,
    languages,
    local_times,
    navigation,
    page_user,
    plots,
    request_helpers,
    templating,
    uses,
)
from host.web.csrf import MaskedCSRFProtect
from host.web.template_filters import icon, initials, mark_of, running_channels, tone

if TYPE_CHECKING:
    from host.addons.running.generation import Generation, Host


HERE = Path(__file__).parents[1]


class _Id(IntegerConverter):
    """``<int:...>`` in a path, limited to a BIGINT. Anything larger is a 404, not a database error."""

    regex = "[0-9]+"

    def __init__(self, map: Any, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max", MAX_ID)
        super().__init__(map, *args, **kwargs)


class _Rule(Rule):
    """A route that compiles its URL builder on first use.

    A desk has hundreds of routes, and compiling their builders took most of the time of building an app.
    """

    def _compile_builder(self, append_unknown: bool = True) -> Any:
        compiled: list[Any] = []
        compiling = super()._compile_builder

        def build(rule: Rule, **values: Any) -> Any:
            if not compiled:
                compiled.append(compiling(append_unknown))
            return compiled[0](rule, **values)

        return build


class _CompiledTemplates(BytecodeCache):
    """Compiled templates of this process, shared by all generations: only changed ones are compiled again."""

    def __init__(self) -> None:
        self._code: dict[str, tuple[str, Any]] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        known = self._code.get(bucket.key)
        if known and known[0] == bucket.checksum:
            bucket.code = known[1]

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._code[bucket.key] = (bucket.checksum, bucket.code)


_compiled = _CompiledTemplates()


class _Undefined(jinja2.StrictUndefined):
    """An undefined value that may be tested (``{% if caller %}``), but not printed or iterated."""

    def __bool__(self) -> bool:  # type: ignore[override]
        return False


class _Cookies(SecureCookieSessionInterface):
    """Flask's cookies without an age: the database defines how long a user stays signed in.

    With an age, setting the clock back would sign everyone out until the clock catches up.
    """

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        serializer = self.get_signing_serializer(app)
        if serializer is None:
            return None
        try:
            return self.session_class(serializer.loads(request.cookies.get(self.get_cookie_name(app), "")))
        except BadSignature:
            return self.session_class()


class LobbyFlask(Flask):
    """Flask with the compiled templates of the process and with ids that fit the database."""

    session_interface = _Cookies()
    url_rule_class = _Rule
    jinja_environment = templating.Environment

    def create_jinja_environment(self) -> Any:
        self.jinja_options = {
            **self.jinja_options,
            "bytecode_cache": _compiled,
            "undefined": _Undefined,
        }
        return super().create_jinja_environment()

    def full_dispatch_request(self) -> Response:
        """Answer the request; an exit in an addon's page code is treated as an ordinary error."""
        # Flask takes its request out of the environment before the answer is measured.
        request.environ[RULE_OF_REQUEST] = request.url_rule
        try:
            return super().full_dispatch_request()
        except SystemExit as error:
            raise EndedProcessError(f"{request.endpoint} tried to end the process: {error!r}") from error


def create_app(config: Config, generation: Generation, host: Host | None, desk: Desk | None = None) -> Flask:
    """Build the app of *generation*. Opens no connection and starts nothing.

    :param desk: the appearance of the desk; None: Lobby's default.
    :param host: the application of the process; None for an app that only answers errors.
    """
    app = LobbyFlask("host", root_path=str(HERE))
    app.url_map.converters["int"] = _Id
    app.config.update(
        SECRET_KEY=secrets.load_session_key(config),
        SESSION_COOKIE_NAME=config.session_cookie,
        SESSION_COOKIE_SECURE=config.secure,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_PATH="/",
        SESSION_REFRESH_EACH_REQUEST=False,
        PERMANENT_SESSION_LIFETIME=sessions.ABSOLUTE,
        TEMPLATES_AUTO_RELOAD=config.development,
        BOOTSTRAP_SERVE_LOCAL=True,
        WTF_CSRF_TIME_LIMIT=None,  # it lives as long as the session it is bound to
        WTF_CSRF_SSL_STRICT=False,  # the Origin check of host.web.headers does this, also for http
    )
    app.extensions["lobby.config"] = config
    app.extensions["lobby.desk"] = desk or Desk()
    app.extensions["lobby.generation"] = generation
    app.extensions["lobby.host"] = host
    if config.proxies:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=config.proxies, x_proto=config.proxies, x_host=0
        )
    db.init_app(app)
    compression.install(app)
    headers.install(app, config)
    error_pages.install(app)
    languages.install(app, config, list(generation.catalogues.values()))
    Bootstrap5(app)
    page_user.install(app)
    sudo.install(app)
    csrf = MaskedCSRFProtect(app)
    assets.install(app)
    _template_globals(app)
    _url_defaults(app)
    list(registry.parts("views"))
    for blueprint in registry.parts("blueprints"):
        app.register_blueprint(blueprint)
    csrf.exempt(app.blueprints["api"])  # opened by a header no other site can send, never by a cookie
    # A service worker has no page to take a token from. The view wants one that only this device was sent,
    # signed for this person and conversation; see host.push.actions.
    csrf.exempt(app.view_functions["inbox.act_on_push"])
    csrf.exempt(app.view_functions["push.moved"])  # nor here: the old endpoint is known to the device only
    csrf.exempt(app.view_functions["sharing.not_ready"])  # it reads nothing and changes nothing
    _register_addons(app, generation, csrf)
    return app


def _template_globals(app: Flask) -> None:
    # As globals of the environment, so that imported macros see them too.
    app.jinja_env.globals.update(
        current_user=LocalProxy(request_helpers.maybe_user),
        workspace=LocalProxy(lambda: g.get("workspace")),
        shown_workspace=request_helpers.shown_workspace,
        uses_of=uses.uses_of,
        generation=LocalProxy(request_helpers.generation),
        settings_groups=navigation.settings_groups,
        settings_link=navigation.current_link,
        settings_tabs=navigation.settings_tabs,
        shown_keys=devices.shown_keys,
        admin_entries=navigation.admin_entries,
        main_entries=navigation.main_entries,
        account_tabs=navigation.account_tabs,
        inbox_url=navigation.inbox_url,
        page_language=languages.shown,
        attention=navigation.attention,
        theme_choice=request_helpers.theme_choice,
        shown_feature=request_helpers.shown_feature,
        desk=LocalProxy(request_helpers.desk),
        password_fresh=sudo.is_fresh,
        kept_secret=sudo.kept_secret,
        mark_of=mark_of,
        running_channels=running_channels,
        icon_of_sprite=icon,
        sparkline=plots.spark,
        url_for_each=request_helpers.url_for_each,
        time_written=local_times.written,
        time_beside=local_times.beside,
        zone_name=languages.zone_name,
        own_zone=lambda: languages.reader().zone.key,
    )
    app.jinja_env.filters.update(
        initials=initials, tone=tone, moment=languages.moment, ending=languages.ending
    )


def _url_defaults(app: Flask) -> None:
    @app.url_defaults
    def same_workspace(endpoint: str, values: dict[str, Any]) -> None:
        if "workspace_id" in values or endpoint not in app.view_functions:
            return
        if not app.url_map.is_endpoint_expecting(endpoint, "workspace_id"):
            return
        workspace = request_helpers.shown_workspace()
        if workspace is not None:
            values["workspace_id"] = workspace.id


def _register_addons(app: Flask, generation: Generation, csrf: MaskedCSRFProtect) -> None:
    """Add the addons' contributions: templates under their own name, static files, pages behind a login."""
    templates = generation.template_folders
    app.extensions["lobby.addon_static"] = generation.static_folders
    own = app.jinja_loader
    assert own is not None
    # The host's templates come first, including those of its blueprints, where Flask would look last. An
    # addon's templates are only found below its slug, so it can't replace ours, even if it is named like a
    # part of Lobby.
    beside = [blueprint.jinja_loader for blueprint in app.blueprints.values() if blueprint.jinja_loader]
    app.jinja_loader = jinja2.ChoiceLoader(
        [
            own,
            *beside,
            jinja2.PrefixLoader(
                {slug: jinja2.FileSystemLoader(Path(folder) / slug) for slug, folder in templates.items()}
            ),
        ]
    )
    guarded = {blueprint.name for _, blueprint in generation.each(contributions.BLUEPRINTS)}
    for slug, blueprint in generation.each(contributions.BLUEPRINTS):
        release = generation.manifests[slug].version
        with call_budget.watched(slug, release, "register_blueprints"):
            app.register_blueprint(blueprint, url_prefix=f"/addons/{slug}")
        for endpoint, view in list(app.view_functions.items()):
            if endpoint.startswith(f"{blueprint.name}."):
                app.view_functions[endpoint] = in_process.metrics().counted(
                    slug, release, f"page {endpoint}", view
                )
    for rule in app.url_map.iter_rules():
        # Called by a provider's servers, not by a browser with a cookie; such a view checks signatures.
        if rule.rule in generation.public_paths:
            csrf.exempt(app.view_functions[rule.endpoint])

    @app.get("/addons/<slug>/static/<path:filename>")
    def addon_static(slug: str, filename: str) -> ResponseReturnValue:
        folder = app.extensions["lobby.addon_static"].get(slug)
        if folder is None:
            raise NotFoundError()
        return send_from_directory(folder, filename)

    @app.before_request
    def signed_in_only() -> None:
        if guarded.isdisjoint(request.blueprints):
            return
        if request.path not in generation.public_paths:
            request_helpers.current_user()
