"""One golden file per thing that can be sent: the host's message in, the exact HTTP out, the rows afterwards.

``REWRITE_GOLDEN=1`` writes down what happens now; read the difference before it is committed.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from host.core import storage
from host.sdk.secrets import Secret
from tests.instagram import golden_send, world
from tests.instagram.world import Addon, Meta

FOLDER = Path(__file__).parent / "golden" / "send"
CASES = sorted(path.stem for path in FOLDER.glob("*.json"))


def read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("name", CASES)
def test_what_is_sent_is_exactly_this(
    ig: Addon, desk: Any, meta: Meta, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    storage.use(storage.FolderStore(tmp_path / "attachments"))
    golden = read(name)
    login = {
        "flavour": ig.config.Flavour.LOGIN,
        "page_id": "",
        "token": Secret(f"IGAASANDBOXPotteryLong{world.POTTERY}"),
    }
    by_login = golden["given"].get("by_login", False)
    account = world.connect(
        ig, settings={"human_agent": True, "overflow": "split"}, **(login if by_login else {})
    )
    played = golden_send.play(ig, account, meta, monkeypatch, golden["given"])
    now = {"about": golden["about"], "given": golden["given"], **played}
    if os.environ.get("REWRITE_GOLDEN"):
        text = json.dumps(now, indent=2, ensure_ascii=False) + "\n"
        (FOLDER / f"{name}.json").write_text(text, encoding="utf-8")
    assert now == golden if not os.environ.get("REWRITE_GOLDEN") else True


def test_everything_declared_has_a_golden_file(ig: Addon) -> None:
    capabilities = ig.capabilities.CAPABILITIES
    sent = {row["kind"] for name in CASES for row in read(name).get("rows", {}).get("messages", [])}
    assert sent == {str(kind) for kind in capabilities.sends}
    wanted = {"react", "show", "ice_breakers", "menu", "known_files", "take", "pass"}
    assert wanted <= {key for name in CASES for key in read(name)["given"]}


def test_no_golden_file_holds_a_credential() -> None:
    for name in CASES:
        text = (FOLDER / f"{name}.json").read_text(encoding="utf-8")
        assert "EAA" not in text
        assert world.SECRET not in text
        assert "appsecret_proof" not in text
