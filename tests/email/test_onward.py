"""Mail the team writes first, and what people besides the customer say for themselves."""

from __future__ import annotations

import email

import pytest
import sqlalchemy as sa

from addons.email.lobby_mail.channel import EmailAdapter
from host.core import db
from host.inbox.drafts import Draft
from host.inbox.outreach.first_messages import start
from host.models.inbox import Contact, ContactIdentity, DeliveryState
from tests.email.test_conversation import Desk, Generation, conversations, messages, whole
from tests.helpers import do

__all__ = ["whole"]


def test_what_we_write_first_has_a_subject_and_its_answer_lands_there(whole: Desk) -> None:
    whole.receive(Message_ID="<one@example.org>")
    contact = conversations()[0].contact_id
    started = do(
        start,
        whole.account.workspace_id,
        whole.account.id,
        [Draft(text="Something else: the **kiln** is free.", content={"subject": "The kiln"})],
        contact_id=contact,
        reply_key="reply-key-1",
        directory=Generation.directory,
        actor=whole.agent,
    )
    whole.work()
    first = messages()[-1]
    assert first.state == DeliveryState.SENT
    sent = email.message_from_bytes(whole.outside.mails[0][2])
    assert (sent["To"], sent["Subject"], sent["In-Reply-To"]) == (
        "Mia Rossi <mia@example.org>",
        "The kiln",
        None,
    )
    whole.receive(
        "Then I will come.",
        Message_ID="<two@example.org>",
        In_Reply_To=sent["Message-ID"],
        Subject="Re: kiln",
    )
    assert messages()[-1].conversation_id == started.conversation_id
    assert len(conversations()) == 2


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("Mia@Example.org", "mia@example.org"),
        ("hello@shop.example", None),
        ("hello+orders@shop.example", None),
        ("17841400000000001", None),
        ("a@b@c", None),
        ("", None),
    ],
)
def test_an_address_of_somebody_else_is_whom_mail_can_go_to(
    whole: Desk, address: str, found: str | None
) -> None:
    assert EmailAdapter().id_for_address(whole.account, address) == found


def test_stop_by_somebody_in_copy_is_theirs(whole: Desk) -> None:
    whole.receive(Message_ID="<one@example.org>", Cc="Ada L. <ada@example.org>")
    whole.receive(
        "STOP",
        From="Ada L. <ada@example.org>",
        Message_ID="<two@example.org>",
        In_Reply_To="<one@example.org>",
        Subject="Re: Blue mugs",
    )
    assert len(conversations()) == 1
    with db.read() as session:
        query = sa.select(ContactIdentity.external_id, Contact.opted_out_at.is_not(None)).join(
            Contact, Contact.id == ContactIdentity.contact_id
        )
        found = {address: bool(out) for address, out in session.execute(query)}
    assert found == {"mia@example.org": False, "ada@example.org": True}
    assert [one.content for one in messages() if one.direction == "internal"] == [
        {"what": "writer_opted_out_by_message", "name": "STOP", "person": "Ada L."}
    ]
