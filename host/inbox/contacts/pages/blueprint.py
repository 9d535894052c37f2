"""The blueprint of the contact pages, and the URL of a contact's page."""

from __future__ import annotations

from flask import Blueprint, url_for

bp = Blueprint("contacts", __name__, template_folder="../templates")

CONTACT = "/w/<int:workspace_id>/contacts/<int:contact_id>"


def page_of(workspace_id: int, contact_id: int) -> str:
    """Return the URL of a contact's page."""
    return url_for("contacts.contact", workspace_id=workspace_id, contact_id=contact_id)
