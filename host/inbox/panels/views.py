"""The requests of addons' panels and composer actions. Pages load panels after they are shown."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, jsonify, render_template, request, url_for
from flask.typing import ResponseReturnValue

from host.channels.directory import current_directory
from host.core import db
from host.inbox.conversations import conversation_row
from host.inbox.pages.text_view import spans
from host.inbox.panels import calling
from host.inbox.panels.calling import PanelFailedError, PanelNotFoundError
from host.inbox.panels.customer import customer_of
from host.sdk.panels import CustomerContext, Entry, Facts, InsertText, Panel, Paragraph, Place, ShowNotice
from host.web.languages import gettext as _
from host.web.request_helpers import Permission, generation, seen_accounts, workspace_view

bp = Blueprint("panels", __name__, template_folder="templates")

BESIDE = "/w/<int:workspace_id>/inbox/<int:conversation_id>"
ON_CONTACT = "/w/<int:workspace_id>/contacts/<int:contact_id>"


@bp.get(f"{BESIDE}/panels/<name>")
@workspace_view(Permission.READ)
def beside(workspace_id: int, conversation_id: int, name: str) -> ResponseReturnValue:
    """Return a panel beside a conversation as HTML."""
    panel = _panel(name, Place.CONVERSATION)
    customer = _of_conversation(workspace_id, conversation_id)
    press = url_for(".press_beside", workspace_id=workspace_id, conversation_id=conversation_id, name=name)
    return _shown(panel, customer, press)


@bp.get(f"{ON_CONTACT}/panels/<name>")
@workspace_view(Permission.READ)
def on_contact(workspace_id: int, contact_id: int, name: str) -> ResponseReturnValue:
    """Return a panel on a contact's page as HTML."""
    panel = _panel(name, Place.CONTACT)
    customer = _of_contact(workspace_id, contact_id)
    press = url_for(".press_on_contact", workspace_id=workspace_id, contact_id=contact_id, name=name)
    return _shown(panel, customer, press)


@bp.post(f"{BESIDE}/panels/<name>/press")
@workspace_view(Permission.ANSWER)
def press_beside(workspace_id: int, conversation_id: int, name: str) -> ResponseReturnValue:
    """Press a button of a panel beside a conversation, and return its effect."""
    panel = _panel(name, Place.CONVERSATION)
    return _pressed(panel, _of_conversation(workspace_id, conversation_id))


@bp.post(f"{ON_CONTACT}/panels/<name>/press")
@workspace_view(Permission.ANSWER)
def press_on_contact(workspace_id: int, contact_id: int, name: str) -> ResponseReturnValue:
    """Press a button of a panel on a contact's page, and return its effect."""
    return _pressed(_panel(name, Place.CONTACT), _of_contact(workspace_id, contact_id))


@bp.post(f"{BESIDE}/composer-actions/<name>")
@workspace_view(Permission.ANSWER)
def run_action(workspace_id: int, conversation_id: int, name: str) -> ResponseReturnValue:
    """Run a composer action, and return its effect."""
    action = current_directory().composer_actions.get(name)
    if action is None:
        raise PanelNotFoundError()
    customer = _of_conversation(workspace_id, conversation_id)
    return _effect(lambda: calling.run(action, customer, _addon(name)))


def _panel(name: str, place: Place) -> Panel:
    found = current_directory().panels.get(name)
    if found is None or place not in found.places:
        raise PanelNotFoundError()
    return found


def _addon(name: str) -> str:
    slug = name.partition(".")[0]
    return _(generation().names.get(slug, slug))


def _of_conversation(workspace_id: int, conversation_id: int) -> CustomerContext:
    accounts = seen_accounts()
    with db.read() as session:
        row = conversation_row(session, workspace_id, conversation_id, accounts=accounts)
        return customer_of(
            session,
            workspace_id,
            row.contact_id,
            accounts,
            conversation_id=conversation_id,
            identity_id=row.identity_id,
        )


def _of_contact(workspace_id: int, contact_id: int) -> CustomerContext:
    with db.read() as session:
        return customer_of(session, workspace_id, contact_id, seen_accounts())


def _shown(panel: Panel, customer: CustomerContext, press: str) -> ResponseReturnValue:
    problem, blocks = "", []
    try:
        blocks = [_block(one) for one in calling.blocks_of(panel, customer, _addon(panel.name))]
    except PanelFailedError as error:
        problem = str(error)
    html = render_template("panels/_panel.html", blocks=blocks, problem=problem, press=press)
    return jsonify(html=html, failed=bool(problem))


def _block(block: Paragraph | Facts | Entry) -> dict[str, object]:
    if isinstance(block, Paragraph):
        return {"kind": "text", "spans": spans(block.text)}
    if isinstance(block, Facts):
        return {"kind": "facts", "pairs": [(label, spans(value)) for label, value in block.pairs]}
    return {"kind": "entry", "entry": block}


def _pressed(panel: Panel, customer: CustomerContext) -> ResponseReturnValue:
    name, value = request.form.get("name", ""), request.form.get("value", "")
    return _effect(lambda: calling.pressed(panel, customer, _addon(panel.name), name, value))


def _effect(call: Callable[[], InsertText | ShowNotice]) -> ResponseReturnValue:
    try:
        found = call()
    except PanelFailedError as error:
        return jsonify(notice=str(error), failed=True)
    if isinstance(found, InsertText):
        return jsonify(insert=found.text)
    return jsonify(notice=found.text, reload=found.reload)
