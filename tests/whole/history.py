"""What really happened, by the sandbox's ledger, held against what the desk knows: the torture's checker.

The ledger is ground truth: the sandbox writes it, synced line by line, and the desk never sees it.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ARRIVED = frozenset({"sent", "read"})
VISIBLE = frozenset({"failed", "unknown"})


@dataclass(frozen=True, slots=True)
class Row:
    """One message as the desk holds it.

    :param id: the desk's own id; it grows in the order messages were written down.
    :param account: the provider's id of the account.
    :param customer: the provider's id of the customer.
    :param sent_at_ms: the provider's time, in milliseconds.
    :param flagged: whether the desk said at some time that it did not know what became of it.
    """

    id: int
    conversation: int
    account: str
    customer: str
    direction: str
    origin: str
    external_id: str | None
    text: str
    state: str | None
    sent_at_ms: int
    flagged: bool = False


@dataclass(frozen=True, slots=True)
class Accepted:
    """A reply an agent was told is on its way. Texts are unique within a run."""

    customer: str
    text: str


@dataclass(slots=True)
class Verdict:
    """What the checker found; ``problems`` empty is green."""

    problems: list[str] = field(default_factory=list)
    figures: dict[str, int] = field(default_factory=dict)

    def blame(self, sentence: str) -> None:
        self.problems.append(sentence)


def read_ledger(path: Path) -> list[dict[str, Any]]:
    """Return the entries of a ledger file, amendments applied. A line cut off by a kill is left out."""
    entries: dict[int, dict[str, Any]] = {}
    for line in path.read_bytes().splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if entry["kind"] == "amend":
            changes = {key: value for key, value in entry.items() if key not in {"kind", "id", "at_ms"}}
            entries[entry["id"]].update(changes)
        elif "id" in entry:
            entries[entry["id"]] = entry
    return list(entries.values())


def check(ledger: Iterable[Mapping[str, Any]], rows: Sequence[Row], accepted: Sequence[Accepted]) -> Verdict:
    """Hold the desk's *rows* and the replies its agents had *accepted* against *ledger*."""
    entries = list(ledger)
    verdict = Verdict()
    _received(entries, rows, verdict)
    _sent(entries, rows, accepted, verdict)
    _order_received(entries, rows, verdict)
    _order_sent(entries, rows, verdict)
    _conversations(rows, verdict)
    return verdict


def written(entries: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return what was written on the provider's side, mid -> entry, but for what it dropped on purpose."""
    entries = list(entries)
    dropped = {mid for one in entries if one["kind"] == "webhook_dropped" for mid in one["mids"]}
    return {
        one["mid"]: one
        for one in entries
        if one["kind"] == "dm" and one.get("mid") and one["mid"] not in dropped
    }


def _answered(entries: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [one for one in entries if one["kind"] == "webhook" and one.get("status") == 200]


def _received(entries: list[Mapping[str, Any]], rows: Sequence[Row], verdict: Verdict) -> None:
    """Every message whose webhook was answered 200 is there once; nothing is there that was never written."""
    answered = {mid for one in _answered(entries) for mid in one["mids"] if one["signature"] == "right"}
    meant_to_come = written(entries)
    known = Counter(row.external_id for row in rows if row.external_id is not None)
    inbound = [row for row in rows if row.direction == "inbound"]
    for mid, dm in meant_to_come.items():
        if mid in answered and not known[mid]:
            verdict.blame(f"lost: {dm['customer']} wrote {dm['text']!r}, answered 200, not in the inbox")
        if mid not in answered:
            verdict.blame(f"never answered 200: {dm['customer']} wrote {dm['text']!r}")
    for mid, count in known.items():
        if count > 1:
            verdict.blame(f"doubled: {count} messages have the id {mid}")
    texts = Counter((row.customer, row.text) for row in inbound)
    meant = Counter((one["customer"], one["text"]) for one in meant_to_come.values())
    for (customer, text), count in texts.items():
        if count != meant[customer, text]:
            verdict.blame(
                f"doubled or made up: {customer} wrote {text!r} {meant[customer, text]} times and the inbox "
                f"shows it {count} times"
            )
    for row in inbound:
        if row.external_id not in meant_to_come:
            verdict.blame(f"made up: nobody wrote {row.text!r} ({row.external_id})")
    deliveries = _answered(entries)
    verdict.figures["written"] = len(meant_to_come)
    verdict.figures["webhooks answered 200"] = len(deliveries)
    verdict.figures["redelivered"] = sum(len(one["mids"]) for one in deliveries) - len(answered)


def _sent(
    entries: list[Mapping[str, Any]], rows: Sequence[Row], accepted: Sequence[Accepted], verdict: Verdict
) -> None:
    """Every accepted reply reached the customer once, or says visibly that it did not or may not have."""
    went_out: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for one in entries:
        if one["kind"] == "send":
            went_out[one["customer"], one["text"]].append(one)
    ours: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        if row.direction == "outbound" and row.origin == "agent":
            ours[row.customer, row.text].append(row)
    agreed = {(one.customer, one.text) for one in accepted}
    for key in sorted(agreed):
        if len(ours[key]) != 1:
            verdict.blame(
                f"the reply {key[1]!r} was accepted once and is in the thread {len(ours[key])} times"
            )
    for key, mine in ours.items():
        if key not in agreed:
            verdict.blame(f"the reply {key[1]!r} is in the thread though no agent was told so")
        for row in mine:
            _fate(row, went_out[key], verdict)
    for (customer, text), sends in went_out.items():
        if not ours[customer, text]:
            verdict.blame(f"{customer} got {text!r}, which no agent's reply says ({len(sends)} times)")
    shown = Counter(row.text for row in rows if row.direction == "outbound")
    for _, text in agreed:
        if shown[text] > 1:
            verdict.blame(
                f"the thread shows {text!r} {shown[text]} times: an echo became a message of its own"
            )
    verdict.figures["replies accepted"] = len(agreed)
    verdict.figures["sends taken"] = sum(len(sends) for sends in went_out.values())
    verdict.figures["left unknown"] = sum(row.state == "unknown" for mine in ours.values() for row in mine)
    verdict.figures["failed"] = sum(row.state == "failed" for mine in ours.values() for row in mine)
    verdict.figures["sent twice, flagged"] = sum(len(sends) > 1 for sends in went_out.values())


def _fate(row: Row, sends: list[Mapping[str, Any]], verdict: Verdict) -> None:
    mids = [one["mid"] for one in sends]
    if row.state in ARRIVED:
        if row.external_id not in mids:
            verdict.blame(f"{row.text!r} says {row.state} as {row.external_id}; the provider took {mids}")
    elif row.state == "failed":
        if mids:
            verdict.blame(f"{row.text!r} says failed, and the customer has it")
    elif row.state not in VISIBLE:
        verdict.blame(f"{row.text!r} is still {row.state} after everything came to rest")
    if len(mids) > 1 and not row.flagged:
        verdict.blame(f"{row.text!r} was sent {len(mids)} times and never said that it was not confirmed")


def _order_received(entries: list[Mapping[str, Any]], rows: Sequence[Row], verdict: Verdict) -> None:
    """A thread shows what a customer wrote in the order they wrote it, however the webhooks came."""
    position = {
        one["mid"]: number for number, one in enumerate(entries) if one["kind"] == "dm" and one.get("mid")
    }
    for customer, shown in _by_customer(rows, "inbound").items():
        last = -1
        for row in sorted(shown, key=lambda row: (row.sent_at_ms, row.id)):
            here = position.get(row.external_id or "", last)
            if here < last:
                verdict.blame(f"out of order: {customer}'s {row.text!r} is shown too late")
            last = max(last, here)


def _order_sent(entries: list[Mapping[str, Any]], rows: Sequence[Row], verdict: Verdict) -> None:
    """What agents wrote to one customer left in the order they wrote it."""
    mine = {
        (row.customer, row.text): row.id
        for row in rows
        if row.direction == "outbound" and row.origin == "agent" and not row.flagged
    }
    last: dict[str, int] = defaultdict(int)
    for one in entries:
        number = mine.get((one.get("customer", ""), one.get("text") or "")) if one["kind"] == "send" else None
        if number is None:
            continue
        if number < last[one["customer"]]:
            verdict.blame(f"out of order: {one['customer']} got {one['text']!r} after a later reply")
        last[one["customer"]] = max(last[one["customer"]], number)


def _conversations(rows: Sequence[Row], verdict: Verdict) -> None:
    for (account, customer), found in _conversations_of(rows).items():
        if len(found) > 1:
            verdict.blame(f"{customer} has {len(found)} conversations on {account}")


def _conversations_of(rows: Sequence[Row]) -> dict[tuple[str, str], set[int]]:
    found: dict[tuple[str, str], set[int]] = defaultdict(set)
    for row in rows:
        found[row.account, row.customer].add(row.conversation)
    return found


def _by_customer(rows: Sequence[Row], direction: str) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.direction == direction:
            found[row.customer].append(row)
    return found
