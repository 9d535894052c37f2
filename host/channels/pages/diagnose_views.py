"""Settings -> Channels -> an account -> Diagnose."""

from __future__ import annotations

from flask import render_template
from flask.typing import ResponseReturnValue

from host.channels.diagnosis import diagnose as run
from host.channels.directory import current_directory
from host.channels.pages.blueprint import account_of, bp
from host.core import clock
from host.core.errors import NotFoundError
from host.models.channels import AccountState
from host.web.request_helpers import Role, workspace_view


@bp.post("/w/<int:workspace_id>/settings/channels/accounts/<int:account_id>/diagnose")
@workspace_view(Role.OWNER)
def diagnose(workspace_id: int, account_id: int) -> ResponseReturnValue:
    """Run every check and show its finding."""
    row = account_of(workspace_id, account_id)
    directory = current_directory()
    card = directory.card(row.channel)
    if card is None or card.diagnose is None or row.state == AccountState.DISCONNECTED:
        raise NotFoundError()
    findings = run(card, row)
    page = render_template(
        "channels/diagnosis.html",
        account=row,
        label=directory.label(row.channel),
        findings=findings,
        failed=sum(finding.verdict == "fail" for finding in findings),
        actions={action.name: action for action in card.actions if not action.fields},
        at=clock.now(),
    )
    return page, 200, {"Cache-Control": "no-store"}
