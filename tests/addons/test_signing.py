"""Signed addons: exactly these files, by that key; whose key it is, the desk's admin decides."""

from __future__ import annotations

import base64
import json
import os
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from host.addons import lifecycle, reports, uninstall
from host.addons.package import archive, keys, signing, trust
from host.addons.package.build import build_addon, sign_addon
from host.addons.package.failures import AddonError
from host.addons.package.keys import KeyFormatError, PrivateKey
from host.addons.package.trust import SignatureState
from host.cli.commands import main
from host.core import db
from host.core.config import Config
from host.models.addons import AddonRelease, AddonState
from host.process.serving import HostApplication
from tests.addons.conftest import Admin, MakeZip, configuration
from tests.addons.test_archive import rebuilt

pytestmark = pytest.mark.slow

OURS, THEIRS = (PrivateKey(Ed25519PrivateKey.from_private_bytes(seed * 32)) for seed in (b"o", b"t"))
UNKNOWN, FOREIGN = "unknown_key", "only=pigeon"

Change = Callable[[dict[str, Any]], Any]


def signed(path: Path, key: PrivateKey = OURS) -> Path:
    sign_addon(path, key)
    return path


def line(key: PrivateKey, name: str = "Sample Publisher", before: str = "") -> str:
    return f"{before} ed25519 {key.public.text} {name}".strip()


def trusting(desk: HostApplication, mode: str = "warn", **environ: str) -> Config:
    environ.setdefault("LOBBY_TRUSTED_KEYS", line(OURS))
    return configuration(db.current(), desk.config.data, LOBBY_SIGNATURES=mode, **environ)


# The signature itself


def test_the_same_zip_and_key_give_the_same_bytes(toy_zip: MakeZip) -> None:
    first, second = signed(toy_zip()), signed(toy_zip())
    assert first.read_bytes() == second.read_bytes()
    assert signed(first).read_bytes() == second.read_bytes(), "signing again changes nothing"
    assert signed(first, THEIRS).read_bytes() != second.read_bytes()
    assert archive.inspect(first).key == THEIRS.public.text, "one signature replaces the other"
    with zipfile.ZipFile(second) as zipped:
        assert zipped.namelist() == sorted(zipped.namelist())
        assert {i.date_time for i in zipped.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_what_is_signed_is_every_file_and_no_other(toy_zip: MakeZip) -> None:
    path = signed(toy_zip())
    found = archive.inspect(path)
    assert (found.key, found.signature_problem) == (OURS.public.text, "")
    with zipfile.ZipFile(path) as zipped:
        listed = json.loads(zipped.read(signing.FILES))
    assert (listed["id"], listed["version"], listed["host"]) == ("toy", "1.0.0", ">=1.0,<2")
    assert set(listed["files"]) == set(found.files) - {signing.FILES, signing.SIGNATURE}


def test_a_zip_without_a_signature_is_not_signed(toy_zip: MakeZip) -> None:
    found = archive.inspect(toy_zip())
    assert (found.key, found.signature_problem) == ("", "")


def changed(path: Path, name: str, change: Change, target: Path) -> Path:
    """Write the zip anew with *change* made to the JSON document *name*: a dict to change, or its bytes."""
    data = path.read_bytes()
    with zipfile.ZipFile(path) as zipped:
        document = json.loads(zipped.read(name))
    made = change(document)
    content = made if isinstance(made, bytes) else json.dumps(document if made is None else made).encode()
    target.write_bytes(rebuilt(data, drop=(name,), add={name: content}))
    return target


def resigned(change: Change) -> Callable[[Path, Path], Path]:
    """Change ``FILES.json`` and sign it again with the same key: the list itself is what is wrong then."""

    def make(path: Path, target: Path) -> Path:
        with zipfile.ZipFile(path) as zipped:
            document = json.loads(zipped.read(signing.FILES))
            signature = json.loads(zipped.read(signing.SIGNATURE))
        made = change(document)
        files = made if isinstance(made, bytes) else json.dumps(document).encode()
        signature["sig"] = base64.b64encode(OURS.sign(signing.message(files))).decode()
        both = {signing.FILES: files, signing.SIGNATURE: json.dumps(signature).encode()}
        target.write_bytes(rebuilt(path.read_bytes(), drop=tuple(both), add=both))
        return target

    return make


def in_signature(change: Change) -> Callable[[Path, Path], Path]:
    return lambda path, target: changed(path, signing.SIGNATURE, change, target)


def in_zip(**options: Any) -> Callable[[Path, Path], Path]:
    def make(path: Path, target: Path) -> Path:
        target.write_bytes(rebuilt(path.read_bytes(), **options))
        return target

    return make


def flip(text: str, at: int = 5) -> str:
    data = bytearray(base64.b64decode(text))
    data[at] ^= 1
    return base64.b64encode(bytes(data)).decode()


GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493


def larger_s(text: str) -> str:
    """The same signature with the group's order added to its second half: equal to lenient verifiers."""
    data = base64.b64decode(text)
    s = int.from_bytes(data[32:], "little") + GROUP_ORDER
    return base64.b64encode(data[:32] + s.to_bytes(32, "little")).decode()


def other_padding(text: str) -> str:
    """Other base64 of the same bytes: bits nobody reads are set."""
    assert text.endswith("==")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return text[:-3] + alphabet[alphabet.index(text[-3]) + 1] + "=="


def twice(document: dict[str, Any]) -> bytes:
    """The list with its first file named twice: one reader takes the first hash, another the last."""
    text = json.dumps(document)
    name, value = next(iter(document["files"].items()))
    entry = f'"{name}": {json.dumps(value)}'
    evil = entry.replace(value["sha256"], "0" * 64)
    return text.replace(entry, f"{evil}, {entry}").encode()


BROKEN: dict[str, tuple[Callable[[Path, Path], Path], str]] = {
    "a file changed": (
        in_zip(drop=("toy/events.py",), add={"toy/events.py": b"x = 1\n"}),
        "toy/events.py is not the file",
    ),
    "a file more": (in_zip(add={"toy/more.py": b"x = 1\n"}), "toy/more.py is not among"),
    "a file less": (in_zip(drop=("static/toy.css",)), "static/toy.css was signed and is missing"),
    "no list": (in_zip(drop=(signing.FILES,)), "FILES.json is missing"),
    "no signature": (in_zip(drop=(signing.SIGNATURE,)), "SIGNATURE.json is missing"),
    "the list changed": (
        lambda path, target: changed(path, signing.FILES, lambda d: d.update(version="9.0.0"), target),
        "does not belong",
    ),
    "one more space in the list": (
        lambda path, target: changed(path, signing.FILES, lambda d: json.dumps(d).encode() + b" ", target),
        "does not belong",
    ),
    "signed for another version": (resigned(lambda d: d.update(version="9.0.0")), "another version"),
    "signed for another addon": (resigned(lambda d: d.update(id="other")), "another id"),
    "signed for another host": (resigned(lambda d: d.update(host=">=0")), "another host"),
    "empty list": (resigned(lambda d: d.update(files={})), "lists no file"),
    "a name twice": (resigned(twice), "FILES.json is not what it has to be"),
    "another key in the list": (resigned(lambda d: d.update(note="x")), "FILES.json is not what"),
    "a size that is none": (
        resigned(lambda d: d["files"]["toy/addon.py"].update(size="1")),
        "FILES.json is not what",
    ),
    "another size": (
        resigned(lambda d: d["files"]["toy/addon.py"].update(size=1)),
        "toy/addon.py is not the file",
    ),
    "a list in the list": (resigned(lambda d: d["files"].update({"a": []})), "FILES.json is not what"),
    "a list that is none": (resigned(lambda d: b"[]"), "FILES.json is not what"),
    "no JSON": (resigned(lambda d: b"\xff{"), "FILES.json is not what"),
    "deep JSON": (resigned(lambda d: b"[" * 50_000), "FILES.json is not what"),
    "signature flipped": (in_signature(lambda d: d.update(sig=flip(d["sig"]))), "does not belong"),
    "second half flipped": (in_signature(lambda d: d.update(sig=flip(d["sig"], 40))), "does not belong"),
    "larger s": (in_signature(lambda d: d.update(sig=larger_s(d["sig"]))), "does not belong"),
    "other base64 of the same": (
        in_signature(lambda d: d.update(sig=other_padding(d["sig"]))),
        "not the base64 of 64",
    ),
    "base64 with a line end": (in_signature(lambda d: d.update(sig=d["sig"] + "\n")), "not the base64"),
    "short signature": (in_signature(lambda d: d.update(sig=d["sig"][4:])), "not the base64 of 64"),
    "empty signature": (in_signature(lambda d: d.update(sig="")), "not the base64 of 64"),
    "key flipped": (in_signature(lambda d: d.update(public_key=flip(d["public_key"]))), "names another key"),
    "another's key": (
        in_signature(lambda d: d.update(public_key=THEIRS.public.text, key_id=THEIRS.public.id)),
        "does not belong",
    ),
    "key named wrongly": (in_signature(lambda d: d.update(key_id=THEIRS.public.id)), "names another key"),
    "unknown way": (in_signature(lambda d: d.update(alg="none")), "in a way this host does not know"),
    "unknown number": (in_signature(lambda d: d.update(v=2)), "in a way this host does not know"),
    "signature with a note": (in_signature(lambda d: d.update(note="x")), "SIGNATURE.json is not what"),
    "signature without a key": (
        in_signature(lambda d: d.pop("public_key") and None),
        "SIGNATURE.json is not",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_signature_that_is_not_exactly_right_proves_nothing(
    name: str, toy_zip: MakeZip, tmp_path: Path
) -> None:
    make, sentence = BROKEN[name]
    found = archive.inspect(make(signed(toy_zip()), tmp_path / "changed.zip"))
    assert found.key == ""
    assert sentence in found.signature_problem
    for mode in ("warn", "enforce"):
        standing = trust.judge(mode, "toy", found.key, found.signature_problem, trust.Trust({}))
        assert standing.state is SignatureState.INVALID
        assert standing.blocks


def test_every_bit_of_the_signature_counts(toy_zip: MakeZip) -> None:
    found = archive.inspect(signed(toy_zip()))
    with zipfile.ZipFile(found.path) as zipped:
        files, signature = zipped.read(signing.FILES), json.loads(zipped.read(signing.SIGNATURE))
    sizes = {entry.name: entry.size for entry in found.entries}
    raw = base64.b64decode(signature["sig"])
    for bit in range(512):
        made = bytearray(raw)
        made[bit // 8] ^= 1 << bit % 8
        document = {**signature, "sig": base64.b64encode(bytes(made)).decode()}
        with pytest.raises(signing.SignatureError, match="does not belong"):
            signing.verify(found.manifest, found.files, sizes, files, json.dumps(document).encode())


WEAK = [bytes(32), b"\x01" + bytes(31), b"\x01" + bytes(30) + b"\x80", bytes.fromhex("ec" + "ff" * 30 + "7f")]
WEAK += [bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")]
WEAK += [(2**255 - 19 + 3).to_bytes(32, "little"), b"\xff" * 32]


@pytest.mark.parametrize("raw", WEAK)
def test_a_key_anybody_could_sign_with_is_no_key(raw: bytes) -> None:
    with pytest.raises(KeyFormatError, match="anybody could sign with"):
        keys.public_key(base64.b64encode(raw).decode())


@pytest.mark.parametrize("text", ["", "x", None, 5, "A" * 44, OURS.public.text + " ", OURS.public.text[:-1]])
def test_what_is_no_key_is_said_so(text: object) -> None:
    with pytest.raises(KeyFormatError):
        keys.public_key(text)


# Whom the desk trusts


def test_the_list_of_trusted_keys(desk: HostApplication, data: Path) -> None:
    third = keys.new_private_key()
    (data / "trusted.keys").write_text(
        f"# ours\n\n{line(THEIRS, 'Them', 'only=toy,pigeon')}\nnonsense\n{line(third, before='revoked')}\n"
        f"{line(third)}\nonly= {line(keys.new_private_key())}\n"
    )
    found = trust.load(trusting(desk))
    assert found.problems == ("trusted.keys:4 is not a valid public key, so it is ignored.",)
    assert found.keys[OURS.public.id].name == "Sample Publisher"
    assert found.keys[THEIRS.public.id].only == {"toy", "pigeon"}
    assert found.keys[third.public.id].revoked, "saying it again does not take the revocation back"
    assert len(found.keys) == 4


def test_a_key_file_that_is_not_there_trusts_nobody_and_is_said(desk: HostApplication) -> None:
    found = trust.load(trusting(desk, LOBBY_TRUSTED_KEYS="", LOBBY_TRUSTED_KEYS_FILE="nowhere"))
    assert found.keys == {}
    assert found.problems == ("The key file nowhere cannot be read.",)


STANDINGS = {
    # trusted keys, signed with, (state, blocks) for warn and enforce
    "signed": (line(OURS), OURS, ("signed", False), ("signed", False)),
    "unknown": (line(THEIRS), OURS, ("unknown_key", False), ("unknown_key", True)),
    "for another addon": (
        line(OURS, before=FOREIGN),
        OURS,
        ("unknown_key", False),
        ("unknown_key", True),
    ),
    "for no addon": (line(OURS, before="only="), OURS, ("unknown_key", False), ("unknown_key", True)),
    "revoked": (line(OURS, before="revoked"), OURS, ("invalid", True), ("invalid", True)),
    "unsigned": (line(OURS), None, ("unsigned", False), ("unsigned", True)),
}


@pytest.mark.parametrize("name", STANDINGS)
def test_what_a_signature_is_worth(name: str, desk: HostApplication, toy_zip: MakeZip) -> None:
    trusted, key, *expected = STANDINGS[name]
    path = toy_zip() if key is None else signed(toy_zip(), key)
    for mode, wanted in zip(("warn", "enforce"), expected, strict=True):
        report = reports.upload(trusting(desk, mode, LOBBY_TRUSTED_KEYS=trusted), path)
        assert report.signature is not None
        assert (report.signature.state, report.signature.blocks) == wanted
        assert bool(report.problems) is wanted[1]
    report = reports.upload(trusting(desk, "off", LOBBY_TRUSTED_KEYS=trusted), path)
    assert report.signature is not None
    assert report.signature.state is SignatureState.UNCHECKED
    assert not report.problems
    allowed = trusting(desk, "enforce", LOBBY_TRUSTED_KEYS=trusted, LOBBY_UNSIGNED_ALLOWED="other, toy")
    report = reports.upload(allowed, path)
    assert bool(report.problems) is (expected[1][1] and key is not None), "an exception is for unsigned ones"


def test_an_untrusted_addon_is_neither_installed_nor_activated_nor_run(
    desk: HostApplication, toy_zip: MakeZip
) -> None:
    enforcing = trusting(desk, "enforce")
    path = toy_zip()
    with pytest.raises(AddonError, match="not signed"):
        lifecycle.install_file(enforcing, path)
    lifecycle.install_file(desk.config, path)
    outcome = lifecycle.activate(enforcing, "toy")
    assert outcome.error is not None
    assert "not signed" in outcome.error["sentence"]
    with db.read() as session:
        assert session.scalar(sa.text("SELECT state FROM addons")) == AddonState.UNTRUSTED
    assert lifecycle.activate(desk.config, "toy", host=desk).ok
    strict = HostApplication(enforcing)
    assert strict.generation().failure_states == {"toy": AddonState.UNTRUSTED}
    assert "Untrusted" in Admin(strict).get("/admin/addons").text
    strict.close()


def test_a_revoked_key_stops_what_is_installed_at_the_next_start(
    desk: HostApplication, toy_zip: MakeZip, data: Path
) -> None:
    lifecycle.install_file(desk.config, signed(toy_zip()))
    assert lifecycle.activate(desk.config, "toy", host=desk).ok
    (data / "trusted.keys").write_text(line(OURS, before="revoked"))
    later = HostApplication(desk.config)
    assert later.generation().failures == {"toy": "It is signed with a revoked key."}
    later.close()


def test_the_signature_is_held_to_the_files_at_each_start(
    desk: HostApplication, toy_zip: MakeZip, data: Path
) -> None:
    """Somebody who may write to the disk and to the database, but has not the publisher's key."""
    lifecycle.install_file(desk.config, signed(toy_zip()))
    assert lifecycle.activate(desk.config, "toy", host=desk).ok
    folder = next(f for f in (data / "addons").iterdir() if f.name.startswith("toy-"))
    (folder / "toy/events.py").write_text("evil = True\n")

    def forge(session: db.Session) -> None:
        row = session.scalars(sa.select(AddonRelease)).one()
        row.files = {**row.files, "toy/events.py": archive.hashlib.sha256(b"evil = True\n").hexdigest()}

    db.write(forge)
    later = HostApplication(trusting(desk))
    assert later.generation().failures == {"toy": "Its files differ from those the publisher signed."}
    assert later.generation().failure_states == {"toy": AddonState.MODIFIED}
    later.close()


# One publisher for an addon


def test_another_publisher_has_to_be_let_in(desk: HostApplication, toy_zip: MakeZip) -> None:
    config = trusting(desk, LOBBY_TRUSTED_KEYS=f"{line(OURS)};{line(THEIRS, 'Them')}")
    lifecycle.install_file(config, signed(toy_zip(version="9.0.0")))
    for path in (signed(toy_zip(version="9.1.0"), THEIRS), toy_zip(version="9.2.0")):
        report = reports.upload(config, path)
        assert report.takeover
        assert not report.downgrade
        with pytest.raises(AddonError, match="The publisher has changed"):
            lifecycle.install_file(config, path)
    mended = signed(toy_zip(version="1.0.1"), THEIRS)
    lifecycle.install_file(config, mended, takeover=True, downgrade=True)
    with db.read() as session:
        assert trust.publisher_of(session, "toy") == trust.Publisher(
            "Lobby tests", THEIRS.public.text, "1.0.1"
        ), "the new publisher's versions begin anew"
    back = reports.upload(config, signed(toy_zip(version="9.3.0")))
    assert back.takeover, "the publisher before is another one now"


def test_the_pin_outlives_the_addon(desk: HostApplication, toy_zip: MakeZip) -> None:
    config = trusting(desk, LOBBY_TRUSTED_KEYS=f"{line(OURS)};{line(THEIRS)}")
    lifecycle.install_file(config, signed(toy_zip(version="2.0.0")))
    uninstall.remove(config, "toy")
    assert reports.upload(config, signed(toy_zip(version="2.1.0"), THEIRS)).takeover
    older = signed(toy_zip(version="1.0.0"))
    assert reports.upload(config, older).downgrade
    with pytest.raises(AddonError, match="the downgrade was not confirmed"):
        lifecycle.install_file(config, older)
    lifecycle.install_file(config, older, downgrade=True)


def test_signing_what_was_unsigned_pins_the_key(desk: HostApplication, toy_zip: MakeZip) -> None:
    config = trusting(desk)
    lifecycle.install_file(config, toy_zip())
    report = reports.upload(config, signed(toy_zip(version="1.0.1")))
    assert not report.takeover
    lifecycle.install_file(config, signed(toy_zip(version="1.0.1")))
    assert reports.upload(config, toy_zip(version="1.0.2")).takeover


def test_the_report_says_whose_it_is(desk: HostApplication, toy_zip: MakeZip) -> None:
    strict = HostApplication(trusting(desk))
    admin = Admin(strict)
    page = admin.upload(signed(toy_zip()))
    assert "The addon is installed. Review" in page.text, "a trusted one is asked about no more"
    assert "Signed" in page.text
    assert "Signed with an unknown key." in admin.upload(signed(toy_zip(version="1.0.1"), THEIRS)).text
    assert "Not signed." in admin.upload(toy_zip(version="1.0.2")).text
    assert "Signed by Sample Publisher" in admin.get("/admin/addons").text
    page = admin.upload(signed(toy_zip(version="1.0.1"), THEIRS))
    assert "Different publisher." in page.text
    place = page.text.split('/install"')[0].rsplit("/admin/addons/uploads/", 1)[1]
    answer = admin.post(f"/admin/addons/uploads/{place}/install")
    assert "The publisher has changed" in admin.get(answer.location).text
    answer = admin.post(f"/admin/addons/uploads/{place}/install", takeover="1")
    assert "1.0.1" in admin.get(answer.location).text
    strict.close()


# The commands


def lobby(*arguments: str, given: str = "") -> Any:
    return CliRunner().invoke(main, ["addon", *arguments], input=given)


def test_a_publisher_makes_a_key_signs_and_verifies(toy_zip: MakeZip, tmp_path: Path) -> None:
    key, path = tmp_path / "publisher.key", toy_zip()
    made = lobby("keygen", str(key), "--name", "Sample Publisher", given="secret words\nsecret words\n")
    assert made.exit_code == 0, made.output
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert b"ENCRYPTED" in key.read_bytes()
    public = tmp_path / "publisher.key.pub"
    assert public.read_text().startswith("ed25519 ")
    assert public.read_text().endswith(" Sample Publisher\n")
    assert public.read_text().strip() in made.output
    again = lobby("keygen", str(key), "--name", "x", "--no-passphrase")
    assert "never overwritten" in again.output

    assert "is not signed" in lobby("verify", str(path), "--key", str(public)).output
    wrong = lobby("sign", str(path), "--key", str(key), given="other words\n")
    assert "not its passphrase" in wrong.output
    (tmp_path / "words").write_text("secret words\nrest\n")
    done = lobby("sign", str(path), "--key", str(key), "--passphrase-file", str(tmp_path / "words"))
    assert done.exit_code == 0, done.output
    assert done.output.startswith(archive.hashlib.sha256(path.read_bytes()).hexdigest())
    good = lobby("verify", str(path), "--key", str(public))
    assert good.exit_code == 0, good.output
    assert "Sample Publisher" in good.output

    other = tmp_path / "other.key"
    assert lobby("keygen", str(other), "--name", "Other", "--no-passphrase").exit_code == 0
    bad = lobby("verify", str(path), "--key", f"{other}.pub")
    assert bad.exit_code == 1
    assert "an unknown key" in bad.output
    path.write_bytes(rebuilt(path.read_bytes(), add={"toy/more.py": b"x = 1\n"}))
    broken = lobby("verify", str(path), "--key", str(public))
    assert broken.exit_code == 1
    assert "toy/more.py is not among the files" in broken.output


def test_verify_asks_the_keys_of_this_desk(toy_zip: MakeZip, tmp_path: Path) -> None:
    path = signed(toy_zip())
    environment = {**os.environ, "LOBBY_DATA": str(tmp_path), "LOBBY_TRUSTED_KEYS": line(OURS)}
    command = [sys.executable, "-m", "host.cli", "addon", "verify", str(path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    environment["LOBBY_TRUSTED_KEYS"] = ""
    assert subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 1


def test_a_zip_may_be_named_from_the_folder_one_is_in(
    toy_zip: MakeZip, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = toy_zip()
    monkeypatch.chdir(path.parent)
    done = lobby("verify", path.name)
    assert "is not signed" in done.output, done.output


def test_signing_keeps_the_list_of_hashes_true(toy_source: Callable[..., Path], tmp_path: Path) -> None:
    from host.addons.package.build import build_release

    path, _ = build_release(toy_source(), tmp_path / "dist")
    digest = sign_addon(path, OURS)
    assert (tmp_path / "dist/SHA256SUMS").read_text() == f"{digest}  {path.name}\n"
    rebuilt_path, plain = build_release(toy_source(), tmp_path / "dist")
    assert plain != digest
    assert archive.inspect(rebuilt_path).key == ""


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    pem = X25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with pytest.raises(KeyFormatError, match="another kind"):
        keys.private_key(pem)
    with pytest.raises(KeyFormatError, match="no key"):
        keys.private_key(b"x")


def test_signature_files_in_the_source_are_left_out(toy_source: Callable[..., Path], tmp_path: Path) -> None:
    source = toy_source({signing.FILES: "{}", signing.SIGNATURE: "{}"})
    build_addon(source, tmp_path / "a.zip")
    build_addon(toy_source(), tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
