"""What a page and the API do alike in the inbox, they write alike."""

from __future__ import annotations

from pathlib import Path

import pytest

from host.inbox import saved_views
from host.inbox.canned import replies
from host.inbox.canned.replies import ANY, CannedReplyInput, Viewer
from host.inbox.contacts import attributes
from host.inbox.contacts.models import AttributeKind
from host.inbox.labels import labels
from host.inbox.labels.models import LabelTone
from host.inbox.queries import ConversationFilter
from host.inbox.teams import teams
from tests.api.both_ways import Act, compare
from tests.api.desks import ApiDesk
from tests.asking import name_to_type
from tests.helpers import do

CANNED = {
    "files": "1",
    "shortcut": "hours",
    "title": "Hours",
    "whose": "all",
    "language": ANY,
    "text": "9 to 5",
}
"""What the form of a canned reply sends."""


def team(desk: ApiDesk) -> int:
    return do(teams.create, desk.workspace, name="Orders").id


def label(desk: ApiDesk, name: str = "order") -> int:
    return do(labels.create, desk.workspace, name=name, tone=LabelTone.BLUE).id


def two_labels(desk: ApiDesk) -> int:
    """Make two labels; the id of the first, behind which the second's comes."""
    first = label(desk)
    assert label(desk, "orders") == first + 1
    return first


def view(desk: ApiDesk) -> int:
    return do(saved_views.create, desk.workspace, owner_id=None, name="Open", shows=ConversationFilter()).id


def attribute(desk: ApiDesk) -> int:
    return do(attributes.create, desk.workspace, name="Glaze", kind=AttributeKind.CHOICE, choices=["Sage"]).id


def contact(desk: ApiDesk) -> int:
    desk.scene.said("ana", "Ana", "hi", desk.scene.ago(hours=1))
    return int(desk.program.get("/contacts")["data"][0]["id"])


def conversation(desk: ApiDesk) -> int:
    contact(desk)
    return desk.scene.conversation("ana")


def canned(desk: ApiDesk) -> int:
    return do(
        replies.create,
        desk.workspace,
        CannedReplyInput("thanks", "Thanks", {ANY: "Thank you!"}),
        Viewer(None, keeps=True),
    ).id


ACTS = {
    "canned_reply.added": Act(
        page=lambda owner, at, _id: owner.post_form(f"{at}/settings/canned/new", **CANNED),
        api=lambda desk, _id: desk.program.send(
            "POST", "/canned-replies", {"shortcut": "hours", "title": "Hours", "texts": {ANY: "9 to 5"}}, 201
        ),
    ),
    "canned_reply.changed": Act(
        page=lambda owner, at, id_: owner.post_form(f"{at}/settings/canned/{id_}", **CANNED),
        api=lambda desk, id_: desk.program.send(
            "PATCH", f"/canned-replies/{id_}", {"shortcut": "hours", "title": "Hours"}
        ),
        before=canned,
    ),
    "canned_reply.deleted": Act(
        page=lambda owner, at, id_: owner.post_form(f"{at}/settings/canned/{id_}/delete"),
        api=lambda desk, id_: desk.program.call("DELETE", f"/canned-replies/{id_}"),
        before=canned,
    ),
    "attribute.added": Act(
        page=lambda owner, at, _id: owner.post_form(
            f"{at}/settings/attributes", name="Glaze", kind="choice", choices="Sage"
        ),
        api=lambda desk, _id: desk.program.send(
            "POST", "/contact-attributes", {"name": "Glaze", "kind": "choice", "choices": ["Sage"]}, 201
        ),
    ),
    "attribute.changed": Act(
        page=lambda owner, at, id_: owner.post_form(
            f"{at}/settings/attributes/{id_}", name="Colour", choices="Blue"
        ),
        api=lambda desk, id_: desk.program.send(
            "PATCH", f"/contact-attributes/{id_}", {"name": "Colour", "choices": ["Blue"]}
        ),
        before=attribute,
    ),
    "attribute.deleted": Act(
        page=lambda owner, at, id_: owner.post_form(f"{at}/settings/attributes/{id_}/delete"),
        api=lambda desk, id_: desk.program.call("DELETE", f"/contact-attributes/{id_}"),
        before=attribute,
    ),
    "contact.erased": Act(
        page=lambda owner, at, id_: owner.post_form(
            f"{at}/inbox/{id_}/erase", name=name_to_type(owner.get(f"{at}/inbox/{id_}/erase").text)
        ),
        api=lambda desk, id_: desk.program.call(
            "DELETE", f"/contacts/{desk.program.get(f'/conversations/{id_}')['contact']['id']}"
        ),
        before=conversation,
    ),
    "contact.exported": Act(
        page=lambda owner, at, id_: owner.post_form(f"{at}/contacts/{id_}/export"),
        api=lambda desk, id_: desk.program.call("GET", f"/contacts/{id_}/export"),
        before=contact,
    ),
    "label.added": Act(
        page=lambda owner, at, _id: owner.post_form(f"{at}/settings/labels", name="order", tone="teal"),
        api=lambda desk, _id: desk.program.send("POST", "/labels", {"name": "order", "tone": "teal"}, 201),
    ),
    "label.changed": Act(
        page=lambda owner, at, id_: owner.post_form(f"{at}/settings/labels/{id_}", name="late", tone="red"),
        api=lambda desk, id_: desk.program.send("PATCH", f"/labels/{id_}", {"name": "late", "tone": "red"}),
        before=label,
    ),
    "label.deleted": Act(
        page=lambda owner, at, id_: owner.post_form(f"{at}/settings/labels/{id_}/delete", into=""),
        api=lambda desk, id_: desk.program.call("DELETE", f"/labels/{id_}"),
        before=label,
    ),
    "label.merged": Act(
        page=lambda owner, at, id_: owner.post_form(f"{at}/settings/labels/{id_}/delete", into=id_ + 1),
        api=lambda desk, id_: desk.program.send("POST", f"/labels/{id_}/merge", {"into": id_ + 1}),
        before=two_labels,
    ),
    "view.added": Act(
        page=lambda owner, at, _id: owner.post_form(f"{at}/inbox/views?late=1", name="Late", shared="1"),
        api=lambda desk, _id: desk.program.send(
            "POST", "/views", {"name": "Late", "filter": {"late": True}}, 201
        ),
    ),
    "view.changed": Act(
        page=lambda owner, at, id_: owner.post_form(f"{at}/inbox/views/{id_}", name="Mine"),
        api=lambda desk, id_: desk.program.send("PATCH", f"/views/{id_}", {"name": "Mine"}),
        before=view,
    ),
    "view.deleted": Act(
        page=lambda owner, at, id_: owner.post_form(f"{at}/inbox/views/{id_}", what="delete"),
        api=lambda desk, id_: desk.program.call("DELETE", f"/views/{id_}"),
        before=view,
    ),
    "team.added": Act(
        page=lambda owner, at, _id: owner.post_form(f"{at}/settings/teams", name="Orders"),
        api=lambda desk, _id: desk.program.send("POST", "/teams", {"name": "Orders"}, 201),
    ),
    "team.changed": Act(
        page=lambda owner, at, id_: owner.post_form(f"{at}/settings/teams/{id_}", name="Returns"),
        api=lambda desk, id_: desk.program.send("PATCH", f"/teams/{id_}", {"name": "Returns"}),
        before=team,
    ),
    "team.deleted": Act(
        page=lambda owner, at, id_: owner.post_form(f"{at}/settings/teams/{id_}/delete"),
        api=lambda desk, id_: desk.program.call("DELETE", f"/teams/{id_}"),
        before=team,
    ),
}


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("action", ACTS)
def test_a_page_and_the_api_write_the_same(data: Path, action: str) -> None:
    compare(data, action, ACTS[action])
