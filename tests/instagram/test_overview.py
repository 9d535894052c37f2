"""The admin's overview: what is connected, how the webhook fares, what the Meta app needs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from host.core import clock, db
from host.models.users import Role
from host.queue.journal import Journal
from host.sdk import deliveries
from host.sdk.accounts import mark_needs_reconnect, warn
from host.sdk.channel import AccountRef
from sandbox.world import INSTAGRAM_FIELDS
from tests import helpers
from tests.instagram import threads, world
from tests.instagram.world import ADDON, STUDIO, Addon, entry, message, payload

PAGE = "/admin/addons/instagram/settings"


@pytest.fixture
def pages(ig: Addon, desk: db.Database, data: Path) -> Any:
    from host.channels.directory import Directory

    generation = helpers.StandInGeneration(
        directory=Directory([ig.channel.InstagramAdapter()], [ig.card.CARD]),
        blueprints=(("instagram", ig.overview.views.bp),),
        template_folders={"instagram": ADDON / "templates"},
        admin_pages={"instagram": ig.overview.views.PAGE},
        manifests={"instagram": ig.release.manifest},
    )
    return helpers.build_app(data, generation=generation)


@pytest.fixture
def admin(pages: Any) -> helpers.Browser:
    return helpers.client_for(pages, helpers.make_user(is_admin=True))


@pytest.fixture
def journal(desk: db.Database, data: Path) -> Iterator[Journal]:
    journal = Journal(data / "spool", wake=lambda queue: None)
    journal.start()
    yield journal
    journal.stop()


def take(ig: Addon, journal: Journal, body: bytes) -> None:
    found = ig.webhook.verification.authenticate(world.post(body)).envelopes
    journal.ingest(
        source="/addons/instagram/webhook", channel="instagram", raw=body, remote="1.2.3.4", envelopes=found
    )


def shown(admin: helpers.Browser) -> str:
    answer = admin.get(PAGE)
    assert answer.status_code == 200
    text: str = answer.get_data(as_text=True)
    return text


def test_before_anything_is_connected_it_says_how(admin: helpers.Browser) -> None:
    text = shown(admin)
    assert "https://desk.example.com/addons/instagram/webhook" in text
    assert "No accounts connected yet" in text
    assert "0 of 8 done" in text
    assert "Nothing received yet" in text


def test_the_four_parts_are_there(admin: helpers.Browser, account: AccountRef) -> None:
    text = shown(admin)
    for part in (
        "The Meta app",
        "Connection options",
        "Webhook URL",
        "Accounts",
    ):
        assert part in text


def test_accounts_of_all_workspaces_are_listed_with_their_state(
    admin: helpers.Browser, account: AccountRef, ig: Addon
) -> None:
    studio = world.connect(ig, STUDIO, workspace_id=world.workspace("Sample Outlet"))
    world.touched(account, clock.now())
    mark_needs_reconnect(studio.id, ig.errors.lookup(190, 460).sentence)
    text = shown(admin)
    assert text.index("Sample Outlet") < text.index("@sample.studio")
    for words in (
        "@sample.pottery",
        "Pasted credentials",
        "Sign in again",
        "password used",
        "2 accounts, 2 workspaces",
    ):
        assert words in text
    world.disconnect(studio)
    assert "@sample.studio" not in shown(admin)


def test_a_signed_delivery_shows_that_meta_reaches_us(
    admin: helpers.Browser, account: AccountRef, ig: Addon, journal: Journal
) -> None:
    take(ig, journal, payload(entry(message())))
    text = shown(admin)
    assert "Reached by Meta" in text
    assert "1 valid delivery in the last 24 hours" in text
    assert "Signed deliveries are arriving" in text


def test_the_test_button_shows_as_received(
    admin: helpers.Browser, account: AccountRef, ig: Addon, journal: Journal
) -> None:
    take(ig, journal, payload({"id": "0", "time": 1, "messaging": [message("23245", "12334")]}))
    assert "Test received" in shown(admin)


def test_refused_deliveries_are_counted(any_desk: db.Database) -> None:
    from host.queue import refusals

    refusals.count_refusal("instagram", None, "signature", "1.2.3.4")
    refusals.count_refusal("instagram", 1, "signature", "1.2.3.4")
    refusals.count_refusal("instagram", None, "verify_token", "1.2.3.4")
    refusals.count_refusal("other", None, "signature", "1.2.3.4")
    refusals.flush()
    found = deliveries.summary("instagram", "instagram")
    assert found.refused == (("signature", 2), ("verify_token", 1))
    assert (found.refused_count, found.taken, found.last_taken_at, found.last_test_at) == (3, 0, None, None)


def test_an_old_delivery_counts_as_reached_but_not_in_the_last_day(
    account: AccountRef, ig: Addon, journal: Journal
) -> None:
    take(ig, journal, payload(entry(message())))
    with clock.travel(timedelta(days=2)):
        found = deliveries.summary("instagram", "instagram")
    assert found.taken == 0
    assert found.last_taken_at is not None


@pytest.mark.parametrize("public_url", ["http://127.0.0.1:8080"])
def test_an_address_meta_cannot_use_is_said(admin: helpers.Browser, public_url: str) -> None:
    from host.sdk import settings

    settings.provide("", {"public_url": public_url})
    assert "Not HTTPS" in shown(admin)


# The checklist


def mark(admin: helpers.Browser, item: str, done: str = "1") -> Any:
    return admin.post_form("/addons/instagram/checklist", item=item, done=done)


def test_an_admin_ticks_a_line_and_takes_it_back(admin: helpers.Browser) -> None:
    answer = mark(admin, "live-mode")
    assert (answer.status_code, answer.location) == (303, f"{PAGE}#check-live-mode")
    text = shown(admin)
    assert "1 of 8 done" in text
    assert "Marked as done by Mia Reuter on" in text
    mark(admin, "live-mode", "0")
    assert "0 of 8 done" in shown(admin)


def test_ticking_twice_is_ticking_once(admin: helpers.Browser) -> None:
    mark(admin, "app-review")
    mark(admin, "app-review")
    assert "1 of 8 done" in shown(admin)


@pytest.mark.parametrize("item", ["", "something", "live-mode' OR 1"])
def test_a_line_that_does_not_exist_is_404(admin: helpers.Browser, item: str) -> None:
    assert mark(admin, item).status_code == 404


def test_a_page_that_lost_a_field_is_marked(admin: helpers.Browser, account: AccountRef) -> None:
    text = shown(admin)
    assert "Not yet" in text
    assert "messaging_postbacks" in text


def test_nobody_but_an_admin_sees_or_changes_it(pages: Any) -> None:
    workspace = helpers.make_workspace()
    owner = helpers.client_for(pages, helpers.make_user(workspace=workspace, role=Role.OWNER))
    assert owner.get(PAGE).status_code == 403
    assert mark(owner, "live-mode").status_code == 403
    stranger = helpers.browser(pages)
    assert stranger.get(PAGE).status_code in {302, 303}
    assert stranger.post("/addons/instagram/checklist", data={"item": "live-mode"}).status_code in {
        400,
        302,
        303,
    }


def test_a_tick_without_the_forms_token_is_refused(admin: helpers.Browser) -> None:
    answer = admin.post("/addons/instagram/checklist", data={"item": "live-mode", "done": "1"})
    assert answer.status_code == 400
    assert "0 of 8 done" in shown(admin)


def test_warnings_stand_beside_their_account(admin: helpers.Browser, account: AccountRef) -> None:
    words = {"date": "1 May <b>"}
    warn(account.id, "token-ends", "The token expires on %(date)s.", details=words, stage="7")
    page = shown(admin)
    assert "The token expires on 1 May" in page
    assert "<b>" not in page.split("The token expires on")[1][:20]


def lines(ig: Addon) -> dict[str, Any]:
    return {
        one.name: one for one in ig.overview.checklist.items(deliveries.summary("instagram", "instagram"))
    }


def test_what_was_seen_of_the_app_is_good_for_a_week(
    account: AccountRef, ig: Addon, journal: Journal
) -> None:
    take(ig, journal, payload(entry(message())))
    for _ in range(2):
        threads.inbound(account, "text", clock.now())
    assert lines(ig)["callback-url"].verdict == lines(ig)["live-mode"].verdict == "pass"
    assert "2 people have written in the last seven days" in lines(ig)["live-mode"].evidence
    with clock.travel(timedelta(days=8)):
        found = lines(ig)
        assert found["callback-url"].verdict == found["live-mode"].verdict == "unknown"
        assert "would look the same" in found["live-mode"].evidence


def test_a_tick_for_what_may_change_unseen_is_asked_for_again(admin: helpers.Browser, ig: Addon) -> None:
    mark(admin, "live-mode")
    mark(admin, "business-app")
    with clock.travel(timedelta(days=8)):
        found = lines(ig)
        assert (found["live-mode"].verdict, found["business-app"].verdict) == ("unknown", "pass")
        assert "Check it again" in found["live-mode"].evidence
        db.write(ig.overview.checklist.tick, "live-mode", True, "Mia R.")
        assert lines(ig)["live-mode"].verdict == "pass"


def test_every_line_leads_to_its_page_at_meta_and_what_is_open_comes_first(
    admin: helpers.Browser, account: AccountRef, ig: Addon
) -> None:
    mark(admin, "instagram-product")
    found = list(lines(ig).values())
    assert all(one.link.url.startswith("https://developers.facebook.com/apps/") for one in found)
    assert {world.APP_ID} <= set(found[0].link.url.split("/"))
    done = [one.verdict == "pass" for one in found]
    assert done == sorted(done)
    assert all(one.link.url in shown(admin) for one in found)


def test_permissions_seen_on_a_token_tick_their_line(account: AccountRef, ig: Addon) -> None:
    assert lines(ig)["permissions"].verdict == "pass"


@pytest.mark.usefixtures("desk")
def test_one_list_of_fields_is_shown_checked_and_documented(ig: Addon) -> None:
    wanted = set(ig.config.object_fields())
    assert set(lines(ig)["fields"].codes) == wanted
    page = (ADDON.parents[1] / "docs" / "connect.md").read_text()
    sentence = page.split("and tick ")[1].split(".")[0]
    assert set(re.findall(r"`(\w+)`", sentence)) == wanted
    assert wanted <= set(INSTAGRAM_FIELDS)
    assert set(ig.config.page_scopes()) == set(
        re.findall(r"`(\w+)`", page.split("Permissions: ")[1].split("\n\n")[0])
    )
