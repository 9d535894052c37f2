"""Let an addon check the settings that owners have saved, such as whether a shop answers at an address."""

from __future__ import annotations

import logging

from host.addons.package.manifest import Manifest
from host.addons.running import contributions
from host.addons.running.generation import current_generation
from host.addons.setting_forms import EnteredForm
from host.channels import refusals, timeouts
from host.channels.timeouts import HangsError, PausedError
from host.core.logs import redact
from host.sdk import settings
from host.sdk.cards import Problems, SettingsCheck
from host.sdk.secrets import Secret
from host.web.languages import gettext as _

log = logging.getLogger("lobby.addons")

LONGEST = 500
"""Characters of a sentence that are shown."""
MASK = "•••"


def check_of(slug: str) -> SettingsCheck | None:
    """Return the check of an addon's settings, or None if it has none."""
    return dict(current_generation().each(contributions.SETTINGS_CHECKS)).get(slug)


def run(check: SettingsCheck, manifest: Manifest, workspace_id: int) -> str | Problems:
    """Return what the check of an addon says about the saved settings of a workspace.

    It never raises: a check that fails or hangs is a problem of the whole form. No secret of the form is in
    any sentence. Call it outside any transaction.
    """
    name = f"settings {manifest.slug}.check"
    try:
        said = timeouts.within(check.seconds, name, lambda: check.run(workspace_id), workspace_id)
        if not isinstance(said, str | Problems):
            raise TypeError(f"the check returned {type(said).__name__}")
        if isinstance(said, Problems) and not said.by_field:
            raise TypeError("the check returned no problem")
        secrets = _secrets(manifest.slug, workspace_id)
    except PausedError as error:
        words = f"{timeouts.paused_sentence(manifest.name, error)} {timeouts.PAUSED_STEP}"
        return Problems({"": words})
    except HangsError:
        words = _(
            "The check did not finish within %(seconds)s seconds. Try again later.",
            seconds=f"{check.seconds:g}",
        )
        return Problems({"": words})
    except Exception as error:
        log.exception("the check of the settings of an addon failed")
        blame = _("The check failed because of an error in the addon. Tell an admin.")
        return Problems({"": refusals.sentence(error, blame)})
    if isinstance(said, str):
        return _told(said, secrets)
    return Problems({name: _told(str(words), secrets) for name, words in said.by_field.items()})


def _secrets(slug: str, workspace_id: int) -> list[str]:
    found = settings.workspace(slug, workspace_id).values()
    return [one.reveal() for one in found if isinstance(one, Secret)]


def _told(words: str, secrets: list[str]) -> str:
    for one in secrets:
        words = words.replace(one, MASK)
    return redact(words)[:LONGEST]


def with_problems(entered: EnteredForm, problems: Problems) -> EnteredForm:
    """Return the form as saved, with what the check found beside its fields."""
    rows = {row.name: row for row in entered.rows}
    for name, words in problems.by_field.items():
        if name in rows:
            rows[name].found = words
        else:
            entered.found = f"{entered.found} {words}".strip()
    return entered
