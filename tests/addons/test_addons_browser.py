"""The addons page in a real browser: a zip on its way, its report, questions, phone and desk, WCAG."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from demo.journey import until
from host.addons import health, lifecycle, listing
from host.addons.health import Health
from host.addons.metrics import in_process
from host.addons.running import probe
from host.core import clock, db
from host.core.backports.values import replace
from host.models.addons import ParkedEvent
from host.process.serving import HostApplication
from host.users import users
from tests.addons.conftest import EMAIL, PASSWORD, MakeZip
from tests.asking import answer
from tests.browser.conftest import look
from tests.helpers import serving

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def address(desk: HostApplication) -> Iterator[str]:
    with serving(desk) as server:
        yield server.url()


@pytest.fixture
def arrive(chromium: Any, address: str) -> Iterator[Callable[..., Any]]:
    """Open the addons page as an admin, in a browser of its own."""
    db.write(lambda session: users.create(session, EMAIL, "Mia R.", PASSWORD, is_admin=True))
    contexts, troubles = [], []

    def open_page(**options: Any) -> Any:
        context = chromium.new_context(
            base_url=address, viewport={"width": 1440, "height": 900}, reduced_motion="reduce", **options
        )
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on(
            "console",
            lambda one: troubles.append(one.text) if "Content Security" in one.text else None,
        )
        page.goto("/login")
        page.fill("#email", EMAIL)
        page.fill("#password", PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url(lambda url: "/login" not in url)
        page.goto("/admin/addons")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert troubles == []


def test_an_upload_shows_how_far_it_is_and_then_its_report(
    desk: HostApplication, arrive: Callable[..., Any], toy_zip: MakeZip, tmp_path: Path
) -> None:
    page = arrive()
    state = page.get_by_role("status").filter(has_text="the zip")
    held: list[Any] = []
    page.route("**/admin/addons/upload", lambda route: held.append(route))  # noqa: PLW0108
    page.evaluate(
        """() => {
          window.told = [];
          const words = document.getElementById("up-state");
          new MutationObserver(() => window.told.push(words.textContent))
            .observe(words, { childList: true, characterData: true, subtree: true });
        }"""
    )
    page.get_by_label("Addon zip").set_input_files(toy_zip())
    page.get_by_label("Addon zip").press("Tab")
    page.keyboard.press("Enter")
    page.get_by_role("progressbar").wait_for()
    assert page.get_by_role("button", name="Upload and install").is_disabled()
    held[0].continue_()
    page.get_by_role("heading", name="Toy channel 1.0.0").wait_for()
    assert page.evaluate("window.told") == ["Uploading toy-1.zip…", "Checking the zip…"]
    assert state.count() == 0
    assert "/admin/addons/uploads/" in page.url
    page.wait_for_selector("h1:focus")
    assert page.title().startswith("Toy channel")
    page.go_back()
    page.get_by_role("heading", name="Upload an addon").wait_for()

    wrong = tmp_path / "holiday.zip"
    wrong.write_bytes(b"no zip at all")
    page.unroute("**/admin/addons/upload")
    for _ in range(2):  # the page that came with the refusal uploads as the first one did
        page.get_by_label("Addon zip").set_input_files(wrong)
        page.get_by_role("button", name="Upload and install").click()
        page.get_by_role("heading", name="Not installed").wait_for()
        page.locator("[role=alert]:focus").wait_for()


def test_what_is_too_large_is_not_sent_and_what_breaks_off_is_said(
    arrive: Callable[..., Any], toy_zip: MakeZip
) -> None:
    page = arrive()
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    page.locator("form[data-drop]").evaluate("form => { form.dataset.max = '10'; }")
    page.get_by_label("Addon zip").set_input_files(toy_zip())
    page.get_by_role("button", name="Upload and install").click()
    page.get_by_text("toy-1.zip is larger than 20 MB, so it was not uploaded.").wait_for()
    assert sent == []
    page.locator("form[data-drop]").evaluate("form => { form.dataset.max = '1000000'; }")
    page.route("**/admin/addons/upload", lambda route: route.abort("connectionreset"))
    page.get_by_role("button", name="Upload and install").click()
    page.get_by_text("The connection was lost during the upload. Nothing was installed").wait_for()
    assert page.get_by_role("button", name="Upload and install").is_enabled()
    assert page.get_by_role("progressbar").count() == 0


def test_a_zip_that_is_dropped_is_the_one_that_is_uploaded(
    arrive: Callable[..., Any], toy_zip: MakeZip
) -> None:
    page = arrive()
    dragged = page.evaluate_handle(
        """bytes => {
          const carried = new DataTransfer();
          carried.items.add(new File([Uint8Array.from(bytes)], "pottery.zip", { type: "application/zip" }));
          return carried;
        }""",
        list(toy_zip().read_bytes()),
    )
    form = page.locator("form[data-drop]")
    form.dispatch_event("dragover", {"dataTransfer": dragged})
    assert "over" in form.get_attribute("class").split()
    form.dispatch_event("drop", {"dataTransfer": dragged})
    assert "over" not in form.get_attribute("class").split()
    assert page.get_by_label("Addon zip").input_value().endswith("pottery.zip")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Toy channel 1.0.0").wait_for()


def test_a_zip_is_uploaded_without_scripts_too(arrive: Callable[..., Any], toy_zip: MakeZip) -> None:
    page = arrive(java_script_enabled=False)
    page.get_by_label("Addon zip").set_input_files(toy_zip())
    page.get_by_role("button", name="Upload and install").click()
    page.get_by_role("heading", name="Toy channel 1.0.0").wait_for()
    page.get_by_role("button", name="Install").click()
    page.get_by_role("article", name="Toy channel").get_by_text("Inactive").wait_for()


@pytest.mark.slow
def test_the_page_is_readable_everywhere(
    desk: HostApplication,
    arrive: Callable[..., Any],
    toy_zip: MakeZip,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    in_process.reset()
    lifecycle.install_file(desk.config, toy_zip())
    assert lifecycle.activate(desk.config, "toy", host=desk).ok
    lifecycle.install_file(desk.config, toy_zip(version="1.1.0"))
    hours = tuple(abs(12 - place) * 40 + place % 5 * 30 for place in range(24))
    day = {"toy": Health(sum(hours), 1873, 2, 1, hours, more=True)}
    monkeypatch.setattr(health, "of_last_day", lambda: day)
    in_process.metrics().note(
        "toy", "1.1.0", "send", 0.2, ValueError("the provider answered with " + "x" * 200)
    )
    page = arrive()
    card = page.get_by_role("article", name="Toy channel")
    card.get_by_text("Sending a message failed.").wait_for()
    card.get_by_text("Show last error").press("Enter")
    card.get_by_text("ValueError: the provider answered").wait_for()
    look(page, "addons-card")
    held: list[Any] = []
    page.route("**/admin/addons/upload", lambda route: held.append(route))  # noqa: PLW0108
    page.get_by_label("Addon zip").set_input_files(tmp_path / "toy-1.zip")
    page.get_by_role("button", name="Upload and install").click()
    page.get_by_role("progressbar").wait_for()
    look(page, "addons-uploading")
    held[0].abort()
    page.get_by_text("The connection was lost during the upload.").wait_for()
    wrong = tmp_path / "holiday.zip"
    wrong.write_bytes(b"no zip at all")
    page.unroute("**/admin/addons/upload")
    page.get_by_label("Addon zip").set_input_files(wrong)
    page.get_by_role("button", name="Upload and install").click()
    page.get_by_role("heading", name="Not installed").wait_for()
    look(page, "addons-refused")


@pytest.mark.slow
def test_the_pages_behind_the_cards_are_readable_everywhere(
    desk: HostApplication, arrive: Callable[..., Any], toy_zip: MakeZip
) -> None:
    in_process.reset()
    lifecycle.install_file(desk.config, toy_zip())
    assert lifecycle.activate(desk.config, "toy", host=desk).ok
    note = in_process.metrics().note
    note("toy", "1.0.0", "page toy_pages.about", 2.5, ValueError("the provider answered with " + "x" * 200))
    page = arrive()
    page.get_by_label("More for Toy channel").press("Enter")
    page.get_by_role("article", name="Toy channel").get_by_role("link", name="Report").press("Enter")
    page.get_by_role("heading", name="Toy channel 1.0.0").wait_for()
    look(page, "addons-what-runs")
    page.goto("/admin/hooks")
    page.get_by_text("ValueError: the provider answered").wait_for()
    look(page, "addons-hooks")
    lifecycle.deactivate(desk.config, "toy", host=desk)
    for number, address in enumerate(["/admin/addons/toy/uninstall", "/admin/audit"]):
        page.goto(address)
        look(page, ["addons-uninstall", "audit"][number])
    page.set_viewport_size({"width": 360, "height": 780})
    page.goto("/admin/audit")
    where = page.locator("[data-side-nav] summary")
    assert "Desk settings" in where.inner_text(), "where one is has to be in sight"
    assert where.bounding_box()["width"] <= 360


@pytest.mark.slow
def test_the_page_of_events_set_aside_is_readable_everywhere(
    arrive: Callable[..., Any], desk: HostApplication, toy_zip: MakeZip
) -> None:
    lifecycle.install_file(desk.config, toy_zip())

    def set_aside(session: db.Session) -> None:
        for number, behind in enumerate(("conversation.7", "conversation.7", "contact.12", "event.77")):
            waits = number == 1
            session.add(
                ParkedEvent(
                    listener="listener.toy.parcels",
                    event_id=70 + number,
                    kind="contact.changed" if behind.startswith("contact") else "message.received",
                    workspace_id=1,
                    behind=behind,
                    parked_at=clock.now(),
                    retry_at=clock.now(),
                    tries=0 if waits else 5,
                    failing_since=None if waits else clock.now(),
                    problem=None if waits else "ValueError (toy/listeners.py, line 16)",
                )
            )

    db.write(set_aside)
    page = arrive()
    page.goto("/admin/addons/toy/parked")
    assert page.locator("tbody tr").count() == 3
    look(page, "events-set-aside")


def test_questions_name_what_stops_and_what_stays(
    desk: HostApplication, arrive: Callable[..., Any], toy_zip: MakeZip
) -> None:
    lifecycle.install_file(desk.config, toy_zip())
    assert lifecycle.activate(desk.config, "toy", host=desk).ok
    lifecycle.install_file(desk.config, toy_zip(version="1.1.0"))
    page = arrive()
    card = page.get_by_role("article", name="Toy channel")
    asked: list[str] = []
    for name in ("Deactivate", "Roll back to 1.0.0"):
        button = card.get_by_role("button", name=name)
        if not button.is_visible():
            card.get_by_label("More for Toy channel").press("Enter")
        button.press("Enter")
        asked.append(answer(page, yes=False))
    assert [one.splitlines()[0] for one in asked] == [
        "Deactivate Toy channel?",
        "Roll Toy channel back to 1.0.0?",
    ]
    assert all("\nKept: " in one for one in asked)
    assert card.get_by_text("Active", exact=True).count() == 1


def test_a_menu_is_used_by_keyboard_alone(
    desk: HostApplication, arrive: Callable[..., Any], toy_zip: MakeZip
) -> None:
    lifecycle.install_file(desk.config, toy_zip())
    assert lifecycle.activate(desk.config, "toy", host=desk).ok
    lifecycle.install_file(desk.config, toy_zip(version="1.1.0"))
    page = arrive()
    opener = page.get_by_label("More for Toy channel")
    menu = page.locator("article details.menu")

    def press(*keys: str) -> str:
        for key in keys:
            page.keyboard.press(key)
        return str(page.evaluate("document.activeElement.textContent.trim()"))

    opener.focus()
    assert press("ArrowDown") == "Report"
    assert press("ArrowDown") == "Roll back to 1.0.0"
    assert press("End") == "Deactivate"
    assert press("ArrowDown") == "Report", "behind the last comes the first"
    assert press("ArrowUp") == "Deactivate"
    assert press("Home") == "Report"
    assert press("r") == "Roll back to 1.0.0"
    assert press("x") == "Roll back to 1.0.0", "no entry begins with it"
    press("Escape")
    assert menu.get_attribute("open") is None
    assert opener.evaluate("one => one === document.activeElement")
    assert press("ArrowUp") == "Deactivate", "up from the opener leads to the last"
    press("Tab")
    assert menu.get_attribute("open") is None, "an open menu is not left behind"
    page.get_by_label("Your account, Mia R.").press("ArrowDown")
    assert press("End") == "Sign out"
    page.mouse.click(700, 800)
    assert page.locator("details.menu[open]").count() == 0


def test_sixty_addons_with_long_names_fit_a_phone(
    desk: HostApplication, arrive: Callable[..., Any], toy_zip: MakeZip, monkeypatch: pytest.MonkeyPatch
) -> None:
    lifecycle.install_file(desk.config, toy_zip())
    installed = listing.installed()
    word = "W" * 300
    card = installed[0]
    long = msgspec.structs.replace(card.manifest, name=word, description=word, publisher=word)
    many = [replace(card, release=replace(card.release, manifest=long)) for _ in range(60)]
    monkeypatch.setattr(listing, "installed", lambda: many)
    page = arrive()
    page.set_viewport_size({"width": 360, "height": 780})
    assert page.locator("article").count() == 60
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_built_in_feature_is_switched_off_and_on(arrive: Callable[..., Any]) -> None:
    page = arrive()
    reports = page.locator("#feature-reports")
    look(page, "addons-built-in")
    reports.get_by_role("button", name="Turn off").click()
    look(page, "addons-switch-off")
    answer(page)
    page.get_by_text("Reports turned off.").wait_for()
    look(page, "addons-switched-off")
    reports.get_by_role("button", name="Turn on").click()
    page.get_by_text("Reports turned on.").wait_for()


def test_every_open_tab_follows_an_activation(
    desk: HostApplication, arrive: Callable[..., Any], toy_zip: MakeZip, monkeypatch: pytest.MonkeyPatch
) -> None:
    lifecycle.install_file(desk.config, toy_zip())
    page = arrive()
    other = page.context.new_page()
    other.goto("/admin/addons")
    goes_on = threading.Event()
    tried = probe.run

    def slow(*args: Any) -> Any:
        assert goes_on.wait(60)
        return tried(*args)

    monkeypatch.setattr(probe, "run", slow)
    row = "#addon-toy"
    page.evaluate(
        """() => new MutationObserver(() => {
          for (const one of document.querySelectorAll(".under-way, button[aria-busy]"))
            localStorage[one.textContent] = 1;
        }).observe(document.body, { childList: true, attributes: true, subtree: true })"""
    )
    page.click(f"{row} >> button:has-text('Activate')", no_wait_after=True)
    going = other.locator(f"{row} .under-way")
    going.get_by_text("Load the code in a separate process").wait_for(timeout=30_000)
    assert other.locator(f"{row} .check").filter(has_text="Running").count() == 1
    assert other.locator(f"{row} button:has-text('Activate')").count() == 0
    # The tab in which it was pressed waits for its answer, and Playwright with it:
    # another tab reads what it showed.
    seen = "Object.keys(localStorage).join()"
    until(lambda: "Load the code in a separate process" in other.evaluate(seen), "both follow", seconds=30)
    assert "Activating…" in other.evaluate(seen)
    look(other, "addons-activating")
    goes_on.set()
    other.locator(f"{row} >> text=Deactivate").wait_for(state="attached", timeout=30_000)
    assert other.locator("[data-announce]").inner_text() == "Toy channel: Active"
    page.get_by_text("Addon activated.").wait_for(timeout=30_000)

    lifecycle.deactivate(desk.config, "toy", host=desk)
    for tab in (other, page):
        tab.locator(f"{row} button:has-text('Activate')").wait_for(timeout=30_000)


def test_a_report_shows_what_another_tab_started(
    desk: HostApplication, arrive: Callable[..., Any], toy_zip: MakeZip
) -> None:
    release = lifecycle.install_file(desk.config, toy_zip())
    page = arrive()
    page.goto(f"/admin/addons/uploads/{release.id}")
    page.get_by_role("button", name="Activate").wait_for()
    lifecycle.activate(desk.config, "toy", host=desk)
    page.get_by_role("button", name="Activate").wait_for(state="detached", timeout=30_000)
    page.get_by_role("link", name="Back to addons").wait_for()


def test_a_late_answer_about_the_page_before_does_not_take_the_reports_place(
    desk: HostApplication, arrive: Callable[..., Any], toy_zip: MakeZip
) -> None:
    page = arrive()
    uploads: list[Any] = []
    redrawn: list[Any] = []
    page.route("**/admin/addons/upload", lambda route: uploads.append(route))  # noqa: PLW0108
    page.route(
        "**/admin/addons",
        lambda route: redrawn.append(route) if route.request.resource_type == "fetch" else route.continue_(),
    )
    page.set_input_files("input[type=file]", str(toy_zip()))
    page.get_by_role("button", name="Upload and install").click()
    until(lambda: page.evaluate("1") and uploads, "the upload is on its way")
    lifecycle.install_file(desk.config, toy_zip())
    until(lambda: page.evaluate("1") and redrawn, "the list is asked for again")
    about_the_list = redrawn[0].fetch()
    uploads[0].continue_()
    page.get_by_role("link", name="Back to addons").wait_for()
    redrawn[0].fulfill(response=about_the_list)
    page.wait_for_timeout(1_000)
    assert page.get_by_role("link", name="Back to addons").is_visible()
    assert page.get_by_role("button", name="Activate").is_visible()
