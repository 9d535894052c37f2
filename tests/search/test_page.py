"""The search page: what it shows, to whom, and the way to a message and back."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db
from host.inbox import notes
from host.inbox.labels import labels
from host.inbox.labels.models import ConversationLabel, LabelTone
from host.models.inbox import Contact, Conversation
from host.search import documents
from tests import helpers
from tests.helpers import do
from tests.inbox import toys
from tests.inbox.desks import Desk
from tests.search.desk import build_all, message_id, read_record


def search(desk: Desk, text: str, **more: str) -> str:
    answer = desk.browser.get(f"/w/{desk.workspace}/search", query_string={"q": text, **more})
    assert answer.status_code == 200, answer.text
    return answer.text


def test_what_is_found_is_shown_marked_and_leads_to_the_message(desk: Desk) -> None:
    toys.apply(
        desk.account,
        *(toys.received(f"filler {n}", at=n, contact="ana", contact_name="Ana Q.") for n in range(60)),
        toys.received("The blue <mug> & plate", at=-5, contact="ana"),
    )
    read_record()
    page = search(desk, "BLUE mug")
    assert "The <mark>blue</mark> &lt;<mark>mug</mark>&gt; &amp; plate" in page
    id_ = message_id("The blue <mug> & plate")
    there = desk.browser.get(f"/w/{desk.workspace}/search/messages/{id_}", query_string={"q": "BLUE mug"})
    assert there.status_code == 302
    assert there.location.endswith(f"#m-{id_}")
    thread = desk.browser.get(there.location.partition("#")[0]).text
    assert f'id="m-{id_}"' in thread
    assert "q=BLUE+mug" in thread
    assert "The blue" not in desk.browser.get(there.location.partition("?")[0]).text


def test_a_number_found_by_its_beginning_is_marked(desk: Desk) -> None:
    toys.apply(
        desk.account,
        *(
            toys.received(text, at=n)
            for n, text in enumerate(("order #10023", "it is ORD-10024", "ord10025"))
        ),
    )
    read_record()
    page = search(desk, "#1002")
    assert all(f"<mark>{one}</mark>" in page for one in ("10023", "10024", "ord10025"))
    page = search(desk, "ORD-1002")
    assert all(f"<mark>{one}</mark>" in page for one in ("ORD-10024", "ord10025"))


def test_filters_are_links_and_tokens(desk: Desk) -> None:
    toys.apply(desk.account, toys.received("a mug", contact="ana", contact_name="Ana Q."))
    read_record()
    build_all()
    page = search(desk, "is:open mug")
    assert "Remove is:open" in page
    assert "q=is:closed+mug" in page.replace("%3A", ":")
    assert "Ana Q." in page
    assert "is:purple was not found" in search(desk, "is:purple mug")
    assert "Ana Q." in search(desk, "ana")
    nothing = search(desk, "mu")
    assert "No results." in nothing
    assert "q=mu*" in nothing.replace("%2A", "*")
    assert "a <mark>mug</mark>" in search(desk, "mu*")


def test_a_filter_is_a_token_beside_the_words(desk: Desk) -> None:
    page = search(desk, 'mug label:"big order" -blue is:open')
    sent = re.findall(r'<input type="hidden" name="q" value="([^"]*)">', page)
    assert sent == ["label:&#34;big order&#34;", "is:open"]
    assert 'type="search" name="q" value="mug -blue"' in page
    assert "<b>label:</b>big order</bdi>" in page
    without = re.search(r'href="([^"]*)" aria-label="Remove label:&#34;big order&#34;"', page)
    assert without is not None
    assert without[1].endswith("q=is:open+mug+-blue")
    # Without scripts the form sends each for itself.
    sent_apart = desk.browser.get(f"/w/{desk.workspace}/search?q=is:open&q=from:anna&q=+mug+&q=")
    assert (sent_apart.status_code, sent_apart.location) == (
        302,
        f"/w/{desk.workspace}/search?q=is:open+from:anna+mug",
    )
    with clock.travel(toys.START - clock.now()):
        year = toys.START.year
        assert "<b>after:</b>3 Jan</bdi>" in search(desk, f"after:{year}-01-03")
        assert f"<b>before:</b>3 Jan {year - 1}</bdi>" in search(desk, f"before:{year - 1}-01-03")


def test_what_no_filter_means_is_said(desk: Desk) -> None:
    toys.apply(desk.account, toys.received("see http://shop.example/mug", contact="ana"))
    read_record()
    page = search(desk, "labl:order mug")
    assert "“labl:” is not a filter, so it was searched as text." in page
    assert 'q=label:order+mug" translate="no">label:order</a>' in page
    page = re.sub(r"\s+", " ", search(desk, "labl:order teem:pots zzz:a zzz:b"))
    assert "“labl:”, “teem:”, “zzz:” are not filters, so they were searched as text." in page
    assert page.count("Did you mean:") == 1
    assert 'translate="no">label:order</a>, <a' in page
    assert "is not a filter" in search(desk, "zzz:order")
    assert "Did you mean" not in search(desk, "zzz:order")
    assert "is not a filter" not in search(desk, "http://shop.example/mug")
    assert "Available: is:open, is:closed, is:message, is:note, is:waiting, is:snoozed, is:spam." in search(
        desk, "is:purple"
    )
    assert "Available: has:file." in search(desk, "has:teeth")
    assert "after:soon is not a date. Use this format: after:2026-01-31." in search(desk, "after:soon")
    assert "is not a date" in search(desk, "after:9999-12-31")
    assert "A minus works before words, not before a filter: -is:open." in search(desk, "-is:open mug")
    page = search(desk, "mug is:open is:closed")
    assert "Nothing matches all of is:open, is:closed." in page
    assert 'class="search-hit"' not in page
    assert 'class="search-hit"' in search(desk, "mug is:open is:message")


def test_all_that_is_wrong_with_a_search_is_one_line(desk: Desk) -> None:
    def lines(text: str) -> list[str]:
        return re.findall(r'role="alert">.*?<span>([^<]+)</span></p>', search(desk, text))

    assert lines("from:a from:b label:c team:d account:e") == [
        "Nothing matches all of from:a, from:b. label:c, team:d, account:e were not found."
    ]
    assert lines("before:soon after:later is:purple") == [
        "before:soon, after:later are not dates. Use this format: before:2026-01-31. "
        "is:purple was not found. Available: is:open, is:closed, is:message, is:note, is:waiting, "
        "is:snoozed, is:spam.",
    ]
    assert lines("-is:open -label:a mug") == [
        "A minus works before words, not before a filter: -is:open, -label:a."
    ]
    assert " found</span>" not in search(desk, "from:a label:c team:d account:e before:soon")


def test_steps_out_of_nothing_say_what_they_find(desk: Desk) -> None:
    def steps(text: str) -> dict[str, tuple[str, str]]:
        page = re.sub(r"\s+", " ", search(desk, text))
        found = re.findall(
            r'<li><a href="[^"]*q=([^"]*)" data-hit>.*?<span class="truncate">([^<]+)</span>'
            r' ?<span class="push muted nums">([^<]+)</span>',
            page,
        )
        return {label: (query, count) for query, label, count in found}

    toys.apply(
        desk.account,
        *(toys.received(f"celadon cup {n}", at=n, contact="ana", contact_name="Ana Q.") for n in range(3)),
        toys.received("a plate", at=9, contact="lena", contact_name="Lena F."),
    )
    read_record()
    build_all()
    assert steps("celadn") == {"Words starting with “celad”": ("celad*", "3 found")}
    assert steps("celadon from:lena") == {
        "Without from:lena": ("celadon", "3 found"),
        "Everything with from:lena": ("from:lena", "1 found"),
    }
    assert steps("qqqq") == {}
    page = search(desk, "celadon from:lena")
    assert "Searched all messages, notes, names and files with from:lena." in page


def test_filters_say_how_many_they_leave(desk: Desk) -> None:
    desk.sign_in()

    def counts(text: str) -> dict[str, str]:
        page = re.sub(r"\s+", " ", search(desk, text))
        found = re.findall(
            r'<span class="truncate">([^<]+)</span> ?<span class="count push">([^<]+)</span>', page
        )
        return dict(found)

    toys.apply(
        desk.account,
        *(toys.received(f"mug {n}", at=n, contact=f"c{n % 2}") for n in range(3)),
        toys.echoed("your mug", at=5, contact="c0"),
    )
    read_record()
    with clock.travel(toys.START - clock.now() + timedelta(days=1)):
        everything = counts("mug")
    assert everything == {
        **{"Everything": "4", "Messages": "4", "Notes": "0", "Messages with a file": "0"},
        **{"Customers": "3", "The team": "1", "You": "0"},
        **{"Open": "4", "Closed": "0", "Yours": "0", "Unassigned": "4"},
        **{"Last 7 days": "4", "Last 30 days": "4"},
    }
    chosen = counts("mug from:team")
    assert chosen["The team"] == "1"
    assert "Customers" not in chosen  # it would stand in its place
    assert chosen["Open"] == "1"
    assert counts("") == {}
    label = do(labels.create, desk.workspace, name="Big Order", tone=LabelTone.GREY)
    first = toys.everything(Conversation)[0].id
    db.write(lambda s: s.add(ConversationLabel(conversation_id=first, label_id=label.id, at=clock.now())))
    assert counts("mug")["Big Order"] == "3"
    assert counts('mug label:"big order"')["big order"] == "3"


def test_a_search_is_kept_as_a_view(desk: Desk) -> None:
    toys.apply(
        desk.account, toys.received("a mug", contact="ana"), toys.received("two mugs", at=1, contact="ana")
    )
    read_record()
    views, text = f"/w/{desk.workspace}/inbox/views", "is:open mug*"
    assert f"{views}?q=is:open+mug*" in search(desk, text).replace("%3A", ":").replace("%2A", "*")
    assert 'Search for <bdi translate="no">is:open mug*</bdi>' in desk.browser.get(f"{views}?q={text}").text
    unnamed = desk.browser.post_form(f"{views}?q={text}", name=" ")
    assert (unnamed.status_code, "A view needs a name" in unnamed.text) == (400, True)
    saved = desk.browser.post_form(f"{views}?q={text}", name="Mugs")
    there = f"/w/{desk.workspace}/search?q=is:open+mug*"
    assert saved.location.replace("%3A", ":").replace("%2A", "*").endswith(there)
    for page in (desk.browser.get(f"/w/{desk.workspace}/inbox").text, desk.browser.get(views).text):
        assert there in page.replace("%3A", ":").replace("%2A", "*")
        assert "Mugs" in page
    assert (
        "between 1 and 1,000 characters"
        in desk.browser.post_form(f"{views}?q={'x' * 1001}", name="Long").text
    )
    assert search(desk, text).count("of 2 here") == 2


def test_a_message_is_shown_where_it_stands(desk: Desk) -> None:
    toys.apply(desk.account, *(toys.received(f"line {n}", at=n, contact="ana") for n in range(60)))
    read_record()
    page = search(desk, '"line 30"')
    address = re.search(r'data-around="([^"]+)"', page)
    assert address is not None
    answer = desk.browser.get(address[1]).get_json()
    shown = [int(n) for n in re.findall(r"line (\d+)", answer["messages"])]
    assert sorted(set(shown)) == list(range(22, 39))
    assert "Open here" in answer["head"]
    assert desk.browser.get(address[1] + "999").status_code == 404


def test_an_empty_field_and_odd_ones_are_answered(desk: Desk) -> None:
    assert "What are you looking for?" in search(desk, "")
    for text in ("a" * 1_000, "?!", '"', "%' OR 1=1 --", " ".join(map(str, range(250)))):
        search(desk, text)
    assert desk.browser.get(f"/w/{desk.workspace}/search?q=a&after=nonsense").status_code == 400
    assert desk.browser.get(f"/w/{desk.workspace}/search?q=a&after=1-1").status_code == 200


def test_another_workspace_is_not_searched(desk: Desk) -> None:
    toys.apply(desk.account, toys.received("secret mug", contact="ana"))
    read_record()
    id_ = message_id("secret mug")
    other = helpers.make_workspace("Elsewhere")
    zoe = helpers.client_for(desk.app, helpers.make_user("zoe@example.com", "Zoe", workspace=other))
    assert "secret" not in zoe.get(f"/w/{other}/search?q=mug").text
    assert zoe.get(f"/w/{desk.workspace}/search?q=mug").status_code == 404
    assert zoe.get(f"/w/{other}/search/messages/{id_}").status_code == 404
    assert zoe.get(f"/w/{desk.workspace}/search/messages/{id_}").status_code == 404


def test_a_note_is_found_by_the_team(desk: Desk) -> None:
    toys.apply(desk.account, toys.received("hello", contact="ana", contact_name="Ana Q."))
    with db.read() as session:
        conversation = session.scalar(sa.select(Conversation.id))
    assert conversation is not None
    do(
        notes.add_note,
        desk.workspace,
        conversation,
        text="Needs the kiln, says the potter",
        reply_key=str(uuid.uuid4()),
        actor=desk.mia.id,
    )
    read_record()
    page = search(desk, "is:note kiln")
    assert "note on Ana Q." in page
    assert "<mark>kiln</mark>" in page


def test_while_somebody_types_results_come_alone_and_take_fewer_statements(
    database: db.Database, desk: Desk
) -> None:
    desk.sign_in()
    toys.apply(
        desk.account,
        *(toys.received(f"mug {n}", at=n, contact=f"c{n}", contact_name=f"Mug {n}") for n in range(30)),
    )
    read_record()
    build_all()
    with toys.Statements(database) as whole:
        page = search(desk, "mug")
    with toys.Statements(database) as part:
        results = search(desk, "mug", part="1")
    assert len(part.seen) < len(whole.seen)
    assert "<html" in page
    assert "<html" not in results
    assert results.count('class="search-hit"') == 20
    assert 'data-number="26 results or more"' in results
    assert "part=" not in results
    assert "/search?q=from:customer+mug" in results.replace("%3A", ":")
    assert 'data-number="1 result"' in search(desk, '"mug 7" is:open', part="1")
    with toys.Statements(database) as nothing:
        assert "No results." in search(desk, "nobodywrotethis*", part="1")
    assert len(nothing.seen) < len(part.seen), "nothing else is tried"
    assert 'data-number=""' in search(desk, "", part="1")


def test_a_contact_without_a_conversation_says_so_and_leads_to_its_page(desk: Desk) -> None:
    def add(session: Session) -> int:
        contact = Contact(workspace_id=desk.workspace, name="Nora Alone", created_at=toys.START)
        session.add(contact)
        session.flush()
        documents.refresh_contacts(session, [contact.id])
        return contact.id

    there = f"/w/{desk.workspace}/contacts/{db.write(add)}"
    page = search(desk, "nora")
    assert "Nora Alone" in page
    assert "No conversations" in page
    assert f'href="{there}"' in page
    assert "Nora Alone" in desk.browser.get(there).text


def test_a_page_takes_a_constant_number_of_statements(database: db.Database, desk: Desk) -> None:
    desk.sign_in()

    def statements() -> int:
        with toys.Statements(database) as asked:
            search(desk, "mug")
        return len(asked.seen)

    toys.apply(desk.account, toys.received("mug 0", contact="c0"))
    read_record()
    few = statements()
    toys.apply(desk.account, *(toys.received(f"mug {n}", at=n, contact=f"c{n}") for n in range(1, 50)))
    read_record()
    assert statements() == few


def test_more_than_is_looked_for_is_refused_as_the_api_refuses_it(desk: Desk) -> None:
    path = f"/w/{desk.workspace}/search"
    assert desk.browser.get(path, query_string={"q": "x" * 1_000}).status_code == 200
    for too_long in ("mug " * 3_000, ["mug"] * 3_000, "x" * 1_001):
        answer = desk.browser.get(path, query_string={"q": too_long})
        assert answer.status_code == 400
        assert "up to 1,000 characters" in answer.text
