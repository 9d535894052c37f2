"""The page of hooks: every hook, who implements it, what it costs, how it failed last."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from host.addons import hook_views, lifecycle
from host.addons.metrics import in_process
from host.addons.running import contributions
from host.process.serving import HostApplication
from tests.addons.conftest import Admin, MakeZip


@pytest.fixture(autouse=True)
def _nothing_seen() -> Iterator[None]:
    in_process.reset()
    yield
    in_process.reset()


def test_the_page_shows_every_hook_with_its_times_and_last_error(
    desk: HostApplication, toy_zip: MakeZip
) -> None:
    lifecycle.install_file(desk.config, toy_zip())
    assert lifecycle.activate(desk.config, "toy", host=desk).ok
    admin = Admin(desk)
    in_process.metrics().note("toy", "1.0.0", "job sweep", 2.5, ValueError("<b>the provider's answer</b>"))
    page = admin.get("/admin/hooks").text
    for hook in ("register_channels", "register_jobs", "register_receivers", "addon_deactivated"):
        assert f'id="hook-{hook}"' in page
    assert "Toy channel" in page
    for about in contributions.ABOUT.values():
        assert str(about) in page
    assert "authenticate" in page
    assert "2.5 s" in page
    assert "ValueError: &lt;b&gt;the provider" in page
    assert "<b>the" not in page


def test_what_failed_stands_first_and_unfolded(desk: HostApplication, toy_zip: MakeZip) -> None:
    lifecycle.install_file(desk.config, toy_zip())
    assert lifecycle.activate(desk.config, "toy", host=desk).ok
    note = in_process.metrics().note
    note("toy", "1.0.0", "job sweep", 2.5, ValueError("no answer"))
    note("toy", "1.0.0", "parse", 0.1)
    note("toy", "1.0.0", "parse", 0.1)
    page = Admin(desk).get("/admin/hooks").text
    folds = re.findall(r'<details class="sheet fold[^>]*>.*?</summary>', page, re.DOTALL)
    assert 'id="hook-register_jobs"' in folds[0]
    assert re.search(r"<details [^>]* open>", folds[0])
    assert "1 fault<" in folds[0]
    assert not [one for one in folds[1:] if re.search(r"<details [^>]* open>", one)]
    assert "Not called yet" in folds[-1]


def test_every_call_is_shown_below_the_hook_it_came_by(desk: HostApplication, toy_zip: MakeZip) -> None:
    lifecycle.install_file(desk.config, toy_zip())
    assert lifecycle.activate(desk.config, "toy", host=desk).ok
    names = [hook.name for hook in hook_views.hooks(desk.generation(), {})]
    assert names[0] == "register_channels"
    assert names[-1] == "addon_deactivated"
    for what, hook in {
        "parse": "register_channels",
        "page toy_pages.about": "register_blueprints",
        "job sweep": "register_jobs",
        "receiver ear": "register_receivers",
        "action rotate": "register_settings_cards",
        "card status": "register_settings_cards",
        "admin page": "register_admin_pages",
        "verify": "register_webhook_routes",
        "condition toy.long": "register_conditions",
        "rule toy.thank": "register_actions",
        "tool toy.opens": "register_tools",
        "register_channels": "register_channels",
    }.items():
        assert contributions.hook_of(what) == hook
    unknown = {what for *_, what in in_process.metrics().seen() if contributions.hook_of(what) not in names}
    assert unknown == set(), "counted, and on no page"


def test_after_an_update_the_page_and_the_card_begin_anew(desk: HostApplication, toy_zip: MakeZip) -> None:
    lifecycle.install_file(desk.config, toy_zip())
    assert lifecycle.activate(desk.config, "toy", host=desk).ok
    admin = Admin(desk)
    in_process.metrics().note("toy", "1.0.0", "send", 0.1, ValueError("of the old one"))
    for page in ("/admin/hooks", "/admin/addons"):
        assert "of the old one" in admin.get(page).text
    admin.install(toy_zip(version="1.1.0"))
    assert desk.generation().manifests["toy"].version == "1.1.0"
    for page in ("/admin/hooks", "/admin/addons"):
        assert "of the old one" not in admin.get(page).text
