"""The texts about endpoints and deliveries on pages."""

from __future__ import annotations

from typing import NamedTuple

from host.web.languages import gettext as _
from host.webhooks import policy
from host.webhooks.log import LoggedDelivery, Standing
from host.webhooks.models import Endpoint, EndpointState, HookState, OffReason
from host.webhooks.outcomes import GONE, SWITCHED_OFF


class Saying(NamedTuple):
    """A state in a word, with a sentence. *tone* is ``good``, ``warn``, ``bad`` or ``idle``."""

    tone: str
    bold: str
    sentence: str = ""


def of_endpoint(row: Endpoint, standing: Standing) -> Saying:
    """Return the state of an endpoint."""
    if row.state == EndpointState.PAUSED:
        return Saying("idle", _("Paused"), _("Events that happen while it's paused won't be sent."))
    if row.state == EndpointState.OFF:
        return Saying("bad", _("Turned off"), _(SWITCHED_OFF[OffReason(row.reason or OffReason.FAILING)]))
    if row.failing_since is not None:
        return Saying("bad", _("Failing"), last_answer(standing))
    if standing.last is None:
        return Saying("idle", _("Waiting for the first event"))
    return Saying("good", _("Working"))


def last_answer(standing: Standing) -> str:
    """Return the answer to the last attempt."""
    if standing.last is None:
        return ""
    if standing.last.status is None:
        return str(_("The endpoint doesn't respond."))
    return str(_("The endpoint returns %(status)s.", status=standing.last.status))


def of_delivery(line: LoggedDelivery) -> Saying:
    """Return the state of a delivery and its meaning."""
    if line.state is HookState.DELIVERED:
        return Saying("good", _("Delivered."), _("The endpoint returned %(status)s.", status=line.status))
    if not line.tries:
        return Saying("idle", _("Queued."), _("Earlier events of this conversation are sent first."))
    bold, sentence = _problem(line)
    if line.state is HookState.WAITING:
        waits = _("Later events of this conversation wait until it succeeds.")
        return Saying("warn", bold, f"{sentence} {waits}".strip())
    given_up = _("Lobby stopped retrying after %(tries)s attempts and sent later events.", tries=policy.TRIES)
    return Saying("bad", bold, f"{sentence} {given_up}".strip())


def _problem(line: LoggedDelivery) -> tuple[str, str]:
    status = line.status
    if status is None:
        return _("No response."), line.words or ""
    bold = _("The endpoint returned %(status)s.", status=status)
    if 300 <= status < 400:
        return bold, _("It returned a redirect, which Lobby doesn't follow. Enter the final URL.")
    if status in {401, 403}:
        return bold, _("It rejected the request. It may be using a different secret.")
    if status == 404:
        return bold, _("Nothing exists at this URL.")
    if status == GONE:
        return bold, _("The URL is permanently gone.")
    if status >= 500:
        return bold, _("The endpoint's server has an error. Your Lobby setup is fine.")
    return bold, _("It rejected the request.")
