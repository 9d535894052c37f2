"""Set the headers of every response; refuse foreign origins, NUL bytes and large bodies before any view."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Flask, Response, current_app, request
from flask_babel import lazy_gettext as _l

from host.core.config import Config
from host.core.errors import ForbiddenError, InvalidError

MAX_BODY = 1024 * 1024
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})

# No nonce: no page has inline scripts. `data:` is for the arrows and ticks in Bootstrap's stylesheet.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' data:",
        "object-src 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "form-action 'self'",
    )
)

HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Permissions-Policy": "camera=(), microphone=(self), geolocation=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin-allow-popups",
    "Cross-Origin-Resource-Policy": "same-origin",
}
INERT = frozenset({"text/css", "text/javascript"})
"""Types that are never shown as a page: of :data:`HEADERS` they need those in :data:`INERT_HEADERS`."""
INERT_HEADERS = ("X-Content-Type-Options", "Cross-Origin-Resource-Policy")
HSTS = "max-age=31536000; includeSubDomains"


def apply(response: Response, *, secure: bool) -> Response:
    """Add the headers *response* lacks. A view may set a stricter policy, never a looser one."""
    for name in INERT_HEADERS if response.mimetype in INERT else HEADERS:
        response.headers.setdefault(name, HEADERS[name])
    if secure:
        response.headers["Strict-Transport-Security"] = HSTS
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def install(app: Flask, config: Config) -> None:
    """Check every request and complete every response of *app*. Call it before CSRF protection."""
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.config["MAX_FORM_MEMORY_SIZE"] = MAX_BODY
    own = _origin(config.public_url)

    @app.before_request
    def check() -> None:
        view = current_app.view_functions.get(request.endpoint or "")
        limit = getattr(view, "lobby_body_limit", None)
        if limit is not None:
            request.max_content_length = limit
            if request.method not in SAFE_METHODS:
                view.lobby_body_allowed()  # type: ignore[union-attr]
        if request.method not in SAFE_METHODS:
            _refuse_foreign(own)
        _refuse_nul(form=not getattr(view, "lobby_raw_body", False))

    @app.after_request
    def complete(response: Response) -> Response:
        return apply(response, secure=config.secure)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def _refuse_foreign(own: str) -> None:
    """Refuse a write that another site's page started. Clients without these headers need the CSRF token."""
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    foreign = site in {"cross-site", "same-site"} or (
        site is None and origin is not None and origin.lower() not in {own, _origin(request.host_url)}
    )
    if foreign:
        raise ForbiddenError(
            _l("The request came from another website, so nothing was changed."),
            next_step=_l("Open Lobby and do it there."),
        )


def _refuse_nul(*, form: bool) -> None:
    """Refuse NUL characters in a path, a query or a form: PostgreSQL cannot store them.

    :param form: whether the body may be read; False if the view must check the caller first.
    """
    if (
        "\0" in request.path
        or any("\0" in text for pair in request.args.items(multi=True) for text in pair)
        or (form and any("\0" in text for pair in request.form.items(multi=True) for text in pair))
    ):
        raise InvalidError()
