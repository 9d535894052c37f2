"""What `lobby addon check` finds, each in a plain sentence, and that it fails for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from host.addons.package import manifest
from host.authoring import check, deprecations, scaffold, trial_migrations
from host.authoring.check import Finding
from host.cli.commands import main
from host.core import migrations
from host.sdk.deprecation import Deprecated

SHIPPED = sorted(path.parent for path in Path(__file__).resolve().parents[2].glob("addons/*/addon.toml"))
WITHOUT_CHANNEL = {"satisfaction", "shop"}


def spoil(folder: Path, name: str, old: str, new: str) -> None:
    path = folder / name
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def first_problem(found: Finding) -> str:
    assert found.fine is False
    return found.sentences[0]


def test_the_command_fails_and_names_what_is_wrong(heron: Path) -> None:
    spoilt = "from host.core import db\nfrom host.sdk import settings\n"
    spoil(heron, "heron/api.py", "from host.sdk import settings\n", spoilt)
    answer = CliRunner().invoke(main, ["addon", "check", str(heron)])
    assert answer.exit_code == 1
    assert "FAILED  imports     heron/api.py, line 8: it imports host.core, which is neither" in answer.output
    assert "Not tried: mend what is above first." in answer.output
    assert "is not ready" in answer.output


def test_a_manifest_that_cannot_be_used_is_all_that_is_said(heron: Path) -> None:
    spoil(heron, "addon.toml", 'version = "0.1.0"', 'version = "one"')
    (found,) = check.check(heron)
    assert "version 'one' is not like 1.2.3" in first_problem(found)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('sdk = ">=99,<100"', "It needs host.sdk >=99,<100; this Lobby has host.sdk 1."),
        ('sdk = "newest"', "sdk = 'newest' is not a version range"),
    ],
)
def test_an_addon_for_another_sdk_is_refused_before_it_is_loaded(heron: Path, line: str, why: str) -> None:
    spoil(heron, "addon.toml", 'sdk = ">=1.0,<2"', line)
    assert why in first_problem(next(check.check(heron)))


def test_what_is_declared_has_to_be_brought(heron: Path) -> None:
    spoil(heron, "addon.toml", "jobs = []", 'jobs = ["sweep"]')
    found = check._code(manifest.read_manifest(heron), heron)
    assert first_problem(found) == "addon.toml declares the jobs sweep, which the code does not bring."


def test_code_that_cannot_be_loaded_is_said_with_its_error(heron: Path) -> None:
    spoil(heron, "heron/channel.py", 'key = "heron"', 'key = "crane"')
    found = check._code(manifest.read_manifest(heron), heron)
    assert "the channel key" in first_problem(found) or "'crane' is not declared" in first_problem(found)


def test_what_an_upload_would_refuse_is_refused_here(heron: Path, tmp_path: Path) -> None:
    (heron / "static").mkdir()
    (heron / "static" / "run.sh").write_text("#!/bin/sh\n")
    found = check._size(heron, tmp_path / "heron.zip")
    assert "run.sh" in first_problem(found)


def test_the_size_is_said_with_its_limits(heron: Path, tmp_path: Path) -> None:
    found = check._size(heron, tmp_path / "heron.zip")
    assert found.fine is True
    assert "KB zipped of 20.0 MB" in found.sentences[0]
    assert "of 2000" in found.sentences[0]
    assert found.sentences[1].startswith("largest: ")


MIGRATION = "migrations/versions/0001_accounts.py"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "old", "new", "why"),
    [
        (
            MIGRATION,
            '    drop_table_if_present(op, "heron_accounts")\n',
            "    pass\n",
            "leaves heron_accounts behind",
        ),
        (
            MIGRATION,
            '"token", db.LongText, nullable=False',
            '"token", db.LongText, nullable=True',
            "differ in: token",
        ),
        (MIGRATION, "create_table_if_missing(\n        op,\n", "op.create_table(\n", "0001 failed"),
        (
            MIGRATION,
            '"heron_accounts",\n        sa',
            '"other_accounts",\n        sa',
            "the addon does not own",
        ),
        (
            "addon.toml",
            '["heron_accounts"]',
            '["heron_accounts", "heron_more"]',
            "heron_more, which no migration makes",
        ),
    ],
)
def test_what_is_wrong_with_migrations(
    heron: Path, tmp_path: Path, name: str, old: str, new: str, why: str
) -> None:
    spoil(heron, name, old, new)
    found = check._migrations(manifest.read_manifest(heron), heron, "", tmp_path)
    assert why in first_problem(found)


@pytest.mark.slow
def test_migrations_are_tried_on_any_database(heron: Path, empty_url: str) -> None:
    done = trial_migrations.run(manifest.read_manifest(heron), heron, empty_url)
    assert done.startswith("up, checked, up again, down, up: 0001 (")


@pytest.mark.slow
def test_a_database_somebody_uses_is_left_alone(heron: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'used.sqlite3'}"
    migrations.upgrade_host(url)
    with pytest.raises(trial_migrations.TrialError, match="not empty"):
        trial_migrations.run(manifest.read_manifest(heron), heron, url)


@pytest.mark.slow
def test_a_failing_test_is_named(heron: Path, tmp_path: Path) -> None:
    tests = tmp_path / "few"
    tests.mkdir()
    (tests / "test_one.py").write_text(
        "def test_wings():\n    assert 'two' == 'three'\n\ndef test_fine(): pass\n"
    )
    found = check._tests(heron, tests, tmp_path)
    assert first_problem(found).startswith("test_wings: AssertionError: assert 'two' == 'three'")


@pytest.mark.slow
def test_tests_that_test_nothing_do_not_count(heron: Path, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    assert first_problem(check._tests(heron, tmp_path / "none", tmp_path)) == "No test was found."
    assert check._tests(heron, tmp_path / "nowhere", tmp_path).fine is None


@pytest.mark.slow
def test_a_channel_that_breaks_the_contract_is_named_with_the_rule(heron: Path, tmp_path: Path) -> None:
    spoil(heron, "heron/events.py", 'return Ignored("not an event of Heron\'s")', "raise")
    found = check._contract(manifest.read_manifest(heron), heron, tmp_path)
    assert first_problem(found).startswith("test_reading_never_raises: ")


@pytest.mark.slow
@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: str(folder.name))
def test_the_addons_here_are_ready(folder: Path) -> None:
    """Each as an author would check it: all of its tests in one process."""
    found = list(check.check(folder))
    assert {finding.name: finding.sentences for finding in found if finding.fine is False} == {}
    fine = {finding.name for finding in found if finding.fine}
    assert fine >= {"addon.toml", "code"}
    assert ("contract" in fine) is (folder.name not in WITHOUT_CHANNEL)


@pytest.fixture
def leaving() -> Callable[[str], dict[str, Deprecated]]:
    return lambda name: {name: Deprecated(name, "1.2.0", "2.0.0", "something else")}


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("host.sdk.i18n.noop", "heron/sending.py, line 17"),
        ("host.sdk.settings.get", "heron/api.py, line 36"),
        ("register_migrations", "heron/addon.py, line 35"),
    ],
)
def test_each_use_of_what_will_go_is_listed(
    heron: Path, leaving: Callable[[str], dict[str, Deprecated]], name: str, place: str
) -> None:
    notes = deprecations.uses(manifest.read_manifest(heron), heron, leaving(name))
    assert len([note for note in notes if "deprecated since host.sdk 1.2.0" in note]) == len(notes) > 0
    assert any(note.startswith(place) for note in notes), notes


@pytest.mark.parametrize(
    ("name", "old", "new", "line", "said"),
    [
        ("addon.py", "return [CARD]", "pass", "@hookimpl", "register_settings_cards: returned None instead"),
        ("addon.py", "return [CARD]", "1 / 0", "1 / 0", "register_settings_cards: ZeroDivisionError"),
        ("channel.py", 'key = "heron"', "key = 1 / 0", "1 / 0", "ZeroDivisionError: division by zero"),
        ("addon.py", 'Route("webhook"', 'Route("other"', "@hookimpl", "'other' is not among the declared"),
    ],
)
def test_mistakes_in_code_are_named_with_their_place(
    heron: Path, name: str, old: str, new: str, line: str, said: str
) -> None:
    path = heron / "heron" / name
    spoil(heron, f"heron/{name}", old, new)
    text = path.read_text()
    at = text.index(new)
    number = text.count("\n", 0, text.rindex(line, 0, at) if line == "@hookimpl" else at) + 1
    found = check._code(manifest.read_manifest(heron), heron)
    assert found.fine is False
    words = " ".join(found.sentences)
    assert f"heron/{name}, line {number}" in words
    assert said in words


@pytest.mark.parametrize("name", ["heron/events.py", "migrations/versions/0001_accounts.py"])
def test_a_syntax_error_is_named_with_its_place(heron: Path, name: str) -> None:
    path = heron / name
    path.write_text(path.read_text() + "def wrong(:\n    pass\n")
    line = path.read_text().count("\n") - 1
    answer = CliRunner().invoke(main, ["addon", "check", str(heron)])
    assert answer.exit_code == 1
    assert f"FAILED  imports     {name}, line {line}: it is not Python that can be read" in answer.output
    assert answer.exception is None or isinstance(answer.exception, SystemExit)


@pytest.mark.slow
def test_a_channel_has_to_widen_the_column_of_channels(heron: Path, tmp_path: Path) -> None:
    spoil(heron, MIGRATION, '    enum_to_varchar(op, "conversations", "channel")\n', "")
    found = check._migrations(manifest.read_manifest(heron), heron, "", tmp_path)
    assert first_problem(found).startswith("It adds the channel heron, but no migration widens conversations")
    (heron / MIGRATION).unlink()
    found = check._migrations(manifest.read_manifest(heron), heron, "", tmp_path / "other")
    assert "no migration widens conversations.channel" in first_problem(found)


@pytest.mark.slow
def test_a_migration_that_fails_is_named_with_its_place(heron: Path, tmp_path: Path) -> None:
    spoil(heron, MIGRATION, "def upgrade() -> None:\n", "def upgrade() -> None:\n    1 / 0\n")
    found = check._migrations(manifest.read_manifest(heron), heron, "", tmp_path)
    assert first_problem(found).endswith(f"({MIGRATION}, line 15)")


@pytest.mark.slow
def test_tests_that_cannot_be_run_say_why(heron: Path, tmp_path: Path) -> None:
    conftest = heron / "tests/conftest.py"
    conftest.write_text('"""Fixtures."""\n\nimport a_module_of_somewhere_else\n')
    found = check._tests(heron, heron / "tests", tmp_path)
    assert first_problem(found) == "The tests could not be run."
    assert "tests/conftest.py, line 3" in found.sentences
    assert any("No module named 'a_module_of_somewhere_else'" in one for one in found.sentences)


@pytest.mark.slow
def test_a_test_that_cannot_be_imported_says_why(heron: Path, tmp_path: Path) -> None:
    path = heron / "tests/test_pigeon.py"
    path.write_text("import a_module_of_somewhere_else\n")
    said = first_problem(check._tests(heron, path.parent, tmp_path))
    assert "No module named 'a_module_of_somewhere_else'" in said
    assert said.endswith("(tests/test_pigeon.py, line 1)")


@pytest.mark.slow
def test_a_rule_of_the_contract_names_the_place_in_the_authors_own_tree(heron: Path, tmp_path: Path) -> None:
    spoil(heron, "heron/events.py", 'return Ignored("not an event of Heron\'s")', "raise")
    found = check._contract(manifest.read_manifest(heron), heron, tmp_path)
    assert "(heron/events.py, line " in first_problem(found)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "name", "old", "new", "said"),
    [
        (
            "panel",
            "beside.py",
            "    try:\n        person = people.find(customer.workspace_id, customer.email) if",
            "    1 / 0\n    try:\n        person = people.find(customer.workspace_id, customer.email) if",
            "test_try_panel[heron.person]: ZeroDivisionError",
        ),
        (
            "panel",
            "beside.py",
            "        return []\n",
            "        return None\n",
            "returned None instead of a list of blocks",
        ),
        (
            "panel",
            "beside.py",
            "if not customer.email:\n        return",
            "if not customer.email:\n        raise KeyError(1)\n        return",
            "test_try_composer_action[heron.offer]: KeyError: 1",
        ),
        (
            "automation",
            "rules.py",
            "return [{",
            "return []\n    return [{",
            "test_try_condition[heron.often]: ValueError: not enough values",
        ),
        (
            "automation",
            "listening.py",
            "    for event in events:\n",
            "    for event in events:\n        event.data['nothing']\n",
            "test_hear: KeyError: 'nothing' (heron/listening.py, line ",
        ),
    ],
)
def test_parts_are_tried_with_made_up_customers(
    tmp_path: Path, kind: str, name: str, old: str, new: str, said: str
) -> None:
    folder = tmp_path / "heron"
    scaffold.create("heron", folder, kind)
    assert check._parts(manifest.read_manifest(folder), folder, tmp_path / "fine").fine is True
    spoil(folder, f"heron/{name}", old, new)
    found = check._parts(manifest.read_manifest(folder), folder, tmp_path)
    assert said in first_problem(found)
    assert "(heron/" in first_problem(found) or "returned None" in said or "ValueError" in said
