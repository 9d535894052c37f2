"""Without webhooks nothing is queued or sent for endpoints, and every page does without them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from host import counters
from host.addons import switching
from host.core import clock, db
from host.delivery import workspace_removal
from host.delivery.clock_moved_back import put_forward
from host.features import registry
from host.health import current_state, metrics
from host.inbox.erasure import erase
from host.models.users import Role
from host.process.serving import HostApplication
from host.queue import paused, policy
from host.users import retention, workspaces
from host.users.actor import DESK
from host.webhooks import endpoints, sending
from host.webhooks.endpoints import EndpointSettings
from host.webhooks.models import Endpoint, EventBody, HookDelivery
from tests.addons.conftest import configuration, until
from tests.api.desks import Program, make_key
from tests.delivery.desk import Desk
from tests.features.switching import consumers, document, reading
from tests.helpers import StandInGeneration, build_app, client_for, do, make_user
from tests.pins.filled import filled_desk
from tests.receiver import Receiver, receiving

__all__ = ["until"]

OFF = ("webhooks",)
KNOWN = ("message.received", "conversation.created")


def endpoint(desk: Desk, url: str = "https://crm.example/told") -> int:
    wanted = EndpointSettings(url, ["message.received"])
    return do(endpoints.create, desk.workspace_id, wanted, KNOWN)[0].id


def bodies() -> Sequence[EventBody]:
    with db.read() as session:
        return session.scalars(sa.select(EventBody).order_by(EventBody.event_id)).all()


def count(model: type) -> int:
    with db.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(model)) or 0


def test_its_pages_and_the_ways_there_are_gone(desk: Desk, data: Path) -> None:
    owner = make_user("mia@example.com", workspace=desk.workspace_id, role=Role.OWNER)
    id_ = endpoint(desk)
    settings = f"/w/{desk.workspace_id}/settings"
    found = {}
    for off in ((), OFF):
        registry.switch_off(off)
        browser = client_for(build_app(data, generation=StandInGeneration()), owner)
        pages = [f"{settings}/integrations{rest}" for rest in ("", "/new", f"/{id_}", f"/{id_}/edit")]
        beside = browser.get(f"{settings}/labels")
        assert beside.status_code == 200
        answers = {browser.get(page).status_code for page in pages}
        found[off] = answers, "/settings/integrations" in beside.get_data(as_text=True)
    assert found == {(): ({200}, True), OFF: ({404}, False)}


@pytest.mark.slow
def test_every_other_page_is_there_and_none_leads_to_them(
    migrated_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.switch_off(OFF)
    opened = 0
    with filled_desk(migrated_file, tmp_path) as desk:
        for _rule, address in desk.pages():
            for who in desk.people:
                answer, _statements = desk.open(who, address)
                assert answer.status_code < 500, (who, address)
                assert "/settings/integrations" not in answer.text, (who, address)
                opened += answer.status_code == 200
    assert opened > 85


def test_programs_are_not_told_of_it_and_ask_for_events_as_before(tmp_path: Path) -> None:
    on, off = document(tmp_path), document(tmp_path, "webhooks")
    gone = set(on["paths"]) - set(off["paths"])
    assert gone
    assert all(path.startswith("/endpoints") for path in gone)
    assert "/events" in off["paths"]
    assert on["webhooks"]
    assert off["webhooks"] == {}
    assert not [name for name in off["components"]["schemas"] if name.startswith("Told")]


def test_its_routes_are_gone_and_events_are_read_by_those_who_ask(desk: Desk, data: Path) -> None:
    registry.switch_off(OFF)
    program = Program(build_app(data, generation=StandInGeneration()), make_key(desk.workspace_id))
    assert program.call("GET", "/endpoints").status_code == 404
    start = program.get("/events")["next"]
    with reading(desk, data):
        desk.customer_wrote("anna")
    assert "message.received" in [one["event"] for one in program.get("/events", after=start)["data"]]


def test_the_threads_that_send_follow_the_switch(
    database: db.Database, data: Path, until: Callable[..., None]
) -> None:
    def sends() -> bool:
        return any(one.name == "outgoing-turn" for one in threading.enumerate())

    application = HostApplication(configuration(database, data, LOBBY_WORKERS="1"))
    application.start()
    try:
        until(sends)
        for on in (False, True):
            switching.switch("webhooks", on=on, config=application.effective(), actor=DESK)
            application.refresh()
            until(lambda on=on: sends() is on)
    finally:
        application.close()
    assert not sends()


def test_nothing_is_queued_meanwhile_and_nothing_of_that_time_is_sent_later(desk: Desk, data: Path) -> None:
    with receiving() as receiver:
        endpoint(desk, receiver.url)
        with reading(desk, data):
            desk.customer_wrote("anna")
        assert count(HookDelivery) == 1
        registry.switch_off(OFF)
        with reading(desk, data):
            desk.customer_wrote("ben")
        assert "webhooks" not in consumers(), "nothing is kept for it"
        assert count(HookDelivery) == 1
        registry.switch_off(())
        with reading(desk, data):
            desk.customer_wrote("cleo")
        sending.drain()
        assert names(receiver) == ["anna", "cleo"], "what waited before it went off, and what came after"


def names(receiver: Receiver) -> list[str]:
    return [one.told["data"]["from"] for one in receiver.got]


def test_who_is_erased_is_gone_from_what_programs_are_told(desk: Desk, data: Path) -> None:
    endpoint(desk)
    with reading(desk, data):
        desk.customer_wrote("anna")
    [before] = bodies()
    assert "anna" in before.body
    assert before.contact_id is not None
    registry.switch_off(OFF)
    with clock.travel(timedelta(seconds=1)):
        do(erase, desk.workspace_id, before.contact_id)
    [after] = bodies()
    assert json.loads(after.body)["data"]["erased"] is True
    assert "anna" not in after.body


def test_all_of_it_goes_with_the_workspace(desk: Desk, data: Path) -> None:
    endpoint(desk)
    with reading(desk, data):
        desk.customer_wrote("anna")
    registry.switch_off(OFF)
    with db.read() as session:
        assert workspaces.holdings(session, desk.workspace_id).endpoints == 1
    do(workspaces.ask_deletion, desk.workspace_id)
    for by in (retention.GRACE, workspace_removal.SETTLES):
        with clock.travel(by + timedelta(minutes=1)):
            while workspace_removal.remove_due(desk.generation.directory):
                pass
    with clock.travel(retention.GRACE + 2 * workspace_removal.SETTLES):
        while workspace_removal.remove_due(desk.generation.directory):
            pass
    assert [count(model) for model in (EventBody, HookDelivery, Endpoint)] == [0, 0, 0]


def test_what_was_sent_is_kept_no_longer_than_else(desk: Desk, data: Path) -> None:
    endpoint(desk)
    with reading(desk, data):
        desk.customer_wrote("anna")
    registry.switch_off(OFF)
    with clock.travel(timedelta(days=31)):
        registry.hooks().clean_up(places={}, most=100)
    assert count(EventBody) == count(HookDelivery) == 0


def test_what_waits_is_paused_restored_and_put_forward_all_the_same(desk: Desk, data: Path) -> None:
    id_ = endpoint(desk)
    with reading(desk, data):
        desk.customer_wrote("anna")
    registry.switch_off(OFF)
    later = clock.now() + timedelta(hours=1)
    db.write(lambda session: session.execute(sa.update(HookDelivery).values(next_at=later)) and None)
    db.write(put_forward)
    with db.read() as session:
        next_at = session.scalars(sa.select(HookDelivery.next_at)).one()
        assert next_at is not None
        assert next_at <= clock.now() + policy.ECHO_PATIENCE
    db.write(lambda session: registry.hooks().restored(session=session, now=clock.now()) and None)
    with db.read() as session:
        assert endpoints.active(session) == []
    counters.reset()
    paused.forget()
    do(workspaces.ask_deletion, desk.workspace_id)
    with db.read() as session:
        assert id_ in paused.current(session).endpoints


def test_health_and_metrics_say_nothing_of_endpoints(desk: Desk, data: Path) -> None:
    id_ = endpoint(desk)
    off = endpoints.OffReason.GONE
    db.write(lambda session: endpoints.switch_off(endpoints.locked(session, desk.workspace_id, id_), off))

    def told() -> tuple[bool, set[str]]:
        admin = client_for(build_app(data, generation=StandInGeneration()), make_user(is_admin=True))
        page = admin.get("/admin/health")
        assert page.status_code == 200
        with db.read() as session:
            families = [*metrics._gauges(current_state.read_current_state(session))]
            families += [one for some in registry.hooks().metrics(session=session) for one in some]
        about = {one.name for one in families if one.name.startswith("lobby_endpoints")}
        return "endpoint is off" in page.get_data(as_text=True), about

    assert told() == (True, {"lobby_endpoints", "lobby_endpoints_late_seconds"})
    registry.switch_off(OFF)
    assert told() == (False, set())


def test_rules_have_no_addresses_to_tell(desk: Desk, data: Path) -> None:
    id_ = endpoint(desk)
    with db.read() as session:
        where = {"session": session, "workspace_id": desk.workspace_id}
        assert registry.hooks().addresses(**where) == {id_: "https://crm.example/told"}
        registry.switch_off(OFF)
        assert registry.hooks().addresses(**where) is None
