"""WhatsApp: what the Cloud API accepts, what it refuses, and with which error."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.whatsapp import errors, files, seed
from tests.sandbox.cloud import ANA, GIL, NUMBER, ROSA, WABA, Cloud, problem, told, values
from tests.sandbox.helpers import Desk

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20
BUTTONS = {"type": "button", "body": {"text": "Which?"}}
ROW = {"id": "r1", "title": "Monday", "description": "all day"}


def button(number: int) -> dict[str, Any]:
    return {"type": "reply", "reply": {"id": f"b{number}", "title": f"Choice {number}"}}


def test_the_answer_names_the_number_as_given_and_as_known(cloud: Cloud) -> None:
    cloud.act(customer=GIL)
    answer = cloud.send(to="+55 11 99000-0004").json()
    assert answer["messaging_product"] == "whatsapp"
    assert answer["contacts"] == [{"input": "+55 11 99000-0004", "wa_id": GIL}]
    assert [message["id"][:6] for message in answer["messages"]] == ["wamid."]


def test_a_person_is_reached_by_user_id(linked: Cloud, desk: Desk) -> None:
    user_id = "GB.13491208655302741003"
    linked.control("PATCH", f"customers/{ROSA}", {"hides_number": True})
    linked.act(customer=ROSA)
    answer = linked.send(to=None, recipient=user_id).json()
    assert answer["contacts"] == [{"input": user_id, "user_id": user_id}]
    linked.meta.idle()
    received, sent = values(desk)[0], values(desk)[1]
    assert received["contacts"] == [
        {"profile": {"name": "Rosa S.", "username": "@rosa.sample"}, "user_id": user_id}
    ]
    assert received["messages"][0]["from_user_id"] == user_id
    assert "from" not in received["messages"][0]
    assert sent["statuses"][0]["recipient_user_id"] == user_id
    assert "recipient_id" not in sent["statuses"][0]


ASKING = {
    "type": "request_contact_info",
    "body": {"text": "On which number can we call you?"},
    "action": {"name": "request_contact_info"},
}


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("text", {"body": "See https://shop.example", "preview_url": True}),
        ("location", {"latitude": 52.5, "longitude": "13.4", "name": "Shop", "address": "Main Street 1"}),
        ("contacts", [{"name": {"formatted_name": "Mia S.", "first_name": "Mia"}, "phones": []}]),
        ("interactive", {**BUTTONS, "action": {"buttons": [button(1), button(2), button(3)]}}),
        (
            "interactive",
            {
                "type": "list",
                "header": {"type": "text", "text": "Days"},
                "body": {"text": "When?"},
                "footer": {"text": "Sample Pottery"},
                "action": {"button": "Choose", "sections": [{"title": "Week", "rows": [ROW]}]},
            },
        ),
        (
            "interactive",
            {
                "type": "cta_url",
                "body": {"text": "The shop"},
                "action": {
                    "name": "cta_url",
                    "parameters": {"display_text": "Open", "url": "https://shop.example"},
                },
            },
        ),
        ("interactive", ASKING),
    ],
)
def test_each_type_is_accepted_and_delivered(linked: Cloud, desk: Desk, kind: str, content: Any) -> None:
    linked.act()
    mid = linked.sent(kind, content)
    linked.meta.idle()
    assert told(desk) == [("sent", mid), ("delivered", mid)]


def test_a_customer_shares_their_number_only_when_asked(linked: Cloud, desk: Desk) -> None:
    linked.control("PATCH", f"customers/{ANA}", {"hides_number": True})
    linked.act()
    linked.control("POST", "message", {"customer": ANA, "kind": "contact_request"}, 400)
    linked.sent("interactive", ASKING)
    linked.act("contact_request")
    linked.act("contact", own=True)
    linked.act("contact")
    linked.meta.idle()
    messages = [one for value in values(desk) for one in value.get("messages", [])]
    cards = [one["contacts"][0] for one in messages if one["type"] == "contacts"]
    assert [one["origin"] for one in cards] == ["contact_request", "other", "other"]
    assert [one["phones"][0]["wa_id"] == ANA for one in cards] == [True, True, False]


FILES = {"image": PNG, "document": b"%PDF-1.4"}
OFFICE = "application/vnd.openxmlformats-officedocument"


@pytest.mark.parametrize(
    ("mime_type", "data", "says"),
    [
        ("text/plain", b"mug: 8", ""),
        (f"{OFFICE}.wordprocessingml.document", b"PK\3\4word/document.xml", ""),
        ("application/msword", files.OLE[0], ""),
        ("audio/ogg", files.voice(), ""),
        ("application/pdf", b"mug: 8", "is not of the type application/pdf"),
        (f"{OFFICE}.spreadsheetml.sheet", b"PK\3\4word/document.xml", "is not of the type"),
        ("text/plain", b"\0\1", "is not text"),
        ("audio/ogg", b"OggS\0vorbis", "Only OPUS codecs are supported"),
        ("audio/ogg", files.voice().replace(b"OpusHead\1\1", b"OpusHead\1\2"), "Only mono"),
        ("audio/mp4", b"\x1a\x45\xdf\xa3webm", "is not of the type audio/mp4"),
        ("application/zip", b"PK\3\4", "must be a file with one of the following types"),
    ],
)
def test_files_are_what_they_are_called(cloud: Cloud, mime_type: str, data: bytes, says: str) -> None:
    form = {"messaging_product": "whatsapp", "type": mime_type}
    answer = cloud.call("POST", f"{NUMBER}/media", data=form, files={"file": ("a", data, mime_type)})
    assert (answer.status_code == 200) == (not says)
    assert says in answer.text


@pytest.mark.parametrize("kind", ["image", "document"])
def test_files_are_sent_by_id_and_by_link(linked: Cloud, desk: Desk, kind: str) -> None:
    linked.act()
    form = {"messaging_product": "whatsapp", "type": "image/png"}
    if kind == "document":
        form["type"] = "application/pdf"
    uploaded = linked.call(
        "POST", f"{NUMBER}/media", data=form, files={"file": ("a", FILES[kind], form["type"])}
    )
    by_id = linked.sent(kind, {"id": uploaded.json()["id"], "caption": "Here"})
    picture = f"{linked.meta.url}/media/profile/1.png"
    by_link = linked.sent(kind, {"link": picture})
    linked.meta.idle()
    assert told(desk) == [(word, mid) for mid in (by_id, by_link) for word in ("sent", "delivered")]
    thread = linked.control("GET", f"messages?customer={ANA}")["messages"]
    assert thread[-2]["text"] == "Here"
    assert thread[-1]["media_id"]


@pytest.mark.parametrize(
    ("kind", "content", "more", "expected"),
    [
        ("text", {}, {}, (400, 100, "(#100) The parameter text['body'] is required.")),
        ("text", {"body": "x" * 4097}, {}, (400, 100, "must be at most 4096 characters")),
        ("text", None, {"messaging_product": "sms"}, (400, 100, "messaging_product is required")),
        ("text", None, {"to": ""}, (400, 100, "The parameter to is required")),
        ("text", None, {"to": "Ana"}, (400, 131009, "The phone number is malformed")),
        ("text", None, {"to": "15550100100"}, (400, 131021, "Sender and recipient")),
        ("text", None, {"type": "dance"}, (400, 100, "Param type must be one of")),
        ("text", None, {"type": "order"}, (400, 131051, "Message type is currently not supported.")),
        ("text", None, {"context": {}}, (400, 100, "context['message_id'] is required")),
        ("image", {}, {}, (400, 100, "image['id'] or image['link'] is required")),
        ("image", {"id": "1"}, {}, (400, 100, "not a valid whatsapp business account media attachment ID")),
        ("image", {"link": "ftp://x"}, {}, (400, 100, "is not a valid URI")),
        ("audio", {"link": "http://x", "caption": "no"}, {}, (400, 100, 'Unexpected key "caption"')),
        ("location", {"latitude": 91, "longitude": 1}, {}, (400, 131009, "latitude")),
        ("contacts", [{"name": {}}], {}, (400, 131008, "formatted_name")),
        ("reaction", {"message_id": "wamid.x", "emoji": "ok"}, {}, (400, 131009, "emoji")),
        (
            "interactive",
            {**BUTTONS, "action": {"buttons": [button(at) for at in range(4)]}},
            {},
            (400, 131009, "Invalid buttons count. Min allowed buttons: 1, Max allowed buttons: 3"),
        ),
        (
            "interactive",
            {**BUTTONS, "action": {"buttons": [button(10**20)]}},
            {},
            (400, 131009, "Button title invalid length. Min length: 1, Max length: 20"),
        ),
        (
            "interactive",
            {
                **BUTTONS,
                "action": {"buttons": [button(1), {**button(2), "reply": {"id": "x", "title": "choice 1"}}]},
            },
            {},
            (400, 131009, "Buttons titles must be unique"),
        ),
        (
            "interactive",
            {
                **BUTTONS,
                "action": {"buttons": [button(1), {**button(2), "reply": {"id": "b1", "title": "x"}}]},
            },
            {},
            (400, 131009, "Buttons ids must be unique"),
        ),
        (
            "interactive",
            {
                "type": "list",
                "body": {"text": "When?"},
                "action": {
                    "button": "Choose",
                    "sections": [{"rows": [{**ROW, "id": str(at)} for at in range(11)]}],
                },
            },
            {},
            (400, 131009, "Total row count exceed max allowed count: 10"),
        ),
        ("interactive", {**ASKING, "type": "contact_request"}, {}, (400, 100, "interactive['type'] must be")),
        ("interactive", {**ASKING, "body": {"text": "x" * 1025}}, {}, (400, 100, "must be at most 1024")),
        ("interactive", {**ASKING, "action": {"name": "ask"}}, {}, (400, 131009, "request_contact_info")),
        ("interactive", {**ASKING, "body": None}, {}, (400, 100, "interactive['body'] is required")),
    ],
)
def test_what_is_not_a_message_is_refused(
    cloud: Cloud, kind: str, content: Any, more: Any, expected: tuple[int, int, str]
) -> None:
    cloud.act()
    body = {"messaging_product": "whatsapp", "to": ANA, "type": kind, kind: content or {"body": "hi"}, **more}
    if content is not None:
        body[kind] = content
    status, code, says = problem(cloud.call("POST", f"{NUMBER}/messages", json=body))
    assert (status, code) == expected[:2]
    assert expected[2] in says
    assert cloud.meta.ledger("send") == []


def test_the_shape_of_an_error(cloud: Cloud) -> None:
    cloud.control("PATCH", "number", {"account_mode": "SANDBOX", "allowed": [GIL]})
    answer = cloud.send()
    error = answer.json()["error"]
    assert error.pop("fbtrace_id")
    assert error == {
        "message": "(#131030) Recipient phone number not in allowed list",
        "type": "OAuthException",
        "code": 131030,
        "error_data": {
            "messaging_product": "whatsapp",
            "details": "Recipient phone number not in allowed list: Add recipient phone number to "
            "recipient list and try again.",
        },
    }
    cloud.control("PATCH", "number", {"allowed": [ANA]})
    assert cloud.send().status_code == 200


def test_who_may_not_send(cloud: Cloud) -> None:
    assert problem(cloud.call("POST", f"{NUMBER}/messages", "wrong"))[:2] == (401, 190)
    cloud.meta.control("PATCH", "tokens/whatsapp-long", {"scopes": ["whatsapp_business_management"]})
    assert problem(cloud.send())[:2] == (403, 200)
    cloud.meta.control(
        "PATCH", "tokens/whatsapp-long", {"scopes": seed.SCOPES, "valid": False, "subcode": 460}
    )
    answer = cloud.send()
    assert (answer.status_code, answer.json()["error"]["error_subcode"]) == (401, 460)
    cloud.meta.control("PATCH", "tokens/whatsapp-long", {"valid": True})
    cloud.control("PATCH", "number", {"registered": False})
    assert problem(cloud.send())[:2] == (400, 133010)
    pin = {"messaging_product": "whatsapp", "pin": "000000"}
    assert problem(cloud.call("POST", f"{NUMBER}/register", json=pin))[:2] == (400, 133005)
    assert cloud.call("POST", f"{NUMBER}/register", json={**pin, "pin": "123456"}).json() == {"success": True}
    cloud.control("PATCH", "account", {"blocked_for_policy": True})
    assert problem(cloud.send())[:2] == (403, 368)


def test_outside_the_window_a_message_is_accepted_and_fails(linked: Cloud, desk: Desk) -> None:
    linked.act()
    linked.meta.control("POST", "clock", {"advance": 24 * 3600 + 1})
    mid = linked.sent()
    linked.meta.idle()
    failed = values(desk)[-1]
    assert "contacts" not in failed
    status = failed["statuses"][0]
    assert (status["id"], status["status"], status["recipient_id"]) == (mid, "failed", ANA)
    assert "recipient_user_id" not in status
    assert status["errors"][0]["code"] == 131047
    assert status["errors"][0]["title"] == "Re-engagement message"
    assert "more than 24 hours" in status["errors"][0]["error_data"]["details"]
    linked.control("PATCH", "settings", {"refuse_at_once": True})
    assert problem(linked.send())[:2] == (400, 131047)
    linked.act()
    assert linked.send().status_code == 200


def test_undeliverable_messages_fail(linked: Cloud, desk: Desk) -> None:
    linked.act()
    linked.control("PATCH", f"customers/{ANA}", {"blocked": True})
    for to in (ANA, "4915112345678"):
        mid = linked.sent(to=to)
        linked.meta.idle()
        assert told(desk)[-1] == ("failed", mid)
        assert values(desk)[-1]["statuses"][0]["errors"][0]["code"] == 131026


def test_a_link_that_leads_nowhere_fails(linked: Cloud, desk: Desk) -> None:
    linked.act()
    linked.sent("image", {"link": f"{linked.meta.url}/media/none"})
    linked.meta.idle()
    error = values(desk)[-1]["statuses"][0]["errors"][0]
    assert error["code"] == 131053
    assert error["error_data"]["details"].startswith(
        "Downloading media from weblink failed with http code 404"
    )


def test_rates(cloud: Cloud) -> None:
    cloud.act()
    cloud.meta.control("PATCH", "settings", {"enforce_rates": True})
    answers = [cloud.send() for _ in range(46)]
    assert [answer.status_code for answer in answers[:45]] == [200] * 45
    assert problem(answers[45])[:2] == (400, 131056)
    cloud.meta.control("POST", "clock", {"advance": 300})
    assert cloud.send().status_code == 200


def template(name: str, language: str = "en", *components: Any) -> dict[str, Any]:
    return {"name": name, "language": {"code": language}, "components": list(components)}


def texts(*words: str, kind: str = "body") -> dict[str, Any]:
    return {"type": kind, "parameters": [{"type": "text", "text": word} for word in words]}


HEADER = {"type": "header", "parameters": [{"type": "image", "image": {"link": "http://127.0.0.1:9/x.png"}}]}
URL = {"type": "button", "sub_type": "url", "index": "2", "parameters": [{"type": "text", "text": "spring"}]}

LONG = {"type": "text", "text": "x" * 2000}


def quick(payload: str) -> dict[str, Any]:
    parameters = [{"type": "payload", "payload": payload}]
    return {"type": "button", "sub_type": "quick_reply", "index": "0", "parameters": parameters}


def test_a_number_counts_more_than_an_id(cloud: Cloud) -> None:
    user_id, parent = "GB.13491208655302741003", "GB.ENT.7"
    cloud.control("PATCH", f"customers/{ROSA}", {"parent_id": parent})
    cloud.act()
    cloud.act(customer=ROSA)
    assert cloud.send(to=ANA, recipient=user_id).json()["contacts"] == [{"input": ANA, "wa_id": ANA}]
    to_parent = cloud.send(to=None, recipient=parent)
    assert to_parent.json()["contacts"][0]["input"] == parent
    assert problem(cloud.send(to=user_id))[:2] == (400, 131009)
    assert problem(cloud.send(to=None, recipient="GB.1"))[:2] == (400, 131009)
    login = template("sign_in_code", "en", texts("123456"), {**URL, "index": "0"})
    code = cloud.send("template", login, to=None, recipient=user_id)
    assert problem(code) == (400, 131062, errors.KNOWN[131062].details)


@pytest.mark.parametrize("kind", ["image", "video", "document"])
def test_a_caption_has_an_end(cloud: Cloud, kind: str) -> None:
    cloud.meta.control("PATCH", "settings", {"fetch_media": False})
    cloud.act()
    link = {"link": "http://127.0.0.1:9/x"}
    assert cloud.send(kind, {**link, "caption": "x" * 1024}).status_code == 200
    status, code, says = problem(cloud.send(kind, {**link, "caption": "x" * 1025}))
    assert (status, code, "at most 1024" in says) == (400, 100, True)


def test_a_file_of_another_type_is_refused(cloud: Cloud) -> None:
    cloud.act()
    form = {"messaging_product": "whatsapp", "type": "image/png"}
    sent = cloud.call("POST", f"{NUMBER}/media", data=form, files={"file": ("a", PNG, "image/png")})
    for kind in ("video", "sticker", "audio"):
        status, code, says = problem(cloud.send(kind, {"id": sent.json()["id"]}))
        assert (status, code) == (400, 131053)
        assert f"Unsupported {kind.title()} mime type image/png." in says


def test_a_template_opens_a_conversation(linked: Cloud, desk: Desk) -> None:
    linked.meta.control("PATCH", "settings", {"fetch_media": False})
    answer = linked.send("template", template("spring_sale", "en", HEADER, texts("Ana"), URL)).json()
    assert answer["messages"][0]["message_status"] == "accepted"
    linked.meta.idle()
    assert values(desk)[0]["statuses"][0]["pricing"] == {
        "billable": True,
        "pricing_model": "PMP",
        "category": "marketing",
        "type": "regular",
    }
    shown = linked.control("GET", f"messages?customer={ANA}")["messages"][0]
    assert shown["text"] == "Hello Ana, our spring sale has begun.\nSample Pottery"
    assert [each["id"] for each in shown["buttons"]] == [
        "Yes, please",
        "No, thanks",
        "https://shop.example/sale/spring",
    ]


def test_a_named_template(cloud: Cloud) -> None:
    named = [
        {"type": "text", "parameter_name": name, "text": text}
        for name, text in (("day", "Friday"), ("customer_name", "Ana"))
    ]
    body = {"type": "body", "parameters": named}
    cloud.sent("template", template("delivery_day", "en", body))
    shown = cloud.control("GET", f"messages?customer={ANA}")["messages"][0]
    assert shown["text"] == "Hello Ana, your parcel arrives on Friday."
    nameless = cloud.send("template", template("delivery_day", "en", texts("Ana", "Friday")))
    assert problem(nameless) == (400, 100, "Parameter name is missing or empty")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (template("nothing"), (404, 132001, "template name (nothing) does not exist in en")),
        (template("order_update", "fr"), (404, 132001, "does not exist in fr")),
        (template("new_opening_hours"), (404, 132001, "does not exist")),
        (template("too_loud"), (404, 132001, "does not exist")),
        (template("winter_sale"), (400, 132015, "paused")),
        (template("old_sale"), (400, 132016, "paused too many times")),
        (
            template("order_update", "en", texts("Ana")),
            (
                400,
                132000,
                "body: number of localizable_params (1) does not match the expected number of params (2)",
            ),
        ),
        (template("order_update", "en", texts("Ana", "4\n7")), (400, 132018, "cannot have new-line")),
        (template("order_update", "en", texts("Ana", "4", "7")), (400, 132000, "(3) does not match")),
        (template("spring_sale", "en", HEADER, texts("Ana"), URL, URL), (400, 132018, "takes one parameter")),
        (
            template("spring_sale", "en", HEADER, texts("Ana"), {**URL, "parameters": URL["parameters"] * 2}),
            (400, 132018, "takes one parameter"),
        ),
        (
            template("spring_sale", "en", HEADER, texts("Ana"), URL, {**URL, "index": "3"}),
            (400, 132018, "index 3 does not exist"),
        ),
        (
            template("spring_sale", "en", HEADER, texts("Ana"), URL, {**URL, "index": "0"}),
            (400, 132018, "Button at index 0 must be of type QuickReply"),
        ),
        (
            template("spring_sale", "en", HEADER, texts("Ana"), URL, quick("x" * 257)),
            (400, 132018, "exceeds the parameter length limit 256"),
        ),
        (
            template(
                "spring_sale", "en", HEADER, texts("Ana"), {**URL, "parameters": [{"text": "x" * 2000}]}
            ),
            (400, 132018, "exceeds the length limit 2000"),
        ),
        (template("sign_in_code", "en", texts("1" * 16)), (400, 132018, "parameter length limit 15")),
        (template("order_update", "en", texts("Ana", "x" * 1100)), (400, 132005, "more than 1024")),
        (
            template("spring_sale", "en", texts("Ana"), URL),
            (400, 132012, "header: Format mismatch, expected IMAGE, received UNKNOWN"),
        ),
        (
            template("spring_sale", "en", HEADER, texts("Ana")),
            (400, 131008, "buttons: Button at index 2 of type Url requires a parameter"),
        ),
    ],
)
def test_templates_that_do_not_fit(cloud: Cloud, content: Any, expected: tuple[int, int, str]) -> None:
    status, code, says = problem(cloud.send("template", content))
    assert (status, code) == expected[:2]
    assert expected[2] in says


def test_reading_and_typing(cloud: Cloud) -> None:
    first, second = cloud.act()["mid"], cloud.act(text="more")["mid"]
    read = {"messaging_product": "whatsapp", "status": "read", "message_id": first}
    assert cloud.call("POST", f"{NUMBER}/messages", json=read).json() == {"success": True}

    def marks() -> list[str]:
        return [each["status"] for each in cloud.control("GET", f"messages?customer={ANA}")["messages"]]

    assert marks() == ["read", ""]
    read |= {"message_id": second, "typing_indicator": {"type": "text"}}
    assert cloud.call("POST", f"{NUMBER}/messages", json=read).json() == {"success": True}
    assert marks() == ["read", "read"]
    assert cloud.meta.control("GET", "whatsapp")["customers"][0]["typing"] is True
    wrong = cloud.call("POST", f"{NUMBER}/messages", json={**read, "message_id": "wamid.none"})
    assert problem(wrong)[:2] == (400, 131009)


def test_reactions_and_replies_of_the_business(linked: Cloud, desk: Desk) -> None:
    mid = linked.act()["mid"]
    linked.sent("reaction", {"message_id": mid, "emoji": "👍"})
    linked.sent("text", {"body": "Yes"}, context={"message_id": mid})
    linked.meta.idle()
    thread = linked.control("GET", f"messages?customer={ANA}")["messages"]
    assert thread[0]["reactions"] == {"business": "👍"}
    assert thread[-1]["context"] == {"id": mid}
    linked.sent("reaction", {"message_id": mid, "emoji": ""})
    linked.meta.idle()
    assert linked.control("GET", f"messages?customer={ANA}")["messages"][0]["reactions"] == {}
    lost = linked.sent("reaction", {"message_id": "wamid.none", "emoji": "👍"})
    linked.meta.idle()
    assert told(desk)[-1] == ("failed", lost)


def test_faults_answer_in_the_cloud_apis_words(linked: Cloud, desk: Desk) -> None:
    linked.act()
    linked.meta.fault("send", "error", code=131048, times=1, match={"customer": ANA})
    status, code, says = problem(linked.send())
    assert (status, code) == (400, 131048)
    assert "restrictions on how many messages" in says
    linked.meta.fault("send", "error", code=130429, times=1, match={"account": WABA, "text": "hi"})
    assert linked.send().json()["error"]["message"] == "(#130429) Rate limit hit"
    linked.meta.fault("send", "reset", times=1)
    with pytest.raises(Exception, match=r"reset|aborted|closed"):
        linked.send()
    linked.meta.idle()
    assert [word for word, _ in told(desk)] == ["sent", "delivered"]
    assert [entry["answered"] for entry in linked.meta.ledger("send")] == [False]
