"""Settings that an addon declares as forms: the manifest, pages, what is stored and what is read."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from typing import Any, cast

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host import counters
from host.addons import lifecycle, reports, setting_forms, uninstall
from host.addons.package import manifest as manifests
from host.addons.package.manifest import Manifest, ManifestError
from host.addons.setting_forms import FilledForm
from host.authoring.check import check
from host.authoring.desk import RefusedFormError, trial_desk
from host.core import clock, db, resealing, secrets
from host.core.secrets import Keyring
from host.features import registry
from host.models.addons import AddonSettingValue
from host.models.users import AuditEntry, Counter, Role
from host.process.serving import HostApplication
from host.sdk import settings
from host.sdk._forms import values
from host.sdk._forms.fields import RefusedValueError, SettingField, SettingType, read_entered, written
from host.sdk._forms.values import DESK
from host.sdk.errors import SdkError, SettingsMissingError
from host.sdk.secrets import Secret
from host.sdk.testing import provided_settings
from host.users.pages import sudo
from host.users.workspaces import SavedMeanwhileError
from tests.addons.conftest import TOY, MakeZip
from tests.addons.test_catalogues import GERMAN, compiled
from tests.helpers import PASSWORD, Browser, client_for, do_desk, make_user, make_workspace

DOCS = (TOY.parents[1] / "docs/sdk/settings.md").read_text()
FORMS = DOCS.split("```toml\n")[1].split("```")[0]
"""The forms of the SDK's page: a required URL, a secret, a choice with a default; seconds for the server."""
BASE = (TOY / "addon.toml").read_text()
KEY = "sk-live-9f31c0de77"
FILLED = {"shop_url": "https://shop.example", "api_key": KEY, "region": "us"}


def parsed(forms: str) -> Manifest:
    return manifests.parse(f"{BASE}\n{forms}".encode())


def problems_of(forms: str) -> list[str]:
    with pytest.raises(ManifestError) as refused:
        parsed(forms)
    return refused.value.problems


def one(**keys: str) -> str:
    """Return a form with one setting, its keys as in the file."""
    return "[settings.workspace.a]\n" + "\n".join(f"{name} = {value}" for name, value in keys.items())


# The manifest


def test_the_forms_of_the_docs_are_read_and_stored() -> None:
    found = parsed(FORMS)
    assert list(found.forms.workspace) == ["shop_url", "api_key", "region"], "in the order of the file"
    assert found.forms.workspace["shop_url"].required
    assert found.forms.workspace["region"].fallback == "eu"
    assert found.forms.desk["timeout"] == SettingField(SettingType.SECONDS, "Timeout", default=5, max=60)
    assert set(found.settings) == {"greeting", "token"}, "settings of the environment are others"
    assert manifests.from_dict(manifests.to_dict(found)) == found


def test_a_setting_of_the_environment_may_be_called_workspace_or_desk() -> None:
    found = parsed('[settings.workspace]\ndefault = "a"\nsecret = true\n[settings.desk]\n')
    assert found.settings["workspace"].default == "a"
    assert found.settings["workspace"].secret
    assert found.settings["desk"].default == ""
    assert not found.forms.workspace
    assert not found.forms.desk
    assert manifests.from_dict(manifests.to_dict(found)) == found
    assert "forms" not in manifests.to_dict(found), "a Lobby of 1.0 reads what is stored"


@pytest.mark.parametrize(
    ("forms", "problem"),
    [
        (one(label='"A"'), "settings.workspace.a.type must be one of text, url, email, number, seconds"),
        (one(type='"text"'), "settings.workspace.a.label must be 1 to 80 characters"),
        (one(type='"file"', label='"A"'), "settings.workspace.a.type must be one of"),
        (one(type="3", label='"A"'), "settings.workspace.a.type must be one of"),
        (one(type='"text"', label='"A"', colour='"red"'), "settings.workspace.a has an unknown key 'colour'"),
        (one(type='"text"', label='"A"', help="1"), "settings.workspace.a.help must be text of at most 500"),
        (one(type='"text"', label='"A"', required='"yes"'), "settings.workspace.a.required must be true or"),
        (
            one(type='"text"', label='"A"', default="3"),
            "settings.workspace.a.default must be text of at most",
        ),
        (one(type='"url"', label='"A"', default='"x"'), "settings.workspace.a.default must be an address"),
        (one(type='"url"', label='"A"', default='"javascript:1"'), "settings.workspace.a.default must be an"),
        (one(type='"email"', label='"A"', default='"x"'), "settings.workspace.a.default must be an email"),
        (one(type='"number"', label='"A"', default="true"), "settings.workspace.a.default must be a number"),
        (one(type='"number"', label='"A"', default="nan"), "settings.workspace.a.default must be a number"),
        (
            one(type='"seconds"', label='"A"', default="-1"),
            "settings.workspace.a.default must be a number of",
        ),
        (one(type='"seconds"', label='"A"', default="9", max="5"), "0 or more, at most 5"),
        (one(type='"seconds"', label='"A"', min="9", max="5"), "settings.workspace.a.min is larger than max"),
        (one(type='"text"', label='"A"', min="9"), "settings.workspace.a.min is only for number and seconds"),
        (one(type='"number"', label='"A"', min='"9"'), "settings.workspace.a.min must be a number"),
        (one(type='"switch"', label='"A"', default='"on"'), "settings.workspace.a.default must be true or"),
        (one(type='"switch"', label='"A"', required="true"), "cannot be required: a switch always has a"),
        (
            one(type='"text"', label='"A"', required="true", default='"b"'),
            "cannot be required: a setting with",
        ),
        (
            one(type='"secret"', label='"A"', default='"b"'),
            "settings.workspace.a is a secret and cannot have",
        ),
        (one(type='"choice"', label='"A"'), "settings.workspace.a.choices must be a list of { value = ..., "),
        (
            one(type='"choice"', label='"A"', choices='["a"]'),
            "settings.workspace.a.choices must be a list of",
        ),
        (one(type='"text"', label='"A"', choices="[]"), "settings.workspace.a.choices is only for choice"),
        (
            one(type='"choice"', label='"A"', choices='[{value="a",label="A"},{value="a",label="B"}]'),
            "settings.workspace.a.choices has a value twice",
        ),
        (
            one(type='"choice"', label='"A"', choices='[{value="a",label="A"}]', default='"b"'),
            "settings.workspace.a.default must be the value of one of its choices",
        ),
        (
            "[settings.desk]\nx = 1\n[settings.desk.y]\n",
            "settings.desk.x must be a table with type and label",
        ),
        ("[settings.desk.Name]\ntype='text'\nlabel='A'", "settings.desk.Name must be named with lower-case"),
        ("[forms.workspace.a]\ntype='text'\nlabel='A'", "unknown field `forms`"),
    ],
)
def test_a_wrong_form_is_refused_in_one_sentence(forms: str, problem: str) -> None:
    found = problems_of(forms)
    assert any(problem in sentence for sentence in found), found


def test_a_form_has_a_limit() -> None:
    many = "".join(f"[settings.desk.a{n}]\ntype='text'\nlabel='A'\n" for n in range(41))
    assert problems_of(many) == ["settings.desk has more than 40 settings"]


def test_the_check_for_authors_names_what_is_wrong(toy_source: Callable[..., Path]) -> None:
    wrong = with_forms(one(type='"file"', label='"A"') + "\n[settings.desk.b]\ntype='text'\n")
    found = next(check(toy_source({"addon.toml": wrong})))
    assert found.fine is False
    assert [sentence.partition(" must")[0] for sentence in found.sentences] == [
        "settings.workspace.a.type",
        "settings.desk.b.label",
    ]


# What people enter


def field(type_: str, **keys: Any) -> SettingField:
    return SettingField(SettingType(type_), "A", **keys)


@pytest.mark.parametrize(
    ("asked", "text", "locale", "value"),
    [
        (field("text"), "Grüße", "en", "Grüße"),
        (field("text"), "", "en", None),
        (field("url"), "https://shop.example:8443/a?b=c", "en", "https://shop.example:8443/a?b=c"),
        (field("email"), "mia@example.com", "en", "mia@example.com"),
        (field("number"), "2.5", "en", 2.5),
        (field("number"), "2,5", "de", 2.5),
        (field("number"), "1,000", "en", 1000),
        (field("number"), "-3", "en", -3),
        (field("seconds", max=60), "60", "en", 60),
        (field("switch"), "1", "en", True),
        (field("switch"), "", "en", False),
        (field("secret"), "a b", "en", "a b"),
    ],
)
def test_what_is_entered_becomes_a_typed_value(
    asked: SettingField, text: str, locale: str, value: object
) -> None:
    found = read_entered(asked, text, locale)
    assert found == value
    assert type(found) is type(value)
    assert read_entered(asked, written(found, locale), locale) == value, "as the page shows it again"


@pytest.mark.parametrize(
    ("asked", "text", "said"),
    [
        (field("text", required=True), "", "This field is required."),
        (field("text"), "x" * 2001, "Too long: use at most 2000 characters."),
        (field("text"), "a\x00b", "This contains invalid characters."),
        (field("secret"), "a\nb", "This contains invalid characters."),
        (field("url"), "shop.example", "Enter an address that begins with https:// or http://."),
        (field("url"), "javascript:alert(1)", "Enter an address that begins with https:// or http://."),
        (field("url"), "https://", "Enter an address that begins with https:// or http://."),
        (field("url"), "https://a:b@shop.example", "Enter the address without a user name or password."),
        (field("url"), "https://shop.example:99999", "Enter an address that begins with https:// or"),
        (field("email"), "mia", "Enter an email address, such as name@example.com."),
        (field("number"), "many", "Enter a number, such as 2.5."),
        (field("number"), "2,5", "Enter a number, such as 2.5."),
        (field("number"), "NaN", "Enter a number of at most 1000000000000."),
        (field("number"), "1E99999999", "Enter a number, such as 2.5."),
        (field("seconds"), "-1", "Enter a number of at least 0."),
        (field("seconds", min=2, max=60), "61", "Enter a number of at most 60."),
        (field("number", min=0.5), "0.25", "Enter a number of at least 0.5."),
        (field("choice"), "x", "Choose an option from the list."),
    ],
)
def test_what_is_no_value_is_refused_with_what_to_do(asked: SettingField, text: str, said: str) -> None:
    with pytest.raises(RefusedValueError, match=re.escape(said)):
        read_entered(asked, text)


# On a desk


def with_forms(forms: str = FORMS) -> Callable[[str], str]:
    return lambda toml: f"{toml}\n{forms}"


@pytest.fixture(autouse=True)
def _nothing_kept() -> Iterator[None]:
    yield
    values.use({})


@pytest.fixture
def shop(desk: HostApplication, toy_zip: MakeZip) -> HostApplication:
    """A desk with the active toy, which declares the forms of the docs."""
    return activated(desk, toy_zip({"addon.toml": with_forms()}))


def activated(desk: HostApplication, zipped: Path) -> HostApplication:
    lifecycle.install_file(desk.config, zipped)
    outcome = lifecycle.activate(desk.config, "toy", host=desk)
    assert outcome.ok, outcome.error
    return desk


def owner_of(desk: HostApplication, workspace: int, role: Role = Role.OWNER) -> Browser:
    return client_for(desk.generation().app, make_user(workspace=workspace, role=role))


def admin_of(desk: HostApplication) -> Browser:
    return client_for(desk.generation().app, make_user(is_admin=True))


def page_of(workspace: int) -> str:
    return f"/w/{workspace}/settings/addons/toy"


SERVER = "/admin/addons/toy/server-settings"


def send(browser: Browser, path: str, given: dict[str, str], **others: str) -> Any:
    return browser.post_form(path, **{f"setting-{name}": text for name, text in given.items()}, **others)


def test_two_workspaces_have_values_of_their_own(shop: HostApplication) -> None:
    first, second = make_workspace("Pottery"), make_workspace("Bakery")
    with pytest.raises(SettingsMissingError) as missing:
        settings.workspace("toy", first)
    assert missing.value.names == ("shop_url",)
    assert missing.value.workspace_id == first
    assert send(owner_of(shop, first), page_of(first), FILLED).status_code == 303
    assert (
        send(owner_of(shop, second), page_of(second), {"shop_url": "http://bread.example"}).status_code == 303
    )
    assert settings.workspace("toy", first) == {
        "shop_url": "https://shop.example",
        "api_key": Secret(KEY),
        "region": "us",
    }
    assert settings.workspace("toy", second) == {"shop_url": "http://bread.example", "region": "eu"}
    assert settings.desk("toy") == {"timeout": 5}
    assert send(admin_of(shop), SERVER, {"timeout": "2.5"}).status_code == 303
    assert settings.desk("toy") == {"timeout": 2.5}
    with pytest.raises(SdkError):
        settings.desk("other")
    with pytest.raises(SdkError):
        settings.workspace("toy", 0)


def test_the_page_says_what_is_wrong_beside_the_field_and_stores_nothing(shop: HostApplication) -> None:
    workspace = make_workspace()
    owner = owner_of(shop, workspace)
    page = unescape(owner.get(page_of(workspace)).text)
    assert "The addon may not work until these are filled in: Shop address." in page
    answer = send(owner, page_of(workspace), {"shop_url": "shop", "api_key": KEY, "region": "mars"})
    assert answer.status_code == 400
    said = dict(re.findall(r'id="setting-(\w+)-error">([^<]+)<', answer.text))
    assert said == {
        "shop_url": "Enter an address that begins with https:// or http://.",
        "region": "Choose an option from the list.",
    }
    assert 'value="shop"' in answer.text, "what was entered stays"
    assert KEY not in answer.text
    with db.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(AddonSettingValue)) == 0
    assert send(owner, page_of(workspace), {"api_key": KEY}).status_code == 400, "the required one is missing"
    assert send(owner, page_of(workspace), FILLED).status_code == 303
    page = unescape(owner.get(page_of(workspace)).text)
    assert "Settings are missing." not in page
    assert 'value="https://shop.example"' in page
    assert '<option value="us" selected>United States</option>' in page


def test_only_owners_and_only_in_their_own_workspace(shop: HostApplication) -> None:
    workspace, other = make_workspace(), make_workspace("Bakery")
    agent, stranger = owner_of(shop, workspace, Role.AGENT), owner_of(shop, other)
    for path in (f"/w/{workspace}/settings/addons", page_of(workspace)):
        assert agent.get(path).status_code == 403
        assert stranger.get(path).status_code == 404
        assert admin_of(shop).get(path).status_code == 404, "an admin is no owner"
    assert send(agent, page_of(workspace), FILLED).status_code == 403
    assert send(stranger, page_of(workspace), FILLED).status_code == 404
    owner = owner_of(shop, workspace)
    assert owner.get(SERVER).status_code == 403
    assert send(owner, SERVER, {"timeout": "9"}).status_code == 403
    assert owner.get(f"/w/{workspace}/settings/addons/nothing").status_code == 404
    with db.read() as session:
        assert session.scalars(sa.select(AddonSettingValue)).all() == []


def test_the_navigation_has_the_page_only_while_such_an_addon_is_active(shop: HostApplication) -> None:
    workspace = make_workspace()
    user = make_user(workspace=workspace, role=Role.OWNER)
    link = f'href="/w/{workspace}/settings/addons"'
    general = f"/w/{workspace}/settings/general"
    assert link in client_for(shop.generation().app, user).get(general).text
    listed = client_for(shop.generation().app, user).get(f"/w/{workspace}/settings/addons").text
    assert "Settings are missing" in listed
    assert page_of(workspace) in listed
    lifecycle.deactivate(shop.config, "toy", host=shop)
    gone = client_for(shop.generation().app, user)
    assert link not in gone.get(general).text
    assert gone.get(page_of(workspace)).status_code == 404


def test_a_secret_is_in_no_page_log_or_audit_entry(
    shop: HostApplication, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    workspace = make_workspace()
    owner = owner_of(shop, workspace)
    assert send(owner, page_of(workspace), FILLED).status_code == 303
    seen = [owner.get(page_of(workspace)).text, owner.get(f"/w/{workspace}/settings/audit").text]
    with db.read() as session:
        row = session.scalars(sa.select(AddonSettingValue).where(AddonSettingValue.name == "api_key")).one()
        entry = session.scalars(
            sa.select(AuditEntry).where(AuditEntry.action == "addon.settings_changed")
        ).one()
        seen += [str(row.secret), str(row.value), str(entry.details), entry.subject]
        assert row.secret is not None
        assert row.secret.startswith("v1:")
        assert entry.workspace_id == workspace
        assert entry.details == {"settings": "shop_url, api_key, region"}
    found = settings.workspace("toy", workspace)
    seen += [repr(found), str(found["api_key"]), caplog.text]
    assert not [text for text in seen if KEY in text]
    assert cast(Secret, found["api_key"]).reveal() == KEY
    assert "changed settings of the addon" in unescape(seen[1])


def test_a_secret_stays_if_left_empty_and_can_be_removed(shop: HostApplication) -> None:
    workspace = make_workspace()
    owner = owner_of(shop, workspace)
    send(owner, page_of(workspace), FILLED)
    send(owner, page_of(workspace), {**FILLED, "api_key": "", "region": ""})
    assert settings.workspace("toy", workspace)["api_key"] == Secret(KEY)
    assert settings.workspace("toy", workspace)["region"] == "eu"
    send(owner, page_of(workspace), {**FILLED, "api_key": ""}, **{"remove-api_key": "1"})
    assert "api_key" not in settings.workspace("toy", workspace)


def test_saving_takes_a_fresh_password_and_the_page_that_asks_has_no_secret(shop: HostApplication) -> None:
    workspace = make_workspace()
    owner = owner_of(shop, workspace)
    with clock.travel(sudo.FRESH * 2):
        answer = send(owner, page_of(workspace), FILLED)
        assert answer.status_code == 403
        assert KEY not in answer.text
        assert re.search(r'id="form-password"[^>]* autofocus', answer.text)
        assert "Nothing was changed yet, and your input is kept" in answer.text
        assert "Entered. Leave empty to use it again" in answer.text
        wrong = send(owner, page_of(workspace), FILLED, password="wrong")
        assert 'id="form-password-error" role="alert">Wrong password' in wrong.text
        with pytest.raises(SettingsMissingError):
            settings.workspace("toy", workspace)
        assert owner.get(page_of(workspace)).status_code == 302, "who opens the form now is asked first"
        (kept,) = re.findall(r'name="kept-setting-api_key" value="([^"]+)"', answer.text)
        again = {"kept-setting-api_key": kept, "password": PASSWORD}
        assert send(owner, page_of(workspace), {**FILLED, "api_key": ""}, **again).status_code == 303
        assert settings.workspace("toy", workspace)["api_key"] == Secret(KEY)


def test_a_secret_survives_what_is_wrong_at_another_field(shop: HostApplication) -> None:
    workspace = make_workspace()
    owner = owner_of(shop, workspace)
    answer = send(owner, page_of(workspace), {**FILLED, "shop_url": "no address"})
    assert answer.status_code == 400
    assert re.search(r'id="setting-shop_url"[^>]* autofocus', answer.text)
    assert "Entered. Leave empty to use it again" in answer.text
    assert KEY not in answer.text
    (kept,) = re.findall(r'name="kept-setting-api_key" value="([^"]+)"', answer.text)
    again = {"kept-setting-api_key": kept}
    assert send(owner, page_of(workspace), {**FILLED, "api_key": ""}, **again).status_code == 303
    assert settings.workspace("toy", workspace)["api_key"] == Secret(KEY)


def test_a_form_that_somebody_else_saved_meanwhile_is_shown_again(shop: HostApplication) -> None:
    workspace = make_workspace()
    owner = owner_of(shop, workspace)
    assert send(owner, page_of(workspace), FILLED, version="0").status_code == 303
    answer = send(owner, page_of(workspace), {"shop_url": "https://late.example"}, version="0")
    assert answer.status_code == 409
    assert "Someone else saved these settings" in answer.text
    assert settings.workspace("toy", workspace)["shop_url"] == "https://shop.example"
    version = re.findall(r'name="version" value="(\d+)"', answer.text)[0]
    again = send(owner, page_of(workspace), {"shop_url": "https://late.example"}, version=version)
    assert again.status_code == 303


def test_saving_the_same_again_is_no_change(shop: HostApplication) -> None:
    workspace = make_workspace()
    owner = owner_of(shop, workspace)
    send(owner, page_of(workspace), {**FILLED, "api_key": ""})
    before = counters.addon_settings()
    send(owner, page_of(workspace), {**FILLED, "api_key": ""})
    assert counters.addon_settings() == before
    with db.read() as session:
        count = sa.select(sa.func.count()).where(AuditEntry.action == "addon.settings_changed")
        assert session.scalar(count) == 1


def test_what_another_process_saves_is_read_once_the_counters_are(shop: HostApplication) -> None:
    workspace = make_workspace()
    send(owner_of(shop, workspace), page_of(workspace), FILLED)
    assert settings.workspace("toy", workspace)["region"] == "us"

    def elsewhere(session: Session) -> None:
        of_region = sa.update(AddonSettingValue).where(AddonSettingValue.name == "region")
        session.execute(of_region.values(value='"eu"'))
        counter = sa.update(Counter).where(Counter.name == counters.ADDON_SETTINGS)
        session.execute(counter.values(value=Counter.value + 1))

    db.write(elsewhere)
    assert settings.workspace("toy", workspace)["region"] == "us", "kept in memory"
    counters.forget()  # a fifth of a second passes
    assert settings.workspace("toy", workspace)["region"] == "eu"


def test_an_update_adds_and_takes_away_settings(shop: HostApplication, toy_zip: MakeZip) -> None:
    workspace = make_workspace()
    send(owner_of(shop, workspace), page_of(workspace), FILLED)
    newer = FORMS.replace("settings.workspace.api_key", "settings.workspace.account").replace(
        'type = "url"', 'type = "secret"'
    )
    newer += '\n[settings.workspace.sender]\ntype = "email"\nlabel = "Sender"\nrequired = true\n'
    zipped = toy_zip({"addon.toml": with_forms(newer)}, version="1.1.0")
    report = reports.upload(shop.config, zipped)
    assert report.release is not None
    page = admin_of(shop).get(f"/admin/addons/uploads/{report.release.id}").text
    assert "+ sender: email, required" in page
    assert "− api_key: secret" in page
    assert settings.workspace("toy", workspace)["api_key"] == Secret(KEY), "while the older one runs"
    lifecycle.install_file(shop.config, zipped)
    assert lifecycle.activate(shop.config, "toy", host=shop).ok
    with pytest.raises(SettingsMissingError) as missing:
        settings.workspace("toy", workspace)
    assert missing.value.names == ("shop_url", "sender"), "an address in clear is no secret"
    page = owner_of(shop, workspace).get(page_of(workspace)).text
    assert "https://shop.example" not in page
    assert lifecycle.roll_back(shop.config, "toy", to="1.0.0", host=shop).ok
    assert settings.workspace("toy", workspace) == {**FILLED, "api_key": Secret(KEY)}, "as it was"


def test_values_go_with_their_workspace_and_with_the_data_of_the_addon(shop: HostApplication) -> None:
    first, second = make_workspace(), make_workspace("Bakery")
    for workspace in (first, second):
        send(owner_of(shop, workspace), page_of(workspace), FILLED)
    send(admin_of(shop), SERVER, {"timeout": "9"})

    def left() -> set[int]:
        with db.read() as session:
            return set(session.scalars(sa.select(AddonSettingValue.workspace_id)))

    def remove(session: Session) -> Any:
        return registry.hooks().remove_workspace(session=session, workspace_id=first, accounts=(), most=100)

    while db.write(remove):
        pass
    assert left() == {DESK, second}
    lifecycle.deactivate(shop.config, "toy", host=shop)
    uninstall.purge(shop.config, "toy")
    assert left() == set()


def test_sealed_values_are_sealed_again_with_a_newer_key(shop: HostApplication) -> None:
    workspace = make_workspace()
    send(owner_of(shop, workspace), page_of(workspace), FILLED)
    before = secrets.keyring()
    old = next(iter(secrets.parse_keys((Path(str(before.path))).read_text()).items()))
    try:
        secrets.use(Keyring({"newer": b"n" * 32, old[0]: old[1]}))
        found = resealing.check_values(reseal=True)
        assert found.unreadable == []
        assert found.resealed >= 1
        secrets.use(Keyring({"newer": b"n" * 32}))
        counters.forget()
        db.write(counters.bump, counters.ADDON_SETTINGS)
        assert settings.workspace("toy", workspace)["api_key"] == Secret(KEY)
    finally:
        secrets.use(before)


def test_health_says_where_settings_are_missing(shop: HostApplication) -> None:
    first = make_workspace()
    make_workspace("Bakery")
    send(owner_of(shop, first), page_of(first), FILLED)
    with db.read() as session:
        found = [(one.slug, one.name, number) for one, number in setting_forms.missing_in_workspaces(session)]
        assert found == [("toy", "Toy channel", 1)]
        assert list(setting_forms.missing_on_server(session)) == []
    page = unescape(admin_of(shop).get("/admin/health").text)
    assert "Toy channel needs settings in 1 workspace." in page


def test_health_says_what_an_admin_has_to_fill_in(desk: HostApplication, toy_zip: MakeZip) -> None:
    forms = '[settings.desk.key]\ntype = "secret"\nlabel = "Key"\nrequired = true\n'
    activated(desk, toy_zip({"addon.toml": with_forms(forms)}))
    admin = admin_of(desk)
    page = unescape(admin.get("/admin/health").text)
    assert "The addon Toy channel needs settings." in page
    assert SERVER in page
    assert SERVER in admin.get("/admin/addons").text
    with pytest.raises(SettingsMissingError):
        settings.desk("toy")
    assert send(admin, SERVER, {"key": KEY}).status_code == 303
    assert settings.desk("toy") == {"key": Secret(KEY)}
    assert "The addon Toy channel needs settings." not in unescape(admin.get("/admin/health").text)


def test_labels_are_in_the_language_of_the_reader(desk: HostApplication, toy_zip: MakeZip) -> None:
    words = compiled(Shop_address="Adresse des Shops", United_States="Vereinigte Staaten")
    activated(desk, toy_zip({"addon.toml": with_forms(), GERMAN: words}))
    workspace = make_workspace()
    owner = owner_of(desk, workspace)
    page = owner.get(page_of(workspace), headers={"Accept-Language": "de"}).text
    assert ">Adresse des Shops</label>" in page
    assert ">Vereinigte Staaten</option>" in page


@pytest.mark.slow
def test_values_are_stored_on_every_database(any_desk: HostApplication) -> None:
    form = parsed(FORMS).forms.workspace
    with db.read() as session:
        before = setting_forms.shown(session, "toy", 7, form, "en")
    entered = setting_forms.check(before, FilledForm({**FILLED, "shop_url": "https://shöp.example/ä"}), "en")
    assert do_desk(setting_forms.save, "toy", 7, form, entered.values, version=0) == [*FILLED]
    with pytest.raises(SavedMeanwhileError):
        do_desk(setting_forms.save, "toy", 7, form, entered.values, version=0)
    assert do_desk(setting_forms.save, "toy", 7, form, {"region": None}, version=1) == ["region"]
    with db.read() as session:
        now = setting_forms.shown(session, "toy", 7, form, "en")
    assert [(row.text, row.is_stored) for row in now.rows] == [
        ("https://shöp.example/ä", False),
        ("", True),
        ("", False),
    ]
    assert now.version == 2
    db.write(setting_forms.delete_of, "toy")
    with db.read() as session:
        assert setting_forms.shown(session, "toy", 7, form, "en").missing == ("shop_url",)


# For authors


def test_a_test_provides_values_without_a_desk() -> None:
    from tests.toy.toy.shop import credentials, order_address

    given: dict[str, str | Secret] = {
        "shop_url": "https://shop.example",
        "region": "eu",
        "api_key": Secret(KEY),
    }
    with provided_settings("toy", workspace=given):
        assert order_address(1, "7") == "https://shop.example/eu/orders/7"
        assert credentials(1) == {"Authorization": f"Bearer {KEY}"}
        with pytest.raises(SdkError):
            settings.desk("toy")
    with pytest.raises(SdkError):
        settings.workspace("toy", 1)


@pytest.mark.slow
def test_a_trial_desk_is_filled_in(toy_source: Callable[..., Path], tmp_path: Path) -> None:
    with trial_desk(toy_source({"addon.toml": with_forms()}), tmp_path / "trial") as made:
        orders = made.module("shop")
        assert orders.order_address(made.workspace_id, "7").startswith("Ask an owner")
        with pytest.raises(RefusedFormError, match="shop_url: This field is required"):
            made.fill_in({"region": "eu"})
        with pytest.raises(RefusedFormError, match="nothing: "):
            made.fill_in({"nothing": "x"})
        made.fill_in({"shop_url": "https://shop.example"})
        made.fill_in({"api_key": KEY})
        made.fill_in_desk({"timeout": "9"})
        assert orders.order_address(made.workspace_id, "7") == "https://shop.example/eu/orders/7"
        assert orders.credentials(made.workspace_id) == {"Authorization": f"Bearer {KEY}"}
        assert settings.desk("toy") == {"timeout": 9}
