"""A field of a team is added in eight files at most, all in its folder, its tests and the migrations.

Pins and catalogues of translations are not counted: commands write them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("host", "migrations", "tests", "tools", "pyproject.toml")
FOLDER = "host/inbox/teams"
MOST_FILES = 8
TESTS = (
    *("tests/teams", "--ignore=tests/teams/test_teams_browser.py"),
    "tests/models/test_host_schema.py::test_models_and_migrations_agree",
)

IMPORTS = """from host.models.users import Role
from host.users import audit
"""
TESTED = "tests/teams/test_teams_api.py"

CHANGES = {
    f"{FOLDER}/models.py": [
        (
            "    name_key: Mapped[str] = mapped_column(Ascii64)\n",
            '    description: Mapped[str] = mapped_column(sa.String(200), default="", server_default="")\n',
        ),
    ],
    f"{FOLDER}/teams.py": [
        ("    open: int = 0\n    all: int = 0\n", '    description: str = ""\n'),
        ("            *numbers.get(one.id, (0, 0)),\n", "            description=one.description,\n"),
        ("    people: Mapping[int, bool] | None = None,\n", "    description: str | None = None,\n"),
        ("    _set_fields(work, team, ", "description, "),
        ("    work: UnitOfWork,\n    team: Team,\n", "    description: str | None,\n"),
        (
            "    accounts: Collection[int] | None,\n) -> None:\n",
            "    if description is not None:\n        team.description = clean(description).strip()[:200]\n",
        ),
        (
            '        found["before"] = before.name\n',
            "    if before.description != after.description:\n"
            '        found["description"] = after.description\n',
        ),
        ("from host.core.backports.values import replace\n", "from host.core.cleaning import clean\n"),
    ],
    f"{FOLDER}/views.py": [
        (
            '            name=request.form.get("name", "") if keeps else None,\n',
            '            description=request.form.get("description") if keeps else None,\n',
        ),
    ],
    f"{FOLDER}/templates/teams/team.html": [
        (
            "        value=\"{{ request.form.get('name', '') if again else team.name }}\">\n",
            '      <label class="form-label" for="team-description">{{ _("Description") }}</label>\n'
            '      <input class="form-control" id="team-description" name="description" maxlength="200"\n'
            "        value=\"{{ request.form.get('description', '') if again else team.description }}\">\n",
        ),
    ],
    f"{FOLDER}/api.py": [
        (
            "class Team(Wire, frozen=True):\n"
            '    """A group of members that conversations can be assigned to."""\n'
            "\n    id: Id\n    name: str\n",
            '    description: Annotated[str, Meta(description="What it is for.")]\n',
        ),
        (
            "    members: People | UnsetType = UNSET\n",
            "    description: Annotated[str, Meta(max_length=200)] | UnsetType = UNSET\n",
        ),
        ("        accounts=sorted(one.accounts),\n", "        description=one.description,\n"),
    ],
    TESTED: [
        ("from __future__ import annotations\n\n", "from host.core import db\n"),
        ("from host.inbox.bulk import actions\n", IMPORTS),
        ('        "openCount": 0,\n', '        "description": "",\n'),
    ],
}
"""File -> pieces of text, each with what is added below it, wherever it stands."""

MIGRATION = '''"""Descriptions of teams."""

import sqlalchemy as sa
from alembic import op

revision = "{number}"
down_revision = "{last}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("teams", sa.Column("description", sa.String(200), nullable=False, server_default=""))
'''

TEST = """

def test_a_description_is_saved_and_shown(desk: ApiDesk) -> None:
    made = desk.program.send("POST", "/teams", {"name": "Orders", "description": "Whatever is bought"}, 201)
    assert made["description"] == "Whatever is bought"
    at = f"/w/{desk.workspace}/settings/teams/{made['id']}"
    lead = helpers.make_user(workspace=desk.workspace, role=Role.LEAD)
    browser = helpers.client_for(desk.app, lead)
    assert 'value="Whatever is bought"' in browser.get(at).text
    assert browser.post_form(at, name="Orders", description="<b>Repairs</b>").status_code == 303
    assert 'value="&lt;b&gt;Repairs&lt;/b&gt;"' in browser.get(at).text
    assert desk.reader.get("/teams")["data"][0]["description"] == "<b>Repairs</b>"
    changed = desk.program.send("PATCH", f"/teams/{made['id']}", {"name": "Repairs"})
    assert changed["description"] == "<b>Repairs</b>", "what is left out stays"
    with db.read() as session:
        lines, _more = audit.page(session, audit.AuditFilter(kinds=("team",)))
    assert {"description": "<b>Repairs</b>"} in [one.details for one in lines]
"""


def _add_field(tree: Path) -> list[str]:
    """Add a description to teams in *tree*, and return the files this took."""
    touched = []
    for name, additions in CHANGES.items():
        path = tree / name
        text = path.read_text()
        for found, added in additions:
            assert found in text, f"{name} does not have this any more:\n{found}"
            text = text.replace(found, found + added)
        path.write_text(text + TEST if name == TESTED else text)
        touched.append(name)
    versions = tree / "migrations/versions"
    last = max(int(path.name[:4]) for path in versions.glob("[0-9]*.py"))
    migration = f"migrations/versions/{last + 1:04}_team_descriptions.py"
    (tree / migration).write_text(MIGRATION.format(number=f"{last + 1:04}", last=f"{last:04}"))
    return [*touched, migration]


@pytest.mark.slow
def test_a_field_is_added_in_its_folder_its_tests_and_a_migration(tmp_path: Path) -> None:
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "pictures"))
        else:
            shutil.copy(source, tmp_path / name)
    touched = _add_field(tmp_path)
    assert len(touched) <= MOST_FILES
    assert all(name.startswith((f"{FOLDER}/", "tests/teams/", "migrations/")) for name in touched)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environ |= {"PYTHONPATH": str(tmp_path)}
    python = [name for name in touched if name.endswith(".py")]
    for command in (
        ["-m", "ruff", "check", "--quiet", *python],
        ["-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS],
    ):
        done = subprocess.run(
            [sys.executable, *command],
            cwd=tmp_path,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
