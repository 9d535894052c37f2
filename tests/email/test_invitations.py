"""Invitations in mail: on the page, in the list, for programs; and answers to the organiser."""

from __future__ import annotations

import email
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP, default
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from icalendar import Calendar

from host.core import db
from host.events.models import ActorKind
from host.inbox import erasure
from host.models.inbox import ContactIdentity, DeliveryState
from host.models.users import Workspace
from host.users.actor import Actor
from tests.api.desks import Program, make_key
from tests.email.conftest import Outside
from tests.email.test_conversation import Desk, Generation, conversations, desk_at, messages, signed_in
from tests.helpers import Browser, StandInGeneration, build_app, do

ICS = """BEGIN:VCALENDAR
PRODID:-//Test//EN
VERSION:2.0
METHOD:REQUEST
BEGIN:VEVENT
UID:planning@example.org
DTSTAMP:20260201T090000Z
SEQUENCE:2
DTSTART;TZID=W. Europe Standard Time:20260303T140000
DTEND;TZID=W. Europe Standard Time:20260303T153000
SUMMARY:Planning <b>2026</b>
LOCATION:Room 4
RRULE:FREQ=WEEKLY;BYDAY=TU;UNTIL=20260630T120000Z
ORGANIZER;CN=Mia Rossi:mailto:mia@example.org
ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE;CN=Shop:mailto:hello@shop.example
END:VEVENT
END:VCALENDAR
"""


@pytest.fixture
def shop(desk: db.Database, data: Path, outside: Outside) -> Iterator[Desk]:
    yield from desk_at(data, outside)


def invitation(ics: str = ICS, text: str = "", *, method: str = "REQUEST", **headers: str) -> bytes:
    mail = EmailMessage(policy=SMTP)
    mail["From"] = headers.pop("From", "Mia Rossi <mia@example.org>")
    mail["To"] = "hello@shop.example"
    mail["Subject"] = "Planning 2026"
    mail["Message-ID"] = headers.pop("Message_ID", "<one@example.org>")
    if text:
        mail.set_content(text)
        mail.add_alternative(ics.encode(), "text", "calendar", params={"method": method, "charset": "utf-8"})
    else:
        mail.set_content(ics.encode(), "text", "calendar", params={"method": method, "charset": "utf-8"})
    return mail.as_bytes()


def live_in(desk: Desk, zone: str) -> None:
    def use_case(session: Any) -> None:
        session.query(Workspace).update({"timezone": zone})

    db.write(use_case)


def page_of(desk: Desk, browser: Browser) -> tuple[str, str]:
    path = f"/w/{desk.account.workspace_id}/inbox/{messages()[0].conversation_id}"
    return path, browser.get(path).text


def answer(desk: Desk, browser: Browser, chosen: str, **form: str) -> int:
    first = messages()[0]
    path = f"/w/{desk.account.workspace_id}/inbox/{first.conversation_id}/messages/{first.id}/invitation"
    status = browser.post_form(path, answer=chosen, **form).status_code
    desk.work()
    return status


def sent(outside: Outside, number: int = -1) -> tuple[Any, Any]:
    """Return a mail that left, and the event of its calendar part."""
    mail = email.message_from_bytes(outside.mails[number][2], policy=default)
    (part,) = [one for one in mail.walk() if one.get_content_type() == "text/calendar"]
    assert part.get_param("method") == "REPLY"
    calendar = Calendar.from_ical(part.get_content())
    assert calendar["METHOD"] == "REPLY"
    (event,) = calendar.walk("VEVENT")
    return mail, event


def test_a_mail_that_only_invites_shows_a_card(shop: Desk, data: Path) -> None:
    live_in(shop, "America/New_York")
    shop.deliver(invitation())
    _, page = page_of(shop, signed_in(shop, data))
    assert "Updated invitation" in page
    assert "Planning &lt;b&gt;2026&lt;/b&gt;" in page
    assert "Tue 3 March 2026, 08:00–09:30" in page
    assert "14:00 in Europe/Berlin" in page
    assert "every week on Tuesday, until Tue 30 June 2026" in page
    assert "Room 4" in page
    assert "Mia Rossi" in page
    assert page.count('name="answer" value="') >= 3
    (conversation,) = conversations()
    assert conversation.last_kind == "invitation"
    # The list says it without a text, and in the reader's time.
    assert "Invitation: Planning &lt;b&gt;2026&lt;/b&gt;, Tue 3 March 08:00" in page or (
        "Invitation: Planning &lt;b&gt;2026&lt;/b&gt;, Tue 3 March 2026 08:00" in page
    )


def test_an_answer_goes_to_the_organiser_once_and_can_be_changed(
    shop: Desk, data: Path, outside: Outside
) -> None:
    shop.deliver(invitation(text="Let us plan."))
    agent = signed_in(shop, data)
    assert answer(shop, agent, "accepted") == 303
    assert answer(shop, agent, "accepted") == 303, "pressed twice"
    assert len(outside.mails) == 1
    assert outside.mails[0][1] == ["mia@example.org"]
    mail, event = sent(outside)
    assert str(mail["Subject"]) == "Accepted: Planning <b>2026</b>"
    assert str(mail["In-Reply-To"]) == "<one@example.org>"
    assert event["UID"] == "planning@example.org"
    assert event["SEQUENCE"] == 2
    assert str(event["ORGANIZER"]) == "mailto:mia@example.org"
    assert str(event["ATTENDEE"]) == "mailto:hello@shop.example"
    assert event["ATTENDEE"].params["PARTSTAT"] == "ACCEPTED"
    assert event["DTSTART"].dt == datetime(2026, 3, 3, 13, tzinfo=UTC)
    _, page = page_of(shop, agent)
    assert 'aria-pressed="true"' in page
    assert "accepted</span>" in page
    assert answer(shop, agent, "declined") == 303
    assert len(outside.mails) == 2
    assert sent(outside)[1]["ATTENDEE"].params["PARTSTAT"] == "DECLINED"
    assert sent(outside, 1)[1]["DTSTAMP"].dt >= sent(outside, 0)[1]["DTSTAMP"].dt
    assert "declined</span>" in page_of(shop, agent)[1]
    assert len(conversations()) == 1
    assert conversations()[0].subject == "Planning 2026"


def test_a_foreign_organiser_is_asked_about_first(shop: Desk, data: Path, outside: Outside) -> None:
    shop.deliver(invitation(ICS.replace("mailto:mia@example.org", "mailto:boss@evil.example")))
    agent = signed_in(shop, data)
    assert 'name="organiser" value="boss@evil.example" required' in page_of(shop, agent)[1]
    assert answer(shop, agent, "accepted") == 303
    assert answer(shop, agent, "accepted", organiser="mia@example.org") == 303
    assert outside.mails == []
    assert "did not send the invitation" in page_of(shop, agent)[1]
    answer(shop, agent, "accepted", organiser="boss@evil.example")
    assert outside.mails[0][1] == ["boss@evil.example"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("mailto:hello@shop.example", "mailto:kim@example.org"), "No address of this account is among"),
        (("mailto:mia@example.org", "mailto:hello@shop.example"), "This account organizes the event."),
        (("METHOD:REQUEST", "METHOD:CANCEL"), "Canceled event"),
        (("SEQUENCE:2", "STATUS:CANCELLED"), "Canceled event"),
        (("METHOD:REQUEST", "METHOD:PUBLISH"), "Event"),
        (("ORGANIZER;CN=Mia Rossi:mailto:mia@example.org", "X-A:b"), "does not say where an answer goes"),
    ],
)
def test_a_card_without_buttons_says_why(
    shop: Desk, data: Path, outside: Outside, change: tuple[str, str], says: str
) -> None:
    shop.deliver(invitation(ICS.replace(*change), method=""))
    agent = signed_in(shop, data)
    _, page = page_of(shop, agent)
    assert says in page
    assert 'name="answer" value="accepted"' not in page
    assert answer(shop, agent, "accepted") == 303
    assert outside.mails == []


def test_a_guests_answer_is_said(shop: Desk, data: Path) -> None:
    ics = ICS.replace("METHOD:REQUEST", "METHOD:REPLY").replace(
        "ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE;CN=Shop:mailto:hello@shop.example",
        "ATTENDEE;PARTSTAT=ACCEPTED;CN=Mia Rossi:mailto:mia@example.org",
    )
    shop.deliver(invitation(ics, method="REPLY"))
    _, page = page_of(shop, signed_in(shop, data))
    assert "Mia Rossi accepted" in page
    assert "Accepted: Planning" in page, "the list"


def test_an_answer_that_was_not_sent_is_none(shop: Desk, data: Path, outside: Outside) -> None:
    shop.deliver(invitation())
    agent = signed_in(shop, data)
    outside.answers["RCPT"] = "550 5.1.1 nobody"
    answer(shop, agent, "accepted")
    assert [one.state for one in messages() if one.state] == [DeliveryState.FAILED]
    assert 'aria-pressed="true"' not in page_of(shop, agent)[1].partition("data-invitation")[2]
    outside.answers.clear()
    answer(shop, agent, "accepted")
    assert len(outside.mails) == 1


def test_programs_get_the_facts_and_erasing_takes_them(shop: Desk, data: Path) -> None:
    shop.deliver(invitation())
    app = build_app(data, generation=StandInGeneration(directory=Generation.directory))
    program = Program(app, make_key(shop.account.workspace_id))
    found = program.get(f"/messages/{messages()[0].id}")
    assert found["kind"] == "invitation"
    assert found["text"] == "Planning <b>2026</b>, 2026-03-03 13:00 (UTC)\nRoom 4"
    (event,) = found["content"]["invitation"]["events"]
    assert (event["uid"], event["starts"]) == ("planning@example.org", "2026-03-03T13:00:00Z")
    with db.read() as session:
        contact = session.scalars(sa.select(ContactIdentity.contact_id)).one()
    do(erasure.erase, shop.account.workspace_id, contact, actor=Actor(ActorKind.USER, shop.agent))
    assert messages()[0].content == {}
    assert "Planning" not in str(program.get(f"/messages/{messages()[0].id}"))


def test_a_time_that_is_not_known_is_said_so(shop: Desk, data: Path) -> None:
    shop.deliver(invitation(ICS.replace("W. Europe Standard Time", "Mars/Olympus")))
    _, page = page_of(shop, signed_in(shop, data))
    assert "Tue 3 March 2026, 14:00–15:30" in page
    assert "In the time zone “Mars/Olympus” of the invitation, which Lobby does not know." in page
