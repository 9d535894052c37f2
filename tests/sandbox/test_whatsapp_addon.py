"""The WhatsApp addon on a desk that talks to the sandbox: both keep to Meta's pages."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
import sqlalchemy as sa
from PIL import Image

from host.authoring import customers
from host.authoring.desk import RefusedByCardError
from host.core import db
from host.inbox import approved, reply
from host.inbox.errors import OptedOutError
from host.inbox.unsent import scheduled
from host.models.inbox import ContactIdentity, Conversation
from host.sdk import clock
from host.sdk.cards import Verdict
from host.sdk.channel import SendRequest, Sent
from host.sdk.messages import MessageKind, OutgoingPart
from sandbox.whatsapp import seed
from sandbox.world import WHATSAPP_FIELDS
from tests.helpers import do
from tests.media import samples
from tests.sandbox.both import VALUES, Both, connected
from tests.sandbox.cloud import ANA, GIL, KIT, NUMBER, ROSA, WABA

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    yield from connected(tmp_path_factory.mktemp("desk"))


def test_it_connects_and_finds_nothing_wrong(both: Both) -> None:
    assert (both.account.external_id, both.account.handle) == (NUMBER, "+1 555-010-0100")
    findings = both.desk.module("card").CARD.diagnose(both.account)
    not_passed = [(one.name, one.verdict) for one in findings if one.verdict is not Verdict.PASS]
    assert not_passed == [("entry-points", Verdict.UNKNOWN)]  # Meta doesn't tell


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"number": WABA, "business": NUMBER},
            {
                "number": "This is the WhatsApp Business Account ID.",
                "business": "This is a phone number ID.",
            },
        ),
        ({"number": seed.APP_ID}, {"number": "This is the app ID."}),
        ({"business": seed.APP_ID}, {"business": "This is the app ID."}),
        ({"number": "15550100100"}, {"number": f"This is the phone number itself. Enter its ID: {NUMBER}."}),
        ({"number": "999999999"}, {"number": "The token can't use this phone number ID:"}),
    ],
)
def test_an_id_in_the_wrong_field_is_named(both: Both, changed: dict[str, str], said: dict[str, str]) -> None:
    with pytest.raises(RefusedByCardError) as refused:
        both.desk.connect("whatsapp", {**VALUES, **changed})
    found = refused.value.problems
    assert {name: found[name][: len(words)] for name, words in said.items()} == said
    assert set(found) == set(said)


def test_both_sides_write(both: Both) -> None:
    both.act(text="Is the blue mug still there?")
    both.reply("Yes, three are left.", quote=both.newest().id)
    assert {(one.direction, one.text) for one in both.thread()} == {
        ("inbound", "Is the blue mug still there?"),
        ("outbound", "Yes, three are left."),
    }
    assert both.newest().state == "delivered"
    sent = both.chat()[-1]
    assert (sent["text"], sent["status"]) == ("Yes, three are left.", "delivered")
    assert sent["context"] == {"id": both.chat()[0]["id"]}
    both.act("read")
    assert both.newest().state == "read"


@pytest.mark.parametrize("kind", ["image", "voice", "video", "document", "sticker"])
def test_files_arrive(both: Both, kind: str) -> None:
    both.act(kind)
    message = both.newest()
    assert [file.state for file in message.files] == ["stored"]
    kept = both.chat()[-1]["media_id"]
    file = both.cloud.meta.session.get(f"{both.cloud.meta.url}/whatsapp/file/{kept}").content
    assert both.desk.file(message.files[0]) == file


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("location", "location"),
        ("contact", "contacts"),
        ("order", "order"),
        ("form", "custom"),
        ("unsupported", "unsupported"),
        ("forwarded", "text"),
        ("ad", "text"),
    ],
)
def test_other_kinds_arrive(both: Both, kind: str, expected: str) -> None:
    both.act(kind, text="Mia Sample")
    assert both.newest().kind == expected


def test_edits_and_removals(both: Both) -> None:
    both.act(customer=KIT, text="Is it dishwaser save?")
    both.act("edit", customer=KIT, text="Is it dishwasher safe?")
    assert both.newest(KIT).text == "Is it dishwasher safe?"
    both.act("revoke", customer=KIT)
    assert both.newest(KIT).text == ""


def test_a_file_goes_out(both: Both) -> None:
    both.act()
    both.reply(files=[("list.pdf", b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n")])
    sent = both.chat()[-1]
    assert (sent["kind"], sent["body"]["filename"], sent["status"]) == ("document", "list.pdf", "delivered")


DOCUMENTS = {
    "pdf": samples.PDF,
    "doc": samples.DOC,
    "docx": samples.DOCX,
    "xls": samples.XLS,
    "xlsx": samples.XLSX,
    "ppt": samples.PPT,
    "pptx": samples.PPTX,
    "txt": b"mug: 8 EUR",
}


def test_documents_of_each_type_go_out_with_their_caption(both: Both) -> None:
    assert set(both.desk.module("sending").DOCUMENTS.values()) == set(DOCUMENTS)
    both.act()
    for ending, content in DOCUMENTS.items():
        both.reply(f"The list as {ending}", files=[(f"list.{ending}", content)])
        sent = both.chat()[-1]
        assert (sent["kind"], sent["status"]) == ("document", "delivered"), ending
        assert (sent["body"]["filename"], sent["text"]) == (f"list.{ending}", f"The list as {ending}")
        assert [file.name for file in both.newest().files] == [f"list.{ending}"]


def test_a_text_with_a_file_goes_out_as_one_message(both: Both) -> None:
    both.act()
    both.reply("The list", files=[("list.txt", b"mug: 8 EUR")])
    sent = both.chat()[-1]
    assert (sent["kind"], sent["text"], sent["status"]) == ("document", "The list", "delivered")
    assert sent["body"]["filename"] == "list.txt"


def test_a_webp_picture_goes_out_as_a_sticker(both: Both) -> None:
    both.act()
    file = BytesIO()
    Image.new("RGBA", (512, 512), (10, 120, 110, 0)).save(file, "WEBP")
    both.reply(files=[("cup.webp", file.getvalue())])
    sent = both.chat()[-1]
    assert (sent["kind"], sent["status"]) == ("sticker", "delivered")


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (MessageKind.LOCATION, {"location": {"latitude": 52.5163, "longitude": 13.3777, "name": "Gate"}}),
        (MessageKind.CONTACTS, {"contacts": [{"name": "Zoe", "phones": ["+49 30 1234"], "emails": []}]}),
    ],
)
def test_places_and_contacts_are_taken(both: Both, kind: MessageKind, content: dict[str, Any]) -> None:
    both.act()
    part = OutgoingPart(kind, "x", content)
    request = SendRequest(both.account, ANA, part, "f" * 32)
    assert isinstance(both.desk.adapter("whatsapp").send(request), Sent)
    assert both.chat()[-1]["kind"] == kind


def test_a_number_that_whatsapp_writes_in_another_way_is_named(both: Both) -> None:
    template = {"id": "1", "name": "hello_world", "language": "en-US", "parameters": {}}
    part = OutgoingPart(MessageKind.APPROVED_TEMPLATE, "Welcome", {"approved_template": template})
    dialled = both.desk.adapter("whatsapp").id_for_address(both.account, "+5511990000004")
    assert dialled == "5511990000004"
    sent = both.desk.adapter("whatsapp").send(SendRequest(both.account, dialled, part, "f" * 32))
    assert isinstance(sent, Sent)
    assert sent.recipient == GIL
    assert both.chat(GIL)[-1]["kind"] == "template"
    as_known = both.desk.adapter("whatsapp").send(SendRequest(both.account, GIL, part, "e" * 32))
    assert isinstance(as_known, Sent)
    assert as_known.recipient is None


def test_what_fails_later_is_shown(both: Both) -> None:
    both.act()
    both.cloud.control("PATCH", f"customers/{ANA}", {"blocked": True})
    both.reply("Are you there?")
    message = both.newest()
    assert message.state == "failed"
    assert "couldn't deliver" in message.error
    both.cloud.control("PATCH", f"customers/{ANA}", {"blocked": False})


@pytest.mark.parametrize(("code", "state"), [(131056, "queued"), (131009, "failed"), (131021, "failed")])
def test_refusals_are_understood(both: Both, code: int, state: str) -> None:
    person = f"155501{code}"
    both.cloud.control("POST", "customers", {"wa_id": person, "name": "Sam L."})
    both.act(customer=person)
    both.cloud.meta.fault("send", "error", code=code, times=1)
    both.reply("Hello", customer=person)
    assert both.newest(person).state == state


def test_somebody_without_a_number_is_answered(both: Both) -> None:
    both.cloud.control("PATCH", f"customers/{ROSA}", {"hides_number": True})
    both.act(customer=ROSA, text="Hello")
    user_id = "GB.13491208655302741003"
    assert both.newest(user_id).text == "Hello"
    both.reply("Welcome", customer=user_id)
    assert both.newest(user_id).state == "delivered"
    assert both.chat(ROSA)[-1]["status"] == "delivered"


def test_a_customer_is_asked_for_their_number_and_shares_it(both: Both) -> None:
    who = "15550100784"
    both.cloud.control("POST", "customers", {"wa_id": who, "name": "Uma K.", "hides_number": True}, 201)
    both.act(customer=who, text="Can you call me?")
    user_id = both.cloud.meta.control("GET", "whatsapp")["customers"][-1]["user_id"]
    asks = {"quick_replies": [{"ask": "phone"}]}
    both.reply("Sure, on which number?", customer=user_id, content=asks)
    assert both.newest(user_id).state == "delivered"
    both.act("contact_request", who)
    shared = both.newest(user_id)
    assert (shared.kind, shared.text) == ("quick_reply", f"+{who}")
    both.cloud.control("PATCH", f"customers/{who}", {"hides_number": False})
    both.act(customer=who, text="Now with my number")
    assert both.newest(user_id).text == "Now with my number"


def test_a_card_of_who_hides_their_number_offers_to_merge(both: Both) -> None:
    who, mia = "15550100785", "15550100099"  # Mia's is on the card in the phone's address book
    both.cloud.control("POST", "customers", {"wa_id": mia, "name": "Mia Sample"}, 201)
    both.act(customer=mia, text="Hello")
    both.cloud.control("POST", "customers", {"wa_id": who, "name": "Ivo K.", "hides_number": True}, 201)
    user_id = both.cloud.meta.control("GET", "whatsapp")["customers"][-1]["user_id"]
    for kind, is_offered in (("text", False), ("contact", True)):
        both.act(kind, who)
        page = contact_page(both, user_id)
        assert ("their number is on a card this customer sent" in page) is is_offered
        assert ("Merge with Mia Sample" in page) is is_offered


def contact_page(both: Both, external_id: str) -> str:
    """Return the page of a contact."""
    query = sa.select(ContactIdentity.contact_id).where(ContactIdentity.external_id == external_id)
    with db.read() as session:
        contact = session.scalars(query).one()
    return both.desk.get(f"/w/{both.desk.workspace_id}/contacts/{contact}").text


def test_templates_are_read(both: Both) -> None:
    page = both.desk.module("templates").page(both.account, "")
    found = {(one.name, one.language): one.state.value for one in page.templates}
    assert len(found) == 10
    assert found["order_update", "de"] == "approved"
    assert found["winter_sale", "en"] == "paused"


@pytest.mark.parametrize(
    ("name", "parameters", "text"),
    [
        ("order_update", {"body.1": "Ana", "body.2": "4711"}, "Your order\nHello Ana, your order 4711"),
        (
            "delivery_day",
            {"customer_name": "Ana", "day": "Friday"},
            "Hello Ana, your parcel arrives on Friday.",
        ),
    ],
)
def test_templates_are_filled_in(both: Both, name: str, parameters: dict[str, str], text: str) -> None:
    chosen = {"name": name, "language": "en", "parameters": parameters}
    fields = both.desk.module("templates").fields_of(chosen, None)
    message = {"messaging_product": "whatsapp", "to": KIT, **fields}
    assert both.cloud.call("POST", f"{NUMBER}/messages", json=message).status_code == 200
    assert both.chat(KIT)[-1]["text"].startswith(text)


def responder(both: Both, customer: str) -> str:
    """Return who answers a customer, as the sandbox knows it."""
    found = both.cloud.meta.control("GET", "whatsapp")["customers"]
    return next(str(one["responder"]) for one in found if one["wa_id"] == customer)


def test_another_responder_from_its_first_answer_to_ours(both: Both) -> None:
    who = "15550100777"
    both.cloud.control("POST", "customers", {"wa_id": who, "name": "Jo S."}, 201)
    both.act("standby", who, text="Is the workshop open on Saturday?")
    both.act("agent", who, text="Yes, from ten.")
    asked, answered = both.thread(who)
    assert (asked.text, asked.content["standby"]) == ("Is the workshop open on Saturday?", True)
    assert (answered.text, answered.direction) == ("Yes, from ten.", "outbound")
    assert responder(both, who) == "ai_agent"
    both.reply("Bo here. Until two.", who)
    assert responder(both, who) == "", "a service message takes the conversation over"
    both.act("text", who, text="Thank you!")
    assert "standby" not in both.newest(who).content


def test_a_conversation_changes_hands(both: Both) -> None:
    who = "15550100778"
    both.cloud.control("POST", "customers", {"wa_id": who, "name": "Mo T."}, 201)
    both.act("standby", who, text="I would rather talk to somebody")
    both.act("pass_control", who, text="wants a person")
    line = both.newest(who)
    assert (line.direction, line.content["how"], line.content["note"]) == (
        "internal",
        "passed",
        "wants a person",
    )
    adapter = both.desk.adapter("whatsapp")
    assert adapter.pass_thread(both.account, who, "ai_agent", "") is None
    assert responder(both, who) == "ai_agent"
    assert adapter.take_thread(both.account, who, "a person") is None
    assert responder(both, who) == ""
    both.act("take_control", who)
    assert both.newest(who).content["how"] == "taken"
    problem = adapter.take_thread(both.account, who, "")
    assert problem is not None
    assert problem.code == "2494191"


def test_a_conversation_is_released(both: Both) -> None:
    who = "15550100784"
    both.cloud.control("POST", "customers", {"wa_id": who, "name": "Lu R."}, 201)
    both.act("text", who, text="Thanks!")
    adapter = both.desk.adapter("whatsapp")
    assert adapter.release_thread(both.account, who, "done") is None
    assert responder(both, who) == "ai_agent"
    problem = adapter.release_thread(both.account, who, "")
    assert problem is not None
    assert (problem.code, problem.sentence) == (
        "100",
        "Meta didn't pass this conversation on, because another program has it.",
    )
    both.act("standby", who, text="One more thing")
    assert both.newest(who).content["standby"] is True


def test_a_summary_is_folded_below_the_handover(both: Both) -> None:
    who = "15550100781"
    both.cloud.control("POST", "customers", {"wa_id": who, "name": "Ida M."}, 201)
    both.act("standby", who, text="I would rather talk to somebody")
    both.act("pass_control", who, summary="Asks <b>twice</b> for a blue cup.")
    thread = both.desk.get(f"/w/{both.desk.workspace_id}/inbox/{talk(both, who).id}").text
    line = thread[thread.index("has this conversation now") :]
    line = line[: line.index("</li>")]
    assert "Show the summary of the conversation" in line
    assert "Asks &lt;b&gt;twice&lt;/b&gt; for a blue cup." in line


def talk(both: Both, customer: str) -> Conversation:
    with db.read() as session:
        found = customers.conversation_of(session, customer)
        assert found is not None
        return found


def test_a_missed_call_is_one_line_that_an_agent_reads(both: Both) -> None:
    who = "15550100782"
    both.cloud.control("POST", "customers", {"wa_id": who, "name": "Gil F."}, 201)
    both.act("text", who, text="Can you call me?")
    both.act("call", who, twice=True, first=True)
    both.act("call", who, taken=120)
    assert [(one.direction, one.kind) for one in both.thread(who)] == [
        ("inbound", "text"),
        ("inbound", "call"),
    ]
    found = talk(both, who)
    assert found.unread_count == 2
    inbox = f"/w/{both.desk.workspace_id}/inbox"
    listed = both.desk.get(inbox).text
    assert "Tried to call you" in listed[listed.index(f"{inbox}/{found.id}") :]
    thread = both.desk.get(f"{inbox}/{found.id}").text
    line = thread[thread.rindex('<li class="msg') :]
    line = line[: line.index("</li>")]
    assert "Tried to call you" in line
    assert "#i-call" in line
    assert "<time" in line


def test_a_call_does_not_change_who_answers(both: Both) -> None:
    who = "15550100780"
    both.cloud.control("POST", "customers", {"wa_id": who, "name": "Uli B."}, 201)
    both.act("standby", who, text="Are you open on Saturday?")
    both.act("call", who)
    assert responder(both, who) == "ai_agent"
    assert both.newest(who).kind == "call"
    found = talk(both, who).responder
    assert found is not None
    assert found["held"] is True


def templates_sent(both: Both, who: str, name: str, **more: Any) -> list[Any]:
    """Send a template from the inbox; return the messages that were queued."""
    adapter, page = both.desk.adapter("whatsapp"), both.desk.module("templates").page(both.account, "")
    chosen = next(one for one in page.templates if (one.name, one.language) == (name, "en"))
    given = {one.key: "7" for one in approved.parameters_of(chosen)}
    found = do(
        reply.queue_parts,
        both.desk.workspace_id,
        talk(both, who).id,
        [approved.draft_of(chosen, given)],
        reply_key=uuid.uuid4().hex,
        adapter=adapter,
        actor=both.desk.owner_id,
        **more,
    )
    both.settle()
    return list(found)


@pytest.fixture
def offer(both: Both) -> str:
    """Have a marketing template without a picture."""
    name = f"offer_{uuid.uuid4().hex[:8]}"
    body = [{"type": "BODY", "text": "Mugs for half the price."}]
    template = {"name": name, "language": "en", "category": "MARKETING", "components": body}
    both.cloud.control("POST", "templates", template, 201)
    return name


@pytest.mark.parametrize("how", ["user_preferences", "131050"])
def test_who_stops_marketing_messages_gets_none(both: Both, offer: str, how: str) -> None:
    who = str(15550100790 + len(how))
    both.cloud.control("POST", "customers", {"wa_id": who, "name": "Eve P."}, 201)
    both.cloud.meta.control("PATCH", f"apps/{seed.APP_ID}", {"fields": list(WHATSAPP_FIELDS)})
    both.act(customer=who, text="Hello")
    if how == "131050":
        both.cloud.control("PATCH", f"customers/{who}", {"stopped_marketing": True})
        assert templates_sent(both, who, offer)
        assert {one.state for one in both.thread(who)} == {None, "failed"}
    else:
        both.act("stop_marketing", who)
    before = both.chat(who)
    with pytest.raises(OptedOutError, match="stopped marketing messages"):
        templates_sent(both, who, offer)
    assert both.chat(who) == before, "nothing was asked of Meta"
    assert templates_sent(both, who, "order_update"), "other templates are sent"
    both.act("stop_marketing", who)
    both.act("resume_marketing", who)
    assert templates_sent(both, who, offer)
    assert both.chat(who)[-1]["text"] == "Mugs for half the price."
    assert talk(both, who).unread_count == 0


def test_marketing_stopped_after_it_was_scheduled_is_not_sent(both: Both, offer: str) -> None:
    who = "15550100788"
    both.cloud.control("POST", "customers", {"wa_id": who, "name": "Ola T."}, 201)
    both.cloud.meta.control("PATCH", f"apps/{seed.APP_ID}", {"fields": list(WHATSAPP_FIELDS)})
    both.act(customer=who, text="Hello")
    hold = reply.Hold(clock.now() + timedelta(hours=1), unless_written=False)
    (planned,) = templates_sent(both, who, offer, hold=hold)
    before = both.chat(who)
    both.act("stop_marketing", who)
    both.desk.later(timedelta(hours=1, minutes=1))
    assert scheduled.release_due() == 1
    both.settle()
    assert both.chat(who) == before
    (shown,) = (one for one in both.thread(who) if one.id == planned.id)
    assert shown.state == "failed"
    assert "stopped marketing messages" in str(shown.error)


def test_a_stranger_who_stops_marketing_messages_is_nobody_here(both: Both) -> None:
    who = "15550100789"
    both.cloud.control("POST", "customers", {"wa_id": who, "name": "Nia O.", "user_id": "US.77"}, 201)
    both.cloud.meta.control("PATCH", f"apps/{seed.APP_ID}", {"fields": list(WHATSAPP_FIELDS)})
    both.act("stop_marketing", who)
    with db.read() as session:
        known = sa.select(sa.func.count()).where(ContactIdentity.external_id.in_([who, "US.77"]))
        assert session.scalar(known) == 0
