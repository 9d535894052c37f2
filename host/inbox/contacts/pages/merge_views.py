"""Find a duplicate of a contact, compare and merge the two, and split them again."""

from __future__ import annotations

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import ngettext

from host.channels.directory import current_directory
from host.core import db
from host.core.errors import LobbyError
from host.inbox.contacts import details, finding, merging, people
from host.inbox.contacts.pages import doubles
from host.inbox.contacts.pages.blueprint import CONTACT, bp, page_of
from host.inbox.contacts.pages.shown import detail_of, handle_of, name_of
from host.inbox.pages.arguments import form_id
from host.live.following import follows
from host.search.backlog import backlog
from host.search.finding import finder
from host.search.finding.query import read_query
from host.web.languages import gettext as _
from host.web.request_helpers import (
    Permission,
    flash_bad,
    flash_good,
    id_argument,
    seen_accounts,
    workspace_view,
    write,
)

OFFERED = 20
"""Maximum number of search results."""


@bp.get(f"{CONTACT}/merge")
@workspace_view(Permission.ANSWER)
@follows
def merge_contact(workspace_id: int, contact_id: int) -> ResponseReturnValue:
    """Show the form to choose the other contact and the details to keep."""
    return _page(workspace_id, contact_id, id_argument("with"))


def _page(
    workspace_id: int, contact_id: int, other_id: int | None, problem: LobbyError | None = None
) -> ResponseReturnValue:
    directory, accounts = current_directory(), seen_accounts()
    q = " ".join(request.args.get("q", "").split())[:200]
    with db.read() as session:
        contact = people.get(session, workspace_id, contact_id, accounts=accounts)
        if contact.id != contact_id:
            return redirect(page_of(workspace_id, contact.id), 303)
        rows = {one.id: one for one in finding.rows_of(session, workspace_id, [contact_id], accounts)}
        compared = None
        if other_id is not None:
            try:
                compared = merging.compare(session, workspace_id, contact_id, other_id, accounts=accounts)
            except LobbyError as error:
                problem = problem or error
        if compared is not None:
            found = finding.rows_of(session, workspace_id, [compared.second.id], accounts)
            rows |= {one.id: one for one in found}
        offered, behind = [], ""
        if compared is None and q:
            ids = finder.find_contacts(session, workspace_id, read_query(q), OFFERED + 1)
            offered = finding.rows_of(
                session, workspace_id, [id_ for id_ in ids if id_ != contact_id], accounts
            )
            offered = [one for one in offered if accounts is None or one.identities]
            behind = "" if offered else backlog(session, workspace_id).contact_sentence
        double = None
        if compared is None and not q:
            mine = rows[contact_id].identities
            double = doubles.likely(session, workspace_id, contact, mine, accounts, directory)

    def called(id_: int) -> tuple[str, str]:
        row = rows[id_]
        name = name_of(row.name, row.email, row.identities, directory)
        return name, handle_of(row.identities[0], directory) if row.identities else ""

    fields = []
    for field in compared.fields if compared is not None else ():
        known = {details.NAME: _("Name"), details.EMAIL: _("Email")}
        shown = [
            value if field.attribute is None else detail_of(field.attribute, value).shown
            for value in (field.first, field.second)
        ]
        label = known[field.name] if field.attribute is None else field.attribute.name
        fields.append((field, label, *shown))
    page = render_template(
        "contacts/merge.html",
        behind=behind,
        contact=contact,
        first=called(contact_id),
        first_row=rows[contact_id],
        compared=compared,
        second=called(compared.second.id) if compared is not None else None,
        second_row=rows[compared.second.id] if compared is not None else None,
        fields=fields,
        offered=[
            (
                one,
                name_of(one.name, one.email, one.identities, directory),
                handle_of(one.identities[0], directory) if one.identities else "",
            )
            for one in offered
        ],
        double=double,
        q=q,
        problem=problem,
    )
    return page, 200 if problem is None else problem.status


@bp.post(f"{CONTACT}/merge")
@workspace_view(Permission.ANSWER)
@follows
def merge_contacts(workspace_id: int, contact_id: int) -> ResponseReturnValue:
    """Merge the contact ``with`` into this one; with ``different``, record that they are different people."""
    other_id = form_id("with")
    back = page_of(workspace_id, contact_id)
    with db.read() as session:
        people.get(session, workspace_id, contact_id, accounts=seen_accounts())
    if other_id is None:
        flash_bad(_("Choose a contact to merge with first."))
        return redirect(
            url_for("contacts.merge_contact", workspace_id=workspace_id, contact_id=contact_id), 303
        )
    if request.form.get("different") == "1":
        write(merging.refuse, contact_id, other_id)
        flash_good(_("Marked as two different people. Lobby won’t suggest this merge again."))
        return redirect(back, 303)
    offered = [name.removeprefix("take:") for name in request.form if name.startswith("take:")]
    take = [name for name in offered if request.form.get(f"take:{name}") == "2"]
    try:
        found = write(merging.merge, contact_id, other_id, take=take)
    except LobbyError as error:
        if error.status == 404:
            raise
        return _page(workspace_id, contact_id, other_id, error)
    count = len(found.moved["identities"])
    flash_good(
        ngettext(
            "Contacts merged, %(num)s account moved. You can split them again at any time.",
            "Contacts merged, %(num)s accounts moved. You can split them again at any time.",
            count,
        )
    )
    return redirect(back, 303)


@bp.post(f"{CONTACT}/split/<int:merge_id>")
@workspace_view(Permission.ANSWER)
def split_contact(workspace_id: int, contact_id: int, merge_id: int) -> ResponseReturnValue:
    """Undo a merge."""
    try:
        other_id = write(merging.split, contact_id, merge_id).id
    except LobbyError as error:
        if error.status == 404:
            raise
        flash_bad(f"{error.sentence} {error.next_step}")
        return redirect(page_of(workspace_id, contact_id), 303)
    flash_good(_("Contacts split. This is the restored contact."))
    return redirect(page_of(workspace_id, other_id), 303)
