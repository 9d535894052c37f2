"""Who gets a reply: whoever wrote last, and everybody else on that mail; by a person and by a program."""

from __future__ import annotations

import email
from collections.abc import Mapping, Sequence
from datetime import timedelta
from email.policy import default
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from addons.email.lobby_mail import signatures
from addons.email.lobby_mail.channel import EmailAdapter
from host.core import clock, db
from host.events.models import ActorKind
from host.inbox import erasure
from host.inbox.apply.participants import AFTER_FORWARD
from host.inbox.composition import recipients
from host.inbox.composition.recipients import AnswerChoice, Audience
from host.models.inbox import ContactIdentity, Direction, Message, Origin
from host.users.actor import Actor
from tests.api.desks import Program, make_key
from tests.email.test_aliases import ELSEWHERE, OWN, deliver, shop
from tests.email.test_conversation import Desk, Generation, conversations, messages, signed_in
from tests.email.test_imap import mail
from tests.email.test_parsing import read
from tests.helpers import Browser, StandInGeneration, build_app, do

__all__ = ["shop"]

MAIN, MIA, KIM, BO, LIST = (
    "hello@shop.example",
    "mia@example.org",
    "kim@example.org",
    "bo@example.org",
    "mugs@lists.example.org",
)
FIRST = {"From": f"Mia Rossi <{MIA}>", "Cc": f"Kim W. <{KIM}>"}


def said(desk: Desk, number: int, **headers: str) -> int:
    """Have a mail arrive that answers the one before; return the newest conversation."""
    if number > 1:
        headers.setdefault("In_Reply_To", f"<{number - 1}@example.org>")
    deliver(desk, mail(number, **headers), MAIN)
    return messages()[-1].conversation_id


def audience(desk: Desk, conversation: int) -> Audience:
    with db.read() as session:
        found = recipients.audience_of(session, conversation, EmailAdapter(), desk.account)
    assert found is not None
    return found


def addresses(found: Sequence[recipients.Person]) -> list[str]:
    return [one.address for one in found]


def fields(page: str) -> dict[str, str]:
    """Return what the composer's fields begin with."""
    found = {}
    for name in ("to", "cc"):
        _, _, rest = page.partition(f'name="{name}" value="')
        found[name] = unescape(rest.partition('"')[0])
    return found


def answered(desk: Desk, agent: Browser, conversation: int, key: str = "k" * 16, **form: str) -> None:
    """Answer as the page does without scripts: with what its fields begin with, and *form*."""
    path = f"/w/{desk.account.workspace_id}/inbox/{conversation}"
    begun = fields(agent.get(path).text)
    response = agent.post_form(f"{path}/reply", **{"text": "Yes, eight.", "reply_key": key, **begun, **form})
    assert response.status_code == 303, response.text
    desk.work()


def gone(desk: Desk) -> tuple[list[str], list[str], list[str]]:
    """Return To, Cc and the envelope of the last mail that went out."""
    _, envelope, raw = desk.outside.mails[-1]
    made = email.message_from_bytes(raw, policy=default)
    to, cc = ([one.addr_spec for one in made[name].addresses] if made[name] else [] for name in ("To", "Cc"))
    return to, cc, envelope


@pytest.fixture
def agent(shop: Desk, data: Path) -> Browser:
    return signed_in(shop, data)


# ---- examples ------------------------------------------------------------------------------------------


def test_the_answer_goes_to_the_participant_who_wrote_last(shop: Desk, agent: Browser) -> None:
    talk = said(shop, 1, **FIRST)
    answered(shop, agent, talk)
    assert gone(shop) == ([MIA], [KIM], [MIA, KIM])
    assert "to" not in messages()[-1].content, "it went to the customer, as ever"
    said(shop, 2, From=f"Kim W. <{KIM}>", Cc=f"Mia Rossi <{MIA}>, Bo <{BO}>", In_Reply_To="<1@example.org>")
    page = agent.get(f"/w/{shop.account.workspace_id}/inbox/{talk}").text
    assert fields(page) == {"to": f"Kim W. <{KIM}>", "cc": f"Mia Rossi <{MIA}>, Bo <{BO}>"}
    answered(shop, agent, talk, "l" * 16)
    assert gone(shop) == ([KIM], [MIA, BO], [KIM, MIA, BO])
    made = email.message_from_bytes(shop.outside.mails[-1][2], policy=default)
    named = [one.display_name for name in ("To", "Cc") for one in made[name].addresses]
    assert named == ["Kim W.", "Mia Rossi", "Bo"]
    sent = messages()[-1].content
    assert (sent["to"], sent["cc"]) == ([KIM], [MIA, BO])
    shown = agent.get(f"/w/{shop.account.workspace_id}/inbox/{talk}").text
    assert f"to {KIM} · cc {MIA}, {BO}" in unescape(shown)


def test_whoever_wrote_to_us_alone_is_answered_and_the_customer_gets_a_copy(
    shop: Desk, agent: Browser
) -> None:
    talk = said(shop, 1, **FIRST)
    said(shop, 2, From=f"Kim W. <{KIM}>")
    found = audience(shop, talk)
    assert (addresses(found.everyone.to), addresses(found.everyone.cc)) == ([KIM], [MIA])
    assert list(found.choices) == [AnswerChoice.EVERYONE, AnswerChoice.PERSON]
    answered(shop, agent, talk)
    assert gone(shop) == ([KIM], [MIA], [KIM, MIA])
    # An answer to her alone.
    answered(shop, agent, talk, "l" * 16, cc="")
    assert gone(shop) == ([KIM], [], [KIM])


def test_the_list_says_who_wrote_last(shop: Desk, agent: Browser) -> None:
    said(shop, 1, **FIRST)
    inbox = f"/w/{shop.account.workspace_id}/inbox"
    assert '<span class="muted">Kim W.:</span>' not in agent.get(inbox).text
    said(shop, 2, From=f"Kim W. <{KIM}>")
    assert '<span class="muted">Kim W.:</span>' in agent.get(inbox).text


def test_who_drops_out_is_named(shop: Desk, agent: Browser) -> None:
    talk = said(shop, 1, **FIRST)
    answered(shop, agent, talk)
    said(shop, 2, From=f"Mia Rossi <{MIA}>", In_Reply_To="<1@example.org>")
    found = audience(shop, talk)
    assert (addresses(found.everyone.to), addresses(found.everyone.cc)) == ([MIA], [])
    page = agent.get(f"/w/{shop.account.workspace_id}/inbox/{talk}").text
    line = page.partition("data-along-left-out")[2].partition("</div>")[0]
    assert not line.startswith(" hidden")
    assert "Not to:" in line
    assert ">Kim W.</bdi>" in line
    assert 'name="answer"' not in page, "there is nobody else to choose"


def test_nobody_drops_out_of_a_mail_to_one_person(shop: Desk, agent: Browser) -> None:
    talk = said(shop, 1, From=MIA)
    page = agent.get(f"/w/{shop.account.workspace_id}/inbox/{talk}").text
    assert page.partition("data-along-left-out")[2].startswith(" hidden")


def test_a_reply_without_a_recipient_is_refused(shop: Desk, agent: Browser) -> None:
    talk = said(shop, 1, **FIRST)
    path = f"/w/{shop.account.workspace_id}/inbox/{talk}"
    refused = agent.post_form(f"{path}/reply", text="Yes", reply_key="k" * 16, to=" ", cc=KIM)
    assert refused.status_code == 422
    assert "No recipient was given. Nothing was sent." in refused.text
    shop.work()
    assert shop.outside.mails == []


def test_a_mail_that_is_forwarded_in_is_answered_to_who_forwarded_it(shop: Desk) -> None:
    talk = said(shop, 1, **FIRST)
    other = said(shop, 2, From=f"Bo <{BO}>", Subject="Fwd: Mugs", In_Reply_To="<1@example.org>")
    assert other != talk, "Bo was on none of it"
    found = audience(shop, other)
    assert (addresses(found.everyone.to), found.everyone.cc, list(found.choices)) == (
        [BO],
        (),
        [AnswerChoice.EVERYONE],
    )
    assert addresses(audience(shop, talk).everyone.to) == [MIA]


def test_what_a_forward_is_answered_with_changes_nothing(shop: Desk) -> None:
    talk = said(shop, 1, **FIRST)
    said(shop, 2, From=f"Kim W. <{KIM}>", Cc=BO)
    kept = sa.update(Message).where(Message.id == messages()[-1].id)
    db.write(lambda session: session.execute(kept.values(content={AFTER_FORWARD: True, "cc": [BO]})))
    found = audience(shop, talk)
    assert (addresses(found.everyone.to), addresses(found.everyone.cc)) == ([MIA], [KIM])
    assert addresses(found.known) == [MIA, KIM]


@pytest.mark.parametrize(
    ("reply_to", "to"),
    [
        ("Desk <desk@example.org>", ["desk@example.org"]),
        ("desk@example.org, second@example.org", ["desk@example.org", "second@example.org"]),
        (f"{MIA}, {OWN}", [MIA]),
        (OWN, [MIA]),
    ],
)
def test_the_newest_mail_says_where_answers_go(shop: Desk, reply_to: str, to: list[str]) -> None:
    talk = said(shop, 1, From=MIA, Reply_To=reply_to, Cc=KIM)
    found = audience(shop, talk)
    assert addresses(found.everyone.to) == to
    assert KIM in addresses(found.everyone.cc)


@pytest.mark.parametrize("answers", [{}, {"Reply_To": LIST}])
def test_a_reply_to_a_mailing_list(shop: Desk, agent: Browser, answers: dict[str, str]) -> None:
    talk = said(
        shop,
        1,
        From=MIA,
        Cc=LIST,
        List_Id=f"Mugs <{LIST.replace('@', '.')}>",
        List_Post=f"<mailto:{LIST}>",
        **answers,
    )
    found = audience(shop, talk)
    assert {name: (addresses(one.to), addresses(one.cc)) for name, one in found.choices.items()} == {
        AnswerChoice.EVERYONE: ([MIA], [LIST]),
        AnswerChoice.PERSON: ([MIA], []),
        AnswerChoice.LIST: ([LIST], []),
    }
    page = agent.get(f"/w/{shop.account.workspace_id}/inbox/{talk}").text
    line = page.partition("data-along-list=")[2].partition("</div>")[0]
    assert " hidden>" not in line
    assert f"Goes to the mailing list {LIST}. Everybody on it can read your reply." in line
    answered(shop, agent, talk, to=LIST, cc="")
    assert gone(shop) == ([LIST], [], [LIST])


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({"List_Post": f"<mailto:{LIST}?subject=x>"}, LIST),
        ({"List_Post": "NO", "List_Id": "<mugs.lists.example.org>", "Cc": LIST}, ""),
        ({"List_Id": "Mugs <mugs.lists.example.org>", "Cc": LIST}, LIST),
        ({"List_Id": "Mugs <mugs.lists.example.org>"}, ""),
        ({"List_Post": f"<mailto:{MAIN}>"}, ""),
        ({"List_Post": "<https://lists.example.org/post>"}, ""),
        ({"List_Unsubscribe": "<mailto:leave@example.org>"}, ""),
        ({}, ""),
    ],
)
def test_the_list_a_mail_came_through(headers: dict[str, str], found: str) -> None:
    raw = f"Delivered-To: {MAIN}\r\n".encode() + mail(1, **headers)
    assert read(raw).content.get("mailing_list", "") == found


def test_addresses_of_ours_are_nobody(shop: Desk) -> None:
    talk = said(shop, 1, From=MIA, To=f"{OWN}, Hello+shop@Shop.example", Cc=f"{ELSEWHERE}, {MAIN}, {KIM}")
    said(shop, 2, From=KIM, Cc=f"{OWN}, {MIA}, orders+x@other.example")
    found = audience(shop, talk)
    assert (addresses(found.everyone.to), addresses(found.everyone.cc)) == ([KIM], [MIA])
    assert sorted(addresses(found.known)) == [KIM, MIA]


def test_too_many_are_left_out_by_name(shop: Desk) -> None:
    many = [f"p{number}@example.org" for number in range(25)]
    talk = said(shop, 1, From=MIA, Cc=KIM)
    said(shop, 2, From=KIM, Cc=", ".join(many))
    found = audience(shop, talk)
    assert (addresses(found.everyone.to), addresses(found.everyone.cc)) == ([KIM], [MIA])
    assert set(many) <= set(addresses(found.known))


def test_a_forged_mail_adds_nobody(shop: Desk) -> None:
    talk = said(shop, 1, From=MIA, Cc=KIM, Reply_To=f"{MIA}, {BO}")
    content = {**messages()[0].content, "sender_check": {"verdict": "fail"}}
    db.write(lambda session: session.execute(sa.update(Message).values(content=content)))
    found = audience(shop, talk)
    assert (addresses(found.everyone.to), found.everyone.cc, addresses(found.known)) == ([MIA], (), [MIA])


def test_whoever_was_erased_gets_nothing(shop: Desk) -> None:
    talk = said(shop, 1, **FIRST)
    said(shop, 2, From=f"Kim W. <{KIM}>", Cc=MIA)
    with db.read() as session:
        kim = session.scalars(
            sa.select(ContactIdentity.contact_id).where(ContactIdentity.external_id == KIM)
        ).one()
    do(erasure.erase, shop.account.workspace_id, kim, actor=Actor(ActorKind.USER, shop.agent))
    found = audience(shop, talk)
    assert (addresses(found.everyone.to), found.everyone.cc, addresses(found.known)) == ([MIA], (), [MIA])


def test_the_quote_names_who_wrote(shop: Desk, agent: Browser) -> None:
    db.write(signatures.keep_shared, shop.account.id, "", "", quotes=True)
    talk = said(shop, 1, **FIRST)
    said(shop, 2, From=f"Kim W. <{KIM}>", Cc=MIA, text="It is the green one.")
    answered(shop, agent, talk)
    made = email.message_from_bytes(shop.outside.mails[-1][2], policy=default)
    words = made.get_body(("plain",)).get_content().replace("\r\n", "\n")  # type: ignore[union-attr]
    assert f"Kim W. <{KIM}> wrote:\n> It is the green one." in words
    # Written to us alone: she gets it quoted, the customer does not.
    said(shop, 3, From=f"Kim W. <{KIM}>", text="He never pays.", In_Reply_To="<2@example.org>")
    answered(shop, agent, talk, "l" * 16)
    assert b"never pays" not in shop.outside.mails[-1][2]
    answered(shop, agent, talk, "m" * 16, cc="")
    assert gone(shop)[2] == [KIM]


# ---- programs ------------------------------------------------------------------------------------------


@pytest.fixture
def program(shop: Desk, data: Path) -> Program:
    app = build_app(data, generation=StandInGeneration(directory=Generation.directory))
    return Program(app, make_key(shop.account.workspace_id))


def sent_by(desk: Desk, program: Program, talk: int, status: int = 201, **body: Any) -> Mapping[str, Any]:
    given = {"kind": "text", "text": "It ships.", "conversationId": talk, **body}
    answer: Mapping[str, Any] = program.send("POST", "/messages", given, status)
    desk.work()
    return answer


@pytest.mark.parametrize(
    ("body", "to", "cc"),
    [
        ({}, [KIM], [MIA, BO]),
        ({"answer": "everyone"}, [KIM], [MIA, BO]),
        ({"answer": "person"}, [KIM], []),
        ({"cc": ["new@example.org"]}, [KIM], [MIA, "new@example.org"]),
        ({"answer": "person", "cc": ["new@example.org"]}, [KIM], ["new@example.org"]),
    ],
)
def test_a_program_answers_everyone_unless_it_says_otherwise(
    shop: Desk, program: Program, body: dict[str, Any], to: list[str], cc: list[str]
) -> None:
    talk = said(shop, 1, **FIRST)
    said(shop, 2, From=f"Kim W. <{KIM}>", Cc=f"{MIA}, {BO}")
    (made,) = sent_by(shop, program, talk, **body)["data"]
    assert gone(shop) == (to, cc, [*to, *cc])
    assert made["content"]["to"] == to


def test_a_program_answers_the_list_if_there_is_one(shop: Desk, program: Program) -> None:
    talk = said(shop, 1, From=MIA, Cc=KIM)
    refused = sent_by(shop, program, talk, 422, answer="list")
    assert (refused["error"]["code"], refused["error"]["field"]) == ("no_mailing_list", "answer")
    said(shop, 2, From=MIA, Cc=LIST, List_Post=f"<mailto:{LIST}>", In_Reply_To="<1@example.org>")
    sent_by(shop, program, talk, answer="list")
    assert gone(shop) == ([LIST], [], [LIST])


def test_an_automatic_answer_goes_to_the_customer_alone(shop: Desk, data: Path) -> None:
    talk = said(shop, 1, **FIRST)
    said(shop, 2, From=f"Kim W. <{KIM}>", Cc=f"{MIA}, {BO}")
    app = build_app(data, generation=StandInGeneration(directory=Generation.directory))
    robot = Program(app, make_key(shop.account.workspace_id, name="Robot", automatic=True))
    sent_by(shop, robot, talk)
    assert gone(shop) == ([MIA], [], [MIA])


# ---- every thread --------------------------------------------------------------------------------------

PEOPLE = [MIA, KIM, BO, "al@example.org", MAIN, OWN, ELSEWHERE, "support+x@shop.example", "not an address"]
SOME = st.lists(st.sampled_from(PEOPLE), max_size=5)
SAID = st.fixed_dictionaries(
    {
        "ours": st.booleans(),
        "writer": st.sampled_from([MIA, KIM, BO, "al@example.org"]),
        "to": SOME,
        "cc": SOME,
        "answer_to": st.one_of(st.just([]), SOME),
        "mailing_list": st.sampled_from(["", LIST, MAIN, KIM]),
    }
)


class _UndoneError(Exception):
    pass


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(SAID, min_size=1, max_size=6), st.sets(st.sampled_from([KIM, BO])))
def test_whoever_wrote_last_is_answered_and_nobody_twice(
    shop: Desk, thread: list[dict[str, Any]], erased: set[str]
) -> None:
    if not conversations():
        said(shop, 1, From=MIA)
        for one in (KIM, BO):
            said(shop, 1, From=one, Message_ID=f"<{one}>")
    talk = conversations()[0]
    seen: list[Audience] = []

    def write(session: Session) -> None:
        at = clock.now() + timedelta(minutes=1)
        for number, one in enumerate(thread):
            content: dict[str, Any] = {"to": one["to"], "cc": one["cc"]}
            if not one["ours"]:
                content["answer_to"] = [{"name": "", "address": each} for each in one["answer_to"]]
                content["mailing_list"] = one["mailing_list"]
                content |= {} if one["writer"] == MIA else {"author": {"name": "", "address": one["writer"]}}
            session.add(
                Message(
                    workspace_id=talk.workspace_id,
                    conversation_id=talk.id,
                    account_id=talk.account_id,
                    direction=Direction.OUTBOUND if one["ours"] else Direction.INBOUND,
                    origin=Origin.AGENT if one["ours"] else Origin.CUSTOMER,
                    kind="text",
                    text="",
                    content=content,
                    sent_at=at + timedelta(minutes=number),
                    created_at=at,
                )
            )
        session.execute(
            sa.update(ContactIdentity)
            .where(ContactIdentity.external_id.in_(erased))
            .values(erased_at=at + timedelta(hours=1))
        )
        session.flush()
        found = recipients.audience_of(session, talk.id, EmailAdapter(), shop.account)
        assert found is not None
        seen.append(found)
        raise _UndoneError

    with pytest.raises(_UndoneError):
        db.write(write)
    (found,) = seen
    newest = next((one for one in reversed(thread) if not one["ours"]), {"writer": MIA, "answer_to": []})
    ours = {MAIN, OWN, ELSEWHERE, "support+x@shop.example", "not an address"}
    wanted = set(newest["answer_to"]) - ours - erased
    for choice, one in found.choices.items():
        everybody = [*addresses(one.to), *addresses(one.cc)]
        assert len(everybody) == len(set(everybody)), "nobody is in two fields"
        assert not ours & set(everybody), "nobody is ours"
        left = erased - (
            {newest["writer"]} | ({found.mailing_list} if choice is AnswerChoice.LIST else set())
        )
        assert not left & set(everybody), "nobody who was erased"
        if choice is not AnswerChoice.LIST:
            assert set(addresses(one.to)) == (wanted or {newest["writer"]})
    everyone = {*addresses(found.everyone.to), *addresses(found.everyone.cc)}
    assert MIA in everyone
    assert MIA in addresses(found.known)
    assert not ours & set(addresses(found.known))
