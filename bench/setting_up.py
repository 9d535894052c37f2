"""Setting up in Chromium: actions and seconds to the first answered DM, and of five automations.

The sandbox plays Meta. Each set-up is then proven: the customer gets the answer, or the team is notified.
"""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser

from bench.hand import chromium
from bench.person import Person
from bench.plan import Figure, Plan
from demo import journey
from demo.journey import ADMIN, PASSWORD, Journey, landed, until
from demo.outside import Outside
from demo.person import PageError
from demo.processes import Host, Sandbox, free_port, sandbox_settings

SHOP, STUDIO = "@sample.pottery", "@sample.studio"
TEAM = "Orders"
WELCOME = "Hello, and thank you for writing! We read every message and answer soon."
POST = "The tide mug is back"
LINK = "Here is the tide mug: pottery.example/tide"
PUBLIC = "You have a message from us"
ANSWERS = {
    "Where is my order?": "Send us your order number, and we look.",
    "How long does delivery take?": "4 to 6 days within the EU.",
    "When are you open?": "From 9 to 18, Monday to Saturday.",
    "Can I return something?": "Yes, within 30 days.",
}
GLAZES = "The sage glaze is food safe and survives the dishwasher at up to 60 degrees."
HALF_AN_HOUR_SECONDS = 31 * 60
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True, slots=True)
class Walk:
    """Something a person sets up.

    :param words: what the actions lead to, after "actions".
    :param limit: the most actions it may take.
    :param take: does it, until the page says that it is done.
    :param prove: raises PageError if what was set up doesn't work.
    """

    key: str
    words: str
    limit: int
    take: Callable[[Journey, Person], None]
    prove: Callable[[Journey], None]


@dataclass(frozen=True, slots=True)
class Walked:
    """The actions and seconds of a walk."""

    walk: Walk
    actions: int
    seconds: float

    def __str__(self) -> str:
        verdict = "" if self.actions <= self.walk.limit else ", too many"
        return f"{self.walk.key}: {self.actions} actions of {self.walk.limit}{verdict}, {self.seconds:.1f} s"


def setup(plan: Plan) -> list[Figure]:
    """Count the actions to the first answered DM, then those of five set-ups on one desk."""
    with chromium() as browser:
        return [figure(one) for one in walked(browser, plan.folder)]


def figure(one: Walked) -> Figure:
    """Return a line of the table; it is missed if the walk took more actions than its limit."""
    return Figure(
        f"setup {one.walk.key}",
        f"actions {one.walk.words}",
        (float(one.actions),),
        float(one.walk.limit),
        False,
        f"{one.seconds:.1f} s in Chromium, typing takes no time",
        {"seconds": one.seconds},
    )


def walked(browser: Browser, folder: Path) -> Iterator[Walked]:
    """Take every walk and prove what came of it, one after the other."""
    with desk(folder) as (shop, started):
        yield said(_first_answer(browser, shop, started))
    with desk(folder) as (shop, _started):
        furnish(shop)
        for walk in SET_UPS:
            yield said(_walk(browser, shop, walk, f"/w/{shop.workspace}/settings/automation"))


def said(one: Walked) -> Walked:
    """Print it: the figure comes at the end, and a later walk may fail."""
    print(one, flush=True)
    return one


def _first_answer(browser: Browser, shop: Journey, started: float) -> Walked:
    if shop.host.setup_link is None:
        raise PageError("the first start printed no set-up link")
    found = _walk(browser, shop, FIRST_ANSWER, shop.host.setup_link)
    return Walked(found.walk, found.actions, started + found.seconds)


def _walk(browser: Browser, shop: Journey, walk: Walk, start: str) -> Walked:
    context = browser.new_context(
        base_url=shop.host.url, viewport={"width": 1440, "height": 900}, locale="en-GB"
    )
    try:
        context.add_cookies(
            [
                {"name": one.name, "value": one.value or "", "url": shop.host.url}
                for one in shop.admin.session.cookies
            ]
        )
        person = Person(context.new_page())
        person.arrive(start)
        try:
            walk.take(shop, person)
        except Exception as error:
            error.add_note(f"{walk.key}, after " + "; ".join(person.done))
            raise
        seconds = person.seconds
        walk.prove(shop)
        return Walked(walk, person.actions, seconds)
    finally:
        context.close()


# ---- desks ---------------------------------------------------------------------------------------------


@contextmanager
def desk(folder: Path) -> Iterator[tuple[Journey, float]]:
    """Start a desk on an empty folder beside a Meta, and yield it with the seconds `lobby run` took."""
    with tempfile.TemporaryDirectory(prefix="setup-", dir=folder) as data:
        outside = Outside()
        outside.start()
        sandbox = host = None
        try:
            sandbox = Sandbox.start()
            settings = sandbox_settings(sandbox)
            settings["LOBBY_ALLOW_HOSTS"] += f",{outside.addresses}"
            began = time.monotonic()
            host = Host.start(Path(data), port=free_port(), settings=settings)
            started = time.monotonic() - began
            shop = Journey(sandbox, host, outside, smtp_port=0)
            shop.agent = shop.admin  # who sets up looks at what came of it, too
            journey.sandbox_answers(shop)
            yield shop, started
        finally:
            if host is not None:
                host.program.stop()
            if sandbox is not None:
                sandbox.program.stop()
            outside.stop()


def furnish(shop: Journey) -> None:
    """Take the steps before automation: addon, two accounts, comments of one, a team, a language model."""
    for step in (journey.set_up, journey.upload, journey.install, journey.activate, journey.connect):
        step(shop)
    journey.verify(shop)
    _connect_studio(shop)
    shop.admin.open(f"/w/{shop.workspace}/settings/channels")
    shop.admin.press("Turn on: Comments")
    shop.admin.expect(f"Comments turned on for {SHOP}")
    shop.control("POST", "posts", {"kind": "FEED", "caption": POST})
    shop.admin.open(f"/w/{shop.workspace}/settings/teams")
    shop.admin.press("Add team", {"name": TEAM})
    member = re.search(r'name="member" value="(\d+)"', shop.admin.html)
    if member is None:
        raise PageError("nobody can be chosen for the team")
    shop.admin.press("Save", {"name": TEAM, "member": member[1]})
    shop.admin.open(f"/w/{shop.workspace}/settings/models/new")
    model = {"name": "Stand-in", "address": f"{shop.outside.model.url}/v1", "model": "stand-in"}
    shop.admin.press("Save", model)


def _connect_studio(shop: Journey) -> None:
    page = shop.seed["pages"][1]
    token = next(one for one in shop.seed["tokens"] if one["id"] == "studio-long")
    shop.admin.open(f"/w/{shop.workspace}/settings/channels/instagram/new")
    values = {
        "name": "Studio",
        "page_id": page["id"],
        "ig_user_id": page["igid"],
        "page_access_token": token["value"],
        "app_secret": shop.seed["apps"][0]["secret"],
    }
    shop.admin.press("Save and check", values)
    shop.admin.expect("Connected", STUDIO)


def write(shop: Journey, customer: str, text: str, account: str = SHOP, **more: object) -> None:
    """Let a customer write to *account*, who is new if nobody of that name has written to it yet."""
    name = account.removeprefix("@")
    state = shop.control("GET", "state")
    igid = next(one["igid"] for one in state["accounts"] if one["username"] == name)
    if (customer, igid) not in {(one["username"], one["igid"]) for one in state["customers"]}:
        new = {"name": f"{customer.partition('.')[0].capitalize()} T.", "username": customer, "account": name}
        shop.control("POST", "customers", new)
    shop.control("POST", "dm", {"customer": customer, "text": text, "account": name, **more})


def talk(shop: Journey, *texts: str) -> str:
    """Return the id of the conversation whose row shows one of *texts*, as soon as one does."""
    inbox = f"/w/{shop.workspace}/inbox"
    until(lambda: any(text in shop.admin.open(inbox) for text in texts), f"{texts[0]!r} in the inbox")
    return journey.open_conversation(shop, *texts)


# ---- to the first answered DM --------------------------------------------------------------------------


def _take_first_answer(shop: Journey, person: Person) -> None:
    page, app = shop.seed["pages"][0], shop.seed["apps"][0]
    token = next(one for one in shop.seed["tokens"] if one["id"] == "pottery-long")
    person.fill("Your name", "Mia R.")
    person.fill("Email address", ADMIN)
    person.fill("Password", PASSWORD)
    person.fill("Confirm password", PASSWORD)
    person.fill("Name of the first workspace", "Sample Pottery")
    person.click("button", "Set up Lobby")
    person.click("button", "Install Instagram Direct")
    person.sees("is installed and active.")
    person.click("link", "Configure: Instagram")
    person.fill("Page ID", page["id"])
    person.fill("Page Access Token", token["value"])
    person.fill("App Secret", app["secret"])
    person.click("button", "Save and check")
    person.sees(f"{SHOP} is connected.")
    person.click("link", "Inbox")
    person.sees("Waiting for your message")
    shop.control("POST", "dm", {"customer": "ana.sample", "text": journey.QUESTION})
    person.follow(journey.QUESTION)
    person.fill("Write a reply", journey.ANSWER)
    person.click("button", "Send")
    deadline = time.monotonic() + 60
    while not landed(shop, journey.ANSWER) and time.monotonic() < deadline:
        person.waits(0.1)


def _prove_first_answer(shop: Journey) -> None:
    until(lambda: landed(shop, journey.ANSWER), "the answer in Instagram")


FIRST_ANSWER = Walk(
    "first DM", "from `lobby run` to the first answered DM", 25, _take_first_answer, _prove_first_answer
)


# ---- five set-ups --------------------------------------------------------------------------------------


def _take_welcome(_shop: Journey, person: Person) -> None:
    person.click("link", f"Add: Greeting, {SHOP}")
    person.fill("Greeting text", WELCOME)
    person.click("button", "Save")
    person.sees("Saved.")
    person.click("link", "Change hours")
    person.choose("Schedule", "Custom hours")
    person.click("button", "Save")
    person.sees("Saved")
    person.click("link", "Automation")
    person.click("link", f"Add: Rules, {SHOP}")
    person.follow("Refund words")
    person.fill("Words, pattern or value of condition 1", "chipped, broken")
    person.click("radio", "Live")
    person.click("button", "Save")
    person.sees("was saved.")


def _prove_welcome(shop: Journey) -> None:
    question = "I want a refund for the chipped mug"
    write(shop, "wen.sample", question)
    until(lambda: landed(shop, WELCOME), "the welcome in Instagram")
    conversation = talk(shop, WELCOME, question)
    mine = f"/w/{shop.workspace}/inbox?team=mine"

    def given() -> bool:
        shop.admin.open(mine)
        return f'data-row="{conversation}"' in shop.admin.html

    until(given, "the conversation with the team")
    shop.admin.open(f"/w/{shop.workspace}/settings/hours")
    shop.admin.expect("Monday")
    # From here on the desk is always open, so that the other walks don't depend on the time of day.
    shop.admin.press("Save", dict.fromkeys(DAYS, "00:00 – 24:00"))


def _take_comment(_shop: Journey, person: Person) -> None:
    person.click("link", f"Add: Campaigns, {SHOP}")
    person.unfold("Choose from recent posts")
    person.follow(POST)
    person.sees("Post added.")
    person.fill("Words", "tide")
    person.fill("Public answer 1", PUBLIC)
    person.fill("Private reply", LINK)
    person.click("radio", "Live")
    person.click("button", "Save")
    person.sees("was saved.")


def _prove_comment(shop: Journey) -> None:
    posts = shop.control("GET", "posts")["posts"]
    post = next(one["id"] for one in posts if one["caption"] == POST)
    write(shop, "theo.sample", "TIDE please", kind="comment", post=post)
    until(lambda: landed(shop, LINK), "the private reply in Instagram")

    def answered() -> bool:
        entries = shop.control("GET", "ledger?kind=public_reply")["entries"]
        return any(one["text"] == PUBLIC for one in entries)

    until(answered, "the public answer in Instagram")


def _take_unanswered(_shop: Journey, person: Person) -> None:
    person.follow("Refund")
    person.click("link", "New rule")
    person.follow("30 minutes unanswered in business hours")
    person.click("radio", "Live")
    person.click("button", "Save")
    person.sees("was saved.")


def _prove_unanswered(shop: Journey) -> None:
    question = "Is anybody there?"
    shop.control("POST", "clock", {"advance": -HALF_AN_HOUR_SECONDS})
    try:
        write(shop, "una.sample", question)
    finally:
        shop.control("POST", "clock", {"reset": True})
    until(lambda: "Una T." in shop.admin.open("/notifications"), "the notification of the team", 90)


def _take_ice_breakers(_shop: Journey, person: Person) -> None:
    person.click("link", f"Add: Ice breakers, {SHOP}")
    person.click("button", "Use common questions")
    for number, answer in enumerate(ANSWERS.values(), 1):
        person.fill(f"Answer {number}", answer)
    person.click("button", "Save")
    person.sees("now shows 4.")


def _prove_ice_breakers(shop: Journey) -> None:
    for question in ANSWERS:
        write(shop, "ivy.sample", question, kind="postback", title=question, payload=question)
    until(lambda: all(landed(shop, answer) for answer in ANSWERS.values()), "the answers in Instagram")


def _take_assistant(shop: Journey, person: Person) -> None:
    file = shop.host.data / "glazes.txt"
    file.write_text(f"{GLAZES}\n")
    person.click("link", f"Add: Assistant, {STUDIO}")
    person.fill("Name", "Shop desk")
    person.click("button", "Create assistant")
    person.attach("Drop files here, or choose", file)
    person.sees("Ready")
    person.fill("Message to the customer", "Mia answers you in a moment.")
    person.click("button", "Save", within=("region", "Handoff"))
    person.sees("Saved.")
    person.click("button", "Suggest", within=("group", f"Mode on {STUDIO}"))
    person.sees("of 50 accepted unchanged")


def _prove_assistant(shop: Journey) -> None:
    for customer, question, said_of_it in (
        ("gil.sample", "Is the sage glaze safe for food?", GLAZES),
        ("hal.sample", "Could you repair my bicycle?", "You can add your answer to its knowledge"),
    ):
        write(shop, customer, question, STUDIO)
        thread = f"/w/{shop.workspace}/inbox/{talk(shop, question)}"

        def there(thread: str = thread, wanted: str = said_of_it) -> bool:
            return wanted in shop.admin.open(thread)

        until(there, f"what the assistant says to {question!r}", 90)


SET_UPS = (
    Walk("welcome", "to a greeting, working hours and routing by a word", 12, _take_welcome, _prove_welcome),
    Walk(
        "comment",
        "to a public answer and a private reply to a word in comments",
        8,
        _take_comment,
        _prove_comment,
    ),
    Walk(
        "unanswered",
        "to a notification after 30 minutes without an answer",
        6,
        _take_unanswered,
        _prove_unanswered,
    ),
    Walk("ice breakers", "to four ice breakers with answers", 9, _take_ice_breakers, _prove_ice_breakers),
    Walk(
        "assistant",
        "to an assistant that suggests from a file and hands off",
        10,
        _take_assistant,
        _prove_assistant,
    ),
)
