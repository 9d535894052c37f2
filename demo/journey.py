"""The steps of the demo: one function per step, in the order a team would follow."""

from __future__ import annotations

import html
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from functools import partial
from typing import Any

import requests
from lobby_client import Lobby
from lobby_client.types import SendApprovedTemplate, SendLocation, SendText

from demo.outside import Outside, write_mail, written_mail
from demo.person import PageError, Person
from demo.processes import CHECKOUT, Host, Sandbox
from demo.push import BrowserKeys, verified
from sandbox.shop import KEY, SECRET, WEBHOOK_SECRET

ADDON_ZIP = CHECKOUT / "dist" / "instagram-addon-v1.0.0.zip"
ASKING_ZIP = CHECKOUT / "dist" / "satisfaction-addon-v1.0.0.zip"
WHATSAPP_ZIP = CHECKOUT / "dist" / "whatsapp-addon-v1.0.0.zip"
SHOP_ZIP = CHECKOUT / "dist" / "shop-addon-v1.0.0.zip"
PASSWORD = "correct horse battery"  # noqa: S105 - of a desk that lives for the length of a demo
ADMIN = "mia@example.com"
AGENT = "bo@example.com"
SHOP_ADDRESS = "hello@pottery.example"
ORDERS_ADDRESS = "orders@pottery.example"
FURTHER_ADDRESS = "wholesale@pottery.example"
LATE_CUSTOMER = "lou.sample"
LATE_ADDRESS = "lou@example.org"
LATE = "Can the sage glaze be had again?"
WRITTEN = "It can: the sage glaze is back, and we kept a bowl for you."
CAME_BACK = "Wonderful, I will come by on Friday."
READY = "The forty mugs are fired, and you can fetch them from Monday."
WORKSHOP = "workshop@example.org"
LOST = "Where is my order?"
POSSIBLE = "The workshop can fire them by the end of April."
WANTED = "We want forty mugs in sand"
QUESTION = "Hi, is the blue mug still in stock? 💙"
NEWCOMER = "Do you have the blue bowl, too?"
TYPO = "Yes, tree are left."
ANSWER = "Yes, three are left. Shall I put one aside?"
INVITATION = """\
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Example//Calendar//EN
METHOD:REQUEST
BEGIN:VEVENT
UID:glazes@example.org
DTSTAMP:20280101T090000Z
DTSTART:20280304T140000Z
DTEND:20280304T150000Z
SUMMARY:Choosing glazes
LOCATION:The workshop, first floor
ORGANIZER;CN=Jon B.:mailto:jon@example.org
ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:%s
END:VEVENT
END:VCALENDAR
"""
VOUCHERS = "Yes! A voucher comes by mail at once."
ABROAD = "Do you ship to Norway, and what does it cost?"
KNOWN = "To Norway a parcel takes 4 to 6 days and costs 14 €."
COMMENT = "Does the blue one go in the oven?"
PRIVATELY = "Up to 180 degrees, if it warms up with the oven. Shall I put one aside for you?"
THANKS = "Yes please, one of them!"
ARRIVED = "It arrived in one piece, thank you."
SWALLOWED = "Did my last message get lost?"
FOUND = "It did, and we found it. Your bowl is on its way."
BEGUN = "I put one aside"
ON_WHATSAPP = "Are you open today?"
OUR_PLACE = "Our workshop"
PRICES = "What everything costs today"
CALL_ME = "Please tell me on WhatsApp when it is ready"
WELCOME = "Welcome to Sample Pottery."
HIDDEN = "I have hidden my number. Do you still know me?"
STILL_YOU = "Yes, you are still the Gil of this morning."
AT_FIVE = "Thanks, I will come at five"
ON_INSTAGRAM = "And which door is it?"
IN_THE_OVEN = "May the green bowl go into the oven?"
SHIPPED = "Your order has left the kiln. It ships tomorrow."


@dataclass
class Journey:
    """State shared by the steps."""

    sandbox: Sandbox
    host: Host
    outside: Outside
    smtp_port: int
    admin: Person = field(init=False)
    agent: Person = field(init=False)
    seed: dict[str, Any] = field(default_factory=dict)
    workspace: str = ""
    verify_token: str = ""
    webhook_url: str = ""
    conversation: str = ""
    on_whatsapp: str = ""
    notes: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.admin = Person(self.host.url)
        self.agent = Person(self.host.url)

    def control(self, method: str, path: str, body: object = None) -> Any:
        """Call the sandbox's control API."""
        response = requests.request(method, f"{self.sandbox.url}/control/{path}", json=body, timeout=30)
        if response.status_code >= 400:
            raise PageError(
                f"{method} /control/{path} answered {response.status_code}: {response.text[:400]}"
            )
        return response.json()


def until(check: Callable[[], Any], what: str, seconds: float = 30.0) -> Any:
    """Return the first true result of *check*; give up after *seconds*."""
    deadline = time.monotonic() + seconds
    while True:
        result = check()
        if result:
            return result
        if time.monotonic() > deadline:
            raise PageError(f"{what} did not happen within {seconds:.0f} seconds")
        time.sleep(0.05)


def sandbox_answers(j: Journey) -> str:
    state = j.control("GET", "state")
    j.seed = state
    return f"{len(state['pages'])} Pages, {len(state['customers'])} customers"


def first_page(j: Journey) -> str:
    started = time.monotonic()
    j.admin.open("/login")
    j.admin.expect("Sign in")
    return f"{(time.monotonic() - started) * 1000:.0f} ms"


def set_up(j: Journey) -> str:
    if j.host.setup_link is None:
        raise PageError("the first start printed no set-up link")
    j.admin.open(j.host.setup_link)
    j.admin.press(
        "Set up Lobby",
        {
            "name": "Mia R.",
            "email": ADMIN,
            "password": PASSWORD,
            "again": PASSWORD,
            "workspace": "Sample Pottery",
        },
    )
    j.admin.open("/")
    j.workspace = j.admin.url.split("/w/")[1].split("/")[0]
    return "admin Mia R., workspace Sample Pottery"


def invite(j: Journey) -> str:
    j.admin.open(f"/w/{j.workspace}/settings/people")
    j.admin.press("Create invitation link", {"email": AGENT, "role": "agent"})
    link = re.search(r'value="([^"]+/invite/[^"]+)"', j.admin.html)
    if link is None:
        raise PageError("no invitation link was shown")
    j.agent.open(link.group(1))
    j.agent.press("Join", {"name": "Bo T.", "password": PASSWORD, "again": PASSWORD})
    return "Bo T. joined by link"


def first_steps(j: Journey) -> str:
    j.admin.open(f"/w/{j.workspace}/inbox")
    j.admin.expect("Install Instagram Direct", "Send yourself a message", "Invite your team")
    return "install, connect, write, invite, hours: the list in the inbox's place"


def step_done(j: Journey) -> str:
    j.admin.open(f"/w/{j.workspace}/start")
    j.admin.expect("Arrived", QUESTION, "Set working hours and a greeting")
    j.admin.press("Go to the inbox")
    j.admin.expect("Needs a reply", QUESTION)
    return "the list shows the DM, and leads to the inbox"


def upload(j: Journey) -> str:
    j.admin.open("/admin/addons")
    j.admin.press("Upload and install", files={"zip": (ADDON_ZIP.name, ADDON_ZIP.read_bytes())})
    j.admin.expect("Instagram Direct", "instagram_accounts", "/addons/instagram/webhook")
    return "hosts, tables, addresses and migrations shown before anything runs"


def install(j: Journey) -> str:
    # It comes with this release, so uploading it needs no confirmation.
    j.admin.open("/admin/addons")
    j.admin.expect("Inactive", "Included in this release")
    return "the card is there, inactive"


def activate(j: Journey) -> str:
    j.admin.open("/admin/addons")
    j.admin.press("Activate")
    if "goes on in the background" not in j.admin.text:  # it takes longer than a page waits
        j.admin.expect("Addon activated.")

    def everywhere() -> bool:
        """Each process of a desk follows on its own, and any of them may answer."""
        try:
            j.admin.open("/admin/addons")
            j.admin.expect("Active", "Settings")
            j.admin.open("/admin/addons/instagram/settings")
            j.admin.expect("The Meta app", "Connection options")
        except PageError:
            return False
        return True

    until(everywhere, "the addon being active in every process", 60)
    return "no restart; Settings is on its card"


def connect(j: Journey) -> str:
    page = j.seed["pages"][0]
    app = j.seed["apps"][0]
    token = next(t for t in j.seed["tokens"] if t["id"] == "pottery-long")
    j.admin.open(f"/w/{j.workspace}/settings/channels/instagram/new")
    j.admin.press(
        "Save and check",
        {
            "name": "Pottery",
            "page_id": page["id"],
            "ig_user_id": page["igid"],
            "page_access_token": token["value"],
            "app_secret": app["secret"],
        },
    )
    j.admin.expect("Connected", "@sample.pottery", "Verify Token")
    values = dict(re.findall(r'<label[^>]*>([^<]+)</label>.{0,200}?value="([^"]+)"', j.admin.html, re.DOTALL))
    j.verify_token, j.webhook_url = values["Verify Token"], values["Webhook URL"]
    return "Connected: @sample.pottery"


def verify(j: Journey) -> str:
    app = j.seed["apps"][0]["id"]
    j.control("POST", "webhook", {"app": app, "callback_url": j.webhook_url, "verify_token": j.verify_token})
    return "Meta's GET answered with its challenge"


def shown_secret(j: Journey) -> str:
    """Return the new signing secret that the admin's page shows."""
    j.admin.expect("Signing secret")
    secret = re.search(r'value="(whsec_[^"]+)"', j.admin.html)
    if secret is None:
        raise PageError("the signing secret was not shown")
    return secret.group(1)


def add_endpoint(j: Journey) -> str:
    program = j.outside.program
    j.admin.open(f"/w/{j.workspace}/settings/integrations/new")
    j.admin.press("Create endpoint", {"url": f"http://{program.address}/lobby"})
    program.secret = shown_secret(j)
    return "its secret is shown once"


def told(j: Journey) -> str:
    program = j.outside.program
    data = program.wait_for("message.received")
    if data is None:
        raise PageError(f"the program was not told of the DM; it refused {program.refused} requests")
    if data["content"] != {"type": "text", "text": QUESTION}:
        raise PageError(f"the program was told something else: {data}")
    j.admin.open(f"/w/{j.workspace}/settings/integrations")
    j.admin.expect("Working")
    return f"message.received of {data['channelType']}, signature verified"


def receive(j: Journey) -> str:
    started = time.monotonic()
    j.control("POST", "dm", {"customer": "ana.sample", "text": QUESTION})

    def there() -> bool:
        return QUESTION in j.agent.open(f"/w/{j.workspace}/inbox")

    until(there, "the DM in the agent's inbox")
    took = time.monotonic() - started
    j.conversation = open_conversation(j, QUESTION)
    return f"{took * 1000:.0f} ms from the customer's phone to the agent's page"


def open_conversation(j: Journey, *previews: str) -> str:
    """Open the conversation whose row shows the first of *previews* present; return its id."""
    page = j.agent.open(f"/w/{j.workspace}/inbox")
    shown = next((preview for preview in previews if preview in page), None)
    if shown is None:
        raise PageError(f"no conversation shows {' or '.join(map(repr, previews))}")
    row = j.agent.html.split(html.escape(shown, quote=False))[0]
    links = re.findall(rf"/w/{j.workspace}/inbox/(\d+)", row)
    if not links:
        raise PageError("the inbox links to no conversation")
    j.agent.open(f"/w/{j.workspace}/inbox/{links[-1]}")
    return str(links[-1])


def answer(j: Journey) -> str:
    j.agent.press("Send", {"text": TYPO})
    j.agent.press("Undo")
    started = time.monotonic()
    j.agent.press("Send", {"text": ANSWER})
    j.agent.press("Send now")

    until(lambda: landed(j, ANSWER), "the reply in Instagram")
    took = time.monotonic() - started

    def confirmed() -> bool:
        return "Sent" in j.agent.open(f"/w/{j.workspace}/inbox/{j.conversation}")

    until(confirmed, "the reply shown as sent")
    if landed(j, TYPO):
        raise PageError("a reply that was undone reached the customer")
    return f"one undone, the next {took * 1000:.0f} ms from Send to the customer's phone"


def search(j: Journey) -> str:
    started = time.monotonic()
    address = f"/w/{j.workspace}/search?q=BLUE+mug+from:customer"
    until(lambda: "is the blue mug still in stock?" in j.agent.open(address), "the DM in what search finds")
    return f"{(time.monotonic() - started) * 1000:.0f} ms until it was found"


def reports(j: Journey) -> str:
    address = f"/w/{j.workspace}/reports"
    counted = "Messages so far: 1 received, 1 sent."
    until(lambda: counted in j.admin.open(address), "the DM and its answer in the reports")
    j.admin.open(f"{address}/first-response")
    if f"/w/{j.workspace}/inbox/{j.conversation}" not in j.admin.html:
        raise PageError("the first response does not open its conversation")
    return "one in, one out; the first response opens its conversation"


def keep(j: Journey) -> str:
    j.admin.open(f"/w/{j.workspace}/settings/labels")
    j.admin.press("Add label", {"name": "order"})
    j.agent.open(f"/w/{j.workspace}/inbox/{j.conversation}")
    j.agent.press("order")
    j.agent.expect("added order")
    j.agent.press("Until they write")
    j.agent.expect("Until they write")
    j.agent.open(f"/w/{j.workspace}/inbox")
    if f'data-row="{j.conversation}"' in j.agent.html:
        raise PageError("a snoozed conversation is still in the list")
    j.agent.open(f"/w/{j.workspace}/inbox/{j.conversation}")
    j.agent.press("Unsnooze")
    j.agent.expect("Back")
    j.admin.open(f"/w/{j.workspace}/reports?by=label")
    if '<bdi translate="no">order</bdi></a>' not in j.admin.html:
        raise PageError("the reports by label do not show it")
    return "label “order”, which the reports count; away until they write, and back"


def team(j: Journey) -> str:
    """Create a team, assign the conversation to it, and mention the agent in a note."""
    j.admin.open(f"/w/{j.workspace}/settings/teams")
    j.admin.press("Add team", {"name": "Orders"})
    bo = re.search(r'name="member" value="(\d+)"(?:(?!name="member").)*Bo', j.admin.html, re.DOTALL)
    if bo is None:
        raise PageError("the agent cannot be chosen for the team")
    j.admin.press("Save", {"name": "Orders", "member": bo[1]})
    thread = f"/w/{j.workspace}/inbox/{j.conversation}"
    j.admin.open(thread)
    j.admin.press("Orders")
    j.admin.press("Add note", {"text": "@Bo T. please put one aside"})
    until(lambda: "mentioned you" in j.agent.open("/notifications"), "the mention in the agent's bell")
    j.agent.open(f"/w/{j.workspace}/inbox?team=mine")
    if f'data-row="{j.conversation}"' not in j.agent.html:
        raise PageError("the agent's teams do not have the conversation")
    return "given to a team; who is mentioned is told"


def canned(j: Journey) -> str:
    """Save a reply with a variable, and send it with a macro that closes."""
    j.admin.open(f"/w/{j.workspace}/settings/canned/new")
    text = 'Goodbye {{contact.first_name || "there"}}, and enjoy the mug.'
    j.admin.press("Save", {"shortcut": "bye", "title": "Goodbye", "text": text})
    j.admin.open(f"/w/{j.workspace}/settings/macros/new")
    reply = re.search(r'value="(reply:\d+)"', j.admin.html)
    if reply is None:
        raise PageError("a macro cannot send the canned reply")
    j.admin.press("Save", {"name": "Say goodbye", "step": reply[1]})
    j.agent.open(f"/w/{j.workspace}/inbox/{j.conversation}/macros")
    j.agent.press("Run Say goodbye")
    sent = "Goodbye Ana, and enjoy the mug."
    until(lambda: landed(j, sent), "the canned reply in Instagram")
    return "one press sends it, filled in"


def draft(j: Journey) -> str:
    """Begin a reply on one device and read it on another; the first one's older version replaces nothing."""
    address = f"{j.host.url}/w/{j.workspace}/inbox/{j.conversation}/draft"
    phone = Person(j.host.url)
    phone.open("/login")
    phone.press("Sign in", {"email": AGENT, "password": PASSWORD})

    def save(person: Person, text: str, version: int) -> requests.Response:
        person.open(f"/w/{j.workspace}/inbox/{j.conversation}")
        content = json.dumps({"texts": {"reply": {"text": text}}})
        headers = {"X-CSRFToken": person.csrf_token(), "Referer": person.url, "Accept": "application/json"}
        values = {"content": content, "version": str(version)}
        return person.session.post(address, values, headers=headers, timeout=30)

    first = save(j.agent, BEGUN, 0)
    here = phone.session.get(address, timeout=30).json()
    if here["content"]["texts"]["reply"]["text"] != BEGUN:
        raise PageError(f"the draft on the other device is {here}")
    phone.open(f"/w/{j.workspace}/inbox/{j.conversation}")
    save(phone, f"{BEGUN} Until Monday", here["version"])
    late = save(j.agent, "Something else", first.json()["version"])
    if late.status_code != 409 or "Monday" not in late.text:
        raise PageError(f"an older version was answered {late.status_code}: {late.text[:200]}")
    save(phone, "", late.json()["version"])
    return "begun here, continued on the phone; the older version replaced nothing"


def contact(j: Journey) -> str:
    """Open the customer's page and note what they want."""
    j.agent.open(f"/w/{j.workspace}/contacts")
    page = re.search(
        rf'href="(/w/{j.workspace}/contacts/\d+)"[^>]*>(?:(?!</a>).)*Ana', j.agent.html, re.DOTALL
    )
    if page is None:
        raise PageError("the list of contacts does not show the customer")
    j.agent.open(page[1])
    j.agent.press("Add note", {"text": "Collects blue mugs."})
    j.agent.expect("Collects blue mugs.", "@ana.sample")
    return "one page with what was said, and a note"


def landed(j: Journey, text: str, times: int = 1) -> bool:
    """Return whether *text* is on customers' phones *times* times."""
    entries = j.control("GET", "ledger?kind=send")["entries"]
    return [entry.get("text") for entry in entries].count(text) >= times


def greet(j: Journey) -> str:
    """Let the account greet new customers and assign them to the team; a new customer writes twice."""
    j.agent.open(f"/w/{j.workspace}/inbox")
    j.agent.press("Off duty: go on duty")
    j.admin.open(f"/w/{j.workspace}/settings/channels")
    account = re.search(rf"/w/{j.workspace}/settings/channels/accounts/(\d+)/automation", j.admin.html)
    if account is None:
        raise PageError("the card of the account does not lead to greeting and routing")
    j.admin.open(account[0])
    orders = re.search(r'<option value="(\d+)"[^>]*>Orders</option>', j.admin.html)
    if orders is None:
        raise PageError("conversations cannot be given to the team")
    j.admin.press(
        "Save",
        {
            "greets": "1",
            "greets_on": "message",
            "greeting": 'Hello {{contact.first_name || "there"}}, lovely that you write!',
            "routes": "1",
            "team": orders[1],
        },
    )
    j.admin.expect("Saved.")
    for text in (NEWCOMER, "And in green?"):
        j.control("POST", "dm", {"customer": "rosa.sample", "text": text})
    greeting = "lovely that you write!"

    def greetings() -> list[str]:
        entries = j.control("GET", "ledger?kind=send")["entries"]
        return [one["text"] for one in entries if greeting in (one.get("text") or "")]

    until(lambda: bool(greetings()), "the greeting in Instagram")
    talk = open_conversation(j, "And in green?", greeting, NEWCOMER)  # whichever is newest by now

    def given() -> bool:
        j.agent.open(f"/w/{j.workspace}/inbox/{talk}")
        return "Orders" in j.agent.html and "Bo T." in j.agent.html and greeting in j.agent.html

    until(given, "the conversation with the agent on duty")
    if len(greetings()) != 1:
        raise PageError(f"the customer was greeted more than once: {greetings()}")
    return "greeted once, given to the team and who is on duty"


def pushed(j: Journey) -> str:
    """Turn on pushes on the agent's phone; a DM reaches it while no page is open, without content."""
    keys, service = BrowserKeys(), j.outside.push
    phone = Person(j.host.url)
    phone.open("/login")
    phone.press("Sign in", {"email": AGENT, "password": PASSWORD})
    phone.open("/notifications/settings")

    def post(path: str, values: dict[str, str]) -> Any:
        headers = {"X-CSRFToken": phone.csrf_token(), "Referer": phone.url, "Accept": "application/json"}
        address = f"{j.host.url}/notifications/devices{path}"
        answer = phone.session.post(address, values, headers=headers, timeout=30)
        if answer.status_code != 200:
            raise PageError(f"{address} answered {answer.status_code}: {answer.text[:300]}")
        return answer.json()

    if not post("/key", {})["key"]:
        raise PageError("the desk has no key for push services")
    post("", keys.form(service.endpoint("phone")))
    before = len(service.of("phone"))
    j.control("POST", "dm", {"customer": "rosa.sample", "text": IN_THE_OVEN})
    until(lambda: len(service.of("phone")) > before, "the push of the DM")
    got = service.of("phone")[before]
    if b"oven" in got.body or b"Instagram" in got.body:
        raise PageError("the push service can read the push")
    notice = json.loads(keys.decrypt(got.body))
    if notice["title"] != "New message on Instagram" or "osa" in str(notice) or "oven" in str(notice):
        raise PageError(f"the push shows something else: {notice}")
    _, key = verified(got.headers["authorization"])
    if key != post("/key", {})["key"]:
        raise PageError("the push is signed with another key")
    return f"decrypted: {json.dumps({name: notice[name] for name in ('title', 'body', 'url')})}"


def rule(j: Journey) -> str:
    """Let a rule answer a keyword, then read its log."""
    j.admin.open(f"/w/{j.workspace}/settings/rules/new")
    j.admin.press(
        "Save",
        {
            "name": "Vouchers",
            "if": "words:any",
            "if_text": "voucher, gift card",
            "then": "say",
            "then_text": VOUCHERS,
            "state": "live",
        },
    )
    j.admin.expect("Rule Vouchers was saved.")
    page = j.admin.url
    j.control("POST", "dm", {"customer": "rosa.sample", "text": "Do you have a VOUCHER, too?"})
    until(lambda: landed(j, VOUCHERS), "the rule's answer in Instagram")
    until(lambda: "Rosa" in j.admin.open(page), "whom the rule answered, by name")
    j.admin.expect("Rosa", "voucher")
    return "answers a word, and its page says what it saw"


def tap(j: Journey) -> str:
    """Give an ice breaker an answer, and let a customer tap it."""
    j.admin.open(f"/w/{j.workspace}/settings/channels")
    account = re.search(rf"/w/{j.workspace}/settings/channels/accounts/\d+/automation", j.admin.html)
    if account is None:
        raise PageError("the card of the account does not lead to its pages")
    page = account[0].replace("/automation", "/ice-breakers")
    j.admin.open(page)
    question, answer = "Do you ship abroad?", "Yes, within the EU, in 4 to 6 days."
    j.admin.press("Save", {"text-0-0": question, "answer-0-0": answer})
    j.admin.expect("Saved.", answer)
    tapped = {"kind": "postback", "title": question, "payload": question}
    j.control("POST", "dm", {"customer": "rosa.sample", **tapped})
    until(lambda: landed(j, answer), "the answer of the ice breaker in Instagram")
    until(lambda: "1 tap" in j.admin.open(page), "the tap on the page")
    j.admin.expect("1 answered")
    return "answered automatically, and counted beside the question"


def suggest(j: Journey) -> str:
    """Set up an assistant on one page from a file; it suggests an answer, and an agent sends it unchanged."""
    j.admin.open(f"/w/{j.workspace}/settings/models/new")
    j.admin.press("Save", {"name": "Stand-in", "address": f"{j.outside.model.url}/v1", "model": "stand-in"})
    j.admin.open(f"/w/{j.workspace}/assistants")
    j.admin.press("Create assistant", {"name": "Shop desk"})
    j.admin.press("Add", files={"file": ("Shipping to other countries.md", KNOWN.encode())}, to="/give")
    j.admin.expect("Shipping to other countries")
    j.admin.press("Ask", {"ask": ABROAD})
    j.admin.expect(KNOWN)
    j.admin.press("Start suggesting")
    j.control("POST", "dm", {"customer": "rosa.sample", "text": ABROAD})
    inbox = f"/w/{j.workspace}/inbox"
    until(lambda: ABROAD in j.agent.open(inbox), "the question in the agent's inbox")
    thread = f"{inbox}/{open_conversation(j, ABROAD)}"
    until(lambda: "Accept and send" in j.agent.open(thread), "the suggestion above the field", 90)
    j.agent.expect(KNOWN, "Shipping to other countries")
    j.agent.press("Accept and send")
    j.agent.press("Send now")
    until(lambda: landed(j, KNOWN), "the suggestion in Instagram")
    return "approved by Bo T. as it stood, with its source"


def comment(j: Journey) -> str:
    """Enable comments; answer one below a post with its single private reply, which opens a conversation."""
    j.admin.open(f"/w/{j.workspace}/settings/channels")
    j.admin.press("Turn on: Comments")
    j.admin.expect("Comments turned on for @sample.pottery", "Instagram comments")
    j.control("POST", "dm", {"customer": "kit.makes.sample", "kind": "comment", "text": COMMENT})
    inbox = f"/w/{j.workspace}/inbox"
    until(lambda: COMMENT in j.agent.open(inbox), "the comment in the agent's inbox")
    thread = f"{inbox}/{open_conversation(j, COMMENT)}"
    j.agent.press("Reply privately", {"text": PRIVATELY})
    j.agent.press("Send now")
    until(lambda: landed(j, PRIVATELY), "the private reply in Instagram")
    until(lambda: "Open Direct" in j.agent.open(thread), "the conversation it led to")
    j.control("POST", "dm", {"customer": "kit.makes.sample", "text": THANKS})
    until(lambda: THANKS in j.agent.open(inbox), "what the customer wrote in Direct")
    open_conversation(j, THANKS)
    j.agent.expect("Opened by a private reply to a comment", PRIVATELY)
    return "one private reply, which opened a conversation"


def today(j: Journey) -> str:
    """Read what the day brought, and open what a rule said; the reports tell it from the team's work."""
    page = f"/w/{j.workspace}/today"
    j.admin.open(page)
    j.admin.expect("Messages from customers", "Automation said", "Greeting", "Rules", "Waiting longest")
    j.admin.open(f"{page}/said-rule")
    j.admin.expect("Rosa")
    reports = f"/w/{j.workspace}/reports"
    until(lambda: "Automation" in j.admin.open(reports), "automation in the reports")
    return "what came in, what automation said and to whom; reports tell it from answers"


def second_look(j: Journey) -> str:
    """Let Meta lose the webhook of a message; the desk finds the message, and it is answered."""
    j.control("POST", "switches/swallow", {"on": True, "customer": "ana.sample"})
    j.control("POST", "dm", {"customer": "ana.sample", "text": SWALLOWED})
    j.control("POST", "switches/swallow", {"on": False})
    j.admin.open(f"/w/{j.workspace}/settings/channels")
    account = re.search(rf"/w/{j.workspace}/settings/channels/accounts/(\d+)/history", j.admin.html)
    if account is None:
        raise PageError("no account has a page that lists what was not delivered")
    j.admin.open(account[0])
    j.admin.press("Check now")
    inbox = f"/w/{j.workspace}/inbox"
    until(lambda: SWALLOWED in j.agent.open(inbox), "the message no webhook brought", 150)
    open_conversation(j, SWALLOWED)
    j.agent.expect("Instagram did not deliver this")
    j.agent.press("Send", {"text": FOUND})
    j.agent.press("Send now")
    until(lambda: landed(j, FOUND), "the answer in Instagram")
    return "found in Instagram's own list, marked, and answered"


def mail(j: Journey) -> str:
    server, port = j.outside.address.split(":")
    j.admin.open(f"/w/{j.workspace}/settings/channels/email/new")
    j.admin.press(
        "Save and check",
        {
            "name": "Shop mail",
            "address": SHOP_ADDRESS,
            "smtp_host": server,
            "smtp_port": port,
            "smtp_security": "none",
        },
    )
    j.admin.expect("Connected", SHOP_ADDRESS)
    write_mail(
        j.smtp_port,
        sender="jon@example.org",
        name="Jon B.",
        to=SHOP_ADDRESS,
        subject="Wholesale prices",
        text="Do you sell to cafés? We would need forty cups.",
        message_id="<first@example.org>",
    )
    inbox = f"/w/{j.workspace}/inbox"
    until(lambda: "Do you sell to caf" in j.agent.open(inbox), "the mail in the agent's inbox")
    open_conversation(j, "Do you sell to caf")
    j.agent.press("Send", {"text": "Gladly. Forty cups are ready in two weeks."})
    j.agent.press("Send now")
    if not j.outside.wait_for(1):
        raise PageError("the answer did not reach the outside mail server")
    sent = j.outside.received[0]
    if sent["In-Reply-To"] != "<first@example.org>":
        raise PageError(f"the answer does not refer to the mail it answers: {sent['In-Reply-To']!r}")
    return "the same composer, threaded by Message-ID"


def onward(j: Journey) -> str:
    """Answer by email after the reply window has closed; the customer's answer joins the same thread."""
    j.control("POST", "customers", {"name": "Lou V.", "username": LATE_CUSTOMER})
    j.control("POST", "clock", {"advance": -9 * 86400})
    try:
        j.control("POST", "dm", {"customer": LATE_CUSTOMER, "text": LATE})
    finally:
        j.control("POST", "clock", {"reset": True})
    inbox = f"/w/{j.workspace}/inbox"
    until(lambda: LATE in j.agent.open(inbox), "the DM of nine days ago in the agent's inbox")
    conversation = open_conversation(j, LATE)
    j.agent.expect("You cannot reply here right now.")
    page = re.search(rf'href="(/w/{j.workspace}/contacts/\d+)"', j.agent.html)
    if page is None:
        raise PageError("the conversation does not lead to its contact")
    j.agent.open(page[1])
    email = next(form for form in j.agent.forms if form.values.get("field") == "email")
    j.agent.submit(email, {"value": LATE_ADDRESS})
    j.agent.open(f"{inbox}/{conversation}?write=onward")
    j.agent.expect("Write an email instead")
    before = len(j.outside.received)
    place = next(form.values["place"] for form in j.agent.forms if "place" in form.values)
    j.agent.press("Send email", {"text": WRITTEN, "place": place})
    j.agent.expect("Before, on Instagram", LATE, "Continued on Email", WRITTEN)
    j.agent.press("Send now")
    if not j.outside.wait_for(before + 1):
        raise PageError("the email did not reach the outside mail server")
    sent = j.outside.received[before]
    write_mail(
        j.smtp_port,
        sender=LATE_ADDRESS,
        name="Lou V.",
        to=parseaddr(str(sent["From"]))[1],
        subject=f"Re: {sent['Subject']}",
        text=CAME_BACK,
        message_id="<came-back@example.org>",
        answers=str(sent["Message-ID"]),
    )
    until(lambda: CAME_BACK in j.agent.open(inbox), "the customer's mail in the agent's inbox")
    open_conversation(j, CAME_BACK)
    j.agent.expect("Before, on Instagram", LATE, WRITTEN, CAME_BACK)
    return f"to {sent['To']}, and back into one thread"


def mailbox(j: Journey) -> str:
    """Connect an external mailbox: existing mail is imported quietly, new mail arrives with its layout."""
    box = j.outside.mailbox
    box.user = ORDERS_ADDRESS
    early = written_mail(
        sender="ines@example.org",
        name="Ines L.",
        to=ORDERS_ADDRESS,
        subject="Last year's order",
        text="Thank you, the cups are lovely.",
        message_id="<early@example.org>",
    )
    early["Date"] = format_datetime(datetime.now(UTC) - timedelta(days=40))
    box.add(early.as_bytes(policy=SMTP), at=datetime.now(UTC) - timedelta(days=40))
    server, port = j.outside.address.split(":")
    j.admin.open(f"/w/{j.workspace}/settings/channels/email/new")
    j.admin.press(
        "Save and check",
        {
            "name": "Orders",
            "address": ORDERS_ADDRESS,
            "smtp_host": server,
            "smtp_port": port,
            "smtp_security": "none",
            "imap_host": "localhost",
            "imap_port": str(box.port),
            "imap_user": ORDERS_ADDRESS,
            "imap_password": box.password,
            "imap_import": "all",
            "aliases": FURTHER_ADDRESS,
        },
    )
    j.admin.expect("Connected", ORDERS_ADDRESS)
    inbox = f"/w/{j.workspace}/inbox"
    until(lambda: "the cups are lovely" in j.agent.open(f"{inbox}?status=closed"), "the earlier mail, closed")
    if not box.idling.acquire(timeout=10):
        raise PageError("the desk does not wait for what arrives in the mailbox")
    mail = written_mail(
        sender="kim@example.org",
        name="Kim W.",
        to=FURTHER_ADDRESS,
        subject="Forty mugs",
        text=f"{WANTED}, by May.",
        message_id="<mugs@example.org>",
    )
    mail["Cc"] = "ada@example.org"
    table = "<table><tr><th>Mug<th>Pieces<tr><td>Sand<td>40</table>"
    mail.add_alternative(f"<p><b>{WANTED}</b>, by May.</p>{table}", subtype="html")
    began = time.monotonic()
    box.add(mail.as_bytes(policy=SMTP))
    until(lambda: WANTED in j.agent.open(inbox), "the mail of the mailbox in the agent's inbox")
    took = round(1000 * (time.monotonic() - began))
    open_conversation(j, WANTED)
    frame = re.search(r'src="([^"]+/formatted[^"]*)"', j.agent.html)
    if frame is None or "Sand" not in j.agent.open(html.unescape(frame[1])) or "<table" not in j.agent.html:
        raise PageError("the mail is not shown as it was laid out")
    open_conversation(j, WANTED)
    before = len(j.outside.received)
    j.agent.press("Send", {"text": "They are **ready in April**."})
    j.agent.press("Send now")
    if not j.outside.wait_for(before + 1):
        raise PageError("the answer did not reach the outside mail server")
    sent = j.outside.received[before]
    laid_out = sent.get_body(("html",))
    if sent["Cc"] != "ada@example.org" or laid_out is None:
        raise PageError(f"the answer went to {sent['To']} and {sent['Cc']}")
    if FURTHER_ADDRESS not in sent["From"]:
        raise PageError(f"the mail to {FURTHER_ADDRESS} was answered from {sent['From']}")
    if "<strong>ready in April</strong>" not in laid_out.get_content():
        raise PageError("the answer has no bold words")
    return f"what lay there came quietly, what arrived in {took} ms; answered to all, from {FURTHER_ADDRESS}"


def write_first(j: Journey) -> str:
    """Write first to a known customer from their page, which starts a new conversation."""
    open_conversation(j, "ready in April")
    page = re.search(rf'href="(/w/{j.workspace}/contacts/\d+)"', j.agent.html)
    if page is None:
        raise PageError("the conversation does not lead to its contact")
    j.agent.open(f"{page[1]}/write")
    place = next(form.values["place"] for form in j.agent.forms if "place" in form.values)
    before = len(j.outside.received)
    j.agent.press("Send email", {"subject": "Your mugs", "text": READY, "place": place})
    j.agent.expect("Your mugs", READY)
    j.agent.press("Send now")
    if not j.outside.wait_for(before + 1):
        raise PageError("the email did not reach the outside mail server")
    sent = j.outside.received[before]
    if sent["Subject"] != "Your mugs" or sent["In-Reply-To"]:
        raise PageError(f"it went out as {sent['Subject']!r}, an answer to {sent['In-Reply-To']}")
    return f"to {sent['To']}, as a conversation of its own"


def invited(j: Journey) -> str:
    """A customer invites by email to a meeting; the agent accepts, and their calendar is told."""
    write_mail(
        j.smtp_port,
        sender="jon@example.org",
        name="Jon B.",
        to=SHOP_ADDRESS,
        subject="Invitation: Choosing glazes",
        text="Please come by.",
        message_id="<invitation@example.org>",
        invitation=INVITATION % SHOP_ADDRESS,
    )
    until(lambda: "Please come by" in j.agent.open(f"/w/{j.workspace}/inbox"), "the invitation in the inbox")
    open_conversation(j, "Please come by")
    j.agent.expect("Choosing glazes", "The workshop, first floor")
    before = len(j.outside.received)
    j.agent.press("Accept")
    if not j.outside.wait_for(before + 1):
        raise PageError("the answer to the invitation did not reach the outside mail server")
    sent = j.outside.received[before]
    parts = [one for one in sent.walk() if one.get_content_type() == "text/calendar"]
    if len(parts) != 1 or "PARTSTAT=ACCEPTED" not in parts[0].get_content():
        raise PageError(f"the answer accepts nothing: {sent.as_string()[:400]}")
    return "its time and place beside the buttons, and the organizer's calendar knows"


def forward(j: Journey) -> str:
    """Forward a message to the workshop by email; its answer appears next to the message."""
    here = open_conversation(j, "ready in April")
    page = re.search(rf'href="(/w/{j.workspace}/inbox/{here}/messages/\d+/forward)"', j.agent.html)
    if page is None:
        raise PageError("no message of the conversation can be forwarded")
    j.agent.open(page[1])
    before = len(j.outside.received)
    j.agent.press("Forward", {"to": f"The workshop <{WORKSHOP}>", "note": "Can we make them by May?"})
    j.agent.expect("Bo T. forwarded a message to The workshop")
    if not j.outside.wait_for(before + 1):
        raise PageError("what was forwarded did not reach the outside mail server")
    sent = j.outside.received[before]
    words = sent.get_body(("plain",))
    if sent["To"] != f"The workshop <{WORKSHOP}>" or words is None or WANTED not in words.get_content():
        raise PageError(f"what was forwarded is not what the customer wrote: {sent['To']}, {sent['Subject']}")
    write_mail(
        j.smtp_port,
        sender=WORKSHOP,
        name="The workshop",
        to=parseaddr(str(sent["From"]))[1],
        subject=f"Re: {sent['Subject']}",
        text=POSSIBLE,
        message_id="<possible@example.org>",
        answers=str(sent["Message-ID"]),
    )
    until(lambda: POSSIBLE in j.agent.open(f"/w/{j.workspace}/inbox"), "the workshop's answer in the inbox")
    if open_conversation(j, POSSIBLE) != here:
        raise PageError("the workshop's answer is in another conversation")
    return f"to {WORKSHOP}, and its answer into the same conversation"


def program_of(j: Journey, name: str) -> Lobby:
    """Return a client with a new key."""
    j.admin.open(f"/w/{j.workspace}/settings/api")
    j.admin.press("Create API key", {"name": name, "scopes": "write"})
    key = re.search(r"lobby_[\w-]{20,}", j.admin.html)
    if key is None:
        raise PageError("the page showed no key")
    return Lobby(api_key=key[0], base_url=j.host.url)


def program(j: Journey) -> str:
    with program_of(j, "Order tracker") as client:
        conversation = client.conversations.get(int(j.conversation))
        previewed = client.messages.preview(SendText(conversation_id=conversation.id, text=SHIPPED))
        if [one.text for one in previewed.data] != [SHIPPED]:
            raise PageError(f"the preview was {previewed.data}")
        if client.conversations.mark_read(conversation.id).unread_count:
            raise PageError("the conversation is still unread")
        client.messages.send(
            channel_id=conversation.channel_id,
            to=conversation.contact.external_id,
            content={"type": "text", "text": SHIPPED},
        )
    until(lambda: landed(j, SHIPPED), "the program's message in Instagram")
    return "with the client for Python, over the API"


Step = tuple[str, Callable[["Journey"], str]]
"""The name of a step, and a function that runs it and returns a note."""


def orders(j: Journey) -> str:
    """Activate the shop's addon; an agent sees the customer's order, and learns that it is paid."""
    shop, buyer = j.outside.shop, "ana@example.com"
    j.admin.open("/admin/addons")
    j.admin.press("Upload and install", files={"zip": (SHOP_ZIP.name, SHOP_ZIP.read_bytes())})
    j.admin.open("/admin/addons")
    j.admin.press("Activate", to="/shop/")
    form = f"/w/{j.workspace}/settings/addons/shop"
    until(lambda: "Consumer key" in j.admin.open(form), "the form of the addon in every process", 20)
    values = {"url": shop.url, "key": KEY, "secret": SECRET, "webhook_secret": WEBHOOK_SECRET}
    j.admin.press("Save and check", {f"setting-{name}": value for name, value in values.items()})
    order = shop.add(buyer, (2, "Blue mug", "36.00"), status="pending")
    j.agent.open(f"/w/{j.workspace}/inbox/{j.conversation}")
    page = re.search(rf'href="(/w/{j.workspace}/contacts/\d+)"', j.agent.html)
    if page is None:
        raise PageError("the conversation leads to no contact")
    j.agent.open(page[1])
    j.agent.press("Save", {"field": "email", "value": buyer})
    panel = f"/w/{j.workspace}/inbox/{j.conversation}/panels/shop.orders"
    j.agent.open(f"/w/{j.workspace}/inbox/{j.conversation}")
    if f'data-addon-panel="{panel}"' not in j.agent.html:
        raise PageError("there is no panel of orders beside the conversation")
    shown = j.agent.session.get(j.host.url + panel, timeout=30).json()["html"]
    if f"Order {order['number']}" not in shown or "Waiting for payment" not in shown:
        raise PageError(f"the panel shows no order: {shown[:400]}")
    address = f"{j.host.url}/addons/shop/webhook?workspace={j.workspace}"
    paid = {**order, "status": "processing", "date_paid_gmt": order["date_created_gmt"]}
    if [shop.webhook("order.updated", paid, address) for _ in range(2)] != [200, 200]:
        raise PageError("the shop's webhook was refused")
    thread = f"/w/{j.workspace}/inbox/{j.conversation}"
    j.agent.open(thread)
    j.agent.expect(f"Order {order['number']} was paid: 36.00 EUR.")
    return "shown beside the conversation, and noted once when it was paid"


def satisfied(j: Journey) -> str:
    """Ask a customer how it went when their conversation is closed; the number they type reopens nothing."""
    asked, typing = "How did we do?", "You can also answer with a number: 1 is bad, 5 is very good."
    thanked = "Thank you! Is there anything you would like to add?"
    j.admin.open("/admin/addons")
    j.admin.press("Upload and install", files={"zip": (ASKING_ZIP.name, ASKING_ZIP.read_bytes())})
    j.admin.open("/admin/addons")
    j.admin.press("Activate", to="/satisfaction/")
    form = f"/w/{j.workspace}/settings/addons/satisfaction"
    until(lambda: "Ask customers" in j.admin.open(form), "the form of the addon in every process", 20)
    j.admin.press("Save", {"setting-enabled": "1"})
    inbox = f"/w/{j.workspace}/inbox"
    j.control("POST", "dm", {"customer": "kit.makes.sample", "text": ARRIVED})
    until(lambda: ARRIVED in j.agent.open(inbox), "the customer's last message")
    thread = f"{inbox}/{open_conversation(j, ARRIVED)}"
    j.agent.open(f"{thread}/messages-after")
    j.agent.expect("The customer can get 1 message: Customer satisfaction")
    j.agent.open(thread)
    j.agent.press("Close")
    question = f"{asked}\n\n{typing}"
    until(lambda: landed(j, question), "the question in Instagram")
    sends = j.control("GET", "ledger?kind=send&bodies=1")["entries"]
    (sent,) = (json.loads(one["body"])["message"] for one in sends if one.get("text") == question)
    message = json.loads(sent) if isinstance(sent, str) else sent
    if [one["title"] for one in message["quick_replies"]] != ["1", "2", "3", "4", "5"]:
        raise PageError(f"the question has other buttons: {message}")
    j.control("POST", "dm", {"customer": "kit.makes.sample", "text": "5"})
    until(lambda: landed(j, thanked), "the thank-you in Instagram")
    j.agent.open(thread)
    j.agent.expect("Closed", asked, typing, thanked)
    panel = f"{j.host.url}{thread}/panels/satisfaction.answers"
    shown = j.agent.session.get(panel, timeout=30).json()["html"]
    if "5 of 5" not in shown:
        raise PageError(f"the panel shows no score: {shown[:400]}")
    return "asked by buttons, answered with a typed 5, and the conversation stayed closed"


def sequence(j: Journey) -> str:
    """Publish a sequence: a tapped ice breaker asks for the order number, and a program knows the status."""
    asked, status = "Please send us your order number.", "Your order 54321: on its way"
    unknown = "We could not look it up. Our team will answer you here."
    question, shop = "Where is my order?", j.outside.order_status
    j.admin.open(f"/w/{j.workspace}/sequences")
    templates = next(one for one in j.admin.forms if one.action.endswith("/sequences/new"))
    j.admin.submit(templates, name="from", value="status")
    page = re.sub(r"[?#].*", "", j.admin.url)
    j.admin.open(f"{page}?part=starts")
    j.admin.press("Save draft", {"taps": question})
    j.admin.open(f"{page}?step=look")
    j.admin.press("Save draft", {"url": f"http://{shop.address}/status"})
    j.admin.press("New signing secret")
    shop.secret = shown_secret(j)
    j.admin.open(page)
    j.admin.press("Publish")
    j.admin.expect("Live")
    inbox = f"/w/{j.workspace}/inbox"
    for times, (number, answer) in enumerate((("54321", status), ("99999", unknown)), 1):
        tapped = {"kind": "postback", "title": question, "payload": question}
        j.control("POST", "dm", {"customer": "gil.sample", **tapped})
        until(partial(landed, j, asked, times), "the question in Instagram")
        j.control("POST", "dm", {"customer": "gil.sample", "text": f"It is {number}"})
        until(partial(landed, j, answer), "what the program knows in Instagram")
    until(lambda: "It is 99999" in j.agent.open(inbox), "the conversation in the inbox")
    open_conversation(j, "It is 99999")
    j.agent.expect(asked, status, "It is 99999", unknown, "handed this off to the team")
    return "asked by an ice breaker, answered by a program, and handed over where that knows nothing"


def whatsapp(j: Journey) -> str:
    """Connect WhatsApp; a customer of Instagram writes there, too, and both are answered from one page.

    The customer also fills in a form, a kind of message that only WhatsApp has and that is shown as a card,
    and gets a location, and a price list with its text as one message.
    Meta's answer about the reply on WhatsApp gets lost: its reports confirm that the reply was sent, once.
    """
    j.admin.open("/admin/addons")
    j.admin.press("Upload and install", files={"zip": (WHATSAPP_ZIP.name, WHATSAPP_ZIP.read_bytes())})
    j.admin.open("/admin/addons")
    j.admin.press("Activate", to="/whatsapp/")
    form = f"/w/{j.workspace}/settings/channels/whatsapp/new"
    until(lambda: "Phone number ID" in j.admin.open(form), "the form of the addon in every process", 20)
    theirs = j.control("GET", "whatsapp")
    values = {"number": theirs["number"]["id"], "business": theirs["account"]["id"]}
    secrets = {"token": theirs["tokens"][0]["value"], "app_secret": theirs["app"]["secret"]}
    j.admin.press("Save and check", {**values, **secrets})
    j.admin.expect("Connected", theirs["number"]["display_phone_number"])
    phone = next(one for one in theirs["customers"] if one["name"] == "Ana Q.")["wa_id"]
    lost = {"call": "send", "action": "reset", "match": {"customer": phone}, "times": 1}
    j.control("POST", "faults", lost)
    j.control("POST", "whatsapp/message", {"customer": phone, "text": ON_WHATSAPP})
    j.control("POST", "dm", {"customer": "ana.sample", "text": ON_INSTAGRAM})
    inbox = f"/w/{j.workspace}/inbox"
    for asked, said in ((ON_WHATSAPP, "Yes, until six."), (ON_INSTAGRAM, "It is number 4, the blue door.")):
        until(lambda asked=asked: asked in j.agent.open(inbox), f"{asked!r} in the agent's inbox")  # type: ignore[misc]
        open_conversation(j, asked)
        j.agent.press("Send", {"text": said})
        j.agent.press("Send now")
    until(lambda: landed(j, "It is number 4, the blue door."), "the answer in Instagram")

    def statuses() -> list[str]:
        return [one["status"] for one in whatsapp_chat(j, phone) if one["text"] == "Yes, until six."]

    until(lambda: any(one != "accepted" for one in statuses()), "the answer in WhatsApp")
    on_whatsapp = open_conversation(j, "Yes, until six.", ON_WHATSAPP)
    thread = f"{inbox}/{on_whatsapp}"
    until(lambda: "Delivered" in j.agent.open(thread), "what WhatsApp tells of the answer")
    if len(statuses()) != 1:
        raise PageError("a reply whose sending got no answer was sent again")
    j.control("POST", "whatsapp/message", {"customer": phone, "kind": "form"})
    until(lambda: "Which day" in j.agent.open(thread), "the form in the thread")
    j.agent.expect("Form", "Saturday", "Clay, An apron")
    place = SendLocation(
        latitude=52.5163, longitude=13.3777, name=OUR_PLACE, conversation_id=int(on_whatsapp)
    )
    with program_of(j, "Shop") as client:
        client.messages.reply(place)

    until(lambda: any(one["text"] == OUR_PLACE for one in whatsapp_chat(j, phone)), "our place in WhatsApp")
    before = len(whatsapp_chat(j, phone))
    j.agent.open(thread)
    j.agent.press("Send", {"text": PRICES}, files={"file": ("Prices.txt", b"Mugs: 12.00\nBowls: 18.00\n")})
    j.agent.press("Send now")
    until(lambda: len(whatsapp_chat(j, phone)) > before, "the price list in WhatsApp")
    (list_of_prices,) = whatsapp_chat(j, phone)[before:]
    if (list_of_prices["kind"], list_of_prices["text"]) != ("document", PRICES):
        raise PageError("a text and a document are one message on WhatsApp")
    merge(j, "Ana Q.")
    j.agent.expect("2 conversations", "@ana.sample", "WA Ana Q.")
    return "one customer on two channels, answered in one inbox; sent once, although Meta's answer was lost"


def whatsapp_chat(j: Journey, phone: str) -> list[dict[str, Any]]:
    """Return the messages of a customer's WhatsApp."""
    found: list[dict[str, Any]] = j.control("GET", f"whatsapp/messages?customer={phone}")["messages"]
    return found


def template_first(j: Journey) -> str:
    """Write first on WhatsApp to a customer of Instagram, with a template to the number the team entered.

    WhatsApp writes the number in another way than the team did, as in Brazil; the answer still arrives in the
    same conversation.
    """
    theirs = next(one for one in j.control("GET", "whatsapp")["customers"] if one["name"] == "Gil F.")
    j.control("POST", "dm", {"customer": "gil.sample", "text": CALL_ME})
    inbox = f"/w/{j.workspace}/inbox"
    until(lambda: CALL_ME in j.agent.open(inbox), "the DM in the agent's inbox")
    first = open_conversation(j, CALL_ME)
    with program_of(j, "Address book") as client:
        number = client.attributes.create("Phone")
        contact = client.conversations.get(int(first)).contact.id
        client.contacts.change(contact, attributes={str(number.id): f"+{theirs['dialled_as'][0]}"})
        page = f"/w/{j.workspace}/contacts/{contact}"
        j.agent.open(page)
        j.agent.expect("Write on WhatsApp")
        account = next(one.id for one in client.accounts.list() if one.channel == "whatsapp")
        template = next(one for one in client.accounts.templates(account) if one.body == WELCOME)
        client.contacts.start(contact, account, template=SendApprovedTemplate(template.id))

    phone = theirs["wa_id"]
    until(lambda: any(WELCOME in one["text"] for one in whatsapp_chat(j, phone)), "the template in WhatsApp")
    j.control("POST", "whatsapp/message", {"customer": phone, "text": AT_FIVE})
    j.on_whatsapp = open_conversation(j, WELCOME, AT_FIVE)
    until(lambda: AT_FIVE in j.agent.open(f"{inbox}/{j.on_whatsapp}"), "the answer below the template")
    j.agent.open(page)
    j.agent.expect("2 conversations", "@gil.sample")
    return "the customer answered in the same conversation"


def hides_number(j: Journey) -> str:
    """A customer of WhatsApp hides their number: from then on events name them by another id."""
    phone = next(one["wa_id"] for one in j.control("GET", "whatsapp")["customers"] if one["name"] == "Gil F.")
    j.control("PATCH", f"whatsapp/customers/{phone}", {"hides_number": True})
    j.control("POST", "whatsapp/message", {"customer": phone, "text": HIDDEN})
    thread = f"/w/{j.workspace}/inbox/{j.on_whatsapp}"
    until(lambda: HIDDEN in j.agent.open(thread), "what they wrote since, in the same conversation")
    j.agent.press("Send", {"text": STILL_YOU})
    j.agent.press("Send now")
    until(lambda: any(one["text"] == STILL_YOU for one in whatsapp_chat(j, phone)), "the answer in WhatsApp")
    j.agent.open(thread)
    page = re.search(rf'href="(/w/{j.workspace}/contacts/\d+)"', j.agent.html)
    if page is None:
        raise PageError("the conversation does not lead to its contact")
    j.agent.open(page[1])
    j.agent.expect(f"+{phone}", "stays the same")
    return "one contact with both ids, one conversation, and the answer reaches them"


def merge(j: Journey, name: str) -> None:
    """Merge the two contacts with a name into the first."""
    j.agent.open(f"/w/{j.workspace}/contacts?q={name}")
    found = re.findall(rf'href="/w/{j.workspace}/contacts/(\d+)"', j.agent.html)
    first, second = sorted(set(found), key=int)[:2]
    j.agent.open(f"/w/{j.workspace}/contacts/{first}/merge?with={second}")
    j.agent.press(f"Merge into {name}")


STEPS: list[Step] = [
    ("the sandbox answers as Meta", sandbox_answers),
    ("the desk serves its first page", first_page),
    ("the desk is set up with its one-time link", set_up),
    ("the empty inbox lists the first steps", first_steps),
    ("an agent is invited and joins", invite),
    ("the addon is uploaded and reported on", upload),
    ("the addon is installed", install),
    ("the addon is activated", activate),
    ("an account is connected by its owner", connect),
    ("Meta verifies the webhook address", verify),
    ("a program is to be told what happens", add_endpoint),
    ("a customer's DM reaches the inbox", receive),
    ("the first steps end with the DM", step_done),
    ("the program is told of the DM", told),
    ("an agent's reply reaches Instagram", answer),
    ("search finds the DM", search),
    ("the reports count both", reports),
    ("the agent labels and snoozes the conversation", keep),
    ("a team takes it over, and a mention is told", team),
    ("a canned reply goes out at one press", canned),
    ("a draft follows the agent to the phone", draft),
    ("the customer has a page", contact),
    ("somebody new is greeted once and routed", greet),
    ("a DM is pushed to the agent's phone, encrypted and without content", pushed),
    ("a rule answers a word", rule),
    ("a tapped ice breaker is answered", tap),
    ("Today says what came in, and what automation said", today),
    ("an assistant's suggestion is approved and sent", suggest),
    ("a comment is answered by a DM", comment),
    ("a message no webhook brought is found and answered", second_look),
    ("an email is received and answered in the same inbox", mail),
    ("a closed window: the reply goes out by email instead", onward),
    ("a mailbox is read by IMAP, and answered as it was laid out", mailbox),
    ("somebody is written to first, from their page", write_first),
    ("a message is forwarded by email, and answered", forward),
    ("an invitation is accepted, with one press", invited),
    ("a program previews an answer, and sends it to the customer", program),
    ("another addon shows the customer's orders", orders),
    ("a customer is asked how it went", satisfied),
    ("a sequence asks for the order number, a program answers, people take over", sequence),
    ("the same customer writes on WhatsApp, and both are answered", whatsapp),
    ("a template goes first, to a customer's number on WhatsApp", template_first),
    ("that customer hides their number and stays the same contact", hides_number),
]
