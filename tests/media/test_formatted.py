"""The formatted form of a message: cleaned on its way out, its quotes folded, its pictures asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from host.core import db, storage
from host.inbox import erasure
from host.inbox.apply.changes import apply_changes
from host.media import formatted
from host.models.inbox import Attachment
from host.models.media import PictureSender
from host.sdk.closings import ClosingKind
from host.sdk.messages import AttachmentRole, InboundAttachment, MessageKind
from tests import helpers
from tests.helpers import do, takes_at_most
from tests.inbox import toys
from tests.inbox.desks import Desk, open_desk
from tests.media import samples
from tests.media.provider import Provider, serving

HOSTILE = (Path(__file__).parent / "hostile.txt").read_text().splitlines()


NAMES = {ClosingKind.SIGNATURE: "Signature", ClosingKind.NOTICE: "Notice", ClosingKind.FOOTER: "Footer"}


def clean(html: str, *, pictures: bool = False) -> formatted.CleanedForm:
    return formatted.clean(
        html,
        inline=lambda name: "/w/1/media/7" if name == "mug@x" else None,
        remote=(lambda url: f"/w/1/picture?url={len(url)}") if pictures else None,
        earlier="Earlier",
        names=NAMES,
    )


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


@pytest.mark.parametrize("pictures", [False, True])
def test_nothing_hostile_acts_or_asks(pictures: bool) -> None:
    assert len(HOSTILE) > 70
    for line in [*HOSTILE, "\n".join(HOSTILE)]:
        reader = _Reader()
        reader.feed(clean(line, pictures=pictures).html)
        for tag, attributes in reader.tags:
            assert tag in formatted._TAGS | {"details", "summary"}, line
            for name, value in attributes.items():
                assert not name.startswith("on"), line
                assert name not in {"srcset", "background", "action", "id"}, line
                assert name != "class" or value == "lobby-earlier", line
                if name == "src":
                    assert (value or "").startswith(("/w/1/picture?", "data:image/png")), line
                if name == "href":
                    assert re.match(r"https?://|mailto:|tel:", value or ""), line
                if name == "style":
                    assert "(" not in (value or ""), line
                    assert "position" not in (value or ""), line


@pytest.mark.parametrize(
    ("html", "shown"),
    [
        ("<p style='color: #c00; margin: 0 auto'>a</p>", '<p style="color:#c00;margin:0 auto">a</p>'),
        ("<td style='background-color: rgb(1, 2, 3)'>a</td>", "a"),
        ("<img src='cid:mug@x' width='600'>", '<img src="/w/1/media/7" width="600">'),
        ("<img src='cid:%6dug@x'>", '<img src="/w/1/media/7">'),
        ("<img src='cid:other@x' alt='A mug'>", '<img alt="A mug">'),
        ("<a href='https://x.example/?a=1&amp;b=2'>a</a>", "https://x.example/?a=1&amp;b=2"),
        ("<font color=red size=4>a</font>", '<font color="red" size="4">a</font>'),
        ("5 &lt; 6 &amp; 7", "5 &lt; 6 &amp; 7"),
        ("<style>p { color: red }</style>a", "a"),
    ],
)
def test_what_mails_are_made_of_stays(html: str, shown: str) -> None:
    assert shown in clean(html).html


def test_pictures_from_elsewhere_are_counted_and_left_out() -> None:
    html = "<img src='http://a.example/1'><img src=' HTTPS://a.example/2'><img src='cid:mug@x'>"
    assert clean(html).blocked == 2
    assert "a.example" not in clean(html).html
    shown = clean(html, pictures=True)
    assert (shown.blocked, shown.html.count("/picture?")) == (0, 2)


QUOTED = {
    "Gmail": '<div>Yes</div><br><div class="gmail_quote"><p>On Monday:</p><blockquote>Old</blockquote></div>',
    "Gmail, newer": '<div>Yes</div><div class="gmail_quote gmail_quote_container"><p>Old</p></div>',
    "Apple Mail": '<div>Yes</div><div><br><blockquote type="cite"><div>Old</div></blockquote></div><br>',
    "Thunderbird": '<p>Yes</p><div class="moz-cite-prefix">Am:</div><blockquote type="cite">Old</blockquote>',
    "Outlook": '<p>Yes</p><hr><div id="divRplyFwdMsg"><b>From:</b> Shop</div><div><p>Old</p></div>',
    "Outlook for phones": '<div>Yes</div><div id="ms-outlook"></div><div id="appendonsend"></div><p>Old</p>',
    "Outlook for Windows": (
        '<div><p>Yes</p><div><div style="border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm">'
        "<p><b>From:</b> Shop</p></div></div><p>Old</p></div>"
    ),
    "GMX": '<div>Yes<div name="quote" style="border-left:2px solid #C3D9E5;"><p>Old</p></div></div>',
    "Samsung": "<div>Yes</div><div><div>------ Original message ------</div><div>From: Shop</div></div>Old",
    "iPhone": (
        '<div>Yes</div><div><br><blockquote type="cite">Am 1.1. schrieb Shop:</blockquote></div>'
        '<blockquote type="cite"><div>Old</div></blockquote>'
    ),
    "Freshdesk": (
        '<div>Yes</div><blockquote class="freshdesk_quote">Old</blockquote>'
        '<span style="font-size:0px;color:#fff">1042:7</span>'
    ),
    "Yahoo": '<div>Yes</div><div id="yahoo_quoted_1" class="yahoo_quoted"><p>Old</p></div>',
    "Proton": '<div>Yes</div><div class="protonmail_quote">On:<blockquote type="cite">Old</blockquote></div>',
}


@pytest.mark.parametrize("client", QUOTED)
def test_what_a_client_quotes_is_behind_a_button_and_whole(client: str) -> None:
    made = clean(QUOTED[client]).html
    before, button, folded = made.partition('<details class="lobby-earlier">')
    assert button
    assert "Yes" in before
    assert "Old" not in before
    assert "Old" in folded.partition("</details>")[0]


@pytest.mark.parametrize(
    "html",
    [
        "<blockquote type=cite>Only this</blockquote>",
        "<div class=gmail_quote>Passed on</div>",
        "<p>a</p><blockquote type=cite>Two?</blockquote><p>Yes, two.</p>",
        "<p>a</p><blockquote>somebody's words</blockquote>",
        "<p>a</p><div>b<blockquote type=cite>One?</blockquote></div><blockquote type=cite>Two?</blockquote>",
        "<p>a</p><blockquote type=cite>One?</blockquote><p>Yes.</p><blockquote type=cite>Two?</blockquote>",
        "<p>a</p><blockquote type=cite>One?</blockquote><div>b<blockquote type=cite>Two?</blockquote>c</div>",
        "<div>-------- Original message --------</div><p>Passed on</p>",
        "<p>a</p><p>the ----- original message ----- of it</p>",
        '<p style="border:none;border-top:solid #E1E1E1 1.0pt">Only this</p>',
    ],
)
def test_what_is_no_quote_at_the_end_stays_seen(html: str) -> None:
    assert "<details" not in clean(html).html


def folds(html: str) -> tuple[str, list[tuple[str, str]]]:
    """Return the text that is shown, and name and text of each fold; check that nothing is lost."""
    made = clean(html).html
    found = re.findall(
        r'<details class="lobby-earlier"><summary title="(\w+)">[^<]*</summary>(.*?)</details>',
        made,
        re.DOTALL,
    )
    shown = re.sub(r'<details class="lobby-earlier">.*?</details>', "", made, flags=re.DOTALL)
    reader = _Depths()
    for part in (made, shown, *(inside for _, inside in found)):
        reader.check(part)
    plain = re.sub(r'<summary title="\w+">[^<]*</summary>', "", made)
    assert words(plain) == words(clean_unfolded(html))
    return words(shown), [(name, words(inside)) for name, inside in found]


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def clean_unfolded(html: str) -> str:
    return formatted.clean(html, inline=lambda _name: None, remote=None, earlier="").html


class _Depths(HTMLParser):
    """Checks that every element of a part is closed in it."""

    def check(self, html: str) -> None:
        self.reset()
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, _attrs: list[tuple[str, str | None]]) -> None:
        if tag not in {"br", "hr", "img", "col", "wbr"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


GMAIL_QUOTE = (
    '<div class="gmail_quote"><div class="gmail_attr">On Mon:</div>'
    '<blockquote class="gmail_quote">Old</blockquote></div>'
)
NOTICE = (
    "This e-mail is confidential and intended solely for the addressee. If you received it in error,"
    " please delete it."
)
LIST = "<p>____________________<br>Potters mailing list<br>To unsubscribe: potters-leave@lists.example</p>"
LONG = "<p>Old words of some length that were written before</p>" * 14


@pytest.mark.parametrize(
    ("html", "shown", "folded"),
    [
        pytest.param(
            f'<div>Yes<div><br></div>{GMAIL_QUOTE}<br clear="all"><div><br></div><span'
            ' class="gmail_signature_prefix">-- </span>'
            '<br><div class="gmail_signature">Mia<br>Pottery</div></div>',
            "Yes",
            [("Earlier", "On Mon: Old"), ("Signature", "-- Mia Pottery")],
            id="Gmail with a signature below",
        ),
        pytest.param(
            f'<div>Yes<br><div class="gmail_signature"><b>Mia</b><br>Pottery</div></div>{GMAIL_QUOTE}',
            "Yes",
            [("Signature", "Mia Pottery"), ("Earlier", "On Mon: Old")],
            id="Gmail with a signature above",
        ),
        pytest.param(
            '<div dir="ltr">Yes</div><div dir="ltr"><br></div><div dir="ltr">Sent from my'
            ' iPhone</div><div dir="ltr"><br>'
            '<blockquote type="cite">On Monday, Shop wrote:</blockquote></div><blockquote'
            ' type="cite">Old</blockquote>',
            "Yes",
            [("Signature", "Sent from my iPhone"), ("Earlier", "On Monday, Shop wrote: Old")],
            id="iPhone",
        ),
        pytest.param(
            '<div>Yes</div><blockquote type="cite">Old</blockquote><br><div>Von meinem iPhone gesendet</div>',
            "Yes",
            [("Earlier", "Old"), ("Signature", "Von meinem iPhone gesendet")],
            id="iPhone, signature below",
        ),
        pytest.param(
            '<p>Yes</p><div class="moz-cite-prefix">Am:</div><blockquote'
            f' type="cite">Old</blockquote><p>{NOTICE}</p>{LIST}',
            "Yes",
            [
                ("Earlier", "Am: Old"),
                ("Notice", NOTICE),
                (
                    "Footer",
                    "____________________ Potters mailing list To unsubscribe: potters-leave@lists.example",
                ),
            ],
            id="Thunderbird, a notice and a list",
        ),
        pytest.param(
            '<p>Yes</p><pre class="moz-signature">-- \nMia\nPottery</pre>',
            "Yes",
            [("Signature", "-- Mia Pottery")],
            id="Thunderbird, a signature",
        ),
        pytest.param(
            '<p>Yes</p><div id="ms-outlook-mobile-signature">Get <a href="https://aka.ms/o">Outlook'
            " for iOS</a></div>"
            '<hr><div id="divRplyFwdMsg"><b>From:</b> Shop</div><div>Old</div>',
            "Yes",
            [("Signature", "Get Outlook for iOS"), ("Earlier", "From: Shop Old")],
            id="Outlook for phones",
        ),
        pytest.param(
            "<p>Yes</p><p>Best regards<br>Mia Rossi</p><table><tr><td>Pottery GmbH<br>Tel. +49 30 1234567<br>"
            "www.rossi.example</td></tr></table>",
            "Yes Best regards Mia Rossi",
            [("Signature", "Pottery GmbH Tel. +49 30 1234567 www.rossi.example")],
            id="business",
        ),
        pytest.param(
            '<p>Hello Bob</p><div class="moz-cite-prefix">On:</div><blockquote'
            f' type="cite">{LONG}</blockquote><p>Yes?</p>',
            "Hello Bob Yes?",
            [("Earlier", f"On: {' '.join(['Old words of some length that were written before'] * 14)}")],
            id="an answer below a long quote",
        ),
    ],
)
def test_a_quote_is_folded_whatever_closes_the_mail(
    html: str, shown: str, folded: list[tuple[str, str]]
) -> None:
    assert folds(html) == (shown, folded)


@pytest.mark.parametrize(
    "html",
    [
        (
            '<p>Hi</p><div class="moz-cite-prefix">On:</div><blockquote'
            " type=cite>Two?</blockquote><p>Yes, two.</p>"
        ),
        '<p>Hi</p><div class="moz-cite-prefix">On:</div><blockquote type=cite>Two?</blockquote><p>Yes.</p>'
        "<blockquote type=cite>Blue?</blockquote><p>Yes.</p>",
        '<div>See below</div><div class="gmail_quote"><div>On:</div><blockquote'
        ' class="gmail_quote">Two?</blockquote>'
        '<div>Yes.</div><blockquote class="gmail_quote">Blue?</blockquote><div>No.</div></div>',
        f"<p>a</p><blockquote type=cite>{LONG}</blockquote><p>Yes.</p><blockquote"
        f" type=cite>{LONG}</blockquote><p>No.</p>",
        '<p>Yes</p><div id="Signature">I also want my money back.</div>',
        '<p>Yes</p><div id="Signature">Mia</div><p>And when do you open?</p>',
        '<div class="gmail_signature">Mia</div>',
        "<p>Sent from my iPhone</p>",
        "<p>I got this message in error. Please delete my address.</p>",
        "<p>Yes</p><p><b>Mia</b> --<br>Two of them</p>",
    ],
)
def test_what_somebody_wrote_is_never_folded(html: str) -> None:
    assert folds(html)[1] == []


def test_a_signature_in_parts_that_cannot_be_cut_out_stays_shown() -> None:
    html = "<div><p>Yes<br>-- </p></div><div>Mia<br>Pottery</div>"
    assert folds(html) == ("Yes -- Mia Pottery", [])


@pytest.mark.slow
@pytest.mark.parametrize(
    "html",
    [
        pytest.param("<div>x</div>" + "<div>Sent from my iPhone</div>" * 9_990, id="signatures"),
        pytest.param("<div>x</div>" + "<blockquote>a</blockquote>b" * 6_600, id="quotes side by side"),
        pytest.param(
            "<div>x</div><div class=gmail_quote>" + "<blockquote>a</blockquote>b" * 6_600, id="answers"
        ),
        pytest.param("<p>a</p>" + "<blockquote type=cite><div>" * 9_990 + "x", id="quotes in quotes"),
        pytest.param("<img src='http://a.example/1' style='color: red'>" * 20_000, id="pictures"),
        pytest.param("".join(f"<b id=a{one}>" for one in range(10_000)) + "<p>x" * 10_000, id="bold text"),
        pytest.param("<span>" * 10_000 + "</em>" * 10_000, id="ends without a beginning"),
        pytest.param("<p " + " ".join(f"a{one}=" for one in range(9_990)) + ">", id="attributes"),
    ],
)
def test_a_form_made_to_be_slow_is_cleaned_in_time(html: str) -> None:
    assert formatted.is_cleaned_in_time(html)
    with takes_at_most(600):
        clean(html)


@pytest.mark.parametrize(
    "html",
    [
        pytest.param("<div>" * 400_000, id="parts in parts"),
        pytest.param("<p " + " ".join(f"a{one}" for one in range(200_000)) + ">", id="attributes"),
        pytest.param("<p " + "/".join(f"a{n}" for n in range(200_000)) + ">", id="slashes"),
        pytest.param("<p " + "".join(f"a{n}=''" for n in range(100_000)) + ">", id="no spaces between"),
    ],
)
def test_a_form_that_would_take_minutes_is_not_cleaned(html: str) -> None:
    with takes_at_most(50):
        assert not formatted.is_cleaned_in_time(html)


# ---- pages -------------------------------------------------------------------------------------------


@pytest.fixture
def desk(database: db.Database, data: Path, store: Path) -> Desk:
    return open_desk(data)


@pytest.fixture
def provider() -> Iterator[Provider]:
    with serving() as found:
        yield found


def laid_out(desk: Desk, html: str, **given: Any) -> int:
    """Let a message with a formatted form and a picture in it come; return its id."""
    files = (
        InboundAttachment(
            MessageKind.IMAGE,
            content=samples.picture("PNG"),
            name="mug.png",
            content_type="image/png",
            role=AttachmentRole.INLINE,
            content_id="mug@x",
        ),
        InboundAttachment(
            MessageKind.FILE,
            content=html.encode(),
            name="message.html",
            content_type="text/html",
            role=AttachmentRole.FORMATTED,
        ),
    )
    content = {"html": {"rich": True, "remote": html.count("src='http")}, **given.pop("content", {})}
    change = toys.received("Blue mugs", attachments=files, content=content, **given)
    stored = {number: storage.store(file.content or b"") for number, file in enumerate(files)}
    db.write(apply_changes, [toys.incoming(desk.account, change, stored=stored)])
    return int(toys.thread()[-1].id)


def test_it_is_shown_in_a_frame_and_is_no_file_of_the_message(desk: Desk) -> None:
    id_ = laid_out(desk, "<h1>Mugs</h1><img src='cid:mug@x'><script>x</script>")
    page = desk.browser.get(desk.path(f"/{toys.thread()[0].conversation_id}")).text
    address = f"/w/{desk.workspace}/messages/{id_}/formatted"
    assert f'src="{address}"' in page
    assert 'sandbox="allow-same-origin allow-popups allow-popups-to-escape-sandbox"' in page
    assert "message.html" not in page
    assert "data-form-pictures" not in page
    shown = desk.browser.get(address)
    assert shown.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = shown.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "sandbox allow-same-origin allow-popups allow-popups-to-escape-sandbox" in policy
    assert shown.headers["Referrer-Policy"] == "no-referrer"
    assert shown.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert shown.headers["Cache-Control"] == "private, no-store"
    assert shown.headers["X-Content-Type-Options"] == "nosniff"
    assert "<script" not in shown.text
    (picture,) = re.findall(r'<img src="([^"]+)"', shown.text)
    assert desk.browser.get(picture).headers["Content-Type"] == "image/png"
    other = helpers.client_for(desk.app, helpers.make_user(email="other@example.com", name="Otto"))
    assert other.get(address).status_code == 404


def test_pictures_are_shown_once_or_always_and_only_through_the_desk(desk: Desk, provider: Provider) -> None:
    url = provider.put("/open.png", samples.picture("PNG"), "image/png")
    id_ = laid_out(desk, f"<img src='{url}'>")
    address = f"/w/{desk.workspace}/messages/{id_}"
    assert "/picture?" not in desk.browser.get(f"{address}/formatted").text
    once = desk.browser.get(f"{address}/formatted?pictures=1").text
    (picture,) = re.findall(r'<img src="([^"]+)"', once)
    picture = picture.replace("&amp;", "&")
    assert provider.asked == []
    shown = desk.browser.get(picture)
    assert (shown.status_code, shown.headers["Content-Type"]) == (200, "image/png")
    assert [path for path, _ in provider.asked] == ["/open.png"]
    headers = {name.lower() for name in provider.asked[0][1]}
    assert headers.isdisjoint({"cookie", "referer", "x-forwarded-for"})
    forged = re.sub("signature=(.)", lambda first: f"signature={'B' if first[1] == 'A' else 'A'}", picture)
    assert desk.browser.get(forged).status_code == 404
    elsewhere = picture.replace("open.png", "other.png")
    assert desk.browser.get(elsewhere).status_code == 404
    assert len(provider.asked) == 1

    assert desk.browser.post_form(f"{address}/pictures").status_code == 303
    assert desk.browser.post_form(f"{address}/pictures").status_code == 303
    assert [row.sender for row in toys.everything(PictureSender)] == ["ana"]
    assert "/picture?" in desk.browser.get(f"{address}/formatted").text
    page = desk.browser.get(desk.path(f"/{toys.thread()[0].conversation_id}")).text
    assert "data-form-pictures" not in page
    assert "Stop showing for this sender" in page
    desk.browser.post_form(f"{address}/pictures", stop="1")
    assert toys.everything(PictureSender) == []
    assert "/picture?" not in desk.browser.get(f"{address}/formatted").text
    desk.browser.post_form(f"{address}/pictures")
    other = laid_out(desk, f"<img src='{url}'>", contact="ben")
    assert "/picture?" not in desk.browser.get(f"/w/{desk.workspace}/messages/{other}/formatted").text
    # Whoever says that he is Ana is not shown as she is.
    forged_id = laid_out(desk, f"<img src='{url}'>", content={"sender_check": {"verdict": "fail"}}, at=5)
    forged_address = f"/w/{desk.workspace}/messages/{forged_id}"
    assert "/picture?" not in desk.browser.get(f"{forged_address}/formatted").text
    assert desk.browser.post_form(f"{forged_address}/pictures").status_code == 400


def test_a_picture_that_leads_inside_is_not_fetched(desk: Desk) -> None:
    id_ = laid_out(desk, "<img src='http://169.254.169.254/latest'>")
    once = desk.browser.get(f"/w/{desk.workspace}/messages/{id_}/formatted?pictures=1").text
    (picture,) = re.findall(r'<img src="([^"]+)"', once)
    assert desk.browser.get(picture.replace("&amp;", "&")).status_code in {404, 502}


def test_erasing_the_customer_removes_form_pictures_and_what_is_remembered(desk: Desk, store: Path) -> None:
    id_ = laid_out(desk, "<img src='http://a.example/1'>")
    desk.browser.post_form(f"/w/{desk.workspace}/messages/{id_}/pictures")
    assert len(toys.everything(Attachment)) == 2
    assert len(toys.everything(PictureSender)) == 1
    with db.read() as session:
        contact = session.scalar(sa.text("SELECT contact_id FROM conversations"))
    do(erasure.erase, desk.workspace, contact)
    assert toys.everything(Attachment) == []
    assert toys.everything(PictureSender) == []
    assert [path for path in store.rglob("*") if path.is_file() and len(path.name) > 40] == []
    assert desk.browser.get(f"/w/{desk.workspace}/messages/{id_}/formatted").status_code == 404


def test_one_that_would_take_minutes_to_clean_says_so(desk: Desk) -> None:
    id_ = laid_out(desk, "<div>" * 100_000 + "Mugs")
    shown = desk.browser.get(f"/w/{desk.workspace}/messages/{id_}/formatted")
    assert shown.status_code == 200
    assert "This message has too much formatting to show." in shown.text


def test_what_may_hold_more_than_the_message_is_not_shown_whole(desk: Desk) -> None:
    id_ = laid_out(desk, "<p>a</p>")
    assert desk.browser.get(f"/w/{desk.workspace}/messages/{id_}/original").status_code == 404
    assert "Show original" not in desk.browser.get(desk.path(f"/{toys.thread()[0].conversation_id}")).text
