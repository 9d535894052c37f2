"""Settings -> Channels -> an account -> Diagnose."""

from __future__ import annotations

from collections.abc import Sequence

from flask import render_template
from flask.typing import ResponseReturnValue

from host import __version__
from host.channels import deliveries
from host.channels.diagnosis import diagnose as run
from host.channels.directory import current_directory
from host.channels.pages.blueprint import account_of, bp
from host.core import clock, db
from host.core.errors import NotFoundError
from host.models.channels import AccountState, ChannelAccount
from host.queue.refusals import read_counts
from host.sdk.cards import Finding
from host.web.request_helpers import Permission, workspace_view


def _report(row: ChannelAccount, findings: Sequence[Finding]) -> str:
    """Return the findings as text to pass on."""
    lines = [
        f"{row.handle or row.name}, {row.channel}, {clock.now():%Y-%m-%d %H:%M} UTC, Lobby {__version__}"
    ]
    for one in findings:
        seen = f" [{one.seen_at:%Y-%m-%d %H:%M}]" if one.seen_at else ""
        lines.append(f"{one.verdict.upper():8}{one.title}: {one.evidence} {one.fix}{seen}".rstrip(": "))
    return "\n".join(lines)


@bp.post("/w/<int:workspace_id>/settings/channels/accounts/<int:account_id>/diagnose")
@workspace_view(Permission.ACCOUNTS)
def diagnose(workspace_id: int, account_id: int) -> ResponseReturnValue:
    """Run every check and show its finding."""
    row = account_of(workspace_id, account_id)
    directory = current_directory()
    card = directory.card(row.channel)
    if card is None or card.diagnose is None or row.state == AccountState.DISCONNECTED:
        raise NotFoundError()
    findings = run(card, row)
    with db.read() as session:
        hours = deliveries.by_hour(session, [row]).get(row.id)
        refused = read_counts(session, channel=row.channel, account_id=row.id, days=2)
    page = render_template(
        "channels/diagnosis.html",
        account=row,
        card=card,
        label=directory.label(row.channel),
        findings=findings,
        actions={one.name: one for one in card.actions if not one.fields and one.is_for(row.way)},
        hours=hours,
        refused=sum(one.count for one in refused),
        report=_report(row, findings),
        at=clock.now(),
    )
    return page, 200, {"Cache-Control": "no-store"}
