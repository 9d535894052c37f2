"""Control: faults, ledger, clock, settings, waiting, resetting."""

from __future__ import annotations

import dataclasses

from flask import Response, jsonify, request

from sandbox import presets
from sandbox.control.base import NUMBER, InputError, NotFoundError, body, box, bp, checked, find_customer
from sandbox.faults import RuleError
from sandbox.whatsapp import presets as whatsapp_presets
from sandbox.world import Json


@bp.get("/faults")
def list_faults() -> Response:
    """List the active rules."""
    return jsonify(faults=[rule.as_json() for rule in box().faults.rules])


@bp.post("/faults")
def add_fault() -> tuple[Response, int]:
    """Add one rule, or several as a list; all or none."""
    data = request.get_json(force=True, silent=True)
    raw = data if isinstance(data, list) else [data]
    added = []
    try:
        for item in raw:
            if not isinstance(item, dict):
                raise RuleError("a rule must be a JSON object")
            added.append(box().faults.add(item))
    except RuleError as problem:
        for rule in added:
            box().faults.remove(rule.id)
        raise InputError(str(problem)) from problem
    for rule in added:
        box().ledger.add("fault_on", fault=rule.id, call=rule.call, action=rule.action)
    shown = [rule.as_json() for rule in added]
    return jsonify(shown if isinstance(data, list) else shown[0]), 201


@bp.delete("/faults")
def clear_faults() -> Response:
    """Remove every rule."""
    removed = box().faults.remove()
    box().media.stories_expired = False
    box().ledger.add("fault_off", fault="all")
    return jsonify(removed=removed)


@bp.delete("/faults/<rule_id>")
def remove_fault(rule_id: str) -> Response:
    """Remove one rule."""
    if not box().faults.remove(rule_id):
        raise NotFoundError(f"no fault {rule_id}")
    box().ledger.add("fault_off", fault=rule_id)
    return jsonify(removed=1)


def _number(name: str, default: int) -> int:
    value = request.args.get(name)
    if value is None:
        return default
    if not value.isdigit():
        raise InputError(f"{name} must be a whole number")
    return int(value)


@bp.post("/switches/<name>")
def turn_switch(name: str) -> Response:
    """Turn one of the phone page's switches on or off; with ``customer``, only for that customer."""
    preset = presets.BY_NAME.get(name) or whatsapp_presets.BY_NAME.get(name)
    if preset is None:
        raise NotFoundError(f"no switch {name}")
    data = body({"on": bool, "customer": str}, ("on",))
    customer = find_customer(data["customer"]) if "customer" in data else None
    presets.switch(box(), preset, data["on"], customer)
    return jsonify(switches=presets.show(box()))


@bp.get("/ledger")
def ledger() -> Response:
    """List entries after ``since``, oldest first; filter by kind, customer, account, mid."""
    kinds = [kind for kind in request.args.get("kind", "").split(",") if kind]
    customer, account = request.args.get("customer"), request.args.get("account")
    mid, limit = request.args.get("mid"), _number("limit", 100_000)
    with_body = request.args.get("bodies") in ("1", "true")
    found: list[Json] = []
    last = since = _number("since", 0)
    for entry in box().ledger.entries(since):
        facts = entry.facts
        last = entry.id
        if kinds and entry.kind not in kinds:
            continue
        if customer is not None and facts.get("customer") != customer:
            continue
        if account is not None and facts.get("account") != account:
            continue
        if mid is not None and mid != facts.get("mid") and mid not in facts.get("mids", ()):
            continue
        found.append(entry.as_json(with_body))
        if len(found) == limit:
            break
    return jsonify(entries=found, last=last)


@bp.get("/ledger/<int:entry_id>")
def ledger_entry(entry_id: int) -> Response:
    """Show one entry with its body."""
    entry = box().ledger.get(entry_id)
    if entry is None:
        raise NotFoundError(f"no entry {entry_id}")
    return jsonify(entry.as_json(with_body=True))


@bp.post("/clock")
def clock() -> Response:
    """Move the clock by ``advance`` seconds, or ``reset`` it."""
    data = body({"advance": NUMBER, "reset": bool})
    if len(data) != 1 or data.get("reset") is False:
        raise InputError("exactly one of advance (seconds) and reset (true) is required")
    b = box()
    if "reset" in data:
        b.clock.reset()
    else:
        if abs(data["advance"]) > 10 * 365 * 86400:
            raise InputError("advance may be ten years at most")
        b.clock.advance(float(data["advance"]))
    b.ledger.add("clock", offset=round(b.clock.offset, 3))
    return jsonify(now=b.clock.now(), iso=b.clock.iso(), offset=b.clock.offset)


@bp.get("/settings")
def show_settings() -> Response:
    """Show the settings of the whole sandbox."""
    shown = dataclasses.asdict(box().settings)
    return jsonify({**shown, "stories_expired": box().media.stories_expired})


@bp.patch("/settings")
def change_settings() -> Response:
    """Change settings."""
    data = checked(
        request.get_json(force=True, silent=True),
        {
            "fetch_media": bool,
            "enforce_rates": bool,
            "usage_limit": int,
            "message_echoes_field": bool,
            "stories_expired": bool,
            "wrap_logins": bool,
            "cut_opener": bool,
        },
    )
    b = box()
    with b.lock:
        if "stories_expired" in data:
            b.media.stories_expired = data.pop("stories_expired")
        for name, value in data.items():
            setattr(b.settings, name, value)
    b.ledger.touch()
    return show_settings()


@bp.post("/wait")
def wait() -> Response:
    """Wait until no webhook is queued, held or in flight; at most ``timeout`` seconds."""
    data = body({"timeout": NUMBER})
    idle = box().courier.wait_idle(min(float(data.get("timeout", 10)), 60.0))
    return jsonify(idle=idle, busy=box().courier.busy, planned=len(box().courier.schedule))


@bp.post("/reset")
def reset() -> Response:
    """Reset to the initial world: no callback, no faults, no messages, no ledger."""
    box().reset()
    return jsonify(ok=True)
