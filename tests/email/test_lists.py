"""Mailing lists: who wrote to a list that puts its own address in From, and what a forger can make of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from addons.email.lobby_mail import addresses, signatures
from addons.email.lobby_mail.channel import EmailAdapter
from addons.email.lobby_mail.mail import kept, parsing
from host.core import db
from host.inbox.composition import recipients
from host.inbox.composition.recipients import AnswerChoice
from host.inbox.drafts import Draft
from host.inbox.errors import FromMachineError
from host.inbox.reply import Voice, queue_parts
from host.models.inbox import Contact, ContactIdentity, Conversation, Direction, Message
from host.sdk import settings
from host.sdk.messages import Ignored, MessageReceived
from host.sdk.webhooks import Envelope
from tests.api.desks import Program, make_key
from tests.email.test_aliases import OWN, shop
from tests.email.test_conversation import Desk, Generation, signed_in
from tests.email.test_imap import mail
from tests.email.test_recipients import answered, deliver, fields, gone, sent_by
from tests.helpers import Browser, StandInGeneration, build_app, do

__all__ = ["shop"]

SERVER = "mx.shop.example"
PASS = f"{SERVER}; dkim=pass header.d=lists.example; dmarc=pass header.from=lists.example"
LIST, MIA, VICTIM, MAIN = "mugs@lists.example", "mia@example.org", "victim@example.org", "hello@shop.example"
MAILBOX = f"Mia Rossi <{MIA}>"
VIA = f"Mia Rossi via Mugs <{LIST}>"
HEAD = {"To": LIST, "List_Id": "Mugs <mugs.lists.example>", "List_Post": f"<mailto:{LIST}>"}
MAILMAN = {
    **HEAD,
    "From": VIA,
    "Reply_To": MAILBOX,
    "Precedence": "list",
}
GOOGLE = {
    **HEAD,
    "From": f"\"'Mia Rossi' via Mugs\" <{LIST}>",
    "List_Post": f"<https://groups.example/post>, <mailto:{LIST}>",
    "Reply_To": MAILBOX,
    "X_Original_From": f"Mia Rossi <{MIA}>",
    "X_Original_Sender": MIA,
    "Precedence": "list",
}
GROUPS_IO = {
    **HEAD,
    "From": "Mia Rossi via lists.example <mia=example.org@lists.example>",
    "List_Post": "<mailto:mugs@shop.lists.example>",
    "Reply_To": "mugs@shop.lists.example",
    "Precedence": "Bulk",
}
IETF = {**HEAD, "From": "Mia Rossi <mia=40example.org@dmarc.lists.example>"}
SYMPA = {
    **HEAD,
    "From": f'"Mia Rossi" (via mugs Mailing List) <{LIST}>',
    "X_Original_From": f"Mia Rossi <{MIA}>",
}
TO_THE_LIST = {
    **HEAD,
    "From": VIA,
    "Reply_To": LIST,
    "Cc": f"{MAILBOX}, bo@x.example",
}
BOTH = {**HEAD, "From": VIA, "Reply_To": f"{LIST}, Mia Rossi <{MIA}>"}
EVERY = {
    "mailman": MAILMAN,
    "google": GOOGLE,
    "groups.io": GROUPS_IO,
    "ietf": IETF,
    "sympa": SYMPA,
    "answers to the list": TO_THE_LIST,
    "answers to both": BOTH,
}


def believe() -> None:
    """Believe the checks of our server; an app that is built sets its own settings."""
    settings.provide("", {"public_url": "http://127.0.0.1:8080", "smtp_authserv_id": SERVER})


@pytest.fixture(autouse=True)
def _named() -> Iterator[None]:
    believe()
    yield
    settings.provide("", {"public_url": "http://127.0.0.1:8080"})


def change(raw: bytes) -> Any:
    head = f"Delivered-To: {MAIN}, {OWN}\r\n".encode()
    (found,) = parsing.parse(Envelope(account_id=1, lane="x", dedupe_key="x", kind="mail", body=head + raw))
    return found


def proved(checks: str = PASS, **headers: str) -> MessageReceived:
    found = change(mail(1, **{"Authentication_Results": checks, **headers}))
    assert isinstance(found, MessageReceived)
    return found


# ---- who wrote -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EVERY)
def test_the_writer_is_the_customer_if_the_list_is_proved(name: str) -> None:
    got = proved(**EVERY[name])
    posted = "mugs@shop.lists.example" if name == "groups.io" else LIST
    assert got.contact == f"{MIA} via {posted}"
    assert got.contact_name == "Mia Rossi"
    assert (got.contact_email, got.contact_email_verified) == (None, False)
    assert got.content["claimed_writer"] == {"name": "Mia Rossi", "address": MIA}
    assert got.content["through_list"] == got.content["mailing_list"] == posted
    assert got.content["answer_elsewhere"] == MIA
    assert addresses.reached_at(got.contact) == MIA


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize(
    "checks",
    [
        "",
        f"{SERVER}; dkim=fail header.d=lists.example; dmarc=fail",
        f"{SERVER}; dkim=pass header.d=evil.example; dmarc=none",
        f"{SERVER}; spf=pass smtp.mailfrom=lists.example",
        "mx.evil.example; dmarc=pass",
    ],
)
def test_otherwise_the_list_stays_the_customer_and_the_writer_is_named(name: str, checks: str) -> None:
    got = proved(checks, **EVERY[name])
    assert got.contact == (got.contact_email or "").lower()
    assert got.contact.endswith("lists.example")
    assert not got.contact_email_verified
    assert got.content["claimed_writer"] == {"name": "Mia Rossi", "address": MIA}


def test_the_list_has_its_own_name() -> None:
    assert proved("", **MAILMAN).contact_name == "Mugs"
    assert proved("", **GOOGLE).contact_name == "Mugs"
    assert proved("", **SYMPA).contact_name == "mugs Mailing List"
    assert proved("", **{**MAILMAN, "From": LIST}).contact_name is None


@pytest.mark.parametrize(
    "headers",
    [
        {"From": VIA},
        {"From": VIA, "Reply_To": LIST},
        {"From": VIA, "Reply_To": f"a@example.org, {MIA}"},
        {"From": VIA, "Reply_To": MAIN},
        {"From": LIST, "X_Original_From": f"{MIA}, {VICTIM}"},
        {
            "From": f"Mia via Mugs <{LIST}>",
            "Reply_To": f"{'a' * 60}@{'b' * 60}.{'c' * 60}.{'d' * 60}.example",
        },
    ],
)
def test_a_writer_who_is_not_named_is_nobody(headers: dict[str, str]) -> None:
    got = proved(**HEAD, **headers)
    assert got.contact.startswith(LIST) or got.contact.endswith(f" via {LIST}")
    if " via " not in got.contact:
        assert "claimed_writer" not in got.content
        assert not got.contact_email_verified, "many people are no one's address"


def test_a_list_that_leaves_from_alone_changes_nothing() -> None:
    checks = f"{SERVER}; dkim=pass header.d=example.org; dmarc=pass"
    got = proved(checks, **HEAD, From=f"Mia Rossi <{MIA}>", Reply_To=LIST)
    assert (got.contact, got.contact_email_verified) == (MIA, True)
    assert "claimed_writer" not in got.content
    assert got.content["through_list"] == LIST


def test_list_post_alone_is_a_list() -> None:
    got = proved("", From=f"Mia <{MIA}>", Reply_To=LIST, List_Post=f"<mailto:{LIST}>")
    assert got.contact == MIA, "the list does not become the customer"
    form = proved("", From="form@forms.example", Reply_To=MIA, List_Post="NO")
    assert form.contact == MIA


def test_a_group_that_is_an_address_of_ours_names_its_writers() -> None:
    ours = f"{SERVER}; dkim=pass header.d=shop.example; dmarc=pass"
    group = {
        "From": f"\"'Mia Rossi' via Orders\" <{OWN}>",
        "To": OWN,
        "Cc": "bo@example.org",
        "List_Id": f"<{OWN.replace('@', '.')}>",
        "List_Post": f"<mailto:{OWN}>",
        "X_Original_From": f"Mia Rossi <{MIA}>",
    }
    got = proved(ours, **group)
    assert got.contact == f"{MIA} via {OWN}"
    assert "mailing_list" not in got.content
    assert got.content["through_list"] == OWN
    assert not kept.is_of_ours(mail(1, **group), [MAIN, OWN]), "the team did not write it"


def test_our_own_mail_that_a_list_sends_back_is_ignored() -> None:
    back = {**MAILMAN, "From": f"Shop via Mugs <{LIST}>", "Reply_To": f"Shop <{MAIN}>"}
    raw = mail(1, Authentication_Results=PASS, X_Lobby_Message="1@shop.example", **back)
    assert isinstance(change(raw), Ignored)
    stripped = proved(**back)
    assert stripped.contact == LIST, "nobody is ourselves"
    foreign = proved(**MAILMAN, X_Lobby_Message="1@shop.example")
    assert foreign.contact == f"{MIA} via {LIST}"


@pytest.mark.parametrize(
    ("headers", "people"),
    [
        (MAILMAN, True),
        (GOOGLE, True),
        ({"From": MIA, "List_Post": f"<mailto:{LIST}>"}, True),
        ({"From": MIA, "List_Post": f"<mailto:{LIST}>", "List_Unsubscribe": "<mailto:a@b.example>"}, True),
        ({"From": MIA, "Precedence": "list", "List_Unsubscribe": "<mailto:a@b.example>"}, False),
        ({"From": MIA, "List_Unsubscribe": "<mailto:a@b.example>"}, False),
        ({"From": MIA, "List_Post": "NO", "List_Unsubscribe": "<mailto:a@b.example>"}, False),
        ({**MAILMAN, "Auto_Submitted": "auto-replied"}, False),
        ({**MAILMAN, "Precedence": "junk"}, False),
        ({**MAILMAN, "Precedence": "auto_reply"}, False),
        ({**MAILMAN, "X_Autoreply": "yes"}, False),
    ],
)
def test_a_persons_mail_through_a_list_is_no_mass_mail(headers: dict[str, str], people: bool) -> None:
    got = proved("", **headers)
    assert ("through_list" in got.content) is people
    assert got.content["automatic"] is True, "no program answers it"


# ---- what a person sees --------------------------------------------------------------------------------


@pytest.fixture
def agent(shop: Desk, data: Path) -> Browser:
    return signed_in(shop, data)


def arrive(desk: Desk, number: int, **headers: str) -> Message:
    believe()
    deliver(desk, mail(number, **headers), MAIN)
    with db.read() as session:
        query = sa.select(Message).where(Message.external_id == f"{number}@example.org")
        return session.scalars(query).one()


def page_of(desk: Desk, agent: Browser, conversation: int) -> str:
    return agent.get(f"/w/{desk.account.workspace_id}/inbox/{conversation}").text


def people() -> dict[str, str]:
    """Return the names of contacts by the id of their identity."""
    with db.read() as session:
        query = sa.select(ContactIdentity.external_id, Contact.name).join(
            Contact, Contact.id == ContactIdentity.contact_id
        )
        return {row.external_id: row.name or "" for row in session.execute(query)}


def test_each_writer_is_a_customer_and_gets_the_answer(shop: Desk, agent: Browser) -> None:
    mia = arrive(shop, 1, Authentication_Results=PASS, **MAILMAN)
    kim = {**MAILMAN, "From": f"Kim W. via Mugs <{LIST}>", "Reply_To": "Kim W. <kim@example.org>"}
    other = arrive(shop, 2, Authentication_Results=PASS, In_Reply_To="<1@example.org>", **kim)
    assert mia.conversation_id != other.conversation_id
    assert people() == {f"{MIA} via {LIST}": "Mia Rossi", f"kim@example.org via {LIST}": "Kim W."}
    page = page_of(shop, agent, mia.conversation_id)
    assert fields(page)["to"] == f"Mia Rossi <{MIA}>", "shown before it leaves"
    assert "Your reply goes to a different address." in page
    assert f"asks for replies to {MIA}." in page
    assert "Automatic or mass mail" not in page
    assert f"Through the mailing list {LIST}, which names Mia Rossi ({MIA}) as the writer" in page
    assert "Sender confirmed" not in page
    assert "List confirmed, writer not confirmed (DKIM pass, DMARC pass)" in page
    answered(shop, agent, mia.conversation_id, cc="")
    assert gone(shop) == ([MIA], [], [MIA])


def test_an_unproved_list_is_one_customer_and_names_each_writer(shop: Desk, agent: Browser) -> None:
    mia = arrive(shop, 1, **MAILMAN)
    assert people() == {LIST: "Mugs"}
    page = page_of(shop, agent, mia.conversation_id)
    assert f"which names Mia Rossi ({MIA}) as the writer" in page
    assert "Your reply goes to a different address." in page
    assert fields(page)["to"] == f"Mia Rossi <{MIA}>"


def test_an_answer_from_the_writer_themselves_joins(shop: Desk, agent: Browser) -> None:
    first = arrive(shop, 1, Authentication_Results=PASS, **MAILMAN)
    answered(shop, agent, first.conversation_id, cc="")
    with db.read() as session:
        (ours,) = session.scalars(sa.select(Message).where(Message.direction == Direction.OUTBOUND))
    direct = arrive(shop, 2, From=f"Mia Rossi <{MIA}>", In_Reply_To=f"<{ours.external_id}>")
    assert direct.conversation_id == first.conversation_id
    found = audience(shop, first.conversation_id)
    assert [one.address for one in found.everyone.to] == [MIA]
    assert found.everyone.cc == (), "nobody gets it twice"
    assert len(people()) == 2


def audience(desk: Desk, conversation: int) -> recipients.Audience:
    with db.read() as session:
        found = recipients.audience_of(session, conversation, EmailAdapter(), desk.account)
    assert found is not None
    return found


def test_a_reply_says_that_everybody_on_the_list_reads_it(shop: Desk, agent: Browser) -> None:
    talk = arrive(shop, 1, From=f"Mia <{MIA}>", Cc=LIST, List_Post=f"<mailto:{LIST}>").conversation_id
    said = f"Goes to the mailing list {LIST}. Everybody on it can read your reply."
    line = page_of(shop, agent, talk).partition("data-along-list=")[2].partition("</div>")[0]
    assert said in line
    assert " hidden>" not in line
    # Her next mail came without the list's headers, and still has the list in Cc.
    arrive(shop, 2, From=f"Mia <{MIA}>", Cc=LIST, In_Reply_To="<1@example.org>")
    found = audience(shop, talk)
    assert AnswerChoice.LIST not in found.choices
    line = page_of(shop, agent, talk).partition("data-along-list=")[2].partition("</div>")[0]
    assert said in line
    assert " hidden>" not in line


def test_a_reply_to_a_named_writer_quotes_nothing_they_did_not_get(shop: Desk, agent: Browser) -> None:
    db.write(signatures.keep_shared, shop.account.id, "", "", quotes=True)
    head = {**MAILMAN, "To": f"{MAIN}, kim@example.org"}
    talk = arrive(shop, 1, Authentication_Results=PASS, **head).conversation_id
    arrive(shop, 2, From="kim@example.org", In_Reply_To="<1@example.org>", text="Between us: no mugs.")
    answered(shop, agent, talk, to=MIA, cc="")
    assert gone(shop) == ([MIA], [], [MIA])
    assert b"Between us" not in shop.outside.mails[-1][2]
    assert b"> Do you have blue mugs?" in shop.outside.mails[-1][2]


def test_no_program_answers_a_list_by_itself(shop: Desk) -> None:
    talk = arrive(shop, 1, Authentication_Results=PASS, **MAILMAN).conversation_id
    with pytest.raises(FromMachineError):
        do(
            queue_parts,
            shop.account.workspace_id,
            talk,
            [Draft(text="Thank you.")],
            reply_key="automatic-1",
            adapter=Generation.directory.adapter("email"),
            by_person=False,
            voice=Voice.NOTICE,
        )


def test_a_program_answers_the_writer(shop: Desk, data: Path) -> None:
    talk = arrive(shop, 1, Authentication_Results=PASS, **MAILMAN).conversation_id
    app = build_app(data, generation=StandInGeneration(directory=Generation.directory))
    program = Program(app, make_key(shop.account.workspace_id, name="Shop"))
    for body in ({"answer": "person"}, {}):
        sent_by(shop, program, talk, **body)
        assert gone(shop)[0] == [MIA]


# ---- what a forger can make of it ----------------------------------------------------------------------

EVIL = "anything@evil.example"
EVIL_PASS = f"{SERVER}; dkim=pass header.d=evil.example; dmarc=pass header.from=evil.example"
AS_LIST = {
    "From": f"Victim via Anything <{EVIL}>",
    "List_Id": "<anything.evil.example>",
    "List_Post": f"<mailto:{EVIL}>",
}
PROVED = {**AS_LIST, "Authentication_Results": EVIL_PASS}
ELSE = "mx.evil.example; dmarc=pass"
FORGERIES: dict[str, dict[str, str]] = {
    "a list of their own": {**PROVED, "Reply_To": VICTIM},
    "X-Original-From": {
        **PROVED,
        "X_Original_From": f"Victim <{VICTIM}>",
    },
    "both": {**PROVED, "Reply_To": VICTIM, "X_Original_From": VICTIM},
    "unproved": {**AS_LIST, "Reply_To": VICTIM, "X_Original_From": VICTIM},
    "of a real list": {
        **MAILMAN,
        "Reply_To": VICTIM,
        "Authentication_Results": ELSE,
    },
    "not the list's address": {**AS_LIST, "From": "Eve <eve@evil.example>", "Reply_To": VICTIM},
    "another list's domain": {**AS_LIST, "List_Post": f"<mailto:{LIST}>", "Reply_To": VICTIM},
    "encoded": {
        **PROVED,
        "From": "V <victim=example.org@evil.example>",
    },
    "the id itself": {
        **PROVED,
        "Reply_To": f'"{VICTIM} via {EVIL}" <{VICTIM}>',
    },
    "the victim's address as the list": {
        "Authentication_Results": EVIL_PASS,
        "From": f"Eve via Victim <{EVIL}>",
        "List_Post": f"<mailto:{VICTIM}>",
        "Reply_To": VICTIM,
    },
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_list_never_reaches_another_customer(shop: Desk, agent: Browser, name: str) -> None:
    checks = f"{SERVER}; dkim=pass header.d=example.org; dmarc=pass"
    theirs = arrive(shop, 1, From=f"Victim <{VICTIM}>", Authentication_Results=checks)
    answered(shop, agent, theirs.conversation_id)
    with db.read() as session:
        (ours,) = session.scalars(sa.select(Message).where(Message.direction == Direction.OUTBOUND))
    forged = arrive(
        shop,
        2,
        **FORGERIES[name],
        In_Reply_To=f"<{ours.external_id}>",
        References=f"<1@example.org> <{ours.external_id}>",
    )
    assert forged.conversation_id != theirs.conversation_id
    with db.read() as session:
        one, other = (session.get_one(Conversation, of.conversation_id) for of in (theirs, forged))
        assert one.contact_id != other.contact_id
        assert one.identity_id != other.identity_id
        known = session.get_one(ContactIdentity, other.identity_id)
        assert known.verified_email is None or not known.verified_email.startswith("victim")
        assert session.get_one(Contact, other.contact_id).email != VICTIM
    page = page_of(shop, agent, forged.conversation_id)
    shown = fields(page)
    count = len(shop.outside.mails)
    answered(shop, agent, forged.conversation_id, "e" * 16)
    assert len(shop.outside.mails) == count + 1
    to, cc, envelope = gone(shop)
    for address in {*to, *cc, *envelope}:
        assert address in f"{shown['to']} {shown['cc']}", "nobody gets it who wasn't shown"
    if VICTIM in envelope:
        assert "Your reply goes to a different address." in page
        assert f"asks for replies to {VICTIM}." in page


def test_a_reply_without_recipients_goes_where_the_page_says() -> None:
    assert addresses.reached_at(f"{MIA} via {LIST}") == MIA
    assert addresses.reached_at(MIA) == MIA
    for one in ("", "a via b", f"{MIA} via ", f" via {LIST}", f"{MIA} via {LIST} via {LIST}"):
        assert addresses.reached_at(one) is None
