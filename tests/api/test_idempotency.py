"""A request with an Idempotency-Key is done once, however often it comes, whatever dies in between."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.api.http import idempotency, versions
from host.api.http.call import Call
from host.api.http.declare import Route
from host.api.http.declare import routes as api_routes
from host.api.http.errors import IdempotencyReusedError, InFlightError
from host.api.http.idempotency import Claim, Stored
from host.automation import asking_addons
from host.core import clock, db, secrets
from host.models.api_keys import ApiKey, IdempotentRequest
from host.models.inbox import InternalKind, Message
from host.process.serving import HostApplication
from tests.addons.conftest import configuration
from tests.api.desks import ApiDesk, Program, make_key, open_api_desk
from tests.api.test_isolation import ids_of
from tests.inbox.scenes import whole


def path_of(desk: ApiDesk) -> str:
    desk.scene.said("ana", "Ana", "Hello", desk.scene.ago(minutes=1))
    return f"/conversations/{desk.scene.conversation('ana')}/notes"


def add(program: Program, path: str, key: str, text: str = "Paid", **options: Any) -> Any:
    return program.call("POST", path, {"text": text}, headers={"Idempotency-Key": key}, **options)


def notes() -> list[str]:
    with db.read() as session:
        query = sa.select(Message.text).where(Message.kind == InternalKind.NOTE).order_by(Message.id)
        return list(session.scalars(query))


def rows() -> list[IdempotentRequest]:
    with db.read() as session:
        return list(session.scalars(sa.select(IdempotentRequest)))


def key_id(desk: ApiDesk) -> int:
    with db.read() as session:
        return session.scalars(sa.select(sa.func.min(ApiKey.id))).one()


def test_a_repeated_request_is_answered_the_same_and_done_once(desk: ApiDesk) -> None:
    path = path_of(desk)
    first = add(desk.program, path, "order-1042")
    again = add(desk.program, path, "order-1042")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json == again.json
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert notes() == ["Paid"]


def test_without_a_key_each_request_is_another(desk: ApiDesk) -> None:
    path = path_of(desk)
    for _time in range(2):
        desk.program.send("POST", path, {"text": "Paid"}, 201)
    assert notes() == ["Paid", "Paid"]
    assert rows() == []


def test_the_same_key_for_another_request_is_refused(desk: ApiDesk) -> None:
    path = path_of(desk)
    add(desk.program, path, "order-1042")
    answer = add(desk.program, path, "order-1042", "Something else")
    assert (answer.status_code, answer.json["error"]["code"]) == (409, "idempotency_key_reused")
    desk.scene.said("bo", "Bo", "Hello", desk.scene.ago(minutes=1))
    elsewhere = f"/conversations/{desk.scene.conversation('bo')}/notes"
    assert add(desk.program, elsewhere, "order-1042").status_code == 409
    assert notes() == ["Paid"]


def test_the_order_of_fields_makes_no_other_request(desk: ApiDesk) -> None:
    one = idempotency.fingerprint("POST", "/x", {"a": 1, "b": [{"c": 2, "d": 3}]})
    assert one == idempotency.fingerprint("POST", "/x", {"b": [{"d": 3, "c": 2}], "a": 1})
    assert one != idempotency.fingerprint("POST", "/x", {"a": 1, "b": [{"c": 3, "d": 2}]})


def test_keys_of_two_programs_do_not_meet(desk: ApiDesk) -> None:
    path = path_of(desk)
    other = Program(desk.app, make_key(desk.workspace))
    add(desk.program, path, "order-1042")
    assert add(other, path, "order-1042", "Of the other").status_code == 201
    assert notes() == ["Paid", "Of the other"]


def test_after_a_day_a_key_is_new_again(desk: ApiDesk) -> None:
    path = path_of(desk)
    add(desk.program, path, "order-1042")
    with clock.travel(timedelta(hours=23, minutes=59)):
        assert add(desk.program, path, "order-1042").headers["Idempotent-Replayed"] == "true"
    with clock.travel(timedelta(hours=24, minutes=1)):
        assert add(desk.program, path, "order-1042", "Tomorrow").status_code == 201
    assert notes() == ["Paid", "Tomorrow"]


def test_what_is_older_is_removed_on_the_way(desk: ApiDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    path = path_of(desk)
    for number in range(5):
        add(desk.program, path, f"order-{number}")
    assert len(rows()) == 5
    with clock.travel(timedelta(days=2)):
        add(desk.program, path, "order-next")
    assert len(rows()) == 1
    monkeypatch.setattr(idempotency, "CHUNK", 0)
    with clock.travel(timedelta(days=4)):
        assert add(desk.program, path, "order-next", "Even then").status_code == 201
    assert notes()[-1] == "Even then"


@pytest.mark.parametrize("name", ["", " ", "x" * 256, "with space", "caf\u00e9", "tab\t"])
def test_a_key_that_cannot_be_one_is_refused(desk: ApiDesk, name: str) -> None:
    answer = add(desk.program, path_of(desk), name)
    assert (answer.status_code, answer.json["error"]["code"]) == (400, "invalid_idempotency_key")
    assert notes() == []


def test_a_refused_request_may_be_repeated_at_once(desk: ApiDesk) -> None:
    path = path_of(desk)
    for text in ("   ", "\u00a0"):
        assert add(desk.program, path, "order-1042", text).status_code == 400
    assert rows() == []
    assert add(desk.program, path, "order-1042").status_code == 201


def test_a_request_that_is_being_worked_on_asks_to_wait(desk: ApiDesk) -> None:
    path = path_of(desk)
    wanted = idempotency.fingerprint("POST", f"/api/v1{path}", {"text": "Paid"})
    held = idempotency.claim(key_id(desk), "order-1042", wanted, clock.now())
    assert isinstance(held, Claim)
    answer = add(desk.program, path, "order-1042")
    assert (answer.status_code, answer.json["error"]["code"]) == (409, "request_in_flight")
    assert 1 <= int(answer.headers["Retry-After"]) <= 5
    idempotency.release(held)
    assert add(desk.program, path, "order-1042").status_code == 201


def test_a_process_that_died_before_it_wrote_leaves_a_claim_that_runs_out(
    desk: ApiDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    class PowerCut(BaseException):
        """Nothing after it runs, not even what lets go of the claim."""

    def cut(*_: object, **__: object) -> None:
        raise PowerCut

    path = path_of(desk)
    with monkeypatch.context() as patched:
        patched.setattr(idempotency, "keep_answer", cut)
        patched.setattr(idempotency, "release", lambda _held: None)
        with pytest.raises(PowerCut):
            add(desk.program, path, "order-1042")
    assert notes() == []
    assert add(desk.program, path, "order-1042").status_code == 409
    with clock.travel(idempotency.CLAIMED):
        assert add(desk.program, path, "order-1042").status_code == 201
    assert notes() == ["Paid"]


def test_after_a_crash_a_repeat_soon_gets_through(desk: ApiDesk) -> None:
    path = path_of(desk)
    wanted = idempotency.fingerprint("POST", f"/api/v1{path}", {"text": "Paid"})
    assert isinstance(idempotency.claim(key_id(desk), "order-1042", wanted, clock.now()), Claim)
    waited = timedelta()
    answer = add(desk.program, path, "order-1042")
    while answer.status_code == 409:
        assert 1 <= int(answer.headers["Retry-After"]) <= 5
        waited += timedelta(seconds=int(answer.headers["Retry-After"]))
        with clock.travel(waited):
            answer = add(desk.program, path, "order-1042")
    assert answer.status_code == 201
    assert waited <= timedelta(seconds=20)
    assert notes() == ["Paid"]


def test_a_request_that_takes_long_keeps_its_claim(desk: ApiDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idempotency, "CLAIMED", timedelta(seconds=1))
    monkeypatch.setattr(idempotency, "RENEW_SECONDS", 0.05)
    renewing = idempotency._Renewing()
    monkeypatch.setattr(idempotency, "renewed", renewing.renewed)
    path = path_of(desk)
    begun, goes_on = threading.Event(), threading.Event()
    commit = Call.commit

    def slow(self: Call, use_case: Callable[[Session], Any]) -> bytes:
        begun.set()
        goes_on.wait(10)
        return commit(self, use_case)

    monkeypatch.setattr(Call, "commit", slow)
    answers: list[Any] = []
    first = threading.Thread(target=lambda: answers.append(add(desk.program, path, "order-1042")))
    first.start()
    assert begun.wait(30)
    (before,) = rows()
    while clock.now() < before.claimed_until:
        goes_on.wait(0.05)
    assert add(desk.program, path, "order-1042").status_code == 409
    goes_on.set()
    first.join(30)
    assert [one.status_code for one in answers] == [201]
    assert notes() == ["Paid"]
    assert renewing._held == set()


def test_a_start_on_sqlite_ends_the_claims_of_the_process_before(
    desk: ApiDesk, database: db.Database, data: Path
) -> None:
    """One process owns the file, so whoever claimed is dead."""
    path = path_of(desk)
    wanted = idempotency.fingerprint("POST", f"/api/v1{path}", {"text": "Paid"})
    assert isinstance(idempotency.claim(key_id(desk), "order-1042", wanted, clock.now()), Claim)
    add(desk.program, path, "order-1041")
    assert add(desk.program, path, "order-1042").status_code == 409
    application = HostApplication(configuration(database, data))
    application.start()
    try:
        assert add(desk.program, path, "order-1042").status_code == 201
        assert add(desk.program, path, "order-1041").headers["Idempotent-Replayed"] == "true"
    finally:
        application.close()
    assert notes() == ["Paid", "Paid"]


def test_a_process_that_died_after_it_wrote_is_answered_from_what_it_kept(
    desk: ApiDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    class ConnectionLost(BaseException):
        """The answer never leaves."""

    path = path_of(desk)
    write = asking_addons.write

    def written_then_cut(fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        write(fn, *args, **kwargs)
        raise ConnectionLost

    with monkeypatch.context() as patched:
        patched.setattr("host.api.http.call.asking_addons.write", written_then_cut)
        with pytest.raises(ConnectionLost):
            add(desk.program, path, "order-1042")
    assert notes() == ["Paid"]
    again = add(desk.program, path, "order-1042")
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json["text"] == "Paid"
    assert notes() == ["Paid"]


def test_who_was_too_slow_writes_nothing(desk: ApiDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its claim ran out, somebody else took it over and answered; what it wrote is undone."""
    path = path_of(desk)
    settle = idempotency.keep_answer
    first = True

    def slow(session: Session, held: Claim, status: int, answer: str, **more: Any) -> None:
        nonlocal first
        if first:
            first = False
            table = IdempotentRequest.__table__
            session.execute(sa.update(table).values(claim="somebody else"))  # type: ignore[arg-type]
        settle(session, held, status, answer, **more)

    monkeypatch.setattr(idempotency, "keep_answer", slow)
    assert add(desk.program, path, "order-1042").status_code == 409
    assert notes() == []


def test_many_at_once_do_it_once(any_database: db.Database, data: Path) -> None:
    desk = open_api_desk(data)
    path = path_of(desk)
    desk.program.get("/accounts")
    answers: list[Any] = []
    gate = threading.Barrier(6)

    def press() -> None:
        gate.wait()
        answers.append(add(desk.program, path, "order-1042"))

    threads = [threading.Thread(target=press) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {one.status_code for one in answers} <= {201, 409}
    assert len({one.text for one in answers if one.status_code == 201}) == 1
    assert notes() == ["Paid"]
    assert add(desk.program, path, "order-1042").headers["Idempotent-Replayed"] == "true"


def test_claims_on_every_database(any_database: db.Database, data: Path) -> None:
    key = key_id(open_api_desk(data))
    now = clock.now()
    held = idempotency.claim(key, "one", "a" * 64, now)
    assert isinstance(held, Claim)
    with pytest.raises(InFlightError):
        idempotency.claim(key, "one", "a" * 64, now)
    with pytest.raises(IdempotencyReusedError):
        idempotency.claim(key, "one", "b" * 64, now)
    taken = idempotency.claim(key, "one", "a" * 64, now + idempotency.CLAIMED)
    assert isinstance(taken, Claim)
    assert taken.token != held.token
    with pytest.raises(InFlightError):
        db.write(idempotency.keep_answer, held, 201, "{}")
    db.write(idempotency.keep_answer, taken, 201, '{"text":"\U0001f3fa"}')
    assert idempotency.claim(key, "one", "a" * 64, now) == Stored(201, '{"text":"\U0001f3fa"}')
    idempotency.release(taken)
    assert isinstance(idempotency.claim(key, "one", "a" * 64, now), Stored)


POSTS = [route for route in api_routes() if route.method == "POST"]


def with_key(program: Program, route: Route, path: str, key: str = "once") -> Any:
    body = next(iter(route.examples.values())) if route.examples else None
    options: dict[str, Any] = {"headers": {"Idempotency-Key": key}}
    if route.upload:
        options["data"] = {"file": (io.BytesIO(b"A guide to glazes."), "guide.txt")}
    return program.call("POST", path, body, **options)


def test_every_post_of_the_document_honours_the_key(desk: ApiDesk) -> None:
    newest = {"Lobby-Version": versions.CURRENT}
    document = desk.program.call("GET", "/openapi.json", headers=newest).json
    parameters = {
        path: methods["post"]["parameters"]
        for path, methods in document["paths"].items()
        if "post" in methods
    }
    assert parameters.keys() == {route.path for route in POSTS}
    assert [
        path for path, given in parameters.items() if "Idempotency-Key" not in {one["name"] for one in given}
    ] == []


def test_every_post_that_is_repeated_is_answered_the_same_and_done_once(
    desk: ApiDesk, request: pytest.FixtureRequest
) -> None:
    played: list[str] = []
    whole(desk.inbox)
    ids = ids_of(desk)
    for number, route in enumerate(POSTS):
        path = route.path.format_map(ids)
        first = with_key(desk.program, route, path, f"key-{number}")
        if first.status_code >= 400:  # this desk has nothing of the kind: what is asked for is played
            request.addfinalizer(partial(object.__setattr__, route, "run", route.run))
            object.__setattr__(route, "run", lambda _call, *, path=path, **_given: played.append(path) or {})
            first = with_key(desk.program, route, path, f"key-{number}")
        done = counted()
        again = with_key(desk.program, route, path, f"key-{number}")
        assert again.headers.get("Idempotent-Replayed") == "true", route.path
        assert (again.status_code, again.data) == (first.status_code, first.data), route.path
        assert counted() == done, route.path
    assert len(played) == len(set(played)) < len(POSTS) / 2


def counted() -> dict[str, int]:
    with db.read() as session:
        return {
            name: session.scalar(sa.select(sa.func.count()).select_from(table)) or 0
            for name, table in db.Base.metadata.tables.items()
        }


def test_a_secret_in_an_answer_is_kept_sealed(desk: ApiDesk) -> None:
    route = next(route for route in POSTS if route.path == "/endpoints")
    secret = {"/endpoints", "/endpoints/{endpoint_id}/rotate", "/sequences/{sequence_id}/secret"}
    assert {one.path for one in POSTS if one.secret} == secret
    first = with_key(desk.program, route, route.path)
    assert first.json["secret"].startswith("whsec_")
    (kept,) = rows()
    assert first.json["secret"] not in (kept.answer or "")
    assert with_key(desk.program, route, route.path).json == first.json
    secrets.use(secrets.Keyring({"k9": b"x" * 32}))
    answer = with_key(desk.program, route, route.path)
    assert (answer.status_code, answer.json["error"]["code"]) == (409, "idempotency_key_reused")


def test_the_same_key_for_another_file_is_refused(desk: ApiDesk) -> None:
    def upload(content: bytes) -> Any:
        data = {"file": (io.BytesIO(content), "guide.txt")}
        return desk.program.call("POST", "/uploads", data=data, headers={"Idempotency-Key": "guide"})

    first, again, other = upload(b"One"), upload(b"One"), upload(b"Two")
    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 409)
    assert first.json == again.json
