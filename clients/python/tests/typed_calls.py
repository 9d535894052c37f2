"""Calls for checkers of types, which refuse each line marked as wrong, and no other. Nobody runs it."""

from __future__ import annotations

from datetime import datetime, timezone

from lobby_client import AsyncLobby, Event, Lobby, events, params, types, webhooks

client = Lobby("https://desk.example.com", api_key="lobby_x")
CHANNEL, ANA = "3f2b8c1d", "1026"

# Messages

client.messages.send(channel_id=CHANNEL, to=ANA, content={"type": "text", "text": "Hello"})
client.messages.send(
    channel_id=CHANNEL,
    to=ANA,
    content={"type": "text", "text": "Which?", "quick_replies": [{"title": "Small", "payload": "s"}]},
)
client.messages.send(
    channel_id=CHANNEL,
    to=ANA,
    content={"type": "text", "text": "Your number?", "quickReplies": [{"contentType": "user_phone_number"}]},
)
client.messages.send(channel_id=CHANNEL, to=ANA, content={"type": "image", "image": {"upload": "ab"}})
client.messages.send(channel_id=CHANNEL, to=ANA, content=types.ImageContent(types.FileRef(upload="ab")))
client.messages.send(channel_id=CHANNEL, to=ANA, content={"type": "sticker", "sticker": {"id": "like"}})
client.messages.send(
    channel_id=CHANNEL,
    to=ANA,
    content={
        "type": "template",
        "template": {
            "type": "generic",
            "elements": [
                {
                    "title": "Blue mug",
                    "image_url": "https://example.com/mug.jpg",
                    "buttons": [{"type": "postback", "title": "Hold it", "payload": "hold-mug"}],
                }
            ],
        },
    },
)
hello: params.Content = {"type": "text", "text": "Hello"}
client.messages.send(channel_id=CHANNEL, to=ANA, content=hello)
client.messages.reply(types.SendText("Hello", conversation_id=42, send_at=datetime.now(timezone.utc)))

client.messages.send(channel_id=CHANNEL, to=ANA, content={"type": "txt", "text": "Hello"})  # wrong
client.messages.send(channel_id=CHANNEL, to=ANA, content={"type": "text"})  # wrong
client.messages.send(channel_id=CHANNEL, to=ANA, content={"type": "text", "body": "Hello"})  # wrong
client.messages.send(channel_id=CHANNEL, to=ANA, content={"type": "image", "image": "ab"})  # wrong
client.messages.send(channel_id=CHANNEL, to=ANA, content={"type": "sticker", "sticker": "no"})  # wrong
client.messages.reply(types.SendText("Hello", overflow="cut"))  # wrong
client.messages.moderate(7, "gone")  # wrong

# Words

for conversation in client.conversations.list(status="open", assignee="none", sort="waiting"):
    client.conversations.change(conversation.id, status="closed", handled_by="nobody")
    client.conversations.list(status=conversation.status)
client.conversations.change_many("close", conversation_ids=[1])
client.labels.create("Orders", tone="red")
client.contacts.list(sort="quiet")
client.assistants.set_mode(7, CHANNEL, "suggest", answers_on=["message"])

client.conversations.list(status="bogus")  # wrong
client.conversations.page(status="bogus")  # wrong
client.conversations.list(assignee="nobody")  # wrong
client.conversations.list(sort="oldest")  # wrong
client.conversations.change(42, status="bogus")  # wrong
client.conversations.change(42, handled_by="automation")  # wrong
client.conversations.change_many("shut")  # wrong
client.labels.create("Orders", tone="purple")  # wrong
client.contacts.list(sort="name")  # wrong
client.contacts.list(colour="red")  # wrong
client.endpoints.change(5, state="off")  # wrong
client.assistants.set_mode(7, CHANNEL, "loud")  # wrong

# Rules

client.rules.create(
    "Wholesale",
    {
        "when": "message.received",
        "conditions": [
            {"if": "words", "words": ["wholesale"], "has": "any"},
            {"if": "any", "of": [{"if": "hours", "open": False}, {"if": "window", "to": "people"}]},
            {"if": "sent", "kinds": ["text"]},
        ],
        "actions": [{"do": "label", "label": 3}, {"do": "tell", "team": 5}, {"do": "close"}],
    },
    state="live",
)
rule = client.rules.get(3)
if rule.body is not None:
    client.rules.replace(rule.id, "Renamed", rule.body, version=rule.version)

client.rules.create("Bulk", {"when": "message.came"})  # wrong
client.rules.create("Bulk", {"conditions": []})  # wrong
client.rules.create("Bulk", {"when": "note.added", "conditions": [{"if": "wrds", "words": []}]})  # wrong
client.rules.create("Bulk", {"when": "note.added", "actions": [{"do": "label", "team": 3}]})  # wrong
client.rules.create("Bulk", {"when": "note.added", "actions": [{"do": "snooze", "when": "never"}]})  # wrong
client.rules.change(3, state="on")  # wrong

# Names of events

client.endpoints.create("https://example.com/hook", ["message.received", "conversation.*"])
client.endpoints.create("https://example.com/hook", ["*"])
client.endpoints.create("https://example.com/hook", ["instagram.comment", events.OtherEvent("email.waved")])
for endpoint in client.endpoints.list():
    client.endpoints.change(endpoint.id, events=[*endpoint.events, "note.added"])
    if "message.sent" in endpoint.events:
        client.events.page(events=endpoint.events)
names: list[events.EventName] = ["message.sent", "instagram.reaction"]
client.events.pages(events=names)

client.endpoints.create("https://example.com/hook", ["message.recieved"])  # wrong
client.endpoints.create("https://example.com/hook", ["messages.*"])  # wrong
client.endpoints.change(5, events=["conversation.shut"])  # wrong
client.events.page(events=["message.*", "note.add"])  # wrong
client.events.pages(events=["label.added"])  # wrong
client.events.listen(print, events=["whatsapp.*"])  # wrong
client.events.page(events="message.received")  # wrong
for delivery in client.endpoints.deliveries(5):
    if delivery.event == "message.sent":
        print(delivery.id)
    elif delivery.event == "message.send":  # wrong
        print("never")

# Events


def handle(event: events.AnyEvent) -> None:
    if event.event == "message.received":
        if "erased" in event.data:
            return
        print(event.data["from"], event.data["content"], event.data["conversationId"])
        print(event.data["sender"])  # wrong
    elif event.event == "instagram.postback":
        if "erased" not in event.data:
            print(event.data.get("payload"))
            print(event.data["text"])  # wrong
    elif event.event == "message.recieved":  # wrong
        print("never")
    log(event)


def received(body: bytes) -> webhooks.Webhook:
    hook = webhooks.verify({}, body, "whsec_x")
    if hook.event == "message.received":
        if "erased" not in hook.data:
            print(hook.timestamp, hook.data["from"], hook.data["content"])
            print(hook.data["sender"])  # wrong
    elif hook.event == "instagram.quick_reply":
        if "erased" not in hook.data:
            print(hook.data["payload"])
            print(hook.data["storyId"])  # wrong
    elif hook.event == "message.recieved":  # wrong
        print("never")
    return hook  # any webhook, also one of a newer desk


def log(event: Event) -> None:  # any event, also one of a newer desk
    print(event.id, event.event, event.data["timestamp"])


for page in client.events.pages():
    for event in page.data:
        handle(event)


async def main() -> None:
    async with AsyncLobby() as desk:
        await desk.conversations.change(42, status="open")
        await desk.conversations.change(42, status="bogus")  # wrong
        await desk.events.page(events=["message.*"])
        await desk.events.page(events=["mesage.*"])  # wrong
        await desk.endpoints.change(5, events=["note.added"])
        await desk.endpoints.change(5, events=["notes.added"])  # wrong
