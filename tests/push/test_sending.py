"""Pushes reach the phones of those who are notified, over real sockets, whatever the push service does."""

from __future__ import annotations

import logging
import threading
import time
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, config, db
from host.core.errors import ConflictError, InvalidError
from host.events.kinds.messages import MESSAGE_UNSENT
from host.inbox.conversations import record_changed_message
from host.models.inbox import Message
from host.models.notifications import Notification
from host.models.users import Workspace
from host.notifications import notify, rules
from host.notifications.rules import Kind, Quiet, Way
from host.push import devices, posting, sending
from host.push.models import PushDelivery, PushDevice, PushKey
from host.push.sending import Sender
from host.users import members, sessions, users
from tests import helpers
from tests.helpers import do_desk, work
from tests.inbox import toys
from tests.inbox.scenes import Scene
from tests.notifications.telling import choose, mention, tell
from tests.push import phones
from tests.push.phones import Phone, devices_of, push, waiting
from tests.push.service import BrowserKeys, PushService, serving, verified

DAY = timedelta(days=1)


def writes(scene: Scene, text: str = "Hello?", contact: str = "ana") -> None:
    """Have a customer write, and people notified."""
    scene.said(contact, "Ana Q.", text, clock.now())
    tell()


def test_a_push_arrives_and_names_nobody(any_scene: Scene, service: PushService) -> None:
    phone = Phone(service, any_scene.desk.mia.id)
    writes(any_scene, "My order 4711 is missing.")
    push()
    ((got,), (shown,)) = service.got, phone.shown
    conversation = any_scene.conversation("ana")
    assert shown["title"] == f"New message on {toys.WINDOWED.label}"
    assert shown["url"] == any_scene.desk.path(f"/{conversation}")
    assert "Ana" not in str(shown)
    assert "4711" not in str(shown)
    claims, key = verified(got.headers["authorization"])
    assert claims["aud"] == service.origin
    with db.read() as session:
        assert key == session.scalars(sa.select(PushKey.public)).one()
        assert session.get_one(PushDevice, phone.id).sent_at is not None
    assert 0 < int(got.headers["ttl"]) <= 12 * 3600
    assert got.headers["urgency"] == "high"
    assert got.headers["content-encoding"] == "aes128gcm"
    assert len(got.headers["topic"]) == 32
    assert len(got.body) < 4096
    assert waiting() == 0


@pytest.mark.parametrize("person", [False, True], ids=["not chosen", "chosen"])
@pytest.mark.parametrize("workspace", [False, True], ids=["not allowed", "allowed"])
def test_name_and_text_need_the_person_and_the_workspace(
    scene: Scene, service: PushService, person: bool, workspace: bool
) -> None:
    phone = Phone(service, scene.desk.mia.id, content=person)
    toys.change_row(Workspace, scene.desk.workspace, pushes_content=workspace)
    writes(scene, "My order\n4711 is missing.")
    push()
    (shown,) = phone.shown
    both = person and workspace
    assert (shown["title"] == "Ana Q.") is both
    assert (shown["body"] == "My order 4711 is missing.") is both
    assert ("4711" in str(shown)) is both


def test_a_long_text_is_cut_and_one_of_many_bytes_fits(scene: Scene, service: PushService) -> None:
    phone = Phone(service, scene.desk.mia.id, content=True)
    toys.change_row(Workspace, scene.desk.workspace, pushes_content=True)
    writes(scene, "🏺" * 4000)
    push()
    (shown,) = phone.shown
    assert shown["body"] == "🏺" * 199 + "…"
    assert len(service.got[0].body) < 4096


def test_an_unsent_message_is_not_shown(scene: Scene, service: PushService) -> None:
    phone = Phone(service, scene.desk.mia.id, content=True)
    toys.change_row(Workspace, scene.desk.workspace, pushes_content=True)
    writes(scene, "Secret")
    db.write(lambda session: session.execute(sa.update(Message).values(unsent_at=clock.now())))
    push()
    assert "Secret" not in str(phone.shown)


def test_a_shown_text_is_replaced_when_its_message_is_unsent(any_scene: Scene, service: PushService) -> None:
    scene = any_scene
    mia = scene.desk.mia.id
    phone, plain = Phone(service, mia, content=True), Phone(service, mia, "plain")
    toys.change_row(Workspace, scene.desk.workspace, pushes_content=True)
    writes(scene, "Secret")
    push()

    def unsend(session: Session) -> None:
        message = session.scalars(sa.select(Message).where(Message.text == "Secret")).one()
        message.unsent_at = clock.now()
        record_changed_message(work(session, message.workspace_id), message, MESSAGE_UNSENT)

    db.write(unsend)
    tell()
    push()
    shown, replaced = phone.shown
    assert (shown["body"], replaced["body"]) == ("Secret", "The customer unsent the message")
    assert (shown["tag"], "silent" in shown) == (replaced["tag"], False)
    assert replaced["silent"] is True
    assert len(plain.shown) == 1, "it showed nothing of the message"
    tell()
    push()
    assert len(phone.shown) == 2


def test_every_device_of_a_person_gets_it_and_nobody_elses(scene: Scene, service: PushService) -> None:
    bo = helpers.make_user(name="Bo T.", workspace=scene.desk.workspace).id
    ones = [Phone(service, scene.desk.mia.id, name) for name in ("phone", "tablet")]
    other = Phone(service, bo, "bo")
    writes(scene)
    push()
    assert [len(one.shown) for one in (*ones, other)] == [1, 1, 0]
    topics = {one.headers["topic"] for one in service.got}
    assert len(topics) == 2, "a push service cannot tell that they are about one thing"


def test_more_messages_replace_the_push_under_one_topic(scene: Scene, service: PushService) -> None:
    phone = Phone(service, scene.desk.mia.id, content=True)
    writes(scene)
    push()
    writes(scene)
    writes(scene)
    push()
    one, other = phone.shown
    assert one["tag"] == other["tag"]
    assert len({got.headers["topic"] for got in service.got}) == 1


def test_one_that_comes_while_the_push_is_sent_is_pushed_again(scene: Scene, service: PushService) -> None:
    phone = Phone(service, scene.desk.mia.id)
    writes(scene)
    service.hang = threading.Event()
    sender = Sender()
    sender.turn(phones.DIRECTORY, phones.SETTINGS)
    writes(scene)
    service.hang.set()
    push(sender)
    assert len(phone.shown) == 2
    assert waiting() == 0


def test_nobody_is_pushed_what_they_did_not_choose(scene: Scene, service: PushService) -> None:
    Phone(service, scene.desk.mia.id)
    choose(scene.desk.mia.id, {Kind.REPLY: (Way.DESK, Way.BROWSER)})
    writes(scene)
    assert waiting() == 0


def test_what_was_read_meanwhile_is_not_pushed(scene: Scene, service: PushService) -> None:
    Phone(service, scene.desk.mia.id)
    writes(scene)
    db.write(notify.read_all, scene.desk.mia.id)
    push()
    assert service.got == []
    assert waiting() == 0


def test_quiet_hours_are_quiet(scene: Scene, service: PushService) -> None:
    Phone(service, scene.desk.mia.id)
    always = Quiet(0, 0, frozenset(), frozenset(range(7)), "Europe/Berlin")
    db.write(rules.set_quiet_hours, scene.desk.mia.id, always)
    writes(scene)
    push()
    assert service.got == []
    assert waiting() == 0


def test_a_mention_names_who_only_where_content_is_allowed(scene: Scene, service: PushService) -> None:
    bo = helpers.make_user(name="Bo T.", workspace=scene.desk.workspace).id
    toys.change_row(Workspace, scene.desk.workspace, pushes_content=True)
    plain, named = Phone(service, bo, "plain"), Phone(service, bo, "named", content=True)
    mention(scene, "ana", "@Bo T. is it the blue one?", scene.desk.mia.id)
    tell()
    push()
    assert plain.shown[0]["title"] == "You were mentioned in a note"
    assert named.shown[0]["title"] == "Ana Q."
    assert "Mia R." in named.shown[0]["body"]
    assert "blue" not in str(named.shown), "what colleagues write is not pushed"


# ---- what ends a device


def _sign_out(scene: Scene, phone: Phone) -> None:
    do_desk(sessions.end, phone.token, actor=phone.user)


def _sign_out_elsewhere(scene: Scene, phone: Phone) -> None:
    do_desk(sessions.revoke, phone.session, actor=phone.user)


def _sign_out_everywhere(scene: Scene, phone: Phone) -> None:
    db.write(sessions.end_all, phone.user)


def _disable(scene: Scene, phone: Phone) -> None:
    db.write(users.disable, phone.user)


def _leave(scene: Scene, phone: Phone) -> None:
    helpers.make_user("o@example.com", "Olu P.", workspace=scene.desk.workspace, role="owner")
    db.write(members.remove, scene.desk.workspace, phone.user)


def _other_person(scene: Scene, phone: Phone) -> None:
    bo = helpers.make_user(name="Bo T.", workspace=scene.desk.workspace).id
    db.write(sessions.start, bo, "192.0.2.7", replaces=phone.token)


def _opened_by_other_person(scene: Scene, phone: Phone) -> None:
    bo = helpers.make_user(name="Bo T.", workspace=scene.desk.workspace).id
    assert do_desk(devices.confirm, 0, phone.service.endpoint(phone.name), actor=bo) is None


def _remove(scene: Scene, phone: Phone) -> None:
    assert do_desk(devices.end, phone.id, actor=phone.user) == "Firefox on Android"


ENDINGS = [
    _sign_out,
    _sign_out_elsewhere,
    _sign_out_everywhere,
    _disable,
    _leave,
    _other_person,
    _opened_by_other_person,
    _remove,
]


@pytest.mark.parametrize("end", ENDINGS, ids=[one.__name__.strip("_") for one in ENDINGS])
def test_what_ends_a_device_ends_it_at_once(scene: Scene, service: PushService, end: object) -> None:
    phone = Phone(service, scene.desk.mia.id)
    writes(scene)
    assert waiting() == 1
    end(scene, phone)  # type: ignore[operator]
    assert phones.count_devices() == 0
    push()
    assert service.got == []


def test_signing_out_of_one_browser_leaves_the_other(scene: Scene, service: PushService) -> None:
    one, other = (Phone(service, scene.desk.mia.id, name) for name in ("one", "other"))
    do_desk(sessions.end, one.token, actor=one.user)
    assert devices_of(one.user) == [other.id]
    db.write(sessions.end_all, other.user, keep=other.session)
    assert devices_of(other.user) == [other.id]


def test_a_device_outlives_its_expired_session_for_a_week(scene: Scene, service: PushService) -> None:
    phone = Phone(service, scene.desk.mia.id)
    with clock.travel(timedelta(hours=20)):
        db.write(sessions.start, phone.user, "192.0.2.8")  # removes expired sessions
        assert devices_of(phone.user) == [phone.id]
        writes(scene)
        push()
        assert len(phone.shown) == 1
        db.write(sessions.end_all, phone.user)
        assert devices_of(phone.user) == [], "also without a session"


def test_a_device_nobody_opens_gets_nothing_after_a_week_until_it_is_opened(
    scene: Scene, service: PushService
) -> None:
    phone = Phone(service, scene.desk.mia.id)
    with clock.travel(7 * DAY):
        writes(scene)
        assert waiting() == 0
        token = db.write(sessions.start, phone.user, "192.0.2.7")
        with db.read() as session:
            now = sessions.load(session, token)
        assert now is not None
        found = do_desk(devices.confirm, now.session_id, service.endpoint(phone.name), actor=phone.user)
        assert found is not None
        assert found.id == phone.id
        writes(scene)
        push()
        assert len(phone.shown) == 1
    with clock.travel(70 * DAY):
        db.write(devices.forget_old)
        assert devices_of(phone.user) == []


def test_signing_in_again_keeps_the_device_with_the_new_session(scene: Scene, service: PushService) -> None:
    phone = Phone(service, scene.desk.mia.id)
    again = db.write(sessions.start, phone.user, "192.0.2.7", replaces=phone.token)
    assert devices_of(phone.user) == [phone.id]
    do_desk(sessions.end, again, actor=phone.user)
    assert devices_of(phone.user) == []


def test_a_person_who_left_one_of_two_workspaces_hears_of_the_other_only(
    scene: Scene, service: PushService
) -> None:
    other = helpers.make_workspace("Bakery")
    db.write(members.add, other, scene.desk.mia.id, "agent")
    helpers.make_user("o@example.com", "Olu P.", workspace=scene.desk.workspace, role="owner")
    Phone(service, scene.desk.mia.id)
    writes(scene)
    db.write(members.remove, scene.desk.workspace, scene.desk.mia.id)
    assert phones.count_devices() == 1
    push()
    assert service.got == []
    assert waiting() == 0


# ---- what push services answer


@pytest.mark.parametrize("status", [404, 410])
def test_a_device_that_is_gone_is_removed(scene: Scene, service: PushService, status: int) -> None:
    Phone(service, scene.desk.mia.id)
    service.script = [status]
    writes(scene)
    push()
    assert (phones.count_devices(), waiting(), len(service.got)) == (0, 0, 1)


@pytest.mark.parametrize("status", [400, 401, 403, 413, 301])
def test_a_push_that_is_refused_is_not_sent_again(scene: Scene, service: PushService, status: int) -> None:
    Phone(service, scene.desk.mia.id)
    service.script = [status]
    service.headers = {"Location": f"{service.origin}/push/elsewhere"}
    writes(scene)
    push()
    assert (phones.count_devices(), waiting(), len(service.got)) == (1, 0, 1)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_failed_push_is_tried_again_with_pauses_and_not_for_ever(
    any_scene: Scene, service: PushService, status: int
) -> None:
    Phone(service, any_scene.desk.mia.id)
    writes(any_scene)
    service.script = [status] * 20
    tried = 0
    passed = timedelta()
    while waiting():
        with clock.travel(passed):
            push(Sender())
            tried += 1
            assert len(service.got) == tried
            if waiting():
                push(Sender())
                assert len(service.got) == tried, "not again at once"
        passed += timedelta(hours=1)
    assert tried == sending.MOST_TRIES


def test_a_push_service_says_when_to_try_again(scene: Scene, service: PushService) -> None:
    phone = Phone(service, scene.desk.mia.id)
    writes(scene)
    service.script, service.headers = [429], {"Retry-After": "1800"}
    push(Sender())
    with clock.travel(timedelta(minutes=29)):
        push(Sender())
        assert len(service.got) == 1
    with clock.travel(timedelta(minutes=31)):
        push(Sender())
        assert len(phone.shown) == 2


@pytest.mark.parametrize("value", ["", "soon", "-5", "1e9", "99999999", "Fri, 20 Nov 2026 10:00:00 GMT", "²"])
def test_a_pause_that_is_none_is_ignored(value: str) -> None:
    assert posting._pause(value) == timedelta()


def test_a_failing_push_service_rests_and_others_go_on(scene: Scene, service: PushService) -> None:
    with serving("127.0.0.2") as other:
        bad, good = Phone(service, scene.desk.mia.id, "bad"), Phone(other, scene.desk.mia.id, "good")
        service.statuses[f"/push/{bad.name}"] = 503
        sender = Sender()
        writes(scene)
        push(sender)
        phones.make_due()
        push(sender)
        assert len(service.got) == 1, "it rests"
        writes(scene)
        push(sender)
        assert len(good.shown) == 2


def test_a_push_service_that_hangs_blocks_nobody_else(scene: Scene, service: PushService) -> None:
    with serving("127.0.0.2") as other:
        stuck = helpers.make_user("s@example.com", "Stuck", workspace=scene.desk.workspace).id
        for number in range(devices.MOST):
            Phone(service, stuck, f"stuck-{number}")
        good = Phone(other, scene.desk.mia.id, "good")
        service.hang = threading.Event()
        mention(scene, "ana", "@Stuck hello", scene.desk.mia.id)
        tell()
        sender = Sender()
        assert sender.turn(phones.DIRECTORY, phones.SETTINGS)
        writes(scene)
        began = time.monotonic()
        while not good.shown:
            sender.turn(phones.DIRECTORY, phones.SETTINGS)
            assert time.monotonic() - began < 5, "it waits for the one that hangs"
        assert service.begun <= sending.MOST_OF_HOST
        assert sender.is_busy
        service.hang.set()


@pytest.mark.slow
def test_a_push_service_that_hangs_costs_ten_seconds_and_is_tried_again(
    scene: Scene, service: PushService
) -> None:
    phone = Phone(service, scene.desk.mia.id)
    service.hang = threading.Event()
    writes(scene)
    began = time.monotonic()
    push(Sender())
    assert 9 < time.monotonic() - began < 20
    assert waiting() == 1
    service.hang.set()
    service.hang = None
    with clock.travel(timedelta(minutes=1)):
        push(Sender())
    assert phone.shown
    assert waiting() == 0


def test_a_process_that_dies_leaves_its_pushes_to_others(scene: Scene, service: PushService) -> None:
    phone = Phone(service, scene.desk.mia.id)
    writes(scene)
    dead = Sender()
    dead._send = lambda *_: None  # type: ignore[method-assign]
    dead.turn(phones.DIRECTORY, phones.SETTINGS)
    push(Sender())
    assert service.got == [], "it may still be sending"
    with clock.travel(timedelta(minutes=1)):
        push(Sender())
    assert len(phone.shown) == 1


@pytest.mark.parametrize("number", [1000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_ten_thousand_dead_devices_are_gone_and_the_living_are_served(
    scene: Scene, service: PushService, number: int
) -> None:
    phone = Phone(service, scene.desk.mia.id)
    notice = _notice(scene)

    def make(session: Session) -> None:
        live = session.get_one(PushDevice, phone.id)
        same = {one: getattr(live, one) for one in ("user_id", "key_id", "host", "p256dh", "name", "content")}
        same |= {"created_at": live.created_at, "seen_at": live.seen_at, "session_id": None}
        rows = [
            {
                **same,
                "id": 100_000 + one,
                "uuid": f"dead-{one}",
                "endpoint": service.endpoint(f"dead-{one}"),
                "endpoint_hash": devices.hash_of(service.endpoint(f"dead-{one}")),
                "auth": devices.secrets.keyring().seal(
                    devices.Secret("BTBZMqHH6r4Tts7J_aSIgg"), devices._place(f"dead-{one}")
                ),
            }
            for one in range(number)
        ]
        session.execute(sa.insert(PushDevice), rows)
        now = clock.now()
        base = {"notification_id": notice, "wanted": 1, "tries": 0, "due_at": now, "created_at": now}
        session.execute(sa.insert(PushDelivery), [{**base, "device_id": row["id"]} for row in rows])

    service.statuses = {f"/push/dead-{one}": 410 for one in range(number)}
    db.write(make)
    writes(scene)
    push(seconds=240)
    assert len(phone.shown) == 1
    assert devices_of(phone.user) == [phone.id]
    assert len(service.got) == number + 1
    assert waiting() == 0


def _notice(scene: Scene) -> int:
    def make(session: Session) -> int:
        row = Notification(
            user_id=scene.desk.mia.id,
            workspace_id=scene.desk.workspace,
            account_id=scene.desk.account.id,
            tone="accent",
            title="@shop",
            sentence="A new message in your conversation.",
            next_step="",
            details={},
            path="/",
            created_at=clock.now(),
            kind=Kind.REPLY,
            conversation_id=scene.conversation("ana"),
        )
        session.add(row)
        session.flush()
        return row.id

    return db.write(make)


# ---- what is accepted


KNOWN = [
    "https://fcm.googleapis.com/fcm/send/abc",
    "https://updates.push.services.mozilla.com/wpush/v2/abc",
    "https://web.push.apple.com/abc",
    "https://wns2-am3p.notify.windows.com/w/?token=abc",
]
REFUSED = [
    "http://fcm.googleapis.com/fcm/send/abc",
    "https://fcm.googleapis.com:444/abc",
    "https://fcm.googleapis.com.evil.example/abc",
    "https://evil.example/fcm.googleapis.com",
    "https://me@fcm.googleapis.com/abc",
    "https://notify.windows.com.evil.example/abc",
    "https://127.0.0.1/abc",
    "https://localhost/abc",
    "file:///etc/passwd",
    "fcm.googleapis.com",
    "https://fcm.googleapis.com/a b",
    "",
]


@pytest.mark.parametrize("endpoint", KNOWN)
def test_known_push_services_are_accepted(endpoint: str) -> None:
    assert posting.accepts(endpoint, ())


@pytest.mark.parametrize("endpoint", REFUSED)
def test_others_are_refused(endpoint: str) -> None:
    assert not posting.accepts(endpoint, ())
    assert posting.post(endpoint, b"", {}, ()).status == 400, "nor is anything sent there"


def test_an_address_that_programs_may_reach_is_no_push_service(service: PushService) -> None:
    assert not posting.accepts(service.endpoint("x"), ())
    assert posting.accepts(service.endpoint("x"), ("127.0.0.1",))
    assert posting.accepts("https://push.example.net/x", ("*.example.net",))
    assert config.load({"LOBBY_PUSH_HOSTS": "a.example, *.b.example"}).push_hosts == (
        "a.example",
        "*.b.example",
    )


@pytest.mark.parametrize(
    ("point", "auth"), [("", ""), ("BBBB", "AAAA"), ("!", "BTBZMqHH6r4Tts7J_aSIgg"), (None, "AAAA")]
)
def test_keys_that_are_none_are_refused(
    scene: Scene, service: PushService, point: str | None, auth: str
) -> None:
    good = BrowserKeys().subscription(service.endpoint("x"))
    wanted = devices.Subscription(good.endpoint, good.p256dh if point is None else point, auth)
    with pytest.raises(InvalidError):
        do_desk(devices.add, 1, wanted, name="x", more=phones.HOSTS, actor=scene.desk.mia.id)


def test_a_person_has_twenty_devices_at_most(scene: Scene, service: PushService) -> None:
    ones = [Phone(service, scene.desk.mia.id, f"phone-{one}") for one in range(devices.MOST)]
    with pytest.raises(ConflictError):
        Phone(service, scene.desk.mia.id, "one-more")
    assert ones[0].subscribe() == ones[0].id, "one that is known may come again"


def test_logs_and_the_database_hold_no_secrets(
    scene: Scene, service: PushService, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    phone = Phone(service, scene.desk.mia.id)
    service.script = [403]
    writes(scene)
    push()
    service.statuses[f"/push/{phone.name}"] = 410
    writes(scene)
    push()
    lines = [one for one in caplog.records if not one.name.startswith("urllib3")]  # silent on every desk
    said = "\n".join(one.getMessage() for one in lines)
    assert "127.0.0.1 took no push: 403" in said
    for secret in (urlsplit(service.endpoint(phone.name)).path, phone.keys.subscription("").auth):
        assert secret not in said
    assert "vapid t=" not in said
