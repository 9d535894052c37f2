"""The playground of an assistant: next to its pages where there is room, and on its own page."""

from __future__ import annotations

from flask import Response, render_template, request, url_for
from flask.typing import ResponseReturnValue

from host.assistants import assistants
from host.assistants.models import Assistant
from host.assistants.pages import forms
from host.assistants.pages.blueprint import NEEDS, ONE, bp, its
from host.assistants.pages.playground import Play, accounts, asked, page_of, register
from host.core import db
from host.core.backports.values import replace
from host.web import account_picker
from host.web.account_picker import Picker
from host.web.request_helpers import workspace_view


def playground_page(workspace_id: int, assistant_id: int, play: Play | None = None) -> ResponseReturnValue:
    """Return the playground's own page."""
    return render_template(
        "assistants/assistant_playground.html",
        assistant=its(workspace_id, assistant_id),
        tab="playground",
        play=play or Play(),
    )


register("playground", playground_page)


@bp.app_template_global("assistant_play_accounts")
def play_accounts(assistant: Assistant, chosen: int) -> Picker:
    """Return the accounts to try an assistant on; *chosen*, or the first, is selected. Two statements."""
    workspace_id = assistant.workspace_id
    url = url_for("assistants.play_choices", workspace_id=workspace_id, assistant_id=assistant.id)
    found = accounts(workspace_id, assistant.id)
    return account_picker.pick("account", found, [chosen] if chosen else [one.id for one in found[:1]], url)


@bp.get(f"{ONE}/playground/accounts")
@workspace_view(NEEDS)
def play_choices(workspace_id: int, assistant_id: int) -> Response:
    """Return the first accounts that match ``q``, and their number."""
    its(workspace_id, assistant_id)
    return account_picker.matching(accounts(workspace_id, assistant_id))


@bp.get(f"{ONE}/playground")
@workspace_view(NEEDS)
def playground(workspace_id: int, assistant_id: int) -> ResponseReturnValue:
    """Show the playground."""
    return playground_page(workspace_id, assistant_id)


@bp.post(f"{ONE}/playground")
@workspace_view(NEEDS)
def ask(workspace_id: int, assistant_id: int) -> ResponseReturnValue:
    """Ask a question as a customer, and show the page again with the answer; typed values become a draft."""
    with db.read() as session:
        row = assistants.get(session, workspace_id, assistant_id)
        body = assistants.body_of(session, row)
    tab, page = page_of(request.form.get("tab", ""))
    draft = forms.prompt(body) if tab == "prompt" else None
    endpoint = "assistants.assistant" if tab == "setup" else f"assistants.{tab}"
    again = url_for(endpoint, workspace_id=workspace_id, assistant_id=assistant_id)
    play = replace(asked(workspace_id, assistant_id, draft), again=again)
    return page(workspace_id, assistant_id, play=play)
