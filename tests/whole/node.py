"""The client for TypeScript, built and installed as a package, and programs that are compiled against it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from demo.processes import CHECKOUT

CLIENT = CHECKOUT / "clients" / "typescript"
SECONDS = 600
STRICT = {
    "target": "es2022",
    "lib": ["es2022"],
    "module": "nodenext",
    "moduleResolution": "nodenext",
    "types": ["node"],
    "strict": True,
    "exactOptionalPropertyTypes": True,
    "noUncheckedIndexedAccess": True,
    "skipLibCheck": False,
}


def run(folder: Path, *command: str, **environment: str) -> str:
    """Run *command* in *folder*; return what it printed."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


def needed(program: str) -> str:
    """Return the path of *program*; skip the test where it isn't installed."""
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"{program} is not installed, so the client it takes can't be compiled")
    return path


def installed(folder: Path, *command: str) -> None:
    """Install packages; skip the test where their registry does not answer."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1]
        pytest.skip(f"the registry gave no {' '.join(command[-3:])}: {said}")


@dataclass
class Package:
    """A folder with the sources of the client, and one for programs that have it installed."""

    source: Path
    programs: Path
    node: str

    def compile(self, **programs: str) -> None:
        """Compile programs by name, in strict mode, declarations of the client included."""
        for name, text in programs.items():
            (self.programs / f"{name}.ts").write_text(text)
        settings = {"compilerOptions": STRICT, "files": [f"{name}.ts" for name in programs]}
        (self.programs / "tsconfig.json").write_text(json.dumps(settings))
        run(self.programs, self.node, str(self.source / "node_modules" / "typescript" / "bin" / "tsc"))


def built_package(folder: Path) -> Package:
    """Return the package of the tree, built in *folder*; skip the test without Node, or a registry."""
    npm, node = needed("npm"), needed("node")
    source, programs = folder / "client", folder / "programs"
    ignored = shutil.ignore_patterns("node_modules", "build", "dist", "__pycache__", "*.tgz")
    shutil.copytree(CLIENT, source, ignore=ignored)
    quiet = ("--silent", "--no-audit", "--no-fund")
    installed(source, npm, "ci", *quiet, "--ignore-scripts")
    run(source, npm, "run", "--silent", "build")
    packed = run(source, npm, "pack", "--silent", "--ignore-scripts").split()[-1]
    programs.mkdir()
    (programs / "package.json").write_text(json.dumps({"type": "module", "private": True}))
    run(programs, npm, "install", *quiet, "--offline", str(source / packed))
    (programs / "node_modules" / "@types").symlink_to(source / "node_modules" / "@types")
    return Package(source, programs, node)
