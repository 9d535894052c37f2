"""The sentences of the audit log about addons."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from host.addons.running.generation import current_generation
from host.users.audit_words import Words, plain
from host.web.languages import gettext as _

SENTENCES: Mapping[str, LazyString] = {
    "addon.activated": _l("%(who)s activated the addon %(what)s"),
    "addon.activation_failed": _l("The addon %(what)s could not be activated"),
    "addon.activation_started": _l("%(who)s began to activate the addon %(what)s"),
    "addon.deactivated": _l("%(who)s deactivated the addon %(what)s"),
    "addon.disabled_offline": _l("The addon %(what)s was deactivated from the command line"),
    "addon.event_dropped": _l("%(who)s skipped an event that the listener %(what)s could not handle"),
    "addon.event_retried": _l("%(who)s had an event passed to the listener %(what)s again"),
    "addon.event_skipped": _l("The listener %(what)s failed for a day, so Lobby skipped an event"),
    "addon.exported": _l("%(who)s exported the data of the addon %(what)s"),
    "addon.install_started": _l("%(who)s started installing the addon %(what)s"),
    "addon.installed": _l("%(who)s installed the addon %(what)s"),
    "addon.process_replaced": _l("Lobby restarted a process because the addon %(what)s made it hang"),
    "addon.purge_started": _l("%(who)s started deleting the data of the addon %(what)s"),
    "addon.purged": _l("%(who)s uninstalled the addon %(what)s and deleted its data"),
    "addon.quarantined": _l("Lobby quarantined the addon %(what)s"),
    "addon.removed": _l("%(who)s uninstalled the addon %(what)s and kept its data"),
    "addon.retried": _l("%(who)s retried the addon %(what)s"),
    "addon.roll_back_started": _l("%(who)s started rolling back the addon %(what)s"),
    "addon.rolled_back": _l("%(who)s rolled back the addon %(what)s"),
    "addon.settings_changed": _l("%(who)s changed settings of the addon %(what)s"),
    "addon.switched_off": _l("%(who)s switched the addon %(what)s off"),
    "addon.test_stopped": _l("%(who)s stopped testing the migrations of the addon %(what)s"),
    "addon.upload_refused": _l("The upload of %(what)s was rejected"),
    "addon.upload_started": _l("%(who)s started uploading %(what)s"),
    "addon.uploaded": _l("%(who)s uploaded the addon %(what)s"),
    "feature.switched_off": _l("%(who)s turned off %(what)s"),
    "feature.switched_on": _l("%(who)s turned on %(what)s"),
}


def _name(release: str) -> str:
    """Return an addon by its name, with the version that a line may say."""
    slug, _space, version = release.partition(" ")
    manifest = current_generation().manifests.get(slug)
    return f"{_(manifest.name) if manifest else slug} {version}".strip()


def _settings(names: object) -> str:
    """Return the names of settings of an addon, as its form calls them."""
    asked = str(names).split(", ")
    for manifest in current_generation().manifests.values():
        for form in (manifest.forms.workspace, manifest.forms.desk):
            if form and set(asked) <= set(form):
                return ", ".join(str(_(form[one].label)) for one in asked)
    return plain(names)


FIELDS: Mapping[str, LazyString | None] = {
    "addon.before": _l("Before"),
    "addon.step": _l("Step"),
    "addon.reason": _l("Reason"),
    "addon.settings": _l("Settings"),
    "addon.to": _l("To version"),
    "addon.version": _l("Version"),
    "addon.event": _l("Event"),
    "file": _l("File"),
    "number": None,
    "addon.conversation": None,
    "sha256": None,
    "tables": None,
}

WORDS: Mapping[str, Words] = {"addon.settings": _settings, "addon.step": plain, "addon.event": plain}

SUBJECTS: Mapping[str, Callable[[str], object]] = {
    "addon": _name,
    "addon.upload_started": str,
    "addon.upload_refused": str,
}
