"""While sequences are off, their pages say which are kept and where the customers in one went."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from host.addons import switching
from host.events.models import ActorKind
from host.features import registry
from host.models.users import Role
from host.sequences.body import End, Say, Wait
from host.users.actor import Actor
from tests import helpers
from tests.sequences.sequenced import Sequenced

WAITING = (Say(id="one", text="One"), Wait(id="wait", hours=2), End(id="end"))


@pytest.fixture(autouse=True)
def _on_again() -> Iterator[None]:
    yield
    registry.switch_off(())


def test_its_pages_lead_to_the_conversations_that_went_to_the_team(sequenced: Sequenced) -> None:
    desk = sequenced
    desk.sequence(*WAITING)
    desk.sequence(*WAITING, name="Bookings", publish=False)
    desk.said("ana", text="order")
    desk.said("bo", text="order")
    desk.run()
    owner = helpers.make_user(name="Olu O.", workspace=desk.desk.workspace, role=Role.OWNER)
    config = desk.desk.make_app().extensions["lobby.config"]
    switching.switch("sequences", on=False, config=config, actor=Actor(ActorKind.USER, owner.id))
    registry.switch_off({"sequences"})
    while switching.let_go(desk.desk.generation.directory):
        pass
    browser = helpers.client_for(desk.desk.make_app(), owner)
    page = browser.get(f"/w/{desk.desk.workspace}/sequences").text
    assert "2 conversations are with your team now" in page
    for contact in ("ana", "bo"):
        assert f'/w/{desk.desk.workspace}/inbox/{desk.scene.conversation(contact)}"' in page
    assert "Orders" in page
    assert "Published, 2 runs" in page
    assert "Bookings" in page
    assert "Draft" in page


def test_a_desk_that_does_not_know_since_when_they_are_off_shows_the_page(sequenced: Sequenced) -> None:
    desk = sequenced
    desk.sequence(*WAITING)
    owner = helpers.make_user(name="Olu O.", workspace=desk.desk.workspace, role=Role.OWNER)
    registry.switch_off({"sequences"})
    page = helpers.client_for(desk.desk.make_app(), owner).get(f"/w/{desk.desk.workspace}/sequences")
    assert "Orders" in page.text
