"""A sequence with every kind of step, for checkers of types and a desk; each wrong call is marked."""

from __future__ import annotations

from lobby_client import Lobby, params

BODY: params.SequenceBody = {
    "starts": {"words": ["order"], "taps": ["My order"], "programs": True},
    "people": ["a person"],
    "person": "pause",
    "steps": [
        {"do": "say", "id": "hello", "text": "Hello", "quick_replies": ["Order", "Return"]},
        {
            "do": "ask",
            "id": "number",
            "text": "Which order?",
            "kind": "number",
            "digits": 5,
            "variable": "order",
            "other": "hand",
        },
        {
            "do": "call",
            "id": "look",
            "url": "https://example.com/order-status",
            "keeps": [{"field": "order.state", "variable": "state"}],
            "failed": "hand",
        },
        {
            "do": "branch",
            "id": "way",
            "cases": [
                {"to": "sent", "variable": "state", "value": "sent"},
                {"to": "hand", "conditions": [{"if": "words", "words": ["broken"], "has": "any"}]},
            ],
            "then": "rest",
        },
        {
            "do": "cards",
            "id": "sent",
            "cards": [{"title": "On its way", "button": "Track it", "url": "https://example.com/track"}],
        },
        {"do": "wait", "id": "rest", "hours": 2, "until": "written", "silent": "done"},
        {"do": "act", "id": "mark", "action": {"do": "note", "text": "They wrote again."}},
        {"do": "goto", "id": "again", "then": "number"},
        {"do": "people", "id": "hand", "text": "We look it up."},
        {"do": "end", "id": "done", "close": True},
    ],
}


def round_trip(client: Lobby) -> None:
    """Make a sequence, read it and write back what was read, changed."""
    sequence = client.sequences.get(client.sequences.create("Orders", BODY).id)
    if sequence.body is not None:
        steps = [one for one in sequence.body["steps"] if one["do"] != "wait"]
        body: params.SequenceBody = {**sequence.body, "steps": steps}
        client.sequences.replace(sequence.id, sequence.name, body, changed_at=sequence.changed_at)


def refused(client: Lobby) -> None:
    """Show what no sequence is. Nobody runs it."""
    client.sequences.create("Bulk", {})  # wrong
    client.sequences.create("Bulk", {"steps": [{"do": "shout", "id": "a"}]})  # wrong
    client.sequences.create("Bulk", {"steps": [{"do": "say", "id": "a", "texts": "Hi"}]})  # wrong
    client.sequences.create("Bulk", {"steps": [{"do": "end", "id": "a"}], "person": "wait"})  # wrong
    client.sequences.create("Bulk", {"steps": [], "starts": {"word": ["order"]}})  # wrong
