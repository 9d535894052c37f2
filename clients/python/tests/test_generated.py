"""What is made from something else is as its source has it; the package is what it says."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "tools" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_types_are_those_of_the_document_and_both_clients_are_the_same() -> None:
    for path, text in generator().files().items():
        assert path.read_text() == text, f"{path.name} is not as its source has it: run `make client`"


def test_a_change_of_the_source_would_be_seen() -> None:
    module = generator()
    source = (module.PACKAGE / "_async" / "http.py").read_text()
    mirror = module.synchronous(source.replace("async def call(", "async def ask("))
    assert "def ask(" in mirror
    names = {one.id for one in ast.walk(ast.parse(mirror)) if isinstance(one, ast.Name)}
    assert "asyncio" not in names
    assert not [one for one in ast.walk(ast.parse(mirror)) if isinstance(one, ast.Await)]


def test_importing_it_needs_one_package_and_the_standard_library() -> None:
    program = (
        "import sys; before = set(sys.modules); import lobby_client, lobby_client.cli; "
        "print(*{name.partition('.')[0] for name in sys.modules.keys() - before})"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT / "src", capture_output=True, text=True, check=True
    )
    optional = {"backports", "brotli"}  # of urllib3, where something else installed them
    loaded = set(done.stdout.split()) - set(sys.stdlib_module_names) - optional
    assert {one for one in loaded if not one.startswith("_")} == {"lobby_client", "urllib3"}


def test_without_the_extra_the_asynchronous_client_says_what_is_missing() -> None:
    program = (
        "import sys; sys.modules['httpx2'] = None\n"
        "from lobby_client import AsyncLobby\n"
        "try: AsyncLobby(api_key='k', base_url='https://desk.example.com')\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT / "src", capture_output=True, text=True, check=True
    )
    assert "lobby-desk-client[async]" in done.stdout


def test_the_wheel_holds_every_file_of_the_package(tmp_path: Path) -> None:
    copy = tmp_path / "tree"
    for path in [ROOT / "pyproject.toml", ROOT / "README.md", *(ROOT / "src").rglob("*.*")]:
        if path.is_file() and "__pycache__" not in path.parts and "egg-info" not in str(path):
            target = copy / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    build = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, str(tmp_path)], cwd=copy, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("lobby_desk_client-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = archive.read(next(name for name in names if name.endswith("METADATA"))).decode()
    source = ROOT / "src"
    assert {str(path.relative_to(source)) for path in (source / "lobby_client").rglob("*.py")} <= names
    assert "lobby_client/py.typed" in names
    required = [line for line in metadata.splitlines() if line.startswith("Requires-Dist")]
    assert [line for line in required if "extra ==" not in line] == ["Requires-Dist: urllib3<3,>=2.2"]
    assert "Requires-Python: >=3.9" in metadata


def test_the_version_is_the_same_everywhere() -> None:
    import lobby_client

    assert f'version = "{lobby_client.__version__}"' in (ROOT / "pyproject.toml").read_text()
    assert f"## {lobby_client.__version__}" in (ROOT / "CHANGELOG.md").read_text()
