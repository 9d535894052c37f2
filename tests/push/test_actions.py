"""The actions of a pushed notification: snooze an hour, and undo, from the service worker."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from host.core import clock, db
from host.inbox import conversation_actions
from host.models.inbox import Conversation, ConversationStatus, Snooze, SnoozeKind
from host.models.users import User
from host.notifications import notify
from host.users import members, sessions
from tests import helpers
from tests.helpers import Browser, do
from tests.inbox import toys
from tests.inbox.scenes import Scene
from tests.notifications.telling import mention, tell
from tests.push.phones import Phone, push
from tests.push.service import PushService
from tests.push.test_sending import writes

HOUR = timedelta(hours=1)


def pushed(scene: Scene, service: PushService, name: str = "phone") -> dict[str, Any]:
    """Return what a push of a customer's message shows on Mia's phone."""
    phone = Phone(service, scene.desk.mia.id, name)
    writes(scene)
    push()
    return phone.shown[-1]


def act(browser: Browser, shown: dict[str, Any], do: str = "snooze", **values: str) -> Any:
    """POST as the service worker does: with the cookie, and without a CSRF token."""
    actions = shown["actions"]
    form = {"do": do, "token": actions["token"], "shown": actions["shown"], **values}
    headers = {"Accept": "application/json", "Sec-Fetch-Site": "same-origin"}
    return browser.post(shown["actions"]["address"], data=form, headers=headers)


def row(scene: Scene, contact: str = "ana") -> Conversation:
    with db.read() as session:
        return session.get_one(Conversation, scene.conversation(contact))


def test_snoozing_and_undo_with_no_page_open(scene: Scene, service: PushService) -> None:
    shown = pushed(scene, service)
    assert (shown["actions"]["open"], shown["actions"]["snooze"]) == ("Open", "Snooze an hour")
    began = clock.now()
    answer = act(scene.desk.browser, shown)
    assert answer.status_code == 200, answer.text
    found = row(scene)
    assert found.snooze_kind == SnoozeKind.UNTIL
    assert found.snoozed_until is not None
    assert abs(found.snoozed_until - began - HOUR) < timedelta(seconds=10)
    assert answer.json["title"].startswith("Snoozed until ")
    assert answer.json["undo"] == "Undo"
    assert act(scene.desk.browser, shown, "undo", until="1").status_code == 409
    assert act(scene.desk.browser, shown, "undo", until=str(answer.json["until"])).status_code == 200
    assert row(scene).snooze_kind is None
    assert act(scene.desk.browser, shown, "undo", until=str(answer.json["until"])).status_code == 409


def test_the_words_are_in_the_language_of_the_person(scene: Scene, service: PushService) -> None:
    toys.change_row(User, scene.desk.mia.id, locale="de")
    shown = pushed(scene, service)
    assert shown["actions"]["snooze"] == "Eine Stunde zurückstellen"
    assert act(scene.desk.browser, shown).json["title"].startswith("Zurückgestellt bis ")


def test_what_is_left_out_of_older_pushes_is_no_field(scene: Scene, service: PushService) -> None:
    shown = pushed(scene, service)
    assert {"title", "body", "tag", "url", "at"} <= set(shown)
    assert shown["unread"] == 1


@pytest.mark.parametrize(
    "given", ["", "x", "1.2.3", "1.99999999999.x", "²..", "9" * 400, "1." + "9" * 15 + ".é"]
)
def test_a_token_that_is_none_is_refused(scene: Scene, service: PushService, given: str) -> None:
    shown = pushed(scene, service)
    assert act(scene.desk.browser, shown, token=given).status_code == 403
    assert row(scene).snooze_kind is None


def test_a_token_is_for_one_person_conversation_and_device_and_a_short_time(
    scene: Scene, service: PushService
) -> None:
    shown = pushed(scene, service)
    bo = helpers.make_user(name="Bo T.", workspace=scene.desk.workspace)
    assert act(helpers.client_for(scene.desk.app, bo), shown).status_code == 403, "somebody else"
    scene.said("kit", "Kit L.", "Hello?", clock.now())
    other = {
        "actions": {**shown["actions"], "address": f"{scene.desk.path()}/{scene.conversation('kit')}/pushed"}
    }
    assert act(scene.desk.browser, other).status_code == 403, "another conversation"
    with clock.travel(timedelta(hours=13)):
        fresh = helpers.client_for(scene.desk.app, scene.desk.mia)
        assert act(fresh, shown).status_code == 403, "later"
    db.write(sessions.end_all, scene.desk.mia.id)
    again = helpers.client_for(scene.desk.app, scene.desk.mia)
    assert act(again, shown).status_code == 403, "the device has ended"
    assert row(scene).snooze_kind is None


def test_without_a_session_it_is_refused(scene: Scene, service: PushService) -> None:
    shown = pushed(scene, service)
    answer = act(helpers.browser(scene.desk.app), shown)
    assert answer.status_code == 401
    assert answer.json["error"]["message"]


def test_another_site_is_refused(scene: Scene, service: PushService) -> None:
    shown = pushed(scene, service)
    form = {"do": "snooze", "token": shown["actions"]["token"]}
    headers = {"Accept": "application/json", "Sec-Fetch-Site": "cross-site"}
    assert scene.desk.browser.post(shown["actions"]["address"], data=form, headers=headers).status_code == 403


def test_it_can_do_nothing_else(scene: Scene, service: PushService) -> None:
    shown = pushed(scene, service)
    for action in ("", "close", "snooze_long"):
        assert act(scene.desk.browser, shown, action).status_code == 400
    assert row(scene).status == ConversationStatus.OPEN


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"status": ConversationStatus.CLOSED}, "Bo T. closed this."),
        ({"snooze": Snooze(SnoozeKind.REPLY)}, "Bo T. snoozed this until they write."),
    ],
)
def test_whoever_loses_a_race_is_told_by_the_notification(
    scene: Scene, service: PushService, changes: Any, words: str
) -> None:
    shown = pushed(scene, service)
    do(
        conversation_actions.set_fields,
        scene.desk.workspace,
        scene.conversation("ana"),
        changes,
        actor=helpers.make_user(name="Bo T.", workspace=scene.desk.workspace).id,
    )
    answer = act(scene.desk.browser, shown)
    assert answer.status_code == 409
    assert answer.json["error"]["message"] == words
    assert row(scene).snooze_kind == (None if "status" in changes else SnoozeKind.REPLY)


def test_a_closed_conversation_is_not_snoozed(scene: Scene, service: PushService) -> None:
    shown = pushed(scene, service)
    do(
        conversation_actions.set_fields,
        scene.desk.workspace,
        scene.conversation("ana"),
        {"status": ConversationStatus.CLOSED},
        actor=scene.desk.mia.id,
    )
    assert act(scene.desk.browser, shown).status_code == 409
    assert row(scene).snooze_kind is None


def test_who_has_left_or_may_only_read_cannot_snooze(scene: Scene, service: PushService) -> None:
    shown = pushed(scene, service)
    helpers.make_user("o@example.com", "Olu P.", workspace=scene.desk.workspace, role="owner")
    db.write(members.remove, scene.desk.workspace, scene.desk.mia.id)
    assert act(scene.desk.browser, shown).status_code in {403, 404}


def test_the_number_on_the_icon_is_that_of_the_bell(scene: Scene, service: PushService) -> None:
    phone = Phone(service, scene.desk.mia.id)
    writes(scene)
    scene.said("kit", "Kit L.", "Hi", scene.ago(minutes=3))
    bo = helpers.make_user(name="Bo T.", workspace=scene.desk.workspace)
    mention(scene, "kit", "@Mia R. please look", bo.id)
    tell()
    push()
    with db.read() as session:
        counts = notify.unread_counts(session, [scene.desk.mia.id])
    news = scene.desk.browser.get("/notifications/news").json
    assert phone.shown[-1]["unread"] == news["unread"] == counts[scene.desk.mia.id]
