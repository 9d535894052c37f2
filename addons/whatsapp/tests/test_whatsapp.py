"""WhatsApp from end to end: what people write reaches the inbox, what the team answers reaches them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
import sqlalchemy as sa
from PIL import Image

from host.authoring.desk import RefusedByCardError, TrialDesk
from host.core import db
from host.core.errors import LobbyError
from host.inbox.errors import ContactUnreachableError
from host.inbox.queries import unreachable_of
from host.models.channels import ChannelAccount
from host.models.inbox import Contact, ContactIdentity, Conversation, Mark, Message
from host.models.notifications import Notification
from host.models.users import AuditEntry
from host.sdk import clock
from host.sdk.accounts import overview
from host.sdk.cards import Verdict
from host.sdk.channel import (
    AccountRef,
    Held,
    NotSent,
    ReactRequest,
    Rejected,
    ReplyContext,
    ReplyState,
    SendRequest,
    Sent,
    Unknown,
)
from host.sdk.messages import (
    AccountNoticed,
    Ignored,
    MessageKind,
    MessageReceived,
    OutgoingFile,
    OutgoingPart,
)
from host.sdk.testing import check_approved_template
from host.sdk.webhooks import Envelope

NUMBER, BUSINESS, APP = "106540352242922", "102290129340398", "634974688087057"
PORTFOLIO = "506914307656634"
TOKEN, SECRET = "EAAsampleTokenOfTheStandIn0001", "0123456789abcdef0123456789abcdef"
VALUES = {"number": NUMBER, "business": BUSINESS, "token": TOKEN, "app_secret": SECRET}
HOOK = "https://desk.example.com/addons/whatsapp/webhook"
NewCustomer = Callable[[], Any]


def picture() -> bytes:
    file = BytesIO()
    Image.new("RGB", (40, 30), "teal").save(file, "JPEG")
    return file.getvalue()


PDF = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"

FLOW = {
    "name": "flow",
    "body": "Sent",
    "response_json": json.dumps(
        {
            "screen_0_Which_day_0": "Sunday 🌞",
            "screen_1_Bring_2": ["Clay", "An apron"],
            "agreed": True,
            "people": 2,
            "note": "",
            "flow_token": "f",
        }
    ),
}


# Connecting


def test_connecting_has_meta_deliver_here(account: AccountRef, whatsapp: Any) -> None:
    assert (account.external_id, account.handle, account.name) == (
        NUMBER,
        "+1 555-078-3881",
        "Sample Pottery",
    )
    assert whatsapp.override["override_callback_uri"] == HOOK
    assert whatsapp.app_webhook["callback_url"] == HOOK
    assert {"messages", "smb_message_echoes"} <= set(whatsapp.app_webhook["fields"].split(","))


def test_an_app_that_may_not_have_echoes_gets_the_other_fields(
    desk: TrialDesk, account: AccountRef, whatsapp: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whatsapp, "app_webhook", {})
    monkeypatch.setattr(whatsapp, "unknown_fields", {"smb_message_echoes"})
    assert desk.connect("whatsapp", VALUES, account=account).id == account.id
    assert "messages" in whatsapp.app_webhook["fields"].split(",")
    (echoes,) = [one for one in desk.module("card").CARD.diagnose(account) if one.name == "echoes"]
    assert (echoes.verdict, "smb_message_echoes" in echoes.evidence) == (Verdict.UNKNOWN, True)
    assert "Only needed if" in echoes.fix


@pytest.mark.parametrize(
    ("changes", "field", "why"),
    [
        ({"token": ""}, "token", "is required"),
        ({"token": "two words of a token that isn't"}, "token", "begins with EAA"),
        ({"token": "EAAanotherTokenNobodyKnowsOf2"}, "token", "doesn't accept this token"),
        ({"app_secret": "0" * 31 + "g"}, "app_secret", "32 characters"),
        ({"app_secret": "0" * 32}, "app_secret", "not the secret of the Meta app"),
        ({"number": "+1 555-078-3881"}, "number", "looks like the phone number itself. Enter an ID"),
        ({"number": TOKEN}, "number", "looks like an access token. Enter an ID"),
        ({"number": SECRET}, "number", "looks like an app secret. Enter an ID"),
        ({"number": "12-x"}, "number", "An ID has digits only, for example"),
        ({"token": SECRET}, "token", "looks like the app secret. Enter the token"),
        ({"token": APP}, "token", "looks like an ID. Enter the token"),
        ({"app_secret": APP}, "app_secret", "looks like an app ID. The app secret is below it"),
        ({"app_secret": TOKEN}, "app_secret", "looks like an access token. Enter the app secret"),
        ({"number": APP}, "number", "This is the app ID. Enter the phone number ID"),
        ({"number": BUSINESS}, "number", "This is the WhatsApp Business Account ID. It belongs in the"),
        ({"number": PORTFOLIO}, "number", "This is the ID of the business portfolio, which isn't needed."),
        ({"number": "15550783881"}, "number", f"the phone number itself. Enter its ID: {NUMBER}."),
        ({"number": "05550783881"}, "number", f"the phone number itself. Enter its ID: {NUMBER}."),
        ({"business": APP}, "business", "This is the app ID. Enter the WhatsApp Business Account ID"),
        ({"business": NUMBER}, "business", "This is a phone number ID. It belongs in the field of that name"),
        ({"business": PORTFOLIO}, "business", "the business portfolio, which isn't needed. Enter the What"),
        ({"business": "15550783881"}, "business", "This is the phone number itself. Enter the WhatsApp"),
        ({"number": "999999999"}, "number", "can't use this phone number ID"),
        ({"business": "999999999"}, "business", "can't use this account"),
    ],
)
def test_a_wrong_value_is_named_beside_its_field(
    desk: TrialDesk, account: AccountRef, changes: dict[str, str], field: str, why: str
) -> None:
    with pytest.raises(RefusedByCardError) as refused:
        desk.connect("whatsapp", {**VALUES, **changes})
    assert why in refused.value.problems[field]
    assert TOKEN not in str(refused.value)
    assert SECRET not in str(refused.value)


def test_swapped_ids_are_named_at_both_fields(desk: TrialDesk, account: AccountRef) -> None:
    with pytest.raises(RefusedByCardError) as refused:
        desk.connect("whatsapp", {**VALUES, "number": BUSINESS, "business": NUMBER})
    assert "This is the WhatsApp Business Account ID." in refused.value.problems["number"]
    assert "This is a phone number ID." in refused.value.problems["business"]


@pytest.mark.parametrize(
    ("pasted", "why"),
    [(BUSINESS, "the WhatsApp Business Account ID"), (APP, "the app ID"), ("999999999", "another number")],
)
def test_another_id_is_named_while_the_number_is_changed(
    desk: TrialDesk, account: AccountRef, pasted: str, why: str
) -> None:
    with pytest.raises(RefusedByCardError) as refused:
        desk.connect("whatsapp", {**VALUES, "number": pasted}, account=account)
    assert why in refused.value.problems["number"]


def test_a_token_without_a_permission_is_refused(
    desk: TrialDesk, account: AccountRef, whatsapp: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whatsapp, "scopes", ["whatsapp_business_management"])
    with pytest.raises(RefusedByCardError, match="whatsapp_business_messaging"):
        desk.connect("whatsapp", VALUES)


def test_an_app_that_another_program_uses_keeps_its_address(
    desk: TrialDesk, account: AccountRef, whatsapp: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = {"callback_url": "https://other.example/hook", "fields": "messages"}
    monkeypatch.setattr(whatsapp, "app_webhook", theirs)
    monkeypatch.setattr(whatsapp, "override", None)
    assert desk.connect("whatsapp", VALUES, account=account).id == account.id
    assert whatsapp.app_webhook == theirs
    assert whatsapp.override["override_callback_uri"] == HOOK
    monkeypatch.setattr(whatsapp, "app_webhook", {**theirs, "fields": "message_template_status_update"})
    with pytest.raises(RefusedByCardError, match="“messages”"):
        desk.connect("whatsapp", VALUES, account=account)


def test_a_meta_that_is_silent_connects_nothing(desk: TrialDesk, account: AccountRef, whatsapp: Any) -> None:
    whatsapp.refuse["subscribed_apps"] = [None]
    with pytest.raises(RefusedByCardError, match="can't be reached") as silent:
        desk.connect("whatsapp", VALUES)
    assert TOKEN not in str(silent.value)


def test_diagnose_finds_what_is_wrong(desk: TrialDesk, account: AccountRef, whatsapp: Any) -> None:
    def diagnose(account: AccountRef) -> list[Any]:
        found = desk.module("card").CARD.diagnose(account)
        return [one for one in found if one.name != "entry-points"]  # nobody can read them

    assert {one.verdict for one in diagnose(account)} == {Verdict.PASS}
    kept, whatsapp.override = whatsapp.override, {}
    assert {one.verdict for one in diagnose(account)} == {Verdict.PASS}, "the app's own address is this one"
    whatsapp.override = None
    assert [one.name for one in diagnose(account) if one.verdict is Verdict.FAIL] == ["deliveries"]
    whatsapp.override = kept
    whatsapp.token = "EAAreplacedTokenOfTheStandIn02"
    failed = [one for one in diagnose(account) if one.verdict is Verdict.FAIL]
    assert [one.name for one in failed] == ["token"]
    assert TOKEN not in str(failed)
    whatsapp.token = TOKEN


def test_metas_verification_is_answered_for_the_right_token_only(
    desk: TrialDesk, account: AccountRef
) -> None:
    token = desk.module("graph").verify_token()
    place = "/addons/whatsapp/webhook?hub.mode=subscribe&hub.challenge=1158201444"
    assert desk.ask(f"{place}&hub.verify_token={token}").text == "1158201444"
    assert desk.ask(f"{place}&hub.verify_token=lobby-wrong").status_code == 403


# What people write


def test_texts_with_name_and_quote(customer: NewCustomer, whatsapp: Any, desk: TrialDesk) -> None:
    ann = customer()
    ann.writes("Are you open? 👋🏽")
    desk.reply(ann.phone, "Until six")
    desk.work()
    sent = f"wamid.OUT{whatsapp.number}"
    ann.writes("That late?", context={"from": "15550783881", "id": sent})
    first, second, ours = sorted(ann.thread, key=lambda one: one.direction)
    assert (first.text, second.text) == ("Are you open? 👋🏽", "That late?")
    assert (ours.state, second.reply_to) == ("sent", ours.external_id)


def test_files_are_fetched_with_the_token(customer: NewCustomer, whatsapp: Any, desk: TrialDesk) -> None:
    ann, whatsapp.files["555001"] = customer(), picture()
    ann.told(
        ann.message(type="image", image={"id": "555001", "mime_type": "image/jpeg", "caption": "Chipped"})
    )
    (message,) = ann.thread
    assert (message.kind, message.text) == ("image", "Chipped")
    assert desk.file(message.files[0]).startswith(b"\xff\xd8")


def test_a_file_that_is_gone_says_so(customer: NewCustomer, desk: TrialDesk) -> None:
    ann = customer()
    ann.told(ann.message(type="image", image={"id": "555999", "mime_type": "image/jpeg"}))
    (message,) = ann.thread
    assert message.files[0].state == "expired"


@pytest.mark.parametrize(
    ("said", "kind", "text", "content"),
    [
        (
            {"type": "location", "location": {"latitude": 52.52, "longitude": 13.4, "name": "Kiln"}},
            *("location", "Kiln", {"location": {"latitude": 52.52, "longitude": 13.4, "name": "Kiln"}}),
        ),
        (
            {
                "type": "contacts",
                "contacts": [{"name": {"formatted_name": "Bob"}, "phones": [{"phone": "+49 1"}]}],
            },
            *("contacts", "Bob, +49 1", {"contacts": [{"name": "Bob", "phones": ["+49 1"], "emails": []}]}),
        ),
        (
            {
                "type": "order",
                "order": {
                    "text": "As a gift",
                    "product_items": [
                        {"product_retailer_id": "mug", "quantity": 2, "item_price": 12.5, "currency": "EUR"}
                    ],
                },
            },
            *("order", "As a gift"),
            {"order": {"items": [{"product": "mug", "quantity": 2, "price": "12.50", "currency": "EUR"}]}},
        ),
        (
            {
                "type": "interactive",
                "interactive": {"type": "button_reply", "button_reply": {"id": "s", "title": "S"}},
            },
            *("quick_reply", "S", {"payload": "s"}),
        ),
        (
            {"type": "button", "button": {"payload": "y", "text": "Yes"}},
            "quick_reply",
            "Yes",
            {"payload": "y"},
        ),
        (
            {"type": "location", "location": {"latitude": 95, "longitude": 1}},
            "unsupported",
            "",
            {"event": "location"},
        ),
        (
            {"type": "interactive", "interactive": {"type": "nfm_reply", "nfm_reply": FLOW}},
            *("custom", "Which day: Sunday 🌞\nBring: Clay, An apron\nagreed: ✓\npeople: 2"),
            {
                "custom": {
                    "kind": "form",
                    "data": {
                        "title": "",
                        "answers": [
                            {"label": "Which day", "value": "Sunday 🌞"},
                            {"label": "Bring", "value": "Clay, An apron"},
                            {"label": "agreed", "value": "✓"},
                            {"label": "people", "value": "2"},
                        ],
                    },
                }
            },
        ),
        (
            {
                "type": "interactive",
                "interactive": {"type": "nfm_reply", "nfm_reply": {**FLOW, "response_json": "{"}},
            },
            *("unsupported", "Sent", {"event": "nfm_reply"}),
        ),
        ({"type": "ephemeral"}, "unsupported", "", {"event": "ephemeral"}),
        (
            {"type": "text", "text": {"body": "Hi"}, "referral": {"source_type": "ad", "source_id": "12"}},
            *("text", "Hi", {"referral": {"source": "ADS", "ad_id": "12"}}),
        ),
    ],
)
def test_each_kind_of_message(
    customer: NewCustomer, said: dict[str, Any], kind: str, text: str, content: dict[str, Any]
) -> None:
    ann = customer()
    ann.told(ann.message(**said))
    (message,) = ann.thread
    assert (message.kind, message.text) == (kind, text)
    assert content.items() <= message.content.items()


def test_a_form_of_any_shape_is_read(customer: NewCustomer) -> None:
    ann = customer()
    deep: Any = "too deep"
    for _ in range(50):
        deep = {"inside": deep}
    for answers in (
        {"a": {"b": {"c": {"d": 1}}}, "e": [None, ["x"], {"f": "g"}, "kept"], "deep": deep},
        {f"field_{number}": "x" * 5000 for number in range(200)},
        {"screen_0__0": "no name", "": "no key", "\u202e": "turned"},
        [],
        {},
    ):
        ann.told(
            ann.message(
                type="interactive",
                interactive={
                    "type": "nfm_reply",
                    "nfm_reply": {"body": "Sent", "response_json": json.dumps(answers)},
                },
            )
        )
    some, many, odd, *none = ann.thread
    assert some.text == "d: 1\ne: kept"
    assert len(many.content["custom"]["data"]["answers"]) == 50
    assert [one["value"] for one in odd.content["custom"]["data"]["answers"]] == [
        "no name",
        "no key",
        "turned",
    ]
    assert [one.kind for one in none] == ["unsupported", "unsupported"]


def test_files_in_a_form_are_files(customer: NewCustomer, whatsapp: Any, desk: TrialDesk) -> None:
    ann, whatsapp.files["555002"] = customer(), picture()
    photo = {"file_name": "IMG_1.jpg", "mime_type": "image/jpeg", "sha256": "x", "id": 555002}
    ann.told(
        ann.message(
            type="interactive",
            interactive={
                "type": "nfm_reply",
                "nfm_reply": {"body": "Sent", "response_json": json.dumps({"photos": [photo, {"id": 1}, 7]})},
            },
        )
    )
    (message,) = ann.thread
    assert (message.kind, message.text) == ("custom", "photos: IMG_1.jpg, 7")
    (file,) = message.files
    assert desk.file(file).startswith(b"\xff\xd8")


def test_reactions_edits_and_removals(customer: NewCustomer) -> None:
    ann = customer()
    ann.writes("Is it in stok?")
    first = f"wamid.IN{ann.phone}1"
    changed = {"original_message_id": first, "message": {"type": "text", "text": {"body": "Is it in stock?"}}}
    ann.told(ann.message(type="edit", edit=changed))
    assert [one.text for one in ann.thread] == ["Is it in stock?"]
    ann.told(ann.message(type="revoke", revoke={"original_message_id": first}))
    assert [one.text for one in ann.thread] == [""]


def test_a_customer_who_hides_their_number_is_answered_by_their_id(
    customer: NewCustomer, whatsapp: Any, desk: TrialDesk
) -> None:
    ann, user = customer(), "US.13491208655302741918"
    contact = {"profile": {"name": "Ann Lee", "username": "@annlee"}, "user_id": user}
    message = ann.message(type="text", text={"body": "Hello"}, from_user_id=user)["entry"][0]["changes"][0][
        "value"
    ]
    said = {key: value for key, value in message["messages"][0].items() if key != "from"}
    ann.told(ann.value(contacts=[contact], messages=[said]))
    desk.reply(user, "Hi")
    desk.work()
    assert whatsapp.sent[-1]["recipient"] == user
    assert "to" not in whatsapp.sent[-1]


def test_the_number_is_verified_and_another_id_is_no_number(desk: TrialDesk) -> None:
    phone, user = "16505551234", "US.13491208655302741918"
    said = {"id": "wamid.IN1", "timestamp": "1790000000", "type": "text", "text": {"body": "Hello"}}
    for name, person, known in (("from", phone, phone), ("from_user_id", user, None)):
        body = json.dumps({"person": person, "contact": {}, "message": said | {name: person}}).encode()
        (change,) = desk.adapter("whatsapp").parse(Envelope(1, person, "message:1", "message", body))
        assert isinstance(change, MessageReceived)
        assert (change.contact, change.contact_phone) == (person, known)


def test_forged_doubled_and_odd_deliveries(customer: NewCustomer, desk: TrialDesk) -> None:
    ann = customer()
    told = ann.message(type="text", text={"body": "Once"})
    assert ann.deliver(told, secret="0" * 32) == 401
    assert desk.post("/addons/whatsapp/webhook", json.dumps(told).encode(), {}).status_code == 401
    for _ in range(3):
        ann.told(told)
    for odd in (b"{", b"[]", b'{"object":"page","entry":[]}', json.dumps(ann.value()).encode()):
        assert ann.deliver(odd) == 200
    elsewhere = ann.value(messages=[])
    elsewhere["entry"][0]["changes"][0]["value"]["metadata"]["phone_number_id"] = "1"
    assert ann.deliver(elsewhere) == 200
    ann.told(ann.message(type="text", text={"body": "In a group"}, group_id="g1"))
    assert [one.text for one in ann.thread] == ["Once"]


def test_several_messages_in_one_delivery_keep_their_order(customer: NewCustomer) -> None:
    ann = customer()
    parts = [ann.message(type="text", text={"body": f"{n}"}) for n in range(5)]
    parts[0]["entry"] += [entry for part in parts[1:] for entry in part["entry"]]
    ann.told(parts[0])
    assert [one.text for one in ann.thread] == ["0", "1", "2", "3", "4"]


def test_what_was_written_in_the_business_app_is_in_the_thread(customer: NewCustomer) -> None:
    ann = customer()
    ann.writes("Hello?")
    at = str(int(clock.now().timestamp()))
    echo = {"from": "15550783881", "to": ann.phone, "id": "wamid.APP1", "timestamp": at, "type": "text"}
    ann.told(ann.value(message_echoes=[{**echo, "text": {"body": "From the phone"}}]))
    assert [(one.text, one.direction) for one in ann.thread] == [
        ("Hello?", "inbound"),
        ("From the phone", "outbound"),
    ]


@pytest.mark.parametrize("sort", ["edit", "revoke"])
def test_what_was_changed_in_the_business_app_is_ours(customer: NewCustomer, sort: str) -> None:
    """Also while the message itself is not here, such as one from before the number was connected."""
    ann = customer()
    ann.writes("Hello?")
    at = str(int(clock.now().timestamp()))
    before = f"wamid.BEFORE.{sort}"
    changed = {"original_message_id": before}
    if sort == "edit":
        changed |= {"message": {"type": "text", "text": {"body": "Ten to six"}}}  # type: ignore[dict-item]
    echo = {"from": "15550783881", "to": ann.phone, "id": f"{before}.2", "timestamp": at, "type": sort}
    ann.told(ann.value(message_echoes=[{**echo, sort: changed}]))
    assert [one.direction for one in ann.thread] == ["inbound", "outbound"]
    with db.read() as session:
        newest = session.scalars(sa.select(Conversation).order_by(Conversation.id.desc())).first()
        assert newest is not None
        assert newest.unread_count == 1, "the customer did not write again"
    written = {"from": "15550783881", "to": ann.phone, "id": before, "timestamp": at, "type": "text"}
    ann.told(ann.value(message_echoes=[{**written, "text": {"body": "Nine to five"}}]))
    assert [(one.direction, one.text) for one in ann.thread] == [
        ("inbound", "Hello?"),
        ("outbound", "Ten to six" if sort == "edit" else ""),
    ]


# What the team answers


def test_reports_move_a_message_from_sent_to_read(
    customer: NewCustomer, whatsapp: Any, desk: TrialDesk
) -> None:
    ann = customer()
    ann.writes("Hello?")
    desk.reply(ann.phone, "Hi")
    desk.work()
    sent = f"wamid.OUT{whatsapp.number}"
    states = []
    for report in ("sent", "delivered", "read", "delivered"):
        ann.told(ann.status(report, sent))
        states.append(ann.thread[-1].state)
    assert states == ["sent", "delivered", "read", "read"]


@pytest.mark.parametrize(
    ("reports", "states"),
    [
        (("sent", "delivered"), ["sent", "delivered"]),
        (("delivered", "sent"), ["delivered", "delivered"]),
        (("failed",), ["failed"]),
    ],
)
def test_a_report_confirms_a_message_whose_sending_got_no_answer(
    customer: NewCustomer, whatsapp: Any, desk: TrialDesk, reports: tuple[str, ...], states: list[str]
) -> None:
    ann = customer()
    ann.writes("Hello?")
    whatsapp.lost = 1
    desk.reply(ann.phone, "Hi")
    desk.work()
    assert ann.thread[-1].state == "unknown"
    key, sent = whatsapp.sent[-1]["biz_opaque_callback_data"], f"wamid.OUT{whatsapp.number}"
    ann.told(ann.status("sent", "wamid.OTHER", biz_opaque_callback_data="of another program"))
    assert ann.thread[-1].state == "unknown"
    count, found = len(whatsapp.sent), []
    for report in reports:
        ann.told(ann.status(report, sent, biz_opaque_callback_data=key))
        found.append(ann.thread[-1].state)
    assert found == states
    assert [one.text for one in ann.thread] == ["Hello?", "Hi"]
    desk.work()
    assert len(whatsapp.sent) == count, "nothing is sent again"


WAYS = [
    ("525512345678", "5215512345678"),
    ("5215512345679", "525512345679"),
    ("541158749895", "5491158749895"),
    ("5491158749896", "541158749896"),
    ("5531988887777", "553188887777"),
    ("553188887778", "5531988887778"),
]


@pytest.mark.parametrize(("known", "told"), WAYS)
def test_a_report_may_write_the_number_in_another_way(
    customer: NewCustomer, whatsapp: Any, desk: TrialDesk, known: str, told: str
) -> None:
    ann = customer()
    ann.phone = known
    ann.writes("Hello?")
    desk.reply(known, "One")
    desk.work()
    ann.told(ann.status("delivered", f"wamid.OUT{whatsapp.number}", recipient_id=told))
    assert ann.thread[-1].state == "delivered"
    whatsapp.lost = 1
    desk.reply(known, "Two")
    desk.work()
    key, sent = whatsapp.sent[-1]["biz_opaque_callback_data"], f"wamid.OUT{whatsapp.number}"
    ann.told(ann.status("failed", sent, recipient_id=told, errors=[{"code": 131026}]))
    assert ann.thread[-1].state == "unknown", "it isn't known yet which message this is"
    ann.told(ann.status("sent", sent, recipient_id=told, biz_opaque_callback_data=key))
    assert ann.thread[-1].state == "failed"
    assert "couldn't deliver" in str(ann.thread[-1].error)
    assert desk.messages(told) == [], "nobody else got anything"


def test_a_number_known_in_both_ways_is_one_person(
    customer: NewCustomer, whatsapp: Any, desk: TrialDesk
) -> None:
    ann, again = customer(), customer()
    ann.phone, again.phone = "525512340001", "5215512340001"
    ann.writes("Hello?")
    again.writes("It is me")
    whatsapp.lost = 1
    desk.reply(ann.phone, "Hi")
    desk.work()
    key, sent = whatsapp.sent[-1]["biz_opaque_callback_data"], f"wamid.OUT{whatsapp.number}"
    again.told(again.status("failed", sent, errors=[{"code": 131047}]))
    again.told(again.status("sent", sent, biz_opaque_callback_data=key))
    assert ann.thread[-1].state == "failed"
    with pytest.raises(ContactUnreachableError):
        desk.reply(ann.phone, "Once more")
    desk.reply(again.phone, "Here")
    desk.work()
    ann.told(ann.status("read", f"wamid.OUT{whatsapp.number}"))
    assert again.thread[-1].state == "read"


def test_a_failure_shows_its_reason(customer: NewCustomer, whatsapp: Any, desk: TrialDesk) -> None:
    ann = customer()
    ann.writes("Hello?")
    desk.reply(ann.phone, "Hi")
    desk.work()
    error = {"code": 131026, "title": "Message undeliverable", "error_data": {"details": "Not on WhatsApp"}}
    ann.told(ann.status("failed", f"wamid.OUT{whatsapp.number}", errors=[error]))
    message = ann.thread[-1]
    assert message.state == "failed"
    assert "couldn't deliver" in str(message.error)


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize(
    ("code", "words", "closes"),
    [
        (131047, "More than 24 hours have passed", True),
        (131050, "doesn't want marketing messages", False),
    ],
)
def test_a_refusal_means_the_same_at_once_and_later(
    customer: NewCustomer, whatsapp: Any, desk: TrialDesk, code: int, words: str, closes: bool, at_once: bool
) -> None:
    ann = customer()
    ann.writes("Hello?")
    if at_once:
        whatsapp.refuse["messages"] = [(400, code, "Refused")]
    desk.reply(ann.phone, "Hi")
    desk.work()
    if not at_once:
        ann.told(ann.status("failed", f"wamid.OUT{whatsapp.number}", errors=[{"code": code}]))
    (failed,) = (one for one in ann.thread if one.direction == "outbound")
    assert failed.state == "failed"
    assert words in str(failed.error)
    told = [one.content for one in ann.thread if one.kind == "opt_in"]
    assert told == ([{"opt_in": {"state": "stopped", "marketing": True}}] if code == 131050 else [])
    if closes:
        with pytest.raises(ContactUnreachableError, match=words):
            desk.reply(ann.phone, "Once more")
        assert only_templates_reach(ann.phone)
        ann.writes("I am back", timestamp=str(int(clock.now().timestamp()) + 2))
    desk.reply(ann.phone, "Once more")
    desk.work()
    assert {one.text: one.state for one in ann.thread}["Once more"] == "sent"


def only_templates_reach(phone: str) -> bool:
    with db.read() as session:
        why = session.scalars(sa.select(ContactIdentity).where(ContactIdentity.external_id == phone)).one()
        found = unreachable_of(why.unreachable_since, None, why.unreachable)
    return found is not None and found.templates


def test_who_wrote_since_can_be_answered(customer: NewCustomer, whatsapp: Any, desk: TrialDesk) -> None:
    ann = customer()
    ann.writes("Hello?")
    desk.reply(ann.phone, "Hi")
    desk.work()
    sent, before = f"wamid.OUT{whatsapp.number}", str(int(clock.now().timestamp()) - 60)
    ann.writes("Still there?", timestamp=str(int(clock.now().timestamp())))
    ann.told(ann.status("failed", sent, timestamp=before, errors=[{"code": 131047}]))
    assert "failed" in [one.state for one in ann.thread]
    desk.reply(ann.phone, "Once more")
    desk.work()
    assert {one.text: one.state for one in ann.thread}["Once more"] == "sent"


@pytest.mark.slow
def test_ten_thousand_failed_messages_of_another_program_are_nobodys(
    customer: NewCustomer, desk: TrialDesk
) -> None:
    """People who never wrote here, with all their ids, and every meaning of a failure."""
    ann = customer()
    ann.writes("Hello?")
    before = everything_stored()
    codes, at = (131026, 131047, 131050, 131049, 131042), str(int(clock.now().timestamp()))
    for first in range(0, 10_000, 500):
        statuses = []
        for number in range(first, first + 500):
            ids = {"recipient_id": str(15550200000 + number), "recipient_user_id": f"US.9{number:06}"}
            told = {"id": f"wamid.AWAY{number}", "status": "failed", "timestamp": at, **ids}
            statuses.append({**told, "errors": [{"code": codes[number % len(codes)], "title": "Failed"}]})
        assert ann.deliver(ann.value(statuses=statuses)) == 200
    desk.work()
    assert everything_stored() == before
    assert [one.text for one in ann.thread] == ["Hello?"]


def everything_stored() -> dict[str, int]:
    """Return how many there are of what a conversation consists of."""
    models = (Contact, ContactIdentity, Conversation, Message, Mark)
    with db.read() as session:
        count = sa.func.count()
        return {one.__tablename__: session.scalar(sa.select(count).select_from(one)) or 0 for one in models}


def test_files_are_uploaded_and_sent_by_their_ids(
    customer: NewCustomer, whatsapp: Any, desk: TrialDesk
) -> None:
    ann = customer()
    ann.writes("Photos?")
    desk.reply(ann.phone, "", files=[("mug.jpg", picture()), ("prices.pdf", PDF), ("prices", b"mug: 8")])
    desk.later(timedelta(seconds=1))
    image, document, words = whatsapp.sent[-3:]
    assert whatsapp.uploads[image["image"]["id"]] == ("image/jpeg", picture())
    assert (document["type"], document["document"]["filename"]) == ("document", "prices.pdf")
    assert whatsapp.uploads[document["document"]["id"]][1] == PDF
    assert words["document"]["filename"] == "prices.txt"
    assert whatsapp.uploads[words["document"]["id"]][0] == "text/plain"


def test_a_text_with_a_file_is_its_caption(customer: NewCustomer, whatsapp: Any, desk: TrialDesk) -> None:
    ann = customer()
    ann.writes("Photos?")
    before = len(whatsapp.sent)
    desk.reply(ann.phone, "é" * 1024, files=[("mug.jpg", picture()), ("prices.pdf", PDF)])
    desk.later(timedelta(seconds=1))
    image, document = whatsapp.sent[before:]
    assert "caption" not in image["image"]
    assert document["document"]["caption"] == "é" * 1024
    ann.told(ann.status("delivered", f"wamid.OUT{whatsapp.number}"))
    assert [(one.kind, one.text, one.state) for one in ann.thread[-2:]] == [
        ("image", "", "sent"),
        ("file", "é" * 1024, "delivered"),
    ]


def test_a_caption_that_is_too_long_is_refused(customer: NewCustomer, whatsapp: Any, desk: TrialDesk) -> None:
    ann = customer()
    ann.writes("Photos?")
    before, count = len(whatsapp.sent), len(ann.thread)
    with pytest.raises(LobbyError, match="has 1025 characters; below a file it can have 1024") as caught:
        desk.reply(ann.phone, "é" * 1025, files=[("mug.jpg", picture())])
    assert (caught.value.field, caught.value.limit) == ("text", 1024)
    desk.later(timedelta(seconds=1))
    assert (len(whatsapp.sent), len(ann.thread)) == (before, count)


def test_stickers_have_no_caption(customer: NewCustomer, whatsapp: Any, desk: TrialDesk) -> None:
    ann = customer()
    ann.writes("Photos?")
    file = BytesIO()
    Image.new("RGBA", (512, 512), (10, 120, 110, 0)).save(file, "WEBP")
    desk.reply(ann.phone, "A cup", files=[("cup.webp", file.getvalue())])
    desk.later(timedelta(seconds=1))
    assert [one["type"] for one in whatsapp.sent[-2:]] == ["sticker", "text"]


@pytest.mark.parametrize(
    ("head", "sent"),
    [(b"OpusHead\1\1", True), (b"OpusHead\1\2", False), (b"\1vorbis", False)],
)
def test_a_voice_note_is_opus_with_one_channel(
    desk: TrialDesk, account: AccountRef, whatsapp: Any, head: bytes, sent: bool
) -> None:
    data = b"OggS\0\2" + b"\0" * 20 + b"\1\x13" + head + b"\0" * 60
    file = OutgoingFile(MessageKind.AUDIO, "a.ogg", "audio/ogg", len(data), None, lambda: BytesIO(data))
    said = desk.adapter("whatsapp").send(request(account, OutgoingPart(MessageKind.AUDIO, files=(file,))))
    if sent:
        assert isinstance(said, Sent)
        assert whatsapp.sent[-1]["audio"]["voice"] is True
    else:
        assert isinstance(said, Rejected)
        assert "only if it is Opus" in said.problem.sentence


def test_a_renamed_document_is_refused(customer: NewCustomer, whatsapp: Any, desk: TrialDesk) -> None:
    ann = customer()
    ann.writes("Prices?")
    before = dict(whatsapp.uploads)
    with pytest.raises(LobbyError, match="named like a PDF file, but its content is of the type TXT"):
        desk.reply(ann.phone, "", files=[("prices.pdf", b"mug: 8")])
    assert whatsapp.uploads == before


@pytest.mark.parametrize(("count", "sort"), [(2, "button"), (3, "button"), (4, "list"), (10, "list")])
def test_quick_replies_are_buttons_or_a_list(
    desk: TrialDesk, account: AccountRef, whatsapp: Any, count: int, sort: str
) -> None:
    offers = [{"title": f"Answer {n}", "payload": f"p{n}"} for n in range(count)]
    part = OutgoingPart(MessageKind.TEXT, "Which one?", {"quick_replies": offers})
    assert isinstance(desk.adapter("whatsapp").send(request(account, part)), Sent)
    told = whatsapp.sent[-1]["interactive"]
    assert (told["type"], told["body"]) == (sort, {"text": "Which one?"})
    if sort == "button":
        found = [one["reply"] for one in told["action"]["buttons"]]
    else:
        (section,) = told["action"]["sections"]
        found = section["rows"]
    assert found == [{"id": one["payload"], "title": one["title"]} for one in offers]


def test_buttons_are_answers_or_one_link(desk: TrialDesk, account: AccountRef, whatsapp: Any) -> None:
    def sent(*buttons: dict[str, str]) -> Any:
        content = {"template": {"text": "Take a look", "buttons": list(buttons)}}
        desk.adapter("whatsapp").send(request(account, OutgoingPart(MessageKind.TEMPLATE, "", content)))
        return whatsapp.sent[-1]

    link, answer = {"title": "Shop", "url": "https://shop.example/"}, {"title": "Yes", "payload": "y"}
    assert sent(link)["interactive"]["action"]["parameters"] == {"display_text": "Shop", "url": link["url"]}
    assert sent(answer)["interactive"]["action"]["buttons"][0]["reply"] == {"id": "y", "title": "Yes"}
    both = sent(link, answer)["interactive"]
    assert (both["type"], both["body"]["text"]) == ("button", "Take a look\nShop: https://shop.example/")
    assert sent(link, link)["text"]["body"].count("https://shop.example/") == 2


def test_locations_contacts_and_stickers_go_out(desk: TrialDesk, account: AccountRef, whatsapp: Any) -> None:
    adapter = desk.adapter("whatsapp")
    place = {"latitude": 52.52, "longitude": 13.4, "name": "Kiln"}
    assert isinstance(
        adapter.send(request(account, OutgoingPart(MessageKind.LOCATION, "Kiln", {"location": place}))), Sent
    )
    assert (whatsapp.sent[-1]["type"], whatsapp.sent[-1]["location"]) == ("location", place)
    card = {"name": "Zoe Sample", "phones": ["+49 30 1234"], "emails": [], "company": "Kiln Ltd"}
    assert isinstance(
        adapter.send(request(account, OutgoingPart(MessageKind.CONTACTS, "Zoe", {"contacts": [card]}))), Sent
    )
    assert whatsapp.sent[-1]["contacts"] == [
        {
            "name": {"formatted_name": "Zoe Sample", "first_name": "Zoe", "last_name": "Sample"},
            "phones": [{"phone": "+49 30 1234"}],
            "org": {"company": "Kiln Ltd"},
        }
    ]

    def sticker(size: int) -> OutgoingPart:
        file = OutgoingFile(MessageKind.IMAGE, "a.webp", "image/webp", size, None, lambda: BytesIO(b"RIFF"))
        return OutgoingPart(MessageKind.IMAGE, files=(file,))

    assert isinstance(adapter.send(request(account, sticker(1))), Sent)
    assert whatsapp.sent[-1]["type"] == "sticker"
    assert set(whatsapp.sent[-1]["sticker"]) == {"id"}
    count = len(whatsapp.sent)
    assert isinstance(adapter.send(request(account, sticker(500 * 1024 + 1))), Rejected)
    assert len(whatsapp.sent) == count


def request(account: AccountRef, part: OutgoingPart, to: str = "16505551234") -> SendRequest:
    return SendRequest(account, to, part, "f" * 32)


HELLO = OutgoingPart(MessageKind.TEXT, "Hello", reply_to="wamid.IN1")


def test_a_quote_and_a_reaction(desk: TrialDesk, account: AccountRef, whatsapp: Any) -> None:
    adapter = desk.adapter("whatsapp")
    assert isinstance(adapter.send(request(account, HELLO)), Sent)
    assert whatsapp.sent[-1]["context"] == {"message_id": "wamid.IN1"}
    assert adapter.react(ReactRequest(account, "16505551234", "wamid.IN1", "👍")) == Sent("wamid.IN1")
    assert whatsapp.sent[-1]["reaction"] == {"message_id": "wamid.IN1", "emoji": "👍"}


def test_typing_and_seen_name_the_newest_message(desk: TrialDesk, account: AccountRef, whatsapp: Any) -> None:
    adapter, newest = desk.adapter("whatsapp"), lambda: "wamid.IN9"
    assert adapter.capabilities.typing
    assert adapter.capabilities.mark_seen
    whatsapp.read.clear()
    adapter.mark_seen_until(account, "16505551234", newest)
    adapter.show_typing_after(account, "16505551234", True, newest)
    adapter.show_typing_after(account, "16505551234", False, newest)
    adapter.mark_seen_until(account, "16505551234", lambda: None)
    read = {"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.IN9"}
    assert whatsapp.read == [read, {**read, "typing_indicator": {"type": "text"}}]


@pytest.mark.parametrize(
    ("answer", "outcome", "whole"),
    [
        ((400, 131047, "Re-engagement message"), Rejected, True),
        ((400, 131026, "Message undeliverable"), Rejected, False),
        ((400, 132015, "Template is paused"), Rejected, False),
        ((429, 130429, "Rate limit hit"), NotSent, True),
        *(((400, code, "Too many calls"), NotSent, True) for code in (17, 32, 341, 613)),
        *(((400, code, "Too many calls"), NotSent, True) for code in range(80000, 80015)),
        ((429, 0, "Too many requests"), NotSent, True),
        ((429, 999999, "Something new"), NotSent, True),
        ((400, 368, "Temporarily blocked for policies violations"), NotSent, True),
        ((403, 131031, "Business Account locked"), NotSent, True),
        ((400, 131056, "Pair rate limit hit"), NotSent, False),
        ((403, 131048, "Spam rate limit hit"), NotSent, True),
        ((400, 131042, "Business eligibility payment issue"), NotSent, False),
        ((503, 131016, "Service unavailable"), NotSent, False),
        ((401, 190, "Error validating access token"), NotSent, True),
        ((403, 131005, "Access denied"), NotSent, True),
        ((400, 133010, "Phone number not registered"), NotSent, True),
        ((500, 1, "Unknown error"), Unknown, False),
        ((503, 2, "Temporary due to downtime"), Unknown, False),
        ((500, 0, "Unreadable"), Unknown, False),
        ((400, 999999, "Something new"), Rejected, False),
        (None, Unknown, False),
    ],
)
def test_what_an_answer_means_for_the_message(
    desk: TrialDesk, account: AccountRef, whatsapp: Any, answer: Any, outcome: type[Any], whole: bool
) -> None:
    whatsapp.refuse["messages"] = [answer]
    said = desk.adapter("whatsapp").send(request(account, HELLO))
    assert isinstance(said, outcome), said
    assert getattr(said, "whole_contact", getattr(said, "whole_account", False)) is whole
    assert said.problem.sentence
    assert TOKEN not in repr(said)


@pytest.mark.parametrize(
    "answer",
    [
        (401, 190, "Error validating access token"),
        (403, 200, "Permission error"),
        (403, 131005, "Access denied"),
    ],
)
@pytest.mark.parametrize(("name", "value"), [("token", "EAAreplaced"), ("scopes", [])])
def test_the_account_is_held_once_a_second_question_confirms_it(
    desk: TrialDesk,
    account: AccountRef,
    whatsapp: Any,
    monkeypatch: pytest.MonkeyPatch,
    answer: Any,
    name: str,
    value: Any,
) -> None:
    monkeypatch.setattr(whatsapp, name, value)
    whatsapp.refuse["messages"] = [answer]
    said = desk.adapter("whatsapp").send(request(account, HELLO))
    assert isinstance(said, Held), said
    assert TOKEN not in repr(said)


@pytest.mark.parametrize("path", ["messages", "media"])
@pytest.mark.parametrize("code", [200, 10, 131005])
def test_a_refusal_of_a_good_token_is_tried_again_soon_and_then_pauses(
    desk: TrialDesk, account: AccountRef, whatsapp: Any, code: int, path: str
) -> None:
    part = HELLO
    if path == "media":
        file = OutgoingFile(MessageKind.IMAGE, "mug.jpg", "image/jpeg", 9, None, lambda: BytesIO(b"p" * 9))
        part = OutgoingPart(MessageKind.IMAGE, files=(file,))
    waits = []
    for attempt in (1, 2, 3):
        whatsapp.refuse[path] = [(403, code, "Permission error")]
        said = desk.adapter("whatsapp").send(replace(request(account, part), attempt=attempt))
        assert isinstance(said, NotSent), said
        assert said.whole_account
        waits.append(said.retry_after)
    assert waits == [5, 300, 300]
    whatsapp.refuse["messages"] = [(403, code, "Permission error")]
    said = desk.adapter("whatsapp").react(ReactRequest(account, "16505551234", "wamid.IN1", "👍", attempt=2))
    assert said.retry_after == 300


def test_a_single_refusal_delays_a_reply_by_seconds(
    customer: NewCustomer, whatsapp: Any, desk: TrialDesk
) -> None:
    ann = customer()
    ann.writes("Hello?")
    whatsapp.refuse["messages"] = [(403, 200, "Permission error")]
    desk.reply(ann.phone, "Hi")
    desk.work()
    assert ann.thread[-1].state == "queued"
    desk.later(timedelta(seconds=6))
    assert ann.thread[-1].state == "sent"
    whatsapp.refuse["messages"] = [(403, 200, "Permission error")] * 2
    desk.reply(ann.phone, "Hi again")
    desk.work()
    for seconds, state in ((6, "queued"), (200, "queued"), (101, "sent")):
        desk.later(timedelta(seconds=seconds))
        assert ann.thread[-1].state == state


RIGHTS = ["whatsapp_business_messaging", "whatsapp_business_management"]


@pytest.mark.parametrize("gone", [*RIGHTS, "access"])
@pytest.mark.parametrize("answer", [(403, 10, "Permission denied"), (403, 131005, "Access denied")])
def test_a_right_taken_away_is_named_and_its_replies_leave_once_it_is_back(
    customer: NewCustomer,
    whatsapp: Any,
    desk: TrialDesk,
    account: AccountRef,
    monkeypatch: pytest.MonkeyPatch,
    answer: Any,
    gone: str,
) -> None:
    rights, ann = desk.module("rights"), customer()
    ann.writes("Still there?")
    number = f"{account.external_id}"
    with monkeypatch.context() as change:
        change.setattr(whatsapp, "scopes", [one for one in RIGHTS if one != gone])
        # Each time: a read that gets no answer is repeated.
        unseen = ((400, 100, "Object does not exist, or missing permissions"),)
        blind = unseen if gone == "access" else []
        change.setitem(whatsapp.refuse, number, blind)
        change.setitem(whatsapp.refuse, "messages", [answer])
        desk.reply(ann.phone, "Yes")
        desk.work()
        assert ann.thread[-1].state == "queued"
        state, reason = state_of(account)
        assert (state, reason) == ("needs_reconnect", rights.LOST.get(gone, rights.NO_ACCESS))
        assert told_of(account, reason) == 1, "in the bell, once"
        assert audited(account) == ("account.permission_lost", reason)
        rights.look_again()
        with pytest.raises(ValueError, match="still refuses"):
            rights.check(account, {})
        assert state_of(account)[0] == "needs_reconnect"
    whatsapp.refuse.pop(number, None)
    whatsapp.refuse.pop("messages", None)
    rights.look_again()
    desk.work()
    assert ann.thread[-1].state == "sent"
    assert state_of(account) == ("connected", None)
    assert told_of(account, reason) == 0
    assert audited(account) == ("account.permission_back", reason)


def test_a_number_that_may_send_says_so_when_checked(desk: TrialDesk, account: AccountRef) -> None:
    assert "may send again" in desk.module("rights").check(account, {})


def state_of(account: AccountRef) -> tuple[str, str | None]:
    with db.read() as session:
        row = session.get_one(ChannelAccount, account.id)
        return row.state, row.state_reason


def told_of(account: AccountRef, sentence: str) -> int:
    """Return how many unread notifications say *sentence*."""
    with db.read() as session:
        query = sa.select(Notification.sentence).where(Notification.read_at.is_(None))
        return len({one for one in session.scalars(query) if one == sentence})


def audited(account: AccountRef) -> tuple[str, str]:
    """Return the last entry about a permission."""
    query = sa.select(AuditEntry).where(AuditEntry.action.like("account.permission%"))
    with db.read() as session:
        one = session.scalars(query.order_by(AuditEntry.id.desc()).limit(1)).one()
        return one.action, one.details["reason"]


def warned_of(account: AccountRef) -> list[str]:
    (row,) = [one for one in overview("whatsapp") if one.account.id == account.id]
    return [one.kind for one in row.warnings]


def test_a_payment_that_fails_is_told_to_the_owner_and_the_reply_waits(
    customer: NewCustomer, whatsapp: Any, desk: TrialDesk, account: AccountRef
) -> None:
    ann = customer()
    ann.writes("How much?")
    whatsapp.refuse["messages"] = [(400, 131042, "Business eligibility payment issue")]
    desk.reply(ann.phone, "Ten")
    desk.work()
    assert ann.thread[-1].state == "queued"
    assert warned_of(account) == ["payment"]
    desk.later(timedelta(minutes=11))
    assert ann.thread[-1].state == "sent"
    sent = f"wamid.OUT{whatsapp.number}"
    ann.told(ann.status("delivered", sent, pricing={"billable": False}))
    assert warned_of(account) == ["payment"], "this one was free"
    desk.reply(ann.phone, "Or twelve")
    desk.work()
    ann.told(ann.status("delivered", f"wamid.OUT{whatsapp.number}", pricing={"billable": True}))
    assert warned_of(account) == []


def test_a_payment_that_fails_later_is_told_to_the_owner(
    customer: NewCustomer, whatsapp: Any, desk: TrialDesk, account: AccountRef
) -> None:
    ann = customer()
    ann.writes("How much?")
    desk.reply(ann.phone, "Ten")
    desk.work()
    sent, error = f"wamid.OUT{whatsapp.number}", {"code": 131042, "title": "Payment issue"}
    ann.told(ann.status("failed", sent, errors=[error]))
    assert warned_of(account) == ["payment"]
    assert ann.thread[-1].state == "failed"
    with db.read() as session:
        error = session.get_one(Message, ann.thread[-1].id).error or {}
    assert "send it again" in error["next_step"]
    ann.told(ann.status("delivered", sent, pricing={"billable": True}))
    assert warned_of(account) == []


def test_an_upload_that_breaks_off_is_no_message(
    customer: NewCustomer, whatsapp: Any, desk: TrialDesk
) -> None:
    ann = customer()
    ann.writes("Photo?")
    whatsapp.refuse["media"] = [None, (500, 1, "Unknown error")]
    before = len(whatsapp.sent)
    desk.reply(ann.phone, "", files=[("mug.jpg", picture())])
    desk.work()
    assert (ann.thread[-1].state, len(whatsapp.sent)) == ("queued", before)
    desk.later(timedelta(minutes=5))
    assert ann.thread[-1].state == "sent"
    assert len(whatsapp.sent) == before + 1


def test_a_token_that_was_replaced_makes_the_replies_wait(
    customer: NewCustomer, whatsapp: Any, desk: TrialDesk, account: AccountRef
) -> None:
    ann = customer()
    ann.writes("Still there?")
    whatsapp.token = "EAAreplacedTokenOfTheStandIn02"
    desk.reply(ann.phone, "Yes")
    desk.work()
    assert ann.thread[-1].state == "queued"
    desk.connect("whatsapp", {**VALUES, "token": whatsapp.token}, account=account)
    desk.later(timedelta(minutes=1))
    assert ann.thread[-1].state == "sent"
    whatsapp.token = TOKEN
    desk.connect("whatsapp", VALUES, account=account)


def test_the_reply_window_is_a_day(customer: NewCustomer, desk: TrialDesk, account: AccountRef) -> None:
    policy, now = desk.adapter("whatsapp").reply_policy, clock.now()
    states = [
        policy(ReplyContext(account, now, None if hours is None else now - timedelta(hours=hours))).state
        for hours in (None, 0, 23, 24, 100)
    ]
    closed, is_open = ReplyState.CLOSED, ReplyState.OPEN
    assert states == [closed, is_open, is_open, closed, closed]
    ann = customer()
    ann.writes("Hello?")
    with clock_moved(timedelta(hours=25)), pytest.raises(LobbyError):
        desk.reply(ann.phone, "Too late")


def clock_moved(time: timedelta) -> Any:
    from host.core import clock as hosts

    return hosts.travel(time)


# Templates


def test_templates_are_listed_with_keys_of_their_own(desk: TrialDesk, account: AccountRef) -> None:
    adapter = desk.adapter("whatsapp")
    found, after = [], ""
    while True:
        page = adapter.approved_templates(account, after)
        found += page.templates
        if not (after := page.after):
            break
    for one in found:
        check_approved_template(one, adapter.capabilities)
    shipped, sale, *others = found
    assert (shipped.language, shipped.header.text) == ("en-US", "Order {{header.1}}")
    assert shipped.body == "Hello {{1}}, your order is on its way. It arrives {{2}}."
    assert [(one.key, one.example) for one in shipped.parameters] == [
        ("header.1", "A-17"),
        ("1", "Zoe"),
        ("2", "on Monday"),
        ("button.1", "17"),
    ]
    assert [one.url for one in shipped.buttons] == ["", "https://shop.example/{{button.1}}", ""]
    assert (sale.header.kind, sale.promotional) == (MessageKind.IMAGE, True)
    assert [one.key for one in sale.parameters] == ["first_name"]
    assert [(one.name, str(one.state)) for one in others] == [
        ("old_offer", "paused"),
        ("login_code", "disabled"),
        ("of_next_year", "disabled"),
    ]
    assert adapter.find_approved_template(account, "9001") == shipped
    assert (
        adapter.find_approved_template(account, "9999").sentence == "This template no longer exists at Meta."
    )


def test_a_template_is_sent_with_the_values_of_each_part(
    desk: TrialDesk, account: AccountRef, whatsapp: Any
) -> None:
    values = {"header.1": "B-18", "2": "to\n\tday", "1": "Ann", "button.1": "18"}
    chosen = {"id": "9001", "name": "order_shipped", "language": "en-US", "parameters": values}
    part = OutgoingPart(MessageKind.APPROVED_TEMPLATE, "Hello Ann", {"approved_template": chosen})
    assert isinstance(desk.adapter("whatsapp").send(request(account, part)), Sent)
    told = whatsapp.sent[-1]["template"]
    assert (told["name"], told["language"]) == ("order_shipped", {"code": "en_US"})
    text = [{"type": "text", "text": one} for one in ("B-18", "Ann", "to day", "18")]
    assert told["components"] == [
        {"type": "header", "parameters": text[:1]},
        {"type": "body", "parameters": text[1:3]},
        {"type": "button", "sub_type": "url", "index": "1", "parameters": text[3:]},
    ]
    chosen = {"id": "9002", "name": "spring_sale", "language": "en-US", "parameters": {"first_name": "Ann"}}
    file = OutgoingFile(MessageKind.IMAGE, "sale.jpg", "image/jpeg", 3, None, lambda: BytesIO(b"jpg"))
    part = OutgoingPart(MessageKind.APPROVED_TEMPLATE, "Ann", {"approved_template": chosen}, (file,))
    assert isinstance(desk.adapter("whatsapp").send(request(account, part)), Sent)
    head, body = whatsapp.sent[-1]["template"]["components"]
    assert head["parameters"][0]["image"]["id"] in whatsapp.uploads
    assert body["parameters"] == [{"type": "text", "parameter_name": "first_name", "text": "Ann"}]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("+16505551234", "16505551234"),
        ("16505551234", "16505551234"),
        ("US.13491208655302741001", "US.13491208655302741001"),
        ("+0151123456", None),
        ("+123456", None),
        ("+1650555123456789", None),
        ("+1650٣٤٥٦٧", None),
        ("ana@example.org", None),
        ("", None),
    ],
)
def test_whom_a_template_can_be_sent_to_first(
    desk: TrialDesk, account: AccountRef, address: str, expected: str | None
) -> None:
    adapter = desk.adapter("whatsapp")
    assert adapter.id_for_address(account, address) == expected
    own = "".join(one for one in account.handle if one.isdigit())
    assert adapter.id_for_address(account, f"+{own}") is None, "nobody writes to themselves"
    assert adapter.reply_policy(ReplyContext(account, clock.now(), None)).state is ReplyState.CLOSED
    assert adapter.approved_policy(ReplyContext(account, clock.now(), None)).state is ReplyState.OPEN


# The account


def banned(state: object) -> dict[str, Any]:
    return {"ban_info": {"waba_ban_state": state, "waba_ban_date": "December 9, 2026"}}


def shared(app: str = "") -> dict[str, Any]:
    return {"waba_info": {"waba_id": BUSINESS, **({"partner_app_id": app} if app else {})}}


def of_business(field: str, value: Any, *, entry: str = BUSINESS) -> dict[str, Any]:
    """Return a delivery about a whole WhatsApp Business Account."""
    changes = [{"field": field, "value": value}]
    of_entry = {"id": entry, "time": int(clock.now().timestamp()), "changes": changes}
    return {"object": "whatsapp_business_account", "entry": [of_entry]}


@pytest.mark.parametrize(
    ("field", "value", "kind", "bad"),
    [
        ("account_update", {"event": "ACCOUNT_RESTRICTION"}, "restricted", True),
        ("account_update", {"event": "DISABLED_UPDATE", **banned("DISABLE")}, "restricted", True),
        ("account_update", {"event": "DISABLED_UPDATE", **banned(["DISABLE"])}, "restricted", True),
        (
            "account_update",
            {"event": "DISABLED_UPDATE", **banned("SCHEDULE_FOR_DISABLE")},
            "restricted",
            True,
        ),
        ("account_update", {"event": "DISABLED_UPDATE", **banned("REINSTATE")}, "restricted", None),
        ("account_update", {"event": "DISABLED_UPDATE"}, "restricted", True),
        ("account_update", {"event": "ACCOUNT_DELETED"}, "connection", True),
        ("account_update", {"event": "PARTNER_REMOVED", **shared()}, "connection", True),
        ("account_update", {"event": "PARTNER_APP_UNINSTALLED", **shared(APP)}, "connection", True),
        ("account_update", {"event": "ACCOUNT_OFFBOARDED"}, "connection", True),
        ("account_update", {"event": "ACCOUNT_RECONNECTED"}, "connection", None),
        ("account_update", {"event": "PARTNER_ADDED", **shared()}, "connection", None),
        ("account_update", {"event": "VERIFIED_ACCOUNT"}, "", False),
        ("flows", {"event": "FLOW_STATUS_CHANGE"}, "", False),
        ("a_field_of_tomorrow", {}, "", False),
        ("phone_number_quality_update", {"event": "FLAGGED"}, "quality", False),
        (
            "message_template_status_update",
            {"event": "PAUSED", "message_template_name": "order_ready"},
            *("template", False),
        ),
        ("message_template_status_update", {"event": "APPROVED"}, "", False),
    ],
)
def test_what_meta_says_of_the_account(
    customer: NewCustomer,
    desk: TrialDesk,
    account: AccountRef,
    field: str,
    value: Any,
    kind: str,
    bad: bool | None,
) -> None:
    """*bad*: None where it is over."""
    told = of_business(field, value, entry="77" if "waba_info" in value else BUSINESS)
    assert customer().deliver(told) == 200
    webhook = desk.module("webhook")
    book = desk.module("accounts").book.get()
    (envelope,) = webhook.cut(json.dumps(told).encode(), book, SECRET.encode())
    (change,) = desk.adapter("whatsapp").parse(envelope)
    if kind:
        assert isinstance(change, AccountNoticed)
        assert (change.kind, change.bad, change.over) == (kind, bool(bad), bad is None)
        assert bool(change.sentence) is not change.over
        assert "%" not in change.sentence % dict(change.details)
    else:
        assert isinstance(change, Ignored)
        assert field in change.reason


@pytest.mark.parametrize(
    ("field", "value", "ignored", "set_aside"),
    [
        (
            "account_update",
            {"event": "PARTNER_APP_UNINSTALLED", **shared("9876")},
            "about another Meta app",
            "",
        ),
        ("account_review_update", {"waba_info": {"waba_id": "4711"}}, "not connected here", ""),
        ("messages", {"messages": [{"id": "wamid.1"}]}, "", "names no number"),
    ],
)
def test_what_is_not_of_a_number_here(
    desk: TrialDesk, account: AccountRef, field: str, value: Any, ignored: str, set_aside: str
) -> None:
    """Messages are kept to be applied again; events about other accounts are ignored by name."""
    body = json.dumps(of_business(field, value)).encode()
    (envelope,) = desk.module("webhook").cut(body, desk.module("accounts").book.get(), SECRET.encode())
    assert ignored in envelope.ignored
    assert set_aside in envelope.set_aside
    assert bool(ignored) is bool(envelope.ignored)
    assert bool(set_aside) is bool(envelope.set_aside)


def test_disconnecting_takes_the_deliveries_back(
    desk: TrialDesk, account: AccountRef, whatsapp: Any, customer: NewCustomer
) -> None:
    desk.disconnect(account)
    assert whatsapp.override == {}
    ann = customer()
    late = ann.message(type="text", text={"body": "Late"})
    assert ann.deliver(late) == 401
    assert desk.connect("whatsapp", VALUES) == account
    assert ann.deliver(late) == 200


@pytest.mark.parametrize(
    ("code", "final"), [(131047, True), (131050, True), (131026, False), (131042, False)]
)
def test_what_meta_would_refuse_again_is_not_offered_again(desk: TrialDesk, code: int, final: bool) -> None:
    errors = desk.module("errors")
    assert errors.problem_of(errors.meaning(code), code, "").final is final
