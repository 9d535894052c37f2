"""Calendar files of strangers: what is read of them, and that none of them is an error."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from addons.email.lobby_mail.mail import invitation_answer, invitations
from host.core import clock

OWN, AUTHOR = "hello@shop.example", "mia@example.org"


def read(ics: str | bytes, **more: Any) -> dict[str, Any] | None:
    raw = ics.encode() if isinstance(ics, str) else ics
    return invitations.read(raw, own=[OWN], authors=[AUTHOR], **more)


def event(*lines: str, above: str = "METHOD:REQUEST") -> dict[str, Any]:
    found = read(
        "\r\n".join(["BEGIN:VCALENDAR", above, "BEGIN:VEVENT", *lines, "END:VEVENT", "END:VCALENDAR"])
    )
    assert found is not None
    first: dict[str, Any] = found["events"][0]
    return first


ZONE = """BEGIN:VTIMEZONE
TZID:Customized Time Zone
BEGIN:STANDARD
DTSTART:16010101T030000
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T020000
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE"""


@pytest.mark.parametrize(
    ("written", "starts", "zone"),
    [
        ("DTSTART:20260303T130000Z", "2026-03-03T13:00:00Z", "UTC"),
        ("DTSTART;TZID=Europe/Berlin:20260703T140000", "2026-07-03T12:00:00Z", "Europe/Berlin"),
        ('DTSTART;TZID="W. Europe Standard Time":20260303T140000', "2026-03-03T13:00:00Z", "Europe/Berlin"),
        ("DTSTART;TZID=/mozilla.org/2005_1/America/New_York:20260303T080000", "2026-03-03T13:00:00Z", None),
        ("DTSTART;TZID=Customized Time Zone:20260303T140000", "2026-03-03T13:00:00Z", None),
        ("DTSTART;TZID=Customized Time Zone:20260703T140000", "2026-07-03T12:00:00Z", None),
        ("DTSTART;TZID=Mars:20260303T140000", "2026-03-03T14:00:00", ""),
        ("DTSTART;TZID=../../etc/passwd:20260303T140000", "2026-03-03T14:00:00", ""),
        ("DTSTART:20260303T140000", "2026-03-03T14:00:00", ""),
        ("DTSTART;VALUE=DATE:20260303", "2026-03-03", ""),
        ("DTSTART;TZID=Europe/Berlin:00010101T000000", "0001-01-01T00:00:00", ""),
    ],
)
def test_when_an_event_starts(written: str, starts: str, zone: str | None) -> None:
    found = event("SUMMARY:Planning", written, above=ZONE)
    assert found["starts"] == starts
    assert zone is None or found.get("zone", "") == zone


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("FREQ=WEEKLY;BYDAY=MO", {"unit": "week", "days": ["MO"]}),
        ("FREQ=DAILY;INTERVAL=2;COUNT=5", {"unit": "day", "every": 2, "count": 5}),
        ("FREQ=MONTHLY;BYMONTHDAY=3", {"unit": "month"}),
        ("FREQ=YEARLY;BYMONTH=3;BYMONTHDAY=3;UNTIL=20300303", {"unit": "year", "until": "2030-03-03"}),
        ("FREQ=MONTHLY;BYDAY=2TU", {"unit": ""}),
        ("FREQ=SECONDLY;COUNT=1000000000", {"unit": ""}),
        ("FREQ=DAILY;COUNT=1000000000", {"unit": ""}),
        ("COUNT=" + "9" * 5000, {"unit": ""}),
        ("nonsense", {"unit": ""}),
    ],
)
def test_how_it_repeats(rule: str, said: dict[str, Any]) -> None:
    assert event("SUMMARY:Planning", "DTSTART:20260303T130000Z", f"RRULE:{rule}")["repeats"] == said


def test_whom_it_invites_and_who_organises_it() -> None:
    lines = ("SUMMARY:P", "UID:1", "ATTENDEE:MAILTO:Hello+x@Shop.example")
    found = event(*lines, "ORGANIZER;CN=Mia:mailto:Mia@Example.org")
    assert found["attendee"] == "hello+x@shop.example"
    assert found["organiser"] == {"name": "Mia", "address": AUTHOR, "wrote": True}
    assert not event(*lines, "ORGANIZER:mailto:boss@example.org")["organiser"]["wrote"]
    assert "attendee" not in event(*lines, f"ORGANIZER:mailto:{OWN}")


HEAD = b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:P\n"


@pytest.mark.parametrize(
    "body",
    [
        b"X:" + b"x" * 10_000_000,
        b"SUMMARY:" + b"x" * 900_000,
        b"\n" * 900_000,
        b"BEGIN:X\n" * 100_000,
        b"BEGIN:VEVENT\n" * 40_000,
        (b"END:VEVENT\nBEGIN:VEVENT\nSUMMARY:a\n") * 15_000,
        (b"ATTENDEE;a=" + b"," * 7_900 + b":x\n") * 120,
        b"\x00\xff\xfe" * 300_000,
        b"DTSTART:99999999T999999Z\nDURATION:P" + b"9" * 50 + b"W\nSEQUENCE:" + b"9" * 5000,
    ],
    ids=range(9),
)
def test_a_hostile_file_is_bounded(body: bytes) -> None:
    began = time.process_time()
    found = read(HEAD + body)
    assert time.process_time() - began < 5
    assert found is None or len(found["events"]) <= invitations.KEPT


WORDS = st.sampled_from(
    [
        *("BEGIN:VCALENDAR", "END:VCALENDAR", "BEGIN:VEVENT", "END:VEVENT", "BEGIN:VTIMEZONE", "TZID:A"),
        *(
            "BEGIN:STANDARD",
            "END:STANDARD",
            "END:VTIMEZONE",
            "TZOFFSETTO:+9999",
            "TZOFFSETTO:+0100",
            "RDATE:x",
        ),
        *(
            "DTSTART;TZID=A:20260303T130000",
            "DTSTART:",
            "DTEND:20260303",
            "DURATION:-P1W",
            "RRULE:FREQ=WEEKLY",
        ),
        *(
            "SUMMARY:<script>",
            "ORGANIZER:mailto:",
            "ATTENDEE;PARTSTAT=:mailto:hello@shop.example",
            "METHOD:REPLY",
        ),
        *(
            "RECURRENCE-ID:20260303",
            "RRULE:FREQ=YEARLY;BYMONTH=13;BYDAY=9MO",
            "UID:\\n\\,",
            " folded",
            "\x00",
        ),
    ]
)


@given(st.lists(st.one_of(WORDS, st.text(max_size=30)), max_size=40))
@settings(max_examples=150, deadline=None)
def test_any_lines_are_read_or_left(lines: list[str]) -> None:
    raw = "\n".join(["BEGIN:VCALENDAR", "BEGIN:VEVENT", *lines]).encode("utf-8", "replace")
    found = read(raw)
    if found is None:
        return
    invitations.in_words(found)
    answer = {"answer": "accepted", "attendee": OWN, "event": found["events"][0]}
    written = invitation_answer.reply(answer, clock.now(), "Shop")
    assert (written is None) is (not found["events"][0].get("uid"))


def test_an_answer_is_about_what_the_invitation_named() -> None:
    found = event(
        "UID:a\\;b\\,c\\nd", "SUMMARY:P", "DTSTART:20260303", "SEQUENCE:7", "ORGANIZER:mailto:a@b.c"
    )
    text = invitation_answer.reply({"answer": "tentative", "attendee": OWN, "event": found}, clock.now())
    assert text is not None
    again = read(text)
    assert again is not None
    assert again["method"] == "reply"
    assert {name: again["events"][0][name] for name in ("uid", "sequence", "starts")} == {
        name: found[name] for name in ("uid", "sequence", "starts")
    }
    assert again["events"][0]["replies"] == [{"name": "", "address": OWN, "answer": "tentative"}]
