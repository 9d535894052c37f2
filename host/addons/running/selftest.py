"""Test a release right after activation: the desk must answer, and so must the addon."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from flask import g, render_template

from host.addons.package.failures import AddonError, last_lines
from host.addons.package.store import Release
from host.addons.running.generation import Generation
from host.core import clock
from host.sdk.channel import AccountRef, ReplyContext, ReplyPolicy
from host.sdk.i18n import noop
from host.sdk.pages import AdminPage
from host.sdk.webhooks import Accepted, Refused, Verified, WebhookRequest
from host.users.sessions import Confirmation, CurrentUser
from host.web.languages import gettext as _

PATIENCE_SECONDS = 20.0
_NOBODY = "127.0.0.1"


def run(generation: Generation, release: Release) -> str:
    """Call the webhooks, pages and adapters of *release* in *generation*; return a description of the calls
    for people.

    Nothing is stored or sent: a webhook gets an empty request, which it must refuse.

    :raises AddonError: for the first call that fails.
    """
    slug = release.slug
    if slug in generation.failures:
        raise AddonError(generation.failures[slug], detail=generation.failure_details[slug])
    loaded = generation.releases.get(slug)
    if loaded is None or loaded.sha256 != release.sha256:
        raise AddonError(noop("Another release was activated in the meantime."))
    tried: list[str] = []
    for path, route in generation.webhooks.items():
        if path.startswith(release.manifest.prefix):
            tried.append(path)
            empty = WebhookRequest("POST", None, {}, {}, b"", _NOBODY)
            _expect(path, lambda r=route, q=empty: r.authenticate(q), (Accepted, Refused))  # type: ignore[misc]
            if route.verify is not None:
                asked = WebhookRequest("GET", None, {}, {}, b"", _NOBODY)
                _expect(path, lambda r=route, q=asked: r.verify(q), (Verified, Refused))  # type: ignore[misc]
    for adapter in generation.directory.adapters:
        if adapter.key in release.manifest.channels:
            tried.append(adapter.label)
            _expect("contact_label", lambda a=adapter: a.contact_label("1"), (str,))  # type: ignore[misc]
            context = _context(adapter.key)
            _expect("reply_policy", lambda a=adapter, c=context: a.reply_policy(c), (ReplyPolicy,))  # type: ignore[misc]
    if getattr(generation, "app", None) is not None:
        _expect("/login", lambda: _login_page(generation), (str,))
        page = generation.admin_pages.get(slug)
        if page is not None:
            tried.append(page.title)
            _expect(page.title, lambda: _settings_page(generation, slug, page), (str,))
    return str(_("Responds: %(what)s", what=", ".join(tried) or "–"))


def _context(channel: str) -> ReplyContext:
    now = clock.now()
    account = AccountRef(0, "0" * 32, 0, channel, "0", "Self-test", "self-test")
    return ReplyContext(account, now, now - timedelta(minutes=1))


def _login_page(generation: Generation) -> str:
    answer = generation.app.test_client().get("/login")
    if answer.status_code >= 500:
        raise AddonError(noop("Lobby's own pages do not work with the addon."))
    return str(answer.text)


def _settings_page(generation: Generation, slug: str, page: AdminPage) -> str:
    """Render the addon's settings page for a made-up admin."""
    path = f"/admin/addons/{slug}/settings"
    with generation.app.test_request_context(path):
        g.lobby_user = CurrentUser(
            id=0,
            name="Self-test",
            email="",
            is_admin=True,
            theme="auto",
            locale=None,
            timezone=None,
            picture="",
            new_password=False,
            session_id=0,
            seen_at=clock.now(),
            confirmed=Confirmation(clock.now()),
            memberships=(),
        )
        context = {"title": page.title, "manifest": generation.manifests[slug], **page.context()}
        return render_template(page.template, **context)


def _expect(what: str, call: Callable[[], Any], kinds: tuple[type, ...]) -> None:
    """Call *call* in a separate thread, so that a hanging call does not block the activation.

    :raises AddonError: if it raises, hangs, or returns a type other than *kinds*.
    """
    found: list[Any] = []
    errors: list[BaseException] = []

    def do() -> None:
        try:
            found.append(call())
        except BaseException as error:  # noqa: BLE001 - an addon may raise anything, SystemExit too
            errors.append(error)

    thread = threading.Thread(target=do, name="self-test", daemon=True)
    thread.start()
    thread.join(PATIENCE_SECONDS)
    if errors:
        raise AddonError(_("%(what)s does not work.", what=what), detail=last_lines(errors[0])) from errors[0]
    if not found:
        raise AddonError(_("%(what)s does not respond.", what=what))
    if not isinstance(found[0], kinds):
        words = _("%(what)s returns an unexpected response.", what=what)
        raise AddonError(words, detail=type(found[0]).__name__)
