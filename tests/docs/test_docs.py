"""The documentation says what the code does."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import click
import pytest
from limits import RateLimitItem

from addons.email.lobby_mail import receiving, smtp_connection
from host.addons.package import archive, checking
from host.addons.running import hooks_apart, probe, selftest
from host.cli import commands as cli
from host.core import config, marks
from host.core.config import Exit
from host.features import registry
from host.health import problems, views
from host.inbox.apply import opt_out_words
from host.media import limits as media_limits
from host.media import picture_size
from host.process import connections, incoming
from host.sdk import webhooks
from host.sdk.capabilities import Capabilities
from host.sdk.channel import ChannelAdapter
from host.users import data_retention, invitations, passwords, sessions, throttle
from host.users.pages import sudo
from host.web import headers, navigation

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *ROOT.glob("*/README.md"),
        *(ROOT / "addons").glob("*/*.md"),
        *(ROOT / "clients").glob("*/*.md"),
    ]
)


def settings_table() -> str:
    """Return the table docs/operate.md must hold."""
    rows = ["| setting | default | meaning |", "|---|---|---|"]
    for setting in config.SETTINGS:
        default = f"`{setting.default}`" if setting.default else ""
        rows.append(f"| `{setting.variable}` | {default} | {setting.help} |")
    return "\n".join(rows)


def megabytes(size: int) -> str:
    return f"{size / 1024**2:g} MB"


def figures_table() -> str:
    """Return the table docs/security.md must hold."""
    figures = {
        "a session ends, not used": f"{sessions.IDLE.total_seconds() / 3600:g} hours",
        "a session ends, used": f"{sessions.ABSOLUTE.days} days",
        "a typed password counts for harmful actions, after the last page of the settings": (
            f"{sudo.FRESH.total_seconds() / 60:g} minutes, "
            f"{sudo.LONGEST.total_seconds() / 3600:g} hour at most"
        ),
        "a typed password counts for one's own passkeys, app and provider": (
            f"{sudo.FRESH.total_seconds() / 60:g} minutes"
        ),
        "an invitation works": f"{invitations.LIFETIME.days} days",
        "length of a new password": f"{passwords.MIN_LENGTH} to {passwords.MAX_LENGTH} characters",
        "guesses a new password takes": f"over {passwords.MIN_GUESSES:,}",
        "wrong passwords of a person at an address": limits_of(throttle.PERSON_AND_ADDRESS),
        "wrong passwords of an address, before each person has one try only": limits_of(throttle.ADDRESS),
        "wrong passwords of an address at most": limits_of(throttle.ADDRESS_AT_MOST),
        "head of a request": f"{connections.HEAD_BYTES // 1024} KB in {connections.HEAD_SECONDS:g} s",
        "body of a webhook": f"{megabytes(webhooks.MAX_BODY)} in {incoming.BODY_SECONDS:g} s",
        "a form": megabytes(headers.MAX_BODY),
        "a file": megabytes(media_limits.MAX_BYTES),
        "pixels of a picture that is shown": f"{picture_size.MOST_PIXELS:,}",
        "a mail": megabytes(receiving.MAX_MAIL),
        "connections of the mail listener": f"{smtp_connection.MAX_CONNECTIONS}, "
        f"{smtp_connection.MAX_PER_ADDRESS} of an address",
        "zip of an addon": f"{megabytes(archive.MAX_ZIP)}, {megabytes(archive.MAX_TOTAL)} unpacked, "
        f"{archive.MAX_ENTRIES:,} files",
        "an addon's zip is read": f"{checking.TIMEOUT_SECONDS:g} s",
        "an addon's code loads": f"{probe.TIMEOUT_SECONDS:g} s",
        "an addon's code is tried out": f"{selftest.PATIENCE_SECONDS:g} s",
        "a hook that only tells an addon something is waited for": f"{hooks_apart.SECONDS:g} s",
        "processes that end in an addon before it is set aside": f"{marks.DEATHS}",
        "raw webhooks are kept": f"{data_retention.RAW_DEFAULT} days, or as an admin chose: "
        f"{data_retention.LEAST_RAW_DAYS} to {data_retention.MOST_RAW_DAYS}",
    }
    rows = [f"| {what} | {figure} |" for what, figure in figures.items()]
    return "\n".join(["| what | figure |", "|---|---|", *rows])


def words_table() -> str:
    """Return the table docs/answer.md must hold."""
    rows = ["| language | stops | opens again |", "|---|---|---|"]
    for language in opt_out_words.LANGUAGES:
        rows.append(f"| {language.name} | {', '.join(language.closing)} | {', '.join(language.opening)} |")
    return "\n".join(rows)


def limits_of(found: Sequence[RateLimitItem]) -> str:
    return ", ".join(f"{one.amount} in {one.multiples} {one.GRANULARITY.name}" for one in found)


def commands(group: click.Group, prefix: str = "lobby") -> set[str]:
    found = set()
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        full = f"{prefix} {name}"
        found |= commands(command, full) if isinstance(command, click.Group) else {full}
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def anchors(page: Path) -> set[str]:
    """Return the names under which the headings of *page* are linked to."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_a_heading_that_is_there(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", page.read_text()):
        there = (page.parent / target) if target else page
        assert anchor in anchors(there), f"{page.name} links to {target}#{anchor}"


ELSEWHERE = {"tests/recorded/story.json", "deploy/.env", "deploy/certs/"}
"""Paths the pages name that lie in the folder of somebody's addon, or are made by who follows the page."""
FOLDERS = "host|tests|tools|bench|demo|deploy|sandbox|addons|clients|migrations"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_paths_named_in_the_pages_exist(page: Path) -> None:
    text = page.read_text()
    named = set(re.findall(rf"(?<![\w@/.-])(?:{FOLDERS})/[\w./@-]*[\w/]", text))
    made = tuple(re.findall(r"^A new file, `([^`]+)`:", text, re.MULTILINE))
    named -= {name for name in named if any(f"{one}/".startswith(f"{name.rstrip('/')}/") for one in made)}
    assert [name for name in sorted(named - ELSEWHERE) if not (ROOT / name).exists()] == []


def test_operate_lists_every_setting_as_the_code_has_it() -> None:
    text = (ROOT / "docs" / "operate.md").read_text()
    between = text.split("<!-- settings -->")[1].split("<!-- /settings -->")[0].strip()
    assert between == settings_table()


def test_operate_says_when_a_strip_of_health_is_amber_and_red() -> None:
    text = " ".join((ROOT / "docs" / "operate.md").read_text().split())
    assert f"amber where the oldest waited over {views.SLOW:g} seconds" in text
    assert problems.LATE.total_seconds() == 60
    assert "red where it waited over a minute" in text


def test_the_words_that_stop_are_those_of_the_code() -> None:
    text = (ROOT / "docs" / "answer.md").read_text()
    between = text.split("<!-- words -->")[1].split("<!-- /words -->")[0].strip()
    assert between == words_table()
    changes = (ROOT / "CHANGELOG.md").read_text()
    assert f"its like in {len(opt_out_words.LANGUAGES)} languages" in changes


def test_security_has_the_figures_of_the_code() -> None:
    text = (ROOT / "docs" / "security.md").read_text()
    between = text.split("<!-- figures -->")[1].split("<!-- /figures -->")[0].strip()
    assert between == figures_table()


def test_every_claim_of_security_names_tests_that_exist() -> None:
    text = (ROOT / "docs" / "security.md").read_text()
    claims = re.findall(r"^\| (.+) \| (.+) \| (`tests/.+) \|$", text, re.MULTILINE)
    assert len(claims) > 20
    for _what, _done, shown in claims:
        for path in re.findall(r"`([^`]+)`", shown):
            assert "def test_" in (ROOT / path).read_text()


def test_operate_lists_every_code_a_command_ends_with() -> None:
    text = (ROOT / "docs" / "operate.md").read_text()
    table = text.partition("<!-- exits -->")[2].partition("<!-- /exits -->")[0]
    listed = {
        int(line.split("|")[1]) for line in table.splitlines() if line.startswith("| ") and "code" not in line
    }
    assert listed == {0, 2, *Exit}


def test_operate_lists_every_command_and_no_other() -> None:
    text = (ROOT / "docs" / "operate.md").read_text()
    listed = set(re.findall(r"^\| `(lobby [a-z -]+)`", text, re.MULTILINE))
    assert listed == commands(cli.main)


def test_settings_named_anywhere_exist() -> None:
    known = {setting.variable for setting in config.SETTINGS}
    elsewhere = {"LOBBY_REQUIRE_SERVICES", *config.CLIENT_NAMES}
    named = {
        (page.name, name)
        for page in PAGES
        for name in re.findall(r"\bLOBBY_[A-Z][A-Z_]*[A-Z]\b", page.read_text())
    }
    assert known <= {name for _, name in named}
    others = {(page, name) for page, name in named if not name.startswith("LOBBY_ADDON")}
    assert {(page, name) for page, name in others if name not in known | elsewhere} == set()


OF_OTHERS = {
    *("Settings → Basic", "Settings → Advanced", "Business login settings", "Choose File", "Website"),
    *("Instagram → API setup with Instagram login", "Facebook Login for Business → Settings"),
    *("Webhooks → Instagram", "Website permissions", "System users", "Revoke tokens"),
    "Settings → Messages and story replies → Message controls → Connected tools → Allow access to messages",
    # Made of parts: a number, a handle, an address.
    *(
        "Send as 2 messages",
        "Run 3 due test cases",
        "Connected: @handle",
        "Instagram user …0001",
        "Set up this desk: …/setup?token=…",
    ),
    # A sentence or its beginning in bold.
    *("Mails", "Connecting it again", "To another Page", "To another workspace"),
    "Back the keys up somewhere else than the database",
    *(
        "Name, picture, time zone, language",
        "A week",
        "A time zone",
        "A customer who returns",
        "Nobody on duty",
    ),
    *("Who leads a team", "An auditor"),
    *("A page that is gone", "An answer rests on something", "It gives the conversation to people"),
    *("One turn, one answer", "People come first", "What leaves"),
    # An example, places, ways to a page.
    *(
        "2 days later",
        "today at 13:30",
        "Straße",
        "Mensch",
        "Assistants → Create assistant",
        "Recent answers → Shadow",
    ),
    *("Settings → …", "Admin → …", "address of the provider", "New message on Instagram"),
    "Android, and Chrome, Edge or Firefox on a computer",
    *(
        "Settings → Channels →",
        "→ Greeting & routing",
        "Settings → Automation → Overview",
        "Settings → Automation → Rules",
        "Settings → Automation → Sequences",
        "Notifications → Notification settings",
    ),
}
"""What the pages for people put into italics or bold and is no button or label of Lobby's."""


FOR_PEOPLE = (
    *(
        "install",
        "connect",
        "answer",
        "app-review",
        "settings",
        "roles",
        "signin",
        "told",
        "automation",
        "phone",
    ),
    *(
        "search",
        "reports",
        "assistants",
        "instagram",
        "email",
        "whatsapp",
        "shop",
        "satisfaction",
        "telegram",
    ),
    "sequences",
)


@functools.cache
def written() -> str:
    """Return all that the code says, quotes on two lines joined."""
    sources = (
        path.read_text()
        for part in ("host", "addons")
        for kind in ("*.py", "*.html", "*.js", "*.toml")
        for path in (ROOT / part).rglob(kind)
    )
    return " ".join(re.sub(r'"\s*\n\s*"', "", " ".join(sources)).split()).replace("’", "'")


@pytest.mark.parametrize("page", FOR_PEOPLE)
def test_what_a_page_tells_people_to_press_is_there(page: str) -> None:
    """Buttons and labels stand in italics or bold; each is a text of the code, word for word."""
    text = re.sub(r"```.*?```", "", (ROOT / "docs" / f"{page}.md").read_text(), flags=re.DOTALL)
    text = " ".join(re.sub(r"`[^`]*`", "", text).split()).replace("’", "'")
    named = re.findall(r"\*\*([^*]+?)\*\*", text) + re.findall(r"(?<!\*)\*([^*\s][^*]*?)\*(?!\*)", text)
    labels = {one.strip(".: ") for one in named} - OF_OTHERS
    assert labels
    assert [one for one in sorted(labels) if one not in written()] == []


AT_META = (
    *("Basic", "Advanced", "Messages and story replies"),
    *("*Website permissions*", "*Business integrations*"),
)


def test_pages_of_settings_are_named_as_the_navigation_names_them() -> None:
    for kind in ("views", "blueprints"):
        list(registry.parts(kind))
    labels = {
        where: [_way(entry) for entry in entries.values()]
        for where, entries in (("Settings", navigation._settings), ("Admin", navigation._admin))
    }
    for page in PAGES:
        text = " ".join(page.read_text().split())
        for where, name in re.findall(r"(Settings|Admin) → (?=(.{1,60}))", text):
            section = [
                way.partition(" → ")[0] for way in labels[where] if f"{way.partition(' → ')[0]} →" not in name
            ]
            assert name.startswith((*labels[where], *section, *AT_META, "…")), (
                f"{page.name}: {where} → {name}"
            )


def _way(entry: navigation.Entry) -> str:
    """Return the way to a page of the settings: its section and its tab, or its link alone."""
    if entry.section is None or str(entry.section.label) == str(entry.label):
        return str(entry.label)
    return f"{entry.section.label} → {entry.label}"


def test_make_targets_named_in_the_pages_exist() -> None:
    targets = set(re.findall(r"^([a-z$()A-Z/._-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        (page.name, name)
        for page in PAGES
        for name in re.findall(r"^make ([a-z]+)\b", page.read_text(), re.MULTILINE)
    }
    assert ("CONTRIBUTING.md", "test") in named
    assert {(page, name) for page, name in named if name not in targets} == set()


NOT_FOR_PEOPLE = {
    *("PATH", "PYTHONPATH", "PYTEST_XDIST_WORKER", "RECORDING", "SLOW_PATIENCE"),
    *(
        "TORTURE_DELAYS",
        "TORTURE_FAULTY",
        "TORTURE_JOB_SECONDS",
        "TORTURE_MUTANT",
        "TORTURE_SIGNS",
        "TORTURE_WATCHED",
    ),
}
"""Variables that no person sets for a test: the system's, and those a test sets for a process of its own."""


def test_variables_that_tests_read_stand_in_testing() -> None:
    text = (ROOT / "docs" / "testing.md").read_text()
    read = {
        name
        for path in (*(ROOT / "tests").rglob("*.py"), *(ROOT / "addons").glob("*/tests/*.py"))
        for name in re.findall(r"environ\.(?:get|pop)\(\"([A-Z_]+)\"", path.read_text())
    }
    named = set(re.findall(r"`([A-Z]+_[A-Z_]+|PICTURES|SCREENSHOTS)=?(?:\d+|all)?`", text))
    assert named == read - NOT_FOR_PEOPLE


def test_tests_named_in_the_addons_quality_exist() -> None:
    text = (ROOT / "addons" / "instagram" / "QUALITY.md").read_text()
    tests = {path.name: path.read_text() for path in (ROOT / "tests").rglob("test_*.py")}
    named = set(re.findall(r"`(?:[\w/]+/)?(test_\w+(?:\.py)?)`", text))
    assert len(named) > 40
    source = "\n".join(tests.values())
    assert [name for name in sorted(named) if name not in tests and f"def {name}(" not in source] == []


def test_addons_names_all_of_the_adapter_and_of_what_a_channel_can_do() -> None:
    text = (ROOT / "docs" / "addons.md").read_text()
    wanted = {one.name for one in fields(Capabilities)} | {
        name
        for name in dir(ChannelAdapter)
        if not name.startswith("_") and callable(getattr(ChannelAdapter, name))
    }
    named = set(re.findall(r"`(\w+)[`(]", text))
    wanted -= {"set_ice_breakers", "set_menu"}  # "and their `set_...`"
    assert sorted(wanted - named) == []


def test_the_sdk_lists_every_module() -> None:
    text = (ROOT / "docs" / "sdk" / "README.md").read_text()
    modules = {path.stem for path in (ROOT / "host" / "sdk").glob("[a-z]*.py")}
    rows = re.findall(r"^\| (`.+`) \|", text, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == modules
