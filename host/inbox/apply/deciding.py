"""Decide the result of a batch of changes. Pure: no session, no SQL, no clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from host.core.cleaning import clean, clean_attachment, clean_short, clean_value, external_id
from host.inbox.apply import (
    bounces,
    claims,
    consents,
    conversations,
    echoes,
    ids,
    participants,
    phone_numbers,
    responders,
)
from host.inbox.apply.annotations import collect_annotations, keep_erased, keep_if_here, resolve_annotations
from host.inbox.apply.incoming import Incoming, believable, handover_id, message_key, own_key, program
from host.inbox.apply.values import (
    Annotated,
    Consent,
    Decided,
    Draft,
    Key,
    Loaded,
    NewMessage,
    Person,
    Thread,
)
from host.models.inbox import Direction, Origin
from host.sdk.channel import Threading
from host.sdk.messages import (
    ConversationHandedOver,
    Ignored,
    MessageBounced,
    MessageDelivered,
    MessageEchoed,
    MessageKind,
    MessageReceived,
    MessagesRead,
)

_FIRST = datetime.min.replace(tzinfo=UTC)
ONE_TAP = timedelta(seconds=1)
"""Two taps that name the same message within this time are the same one: the history has whole seconds."""
LONGEST_SUMMARY = 4000
"""Code points kept of another program's summary."""
OF_ANOTHER = "It is about a message of somebody else."


def decide(loaded: Loaded, items: Sequence[Incoming], now: datetime) -> Decided:
    """Decide the result of *items*: first messages, then echoes, read receipts and annotations.

    The result does not depend on the order of a conversation's changes or on repeats.
    """
    items = sorted(items, key=_told_at)
    draft = Draft(loaded, now)
    if loaded.ids is not None:
        ids.resolve(draft, loaded.ids, items)
    unconfirmed = list(loaded.unconfirmed)
    for item in items:
        if item.delivered and not isinstance(item.change, Ignored):
            _note_heard(draft, item)
        if isinstance(item.change, MessageReceived):
            _receive(draft, item, item.change)
        elif isinstance(item.change, MessageBounced):
            _note_bounce(draft, item, item.change)
        elif isinstance(item.change, ConversationHandedOver):
            _tell_handover(draft, item, item.change)
        elif isinstance(item.change, MessageEchoed) and _by_references(item):
            # A message must be present before the messages that answer it.
            echoes.decide_echoes(draft, [item], unconfirmed)
    agreed = consents.decide_consents(draft)
    # Before the echoes, which have to guess.
    echoes.decide_accepted(draft, items, unconfirmed)
    rest = [item for item in items if isinstance(item.change, MessageEchoed) and not _by_references(item)]
    echoes.decide_echoes(draft, rest, unconfirmed)
    if any(item.imported for item in items):
        conversations.open_waiting(draft)
    for item in items:
        if isinstance(item.change, MessagesRead):
            echoes.decide_read(draft, item, item.change)
            bounces.note_arrival(draft, item, item.change)
    for item in items:
        # After the read receipts, which may cover this message.
        if isinstance(item.change, MessageDelivered):
            bounces.note_arrival(draft, item, item.change)
    annotated = resolve_annotations(draft, collect_annotations(draft, items))
    return _decided(draft, annotated, items, agreed)


def _note_bounce(draft: Draft, item: Incoming, change: MessageBounced) -> None:
    if bounces.note(draft, item, change):
        return
    if change.report is None:
        bounces.tell(draft, item, change)
        return
    report, about = bounces.as_message(draft, item, change)
    _receive(draft, item._replace(change=report), report, about)


def decide_marked(loaded: Loaded, now: datetime) -> Decided:
    """Decide the result of marks whose messages have arrived."""
    draft = Draft(loaded, now)
    here = keep_if_here(draft, collect_annotations(draft, ()))
    return _decided(draft, resolve_annotations(draft, here), ())


def _told_at(item: Incoming) -> datetime:
    """Return the sort key of changes: messages before those that answer them."""
    change = item.change
    if not _by_references(item):
        return _FIRST
    if isinstance(change, MessageReceived | MessageEchoed):
        return believable(change.sent_at, item.received_at)
    return believable(change.at, item.received_at) if isinstance(change, MessageBounced) else _FIRST


def _by_references(item: Incoming) -> bool:
    return item.adapter.capabilities.threading is Threading.REFERENCES


def _decided(
    draft: Draft, annotated: Annotated, items: Iterable[Incoming], agreed: Sequence[Consent] = ()
) -> Decided:
    overtaken = bounces.note_kept(draft)
    annotated.new_marks += bounces.kept_marks(draft)
    annotated.done += draft.reported
    used = {id(message.thread.person) for message in draft.new.values()}
    everybody = draft.everybody()
    threads = {id(thread): thread for thread in draft.threads.values()}
    threads |= {id(message.thread): message.thread for message in draft.new.values()}
    new = [p for p in everybody if p.id is None and (id(p) in used or p.identity_changed)]
    written = ids.to_write(draft, {id(one) for one in new}) if draft.ids else []
    return Decided(
        now=draft.now,
        confirmed=list(draft.confirmed.values()),
        new_people=new,
        new_threads=[thread for thread in threads.values() if thread.id is None],
        new_messages=draft.new,
        people=[p for p in everybody if p.id is not None],
        changed_threads=[t for t in threads.values() if t.id is not None and t.changed],
        arrived=draft.arrived,
        annotated=annotated,
        removals=draft.removals,
        heard=draft.heard,
        refused=_refused(draft, items),
        consents=agreed,
        bounced=list(draft.bounced.values()),
        new_posts=draft.posts,
        posts=draft.loaded.posts,
        overtaken=overtaken,
        ids=written,
        same=ids.of_one_person(draft, written),
        joins=draft.joins,
        readdressed=draft.readdressed,
    )


def _refused(draft: Draft, items: Iterable[Incoming]) -> dict[int, str]:
    refused = {id(item): item for _, item in draft.refused}
    applied = {item.event_id for item in items if id(item) not in refused}
    return {
        item.event_id: OF_ANOTHER
        for item in refused.values()
        if item.event_id is not None and item.event_id not in applied
    }


def _note_heard(draft: Draft, item: Incoming) -> None:
    before = draft.heard.get(item.account.id)
    if before is None or before < item.received_at:
        draft.heard[item.account.id] = item.received_at


# ---- messages of customers ---------------------------------------------------------------------------


def _receive(draft: Draft, item: Incoming, change: MessageReceived, about: Thread | None = None) -> None:
    """Add a message.

    :param about: the conversation it belongs to; None: found by whom it is from and what it refers to.
    """
    person = draft.people[item.account.id, external_id(change.contact)]
    key = _key(draft, item, change)
    if draft.is_here(key):
        by_reference = item.adapter.capabilities.threading is Threading.REFERENCES
        if by_reference and item.event_id is not None and item.event_id in (draft.sources(key) or ()):
            draft.repeats.append((key, item))  # a repeated event, whichever conversation it is in
        else:
            draft.note_repeat(key, item, person)
        _receive_imported(draft, key, item, change, person)
        return
    sent_at = believable(change.sent_at, item.received_at)
    if person.erased_at is None or sent_at > person.erased_at:
        _fill_in(person, change, imported=item.imported)
    subject = clean_short(change.subject, 500)
    thread, instead = (about, None) if about else _find_thread(draft, item, change, person)
    if thread is None:
        closed_at = item.received_at if item.imported else None
        post = _post(draft, item, change)
        thread = conversations.start(
            person, item.adapter.key, sent_at, subject=subject, closed_at=closed_at, post=post
        )
    elif thread.subject is None and subject is not None:
        thread.subject = subject
    message = _new_message(draft, key, item, change, thread)
    claims.claim(draft, item, change, message)
    joined = thread.person is not person
    if joined:
        _note_author(message, person, change)
        if _answers_forward(draft, item, change):
            message.content[participants.AFTER_FORWARD] = True
    kept_erased = keep_erased(draft, message)
    if not kept_erased and not item.imported:
        # Who takes calls is not who answers in writing.
        keeps = None if change.kind is MessageKind.CALL else item.adapter.capabilities.responder_keeps
        responders.note_message(thread, sent_at, keeps, standby=message.content.get("standby") is True)
        _count(draft, thread, message, item, change)
        consents.hear(draft, item, change, message)
    elif not kept_erased and _opens_window(thread, item, change):
        conversations.open_window_of_import(draft, thread, message)
    if not claims.is_claimed(message):
        conversations.show_last(thread, message)
    draft.add(message)
    if instead is not None and instead.id is not None:
        conversations.add_line(
            draft, thread, message, "may_belong", message.sent_at, conversation=str(instead.id)
        )


def _key(draft: Draft, item: Incoming, change: MessageReceived) -> Key:
    """Return the account id and external id under which the message is stored.

    If senders choose the ids, as in mail, different messages may have the same id. The journal recognises
    redelivered events, so another event with a known id is another message and gets an id of ours. For
    history, the journal may already have deleted the event, so a message with the same id and time is the
    same. A tap that has the id of another message, such as the one with the button, gets an id of ours.
    """
    key = item.account.id, message_key(change, item.event_key)
    if change.kind is MessageKind.POSTBACK and not _is_same_tap(draft, key, item, change):
        return key[0], own_key(change, item.event_key)
    stored = draft.stored.get(key) if item.imported else None
    if stored is not None and stored.sent_at == believable(change.sent_at, item.received_at):
        return key
    if item.adapter.capabilities.threading is not Threading.REFERENCES or item.event_id is None:
        return key
    sources = draft.sources(key)
    return key if sources is None or item.event_id in sources else (key[0], own_key(change, item.event_key))


def _is_same_tap(draft: Draft, key: Key, item: Incoming, change: MessageReceived) -> bool:
    """Return whether the message *key* is this tap, or is not here."""
    here = draft.new.get(key) or draft.stored.get(key)
    if here is None:
        return True
    body = here if isinstance(here, NewMessage) else draft.loaded.bodies.get(here.id)
    apart = abs(here.sent_at - believable(change.sent_at, item.received_at))
    is_same = body is None or body.unsent_at is not None or body.text == clean(change.text)
    return is_same and here.direction == Direction.INBOUND and apart <= ONE_TAP


def _receive_imported(
    draft: Draft, key: Key, item: Incoming, change: MessageReceived, person: Person
) -> None:
    """Treat a message known only from the history as received, because it was now delivered."""
    stored = draft.stored.get(key)
    if item.imported or stored is None or stored.imported_at is None or stored.unsent_at is not None:
        return
    thread = draft.threads.get(stored.conversation_id)
    if thread is None or thread.person is not person:
        return
    draft.stored[key] = stored._replace(imported_at=None)
    person.wrote = True
    message = _new_message(draft, key, item, change, thread)
    claims.claim(draft, item, change, message)
    draft.arrived.append((stored.id, message))
    _count(draft, thread, message, item, change)
    consents.hear(draft, item, change, message)
    if not claims.is_claimed(message):
        conversations.show_last(thread, message)


def _count(
    draft: Draft, thread: Thread, message: NewMessage, item: Incoming, change: MessageReceived
) -> None:
    opens_window = _opens_window(thread, item, change)
    if claims.is_claimed(message):
        if opens_window:
            conversations.open_window(thread, message, item.received_at)
        return
    conversations.count_as_new(draft, thread, message, item.received_at, opens_window=opens_window)


def _opens_window(thread: Thread, item: Incoming, change: MessageReceived) -> bool:
    # An answer received through another account does not open this account's reply window.
    return change.opens_window and thread.person.account.id == item.account.id


def _new_message(
    draft: Draft, key: Key, item: Incoming, change: MessageReceived, thread: Thread
) -> NewMessage:
    return NewMessage(
        thread=thread,
        account=item.account,
        external_id=key[1],
        direction=Direction.INBOUND,
        origin=Origin.CUSTOMER,
        kind=str(change.kind)[:32],
        text=clean(change.text),
        content=clean_value(change.content),
        sent_at=believable(change.sent_at, item.received_at),
        attachments=tuple(clean_attachment(attachment) for attachment in change.attachments),
        stored=dict(item.stored),
        media=item.media,
        reply_to=external_id(change.reply_to) if change.reply_to else None,
        sources=[] if item.event_id is None else [item.event_id],
        imported_at=draft.now if item.imported else None,
    )


def _fill_in(person: Person, change: MessageReceived, *, imported: bool) -> None:
    """Fill in unknown fields of a contact; known values stay. A customer who writes is reachable again."""
    person.wrote = person.wrote or not imported
    username = clean_short(change.contact_username, 255)
    name = clean_short(change.contact_name, 255)
    email = clean_short(change.contact_email, 254)
    if person.unreachable_since is not None and change.sent_at > person.unreachable_since:
        person.unreachable_since, person.identity_changed = None, True
    if username and not person.username:
        person.username, person.identity_changed = username, True
    if name and not person.name:
        person.name, person.identity_changed = name, True
    if name and not person.contact_name:
        person.contact_name, person.contact_changed = name, True
    phone = phone_numbers.international(change.contact_phone)
    if phone and phone != person.phone:
        person.phone, person.identity_changed = phone, True
    verified = email.casefold() if email and change.contact_email_verified else None
    if verified and verified != person.verified_email:
        person.verified_email, person.identity_changed = clean_short(verified, 254), True
    if email and not person.contact_email:
        person.contact_email, person.contact_changed = email, True


def _note_author(message: NewMessage, person: Person, change: MessageReceived) -> None:
    """Store the author of a message in another customer's conversation; they also get an identity."""
    message.content["author"] = {
        "name": clean_short(change.contact_name, 255) or person.name or "",
        "address": person.external_id,
    }
    message.writer = person
    person.identity_changed = True


def _answers_forward(draft: Draft, item: Incoming, change: MessageReceived) -> bool:
    """Return whether a message answers a forward, directly or not, which the customer does not see."""
    for reference in change.references:
        key = item.account.id, external_id(reference)
        stored, new = draft.stored.get(key), draft.new.get(key)
        if stored is not None:
            forwarded = stored.direction == Direction.INTERNAL
            if forwarded or draft.loaded.answered.get(stored.id, {}).get(participants.AFTER_FORWARD) is True:
                return True
        elif new is not None and new.content.get(participants.AFTER_FORWARD) is True:
            return True
    return False


def _find_thread(
    draft: Draft, item: Incoming, change: MessageReceived, person: Person
) -> tuple[Thread | None, Thread | None]:
    """Return the conversation of *change*; if None, also the one it refers to but may not join."""
    if item.adapter.capabilities.threading is Threading.CONTACT:
        return person.newest, None
    if item.adapter.capabilities.threading is Threading.POST:
        post = change.post
        return person.newest if post is None else person.about.get(external_id(post.external_id)), None
    foreign: list[tuple[Thread, Mapping[str, Any]]] = []
    for reference in change.references:
        key = item.account.id, external_id(reference)
        stored = draft.stored.get(key)
        new = draft.new.get(key)
        if stored is not None:
            thread = draft.threads.get(stored.conversation_id)
            content = draft.loaded.answered.get(stored.id, {})
        elif new is not None:
            thread, content = new.thread, new.content
        else:
            continue
        if thread is None:
            continue
        if thread.person is person:
            return thread, None
        foreign.append((thread, content))
    # Anybody may refer to another customer's message; only people who have seen that conversation may join
    # it.
    if not participants.is_forged(change.content):
        for thread, content in foreign:
            contents = (content, *draft.loaded.shown.get(thread.id or 0, ()))
            if any(person.external_id in participants.of_message(one, item.account) for one in contents):
                return thread, None
    return None, foreign[0][0] if foreign else None


def _post(draft: Draft, item: Incoming, change: MessageReceived) -> str | None:
    """Return the external id of the post *change* is about, and add it to the draft if it is not stored."""
    if change.post is None or item.adapter.capabilities.threading is not Threading.POST:
        return None
    key = item.account.id, external_id(change.post.external_id)
    if key not in draft.loaded.posts:
        draft.posts.setdefault(key, (item.account, change.post))
    return key[1]


# ---- handovers ---------------------------------------------------------------------------------------


def _tell_handover(draft: Draft, item: Incoming, change: ConversationHandedOver) -> None:
    """Add an activity line that one program passed the conversation to another."""
    key = item.account.id, handover_id(item.event_key)
    if draft.is_here(key):
        return
    person = draft.people[item.account.id, external_id(change.contact)]
    at = believable(change.at, item.received_at)
    thread = conversations.for_lines(person, item.adapter.key, at)
    responders.note_handover(thread, at, item.adapter.capabilities.responder_keeps, change.how, change.to)
    said = {"how": str(change.how), "note": clean_short(change.note, 500) or "", **program("to", change.to)}
    if summary := clean_short(change.summary, LONGEST_SUMMARY):
        said["summary"] = summary
    draft.add(conversations.activity(thread, item.account, key, at, what="handed_over", **said))
