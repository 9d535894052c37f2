"""The admin's addon pages: upload, report, install, activate, settings, deactivate, remove."""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import Blueprint, redirect, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue
from flask_babel import format_decimal, ngettext
from flask_babel import lazy_gettext as _l
from werkzeug.datastructures import FileStorage

from host.addons import (
    health,
    in_background,
    lifecycle,
    listing,
    operation_lock,
    reports,
    setting_forms,
    switching,
)
from host.addons import uninstall as uninstalling
from host.addons.lifecycle import Card, Outcome
from host.addons.package import archive, shipped, store, trust
from host.addons.package.failures import AddonError
from host.addons.package.translated import in_words
from host.addons.reports import Report
from host.addons.running.generation import current_generation, current_host
from host.core import clock, db
from host.core.errors import ForbiddenError, NotFoundError
from host.events.writing import EVERYBODY
from host.features import registry
from host.live.events import newest_id
from host.live.views import answer_poll
from host.models.addons import AddonState
from host.users import desk_settings
from host.users.pages.sudo import fresh_password
from host.web import navigation
from host.web.languages import gettext as _
from host.web.navigation import Offer
from host.web.request_helpers import (
    actor,
    admin_required,
    body_limit,
    config,
    current_user,
    flash_bad,
    flash_good,
    generation,
    passive,
    safe_next,
    write_desk,
)

bp = Blueprint("addons", __name__)


def _mark() -> navigation.Mark | None:
    slugs = navigation.attention()
    if not slugs:
        return None
    words = ngettext("%(num)s addon needs attention", "%(num)s addons need attention", len(slugs))
    return navigation.Mark(len(slugs), "bad" if generation().failures else "warn", words)


navigation.add_admin(
    "addons.index",
    _l("Addons"),
    order=10,
    icon="puzzle",
    mark=_mark,
    words="plugins, extensions, Erweiterungen",
    finds=(
        navigation.Find(_l("Upload an addon"), "up-title", "install, zip, installieren, hochladen"),
        navigation.Find(_l("Built into Lobby"), "built-in", "features, switch off, Funktionen, ausschalten"),
    ),
)


def _page_of(channel: str) -> str | None:
    """Return the address of the page of the active addon that brings *channel*."""
    running = current_generation()
    for slug, manifest in running.manifests.items():
        if channel in manifest.channels and slug in running.admin_pages:
            return url_for("addons.settings", slug=slug)
    return None


def _channel_offers() -> list[Offer]:
    """Return the addons with channels that are installed but inactive, or that come with this release."""
    running = {adapter.key for adapter in current_generation().directory.adapters}
    admin = current_user().is_admin
    offers: dict[str, Offer] = {}
    mine = [(card.slug, listing.readable(config(), card).manifest) for card in lifecycle.installed()]
    others = ((None, in_words(one.manifest, one.texts)) for one in shipped.addons())
    for slug, manifest in [*mine, *others]:
        if not manifest.channels or manifest.slug in offers or not running.isdisjoint(manifest.channels):
            continue
        label = manifest.name
        note = _("Its addon is not installed.")
        button = _("To use %(channel)s, install its addon", channel=label)
        if slug is not None:
            note = _("Its addon is installed but not active.")
            button = _("To use %(channel)s, activate its addon", channel=label)
        anchor = "comes-with-release" if slug is None else f"addon-{slug}"
        offers[manifest.slug] = Offer(
            key=manifest.channels[0],
            label=label,
            text=manifest.description,
            note=note,
            mark=manifest.mark_text,
            tone=manifest.mark.tone,
            url=url_for("addons.index", _anchor=anchor) if admin else "",
            button=button if admin else "",
        )
    return list(offers.values())


navigation.add_addon_pages(_page_of)
navigation.add_offers(_channel_offers)

MAX_UPLOAD = archive.MAX_ZIP + 1024 * 1024  # the form around the file


@bp.get("/admin/addons/live")
@passive
@admin_required
def live() -> ResponseReturnValue:
    """Return what happened to addons as JSON, for admins who have no workspace with a stream."""
    return answer_poll(EVERYBODY)


def _newest_event() -> int:
    with db.read() as session:
        return newest_id(session)


@bp.get("/admin/addons")
@admin_required
def index() -> ResponseReturnValue:
    """Show the installed addons and their states."""
    return _page()


def _page(refused: Report | None = None, name: str = "") -> str:
    after = _newest_event()
    shown = listing.cards(config(), current_generation())
    if any(one.card.state is AddonState.ACTIVATING for one in shown) and lifecycle.recover(config()):
        shown = listing.cards(config(), current_generation())
    known = {one.card.slug for one in shown}
    return render_template(
        "addons/index.html",
        live_after=after,
        cards=shown,
        uploads=config().uploads,
        safe_mode=config().safe_mode,
        refused=refused,
        name=name,
        max_zip=archive.MAX_ZIP,
        most=health.MOST,
        counted=format_decimal,
        key_problems=trust.load(config()).problems,
        comes_with_release=[
            (one.sha256, in_words(one.manifest, one.texts))
            for one in shipped.addons()
            if one.manifest.slug not in known
        ],
        features=[(name, texts, registry.is_on(name)) for name, texts in registry.optional().items()],
        features_given=desk_settings.FEATURES_OFF in config().given,
    )


@bp.post("/admin/addons/upload")
@admin_required
@fresh_password
@body_limit(MAX_UPLOAD)
def upload() -> ResponseReturnValue:
    """Check a zip and report on it. It is not installed, and none of its code runs."""
    _uploads_allowed()
    given = request.files.get("zip")
    if given is None or not given.filename:
        flash_bad(_("Choose an addon .zip first."))
        return redirect(url_for("addons.index"))
    name = reports.uploaded_name(given.filename)
    write_desk(reports.note_upload, name)
    try:
        report = _checked(given, name)
    except AddonError as error:
        flash_bad(_(error.sentence))
        return redirect(url_for("addons.index"))
    if report.release is None:
        return _page(report, name), 422
    return _taken_in(report, report.release)


@bp.post("/admin/addons/shipped")
@admin_required
@fresh_password
def install_shipped() -> ResponseReturnValue:
    """Install an addon that comes with this release, as if its zip had been uploaded."""
    _uploads_allowed()
    wanted = next((one for one in shipped.addons() if one.sha256 == request.form.get("sha256")), None)
    if wanted is None:
        raise NotFoundError()
    try:
        report = reports.upload(config(), wanted.path, actor=actor(), name=wanted.path.name)
    except AddonError as error:
        flash_bad(_(error.sentence))
        return redirect(url_for("addons.index"))
    if report.release is None:
        return _page(report, wanted.path.name), 422
    return _taken_in(report, report.release)


def _taken_in(report: Report, release: store.Release) -> ResponseReturnValue:
    """Show the report on an accepted zip; install it first if no confirmation is needed."""
    if report.relation is reports.Relation.SAME:
        flash_good(_("This exact file is already installed. No action is needed."))
    elif report.asks_nothing:
        try:
            operate = partial(lifecycle.install, config(), release.id, host=current_host(), actor=actor())
            outcome = in_background.run(operate)
        except AddonError as error:
            flash_bad(_(error.sentence))
            return redirect(url_for("addons.index"))
        if outcome is None:
            return _goes_on(release.slug)
        if not outcome.ok:
            _say(outcome)
            return _to_card(outcome.slug)
        flash_good(_("The addon is installed. Review its contents below, then activate it."))
    return redirect(url_for("addons.report", release_id=release.id))


def _checked(given: FileStorage, name: str) -> Report:
    with store.scratch(config().data) as folder:
        path = folder / "upload.zip"
        given.save(path)
        return reports.upload(config(), path, actor=actor(), name=name)


@bp.get("/admin/addons/uploads/<int:release_id>")
@admin_required
def report(release_id: int) -> ResponseReturnValue:
    """Show the content of an accepted zip and the effect of installing it."""
    after = _newest_event()
    found = reports.report(config(), release_id)
    if found.release is None:
        raise NotFoundError()
    card = next((one for one in lifecycle.installed() if one.slug == found.release.slug), None)
    return render_template(
        "addons/report.html",
        live_after=after,
        card=card,
        report=found,
        release=found.release,
        picture=store.icon_of(config().data, found.release),
        manifest=listing.readable_release(config(), found.release).manifest,
        current=found.current.manifest if found.current else None,
        uploads=config().uploads,
        may_activate=card is not None and card.state is AddonState.INACTIVE,
        secrets_of=listing.secrets_of,
        described=setting_forms.described,
        desk_words={"reads": listing.READS, "writes": listing.WRITES},
        fingerprint=listing.fingerprint,
    )


@bp.post("/admin/addons/uploads/<int:release_id>/install")
@admin_required
@fresh_password
def install(release_id: int) -> ResponseReturnValue:
    """Install an accepted zip; an active addon is updated in the same step."""
    _uploads_allowed()
    operate = partial(
        lifecycle.install,
        config(),
        release_id,
        host=current_host(),
        actor=actor(),
        downgrade=request.form.get("downgrade") == "1",
        takeover=request.form.get("takeover") == "1",
    )
    try:
        outcome = in_background.run(operate)
    except AddonError as error:
        flash_bad(_(error.sentence))
        return redirect(url_for("addons.index"))
    if outcome is None:
        return _goes_on("")
    if not outcome.ok:
        _say(outcome)
    elif outcome.steps:
        flash_good(_("Addon updated. No restart was needed."))
    else:
        flash_good(_("Addon installed. It stays inactive until you activate it."))
    return _to_card(outcome.slug)


@bp.post("/admin/addons/uploads/<int:release_id>/discard")
@admin_required
def discard(release_id: int) -> ResponseReturnValue:
    """Delete an upload that was not installed."""
    reports.discard(release_id)
    flash_good(_("Upload discarded. Nothing was installed."))
    return redirect(url_for("addons.index"))


@bp.post("/admin/features/<name>")
@admin_required
@fresh_password
def switch_feature(name: str) -> ResponseReturnValue:
    """Enable or disable an optional built-in feature."""
    on = request.form.get("on") == "1"
    changed = switching.switch(name, on=on, config=config(), actor=actor())
    if changed:
        current_host().refresh()
        title = _(registry.optional()[name].title)
        flash_good(_("%(name)s turned on.", name=title) if on else _("%(name)s turned off.", name=title))
    back = request.form.get("back", "")
    return redirect(safe_next(back) if back else url_for("addons.index", _anchor=f"feature-{name}"))


@bp.post("/admin/addons/<slug>/activate")
@admin_required
@fresh_password
def activate(slug: str) -> ResponseReturnValue:
    """Run the addon's migrations and activate it, then show every step."""
    _known(slug)
    try:
        operate = partial(lifecycle.activate, config(), slug, host=current_host(), actor=actor())
        outcome = in_background.run(operate)
    except AddonError as error:
        flash_bad(_(error.sentence))
    else:
        if outcome is None:
            return _goes_on(slug)
        if outcome.ok:
            flash_good(_("Addon activated. No restart was needed."))
        else:
            _say(outcome)
    return _to_card(slug, ran=slug)


@bp.post("/admin/addons/<slug>/stop")
@admin_required
def stop(slug: str) -> ResponseReturnValue:
    """Stop testing the addon's migrations on a copy; nothing is activated."""
    _known(slug)
    if write_desk(operation_lock.ask_to_stop, slug):
        flash_good(_("The test of the migrations is being stopped. Nothing is activated."))
    else:
        flash_bad(_("No migrations of this addon are being tested."))
    return _to_card(slug, ran=slug)


@bp.post("/admin/addons/<slug>/deactivate")
@admin_required
@fresh_password
def deactivate(slug: str) -> ResponseReturnValue:
    """Deactivate the addon; all data stays."""
    _known(slug)
    try:
        lifecycle.deactivate(config(), slug, host=current_host(), actor=actor())
    except AddonError as error:
        flash_bad(_(error.sentence))
    else:
        flash_good(_("Addon deactivated. Its conversations stay readable, and all its data is kept."))
    return _to_card(slug)


@bp.post("/admin/addons/<slug>/roll-back")
@admin_required
@fresh_password
def roll_back(slug: str) -> ResponseReturnValue:
    """Activate the previous release."""
    _known(slug)
    try:
        to = request.form.get("to", "")
        operate = partial(lifecycle.roll_back, config(), slug, to=to, host=current_host(), actor=actor())
        outcome = in_background.run(operate)
    except AddonError as error:
        flash_bad(_(error.sentence))
    else:
        if outcome is None:
            return _goes_on(slug)
        if outcome.ok:
            flash_good(_("The previous release is active again. No restart was needed."))
        else:
            _say(outcome)
    return _to_card(slug, ran=slug)


@bp.get("/admin/addons/<slug>/uninstall")
@admin_required
def uninstall(slug: str) -> ResponseReturnValue:
    """Ask whether to keep, export or delete the addon's data."""
    return _uninstall_page(slug)


def _uninstall_page(slug: str, problem: str = "") -> ResponseReturnValue:
    card = _known(slug)
    page = render_template(
        "addons/uninstall.html",
        card=card,
        manifest=listing.readable(config(), card).manifest,
        held=uninstalling.held(slug),
        stopped=uninstalling.stopped_automation(slug, current_generation().directory),
        running=card.state in (AddonState.ACTIVE, AddonState.ACTIVATING),
        problem=problem,
    )
    return page, 400 if problem else 200


@bp.post("/admin/addons/<slug>/export")
@admin_required
@fresh_password
def export(slug: str) -> ResponseReturnValue:
    """Download the addon's tables, as a zip of JSON lines."""
    _known(slug)
    file = uninstalling.export(slug, actor=actor())
    name = f"{slug}-export-{clock.now():%Y-%m-%d}.zip"
    response = send_file(file, mimetype="application/zip", as_attachment=True, download_name=name)
    response.headers["Cache-Control"] = "no-store"
    return response


@bp.post("/admin/addons/<slug>/uninstall")
@admin_required
@fresh_password
def remove(slug: str) -> ResponseReturnValue:
    """Remove an inactive addon from the list; its data stays, or is deleted too."""
    if all(card.slug != slug for card in lifecycle.installed()):
        flash_bad(_("The addon %(slug)s is not installed.", slug=slug))
        return redirect(url_for("addons.index"))
    what = request.form.get("what", "")
    if what not in ("keep", "purge"):
        return _uninstall_page(slug, _("Choose whether to keep or delete its data."))
    if what == "purge" and request.form.get("name", "").strip() != slug:
        sentence = _("Enter %(slug)s to delete its data. Nothing was changed.", slug=slug)
        return _uninstall_page(slug, sentence)
    try:
        if what == "keep":
            uninstalling.remove(config(), slug, actor=actor())
            flash_good(_("Addon uninstalled. Its tables and conversations are kept."))
        else:
            uninstalling.purge(config(), slug, actor=actor())
            flash_good(_("Addon uninstalled and its tables deleted. Conversations stay readable."))
    except AddonError as error:
        flash_bad(_(error.sentence))
        return _to_card(slug)
    return redirect(url_for("addons.index"))


@bp.get("/admin/addons/<slug>/settings")
@admin_required
def settings(slug: str) -> ResponseReturnValue:
    """Show the addon's own settings page."""
    page = current_generation().admin_pages.get(slug)
    if page is None:
        raise NotFoundError()
    context = {"title": page.title, "manifest": current_generation().manifests[slug], **page.context()}
    return render_template(page.template, **context)


def _known(slug: str) -> Card:
    for card in lifecycle.installed():
        if card.slug == slug:
            return card
    raise NotFoundError()


def _say(outcome: Outcome) -> None:
    sentence = _(str((outcome.error or {}).get("sentence", "")))
    flash_bad(_("%(sentence)s Nothing else was changed.", sentence=sentence))


def _goes_on(slug: str) -> ResponseReturnValue:
    """Show the card of an addon whose operation takes longer than a page waits."""
    flash_good(_("This takes longer and goes on in the background. Its steps are below."))
    return _to_card(slug, ran=slug) if slug else redirect(url_for("addons.index"))


def _to_card(slug: str, **shown: Any) -> ResponseReturnValue:
    return redirect(url_for("addons.index", _anchor=f"addon-{slug}", **shown))


def _uploads_allowed() -> None:
    if not config().uploads:
        raise ForbiddenError(
            _l("Addon uploads are disabled (LOBBY_UPLOADS=0)."),
            next_step=_l("A server administrator can install one with `lobby addon install`."),
        )
