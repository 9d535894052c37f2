"""A channel whose addon is off, and then gone: its conversations stay readable, nothing breaks on them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from demo.outside import Outside
from demo.processes import free_port, sandbox_settings
from tests.whole.rig import running, until
from tests.whole.shops import ADMIN, POTTERY, POTTERY_OWNER
from tests.whole.test_bad_input import FIELDS
from tests.whole.test_isolation import FORMS, PLACE, TABLE, Scene, furnished, of_the_api

pytestmark = pytest.mark.slow

UNFIT = ("POST /logout", "POST /w/<int:workspace_id>/settings/people/<int:user_id>/remove")
"""What would end the test's own session or membership."""


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, addon_zip: Path) -> Iterator[Scene]:
    """A desk with conversations of the addon's channel, after the addon was switched off."""
    outside = Outside()
    outside.start()
    port = free_port()
    try:
        for rig in running(tmp_path_factory.mktemp("gone")):
            allowed = sandbox_settings(rig.sandbox)["LOBBY_ALLOW_HOSTS"]
            rig.settings["LOBBY_ALLOW_HOSTS"] = f"{allowed},{outside.addresses}"
            rig.settings["LOBBY_SMTP_LISTEN"] = f"127.0.0.1:{port}"
            found = furnished(rig, addon_zip, outside, port)
            rig.lobby("addon", "deactivate", "instagram")
            webhook = f"{rig.url}/addons/instagram/webhook"
            until(lambda url=webhook: requests.get(url, timeout=5).status_code == 404, "the addon's end")  # type: ignore[misc]
            yield found
    finally:
        outside.stop()


def pages(scene: Scene) -> Iterator[tuple[str, requests.Response]]:
    """Ask for every address that is left, as the owner and as an admin, about what the addon brought."""
    for route in TABLE:
        if of_the_api(route) or route in UNFIT or "/admin/addons/" in route:
            continue
        for email in (POTTERY_OWNER, ADMIN):
            yield f"{email}: {route}", scene.call(email, route, scene.pottery)


def test_no_page_breaks_and_no_form_either(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    for rule, fields in FIELDS.items():
        monkeypatch.setitem(FORMS, f"POST {rule}", fields)
    wrong = [
        f"{what} answered {answer.status_code}" for what, answer in pages(scene) if answer.status_code >= 500
    ]
    assert wrong == []
    assert "Traceback" not in scene.rig.output


def test_the_conversation_is_read_and_marked_and_offers_no_reply(scene: Scene) -> None:
    ids = scene.pottery
    owner = scene.rig.person(POTTERY_OWNER)
    owner.open(f"/w/{ids['workspace_id']}/inbox")
    assert owner.html.count("is not active.") == 1, "said once, not on every row"
    owner.open(f"/w/{ids['workspace_id']}/inbox/{ids['conversation_id']}")
    assert f"secret of {POTTERY.page}" in owner.html
    assert "Its addon is not active" in owner.html
    assert "reply_key" not in owner.html.split("Its addon is not active")[0]
    before = scene.rig.value("SELECT COUNT(*) FROM messages")
    address = f"{scene.rig.url}/w/{ids['workspace_id']}/inbox/{ids['conversation_id']}/reply"
    form = {"csrf_token": scene.tokens[POTTERY_OWNER], "text": "Hello", "reply_key": "to-nobody"}
    answer = scene.people[POTTERY_OWNER].post(address, data=form, allow_redirects=False, timeout=10)
    assert 400 <= answer.status_code < 500
    assert scene.rig.value("SELECT COUNT(*) FROM messages") == before


def test_programs_read_it_too(scene: Scene) -> None:
    owner = scene.rig.person(POTTERY_OWNER)
    owner.open(f"/w/{scene.pottery['workspace_id']}/settings/api")
    owner.press("Create API key", {"name": "Reader", "scopes": "write"})
    key = re.search(r"lobby_[\w-]{43}", owner.html)
    assert key is not None
    answered = {}
    for route in scene.routes:
        if not of_the_api(route) or route == "DELETE /api/v1/contacts/<api_id:contact_id>":
            continue  # the next test reads what a customer wrote
        method, _, rule = route.partition(" ")
        ids = {**scene.pottery, "id": scene.pottery["conversation_id"]}
        path = PLACE.sub(lambda place: str(ids.get(place.group(1), 1)), rule)  # noqa: B023
        answer = requests.request(
            method,
            scene.rig.url + path,
            headers={"Authorization": f"Bearer {key.group()}"},
            json={},
            timeout=20,
        )
        answered[route] = answer.status_code
    assert {route: status for route, status in answered.items() if status >= 500} == {}
    read = [route for route, status in answered.items() if route.startswith("GET") and status == 200]
    assert len(read) >= 5, answered


def test_removed_altogether_it_is_still_there_to_read(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    uninstall = "POST /admin/addons/<slug>/uninstall"
    monkeypatch.setitem(FORMS, uninstall, {"what": "keep"})
    scene.call(ADMIN, uninstall, {"slug": "instagram"})
    assert "instagram" not in scene.rig.lobby("addon", "list")
    owner = scene.rig.person(POTTERY_OWNER)
    owner.open(f"/w/{scene.pottery['workspace_id']}/inbox/{scene.pottery['conversation_id']}")
    assert f"secret of {POTTERY.page}" in owner.html
    owner.open(f"/w/{scene.pottery['workspace_id']}/settings/channels")
    assert scene.rig.value("SELECT COUNT(*) FROM conversations WHERE channel = 'instagram'") >= 1
