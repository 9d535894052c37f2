"""A post is chosen for a campaign before anybody commented: from the recent posts, or by its id or link."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.channels import listed_pages
from host.core import clock, db
from host.core.backports.values import replace
from host.inbox.comments.posts import keep
from host.media import person_pictures
from host.media.person_pictures import CachedPicture
from host.models.channels import AccountState, ChannelAccount
from host.models.posts import Post
from host.models.users import Role
from host.sdk import messages as told
from host.sdk.channel import ProviderProblem
from tests import helpers
from tests.inbox import toys
from tests.media import samples
from tests.rules.below import WALL, Below, open_below
from tests.rules.test_campaigns_page import form, path, plain
from tests.rules.test_rules_page import bodies, text

PICTURE = "https://provider.example/new.jpg"
EXPIRED = ProviderProblem("190", "This account's sign-in has expired.", "Reconnect the account.")


@pytest.fixture
def below(database: db.Database, data: Path) -> Below:
    return published(open_below(data))


@pytest.fixture
def owner(below: Below) -> helpers.Browser:
    person = helpers.make_user(name="Olu O.", workspace=below.desk.workspace, role=Role.OWNER)
    return helpers.client_for(below.desk.app, person)


def published(desk: Below) -> Below:
    """Let the account have three posts without comments."""
    WALL.published = [
        told.Post(
            f"1789{number}",
            text=caption,
            url=f"https://wall.example/p/{number}/",
            picture_url=PICTURE if number == 3 else None,
            published_at=clock.now() - timedelta(days=9 - number),
        )
        for number, caption in ((3, "Moss mugs, tomorrow at nine"), (2, ""), (1, "Hello"))
    ]
    return desk


def picks(page: str) -> list[str]:
    return re.findall(r'name="pick" value="([^"]+)"', page)


def stored() -> list[tuple[str, str]]:
    with db.read() as session:
        return [(one.external_id, one.text) for one in session.scalars(sa.select(Post).order_by(Post.id))]


def test_a_campaign_runs_on_a_post_without_comments(below: Below, owner: helpers.Browser) -> None:
    page = text(owner.get(path(below, "new?from=campaign")))
    assert "Choose from recent posts" in page
    assert WALL.asked == [], "the page itself asks nobody"
    listed = text(owner.get(path(below, f"posts?account={below.wall.id}")))
    assert "Moss mugs, tomorrow at nine" in listed
    pick = f"{below.wall.id}:17893"
    assert picks(listed) == [pick, f"{below.wall.id}:17892"]
    shown = owner.post_form(path(below, "new"), **form(pick=pick, words="moss"))
    (post,) = re.findall(rf'value="(\d+)"\s+data-pick="{pick}" checked', text(shown))
    assert 'value="moss"' in text(shown), "what was typed stays"
    assert WALL.asked == ["list"], "it is known from the list"
    owner.post_form(path(below, "new"), **form(pick=pick))
    assert stored() == [("17893", "Moss mugs, tomorrow at nine")]
    assert owner.post_form(path(below, "new"), **form(post=post, words="moss")).status_code == 303
    below.comments("zoe", "moss", post="17893", caption="Moss mugs, tomorrow at nine")
    below.comments("yan", "moss", post="17899", caption="Others")
    below.run()
    assert [private for _text, private in below.ours()] == [True]


def test_older_posts_follow_by_the_cursor(below: Below, owner: helpers.Browser) -> None:
    listed = text(owner.get(path(below, f"posts?account={below.wall.id}")))
    (more,) = re.findall(r'data-recent-more="([^"]+)"', listed)
    older = text(owner.get(more.replace("&amp;", "&")))
    assert picks(older) == [f"{below.wall.id}:17891"]
    assert "data-recent-more" not in older
    assert WALL.asked == ["list", "list 2"]


def test_a_page_is_asked_for_once_in_two_minutes(below: Below, owner: helpers.Browser) -> None:
    for _ in range(3):
        owner.get(path(below, "posts"))
    assert WALL.asked == ["list"]
    with clock.travel(listed_pages.KEPT):
        owner.get(path(below, "posts"))
    assert WALL.asked == ["list", "list"]


def test_a_failure_says_why_and_can_be_tried_again(below: Below, owner: helpers.Browser) -> None:
    WALL.problem = EXPIRED
    for _ in range(2):
        shown = text(owner.get(path(below, "posts")))
        assert "This account's sign-in has expired. Reconnect the account." in plain(shown).replace(
            "&#39;", "'"
        )
        assert "data-recent-again" in shown
    assert WALL.asked == ["list"], "a provider that refuses is left alone for a while"
    WALL.problem = None
    with clock.travel(listed_pages.REFUSED):
        assert picks(text(owner.get(path(below, "posts"))))


def test_an_adapter_that_raises_takes_no_page_down(
    below: Below, owner: helpers.Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WALL, "recent_posts", lambda *_: 1 / 0)
    assert "The addon of this channel failed" in text(owner.get(path(below, "posts")))


@pytest.mark.parametrize("link", ["17891", "https://wall.example/p/1/"])
@pytest.mark.parametrize("values", [{"move": "post"}, {}])
def test_an_id_or_a_link_works_without_the_list(
    below: Below, owner: helpers.Browser, link: str, values: dict[str, str]
) -> None:
    answer = owner.post_form(
        path(below, "new"), **form(link=link, account=str(below.wall.id), words="moss", **values)
    )
    assert answer.status_code == (200 if values else 303)
    assert WALL.asked == [f"find {link}"]
    assert stored() == [("17891", "Hello")]
    assert len(bodies(below)) == (0 if values else 1)


def test_a_wrong_link_stays_and_says_so_at_its_field(below: Below, owner: helpers.Browser) -> None:
    answer = owner.post_form(path(below, "new"), **form(link="https://wall.example/p/9/", move="post"))
    assert answer.status_code == 502
    (why,) = re.findall(r'<p class="rule-why".*?</p>', text(answer), re.DOTALL)
    assert "There is no such post. Copy its link." in plain(why)
    assert 'value="https://wall.example/p/9/"' in text(answer)
    assert stored() == []


def test_the_preview_asks_nobody(below: Below, owner: helpers.Browser) -> None:
    assert owner.post_form(path(below, "new"), **form(link="17891", preview="1")).status_code == 200
    assert WALL.asked == []


def test_a_picture_comes_through_the_desk(below: Below, owner: helpers.Browser) -> None:
    body = samples.picture("JPEG", size=(30, 24))
    key = (below.wall.id, PICTURE)
    person_pictures._remember(key, CachedPicture(body, "image/jpeg", clock.now() + timedelta(minutes=9)))
    listed = text(owner.get(path(below, f"posts?account={below.wall.id}")))
    (src,) = re.findall(r'<img src="([^"]+)"', listed)
    assert "provider.example" not in listed
    assert owner.get(src.replace("&amp;", "&")).data == body
    assert owner.get(path(below, f"posts/picture?account={below.wall.id}&post=17892")).status_code == 404
    assert owner.get(path(below, f"posts/picture?account={below.wall.id}&post=0")).status_code == 404


def test_only_accounts_of_the_workspace_are_listed(below: Below, owner: helpers.Browser) -> None:
    elsewhere = helpers.make_workspace("Other")
    other = toys.make_account(elsewhere, external_id="other-wall")
    wrong: list[Any] = [other.id, 99999, "x", ""]
    for id_ in wrong[:2]:
        assert owner.get(path(below, f"posts?account={id_}")).status_code == 404
        assert owner.get(path(below, f"posts/picture?account={id_}&post=17893")).status_code == 404
        assert owner.post_form(path(below, "new"), **form(pick=f"{id_}:17893")).status_code == 404
    toys.change_row(ChannelAccount, below.wall.id, state=AccountState.DISCONNECTED)
    assert owner.get(path(below, f"posts?account={below.wall.id}")).status_code == 404
    assert WALL.asked == []
    assert stored() == []


def test_a_post_is_stored_once_on_every_database(any_database: db.Database) -> None:
    account = toys.make_account(helpers.make_workspace("Shop"), external_id="wall")
    post = told.Post("17", text="Mugs\x00", url="https://wall.example/p/17/", picture_url=PICTURE)
    first = db.write(keep, account.id, post)
    assert db.write(keep, account.id, replace(post, text="Changed")) == first
    assert stored() == [("17", "Mugs")]


def test_a_comment_that_stores_the_post_first_wins(
    database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = toys.make_account(helpers.make_workspace("Shop"), external_id="wall")
    post = told.Post("17", text="Mugs")
    first = db.write(keep, account.id, post)

    def late(session: Session) -> int:
        scalar = session.scalar
        answers = iter([None])
        monkeypatch.setattr(session, "scalar", lambda query: next(answers, scalar))
        return keep(session, account.id, post)

    assert db.write(late) == first
