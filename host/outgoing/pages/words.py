"""What the page says about endpoints and deliveries."""

from __future__ import annotations

from typing import NamedTuple

from flask_babel import gettext as _

from host.models.outgoing import Endpoint, EndpointState, HookState, OffReason
from host.outgoing import policy
from host.outgoing.log import Line, Standing
from host.outgoing.outcomes import GONE, SWITCHED_OFF


class Saying(NamedTuple):
    """A state in a word, and a sentence. *tone* is ``good``, ``warn``, ``bad`` or ``idle``."""

    tone: str
    bold: str
    sentence: str = ""


def of_endpoint(row: Endpoint, standing: Standing) -> Saying:
    """Return how an endpoint does."""
    if row.state == EndpointState.PAUSED:
        return Saying("idle", _("Paused"), _("What happens meanwhile is not kept for it."))
    if row.state == EndpointState.OFF:
        return Saying("bad", _("Switched off"), _(SWITCHED_OFF[OffReason(row.reason or OffReason.FAILING)]))
    if row.failing_since is not None:
        return Saying("bad", _("Fails"), last_answer(standing))
    if standing.last is None:
        return Saying("idle", _("Waits for the first event"))
    return Saying("good", _("Delivers"))


def last_answer(standing: Standing) -> str:
    """Return what the last try was answered."""
    if standing.last is None:
        return ""
    if standing.last.status is None:
        return str(_("It does not answer."))
    return str(_("It answers %(status)s.", status=standing.last.status))


def of_delivery(line: Line) -> Saying:
    """Return what became of a delivery, and what that means."""
    if line.state is HookState.DELIVERED:
        return Saying("good", _("Their server took it."), _("Answered with %(status)s.", status=line.status))
    if not line.tries:
        return Saying("idle", _("It waits for its turn."), _("Earlier events of its conversation go first."))
    bold, sentence = _problem(line)
    if line.state is HookState.WAITING:
        waits = _("Later events of this conversation wait behind it.")
        return Saying("warn", bold, f"{sentence} {waits}".strip())
    given_up = _("It was given up after %(tries)s tries; later events went on.", tries=policy.TRIES)
    return Saying("bad", bold, f"{sentence} {given_up}".strip())


def _problem(line: Line) -> tuple[str, str]:
    status = line.status
    if status is None:
        return _("Their server did not answer."), line.words or ""
    bold = _("Their server said %(status)s.", status=status)
    if 300 <= status < 400:
        return bold, _("It sends elsewhere, and that is not followed. Give the final address.")
    if status in {401, 403}:
        return bold, _("It refuses us. Perhaps it has another secret.")
    if status == 404:
        return bold, _("There is nothing at this address.")
    if status == GONE:
        return bold, _("The address is gone for good.")
    if status >= 500:
        return bold, _("It is up, but what stands behind it is not. Nothing here is wrong.")
    return bold, _("It does not want what was sent.")
