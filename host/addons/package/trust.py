"""Judge an addon's signature by the keys this desk trusts, and record each addon's publisher.

A line of a key file has the form that ``lobby addon keygen`` writes: ``ed25519 <base64> <name>``. With
``only=a,b`` in front the key is only trusted for these addons; with ``revoked``, nothing it ever signed is
trusted.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec
from sqlalchemy.orm import Session

from host.addons.package import keys, shipped
from host.addons.package.failures import AddonError
from host.addons.package.keys import KeyFormatError
from host.addons.package.manifest import version_key
from host.addons.package.store import Release
from host.core.config import Config
from host.models.addons import AddonPublisher, AddonState
from host.sdk.i18n import noop
from host.web.languages import gettext as _

FILE_NAME = "trusted.keys"
_MAX_FILE = 1024 * 1024


class SignatureState(StrEnum):
    """The trust of this desk in an addon's signature."""

    SIGNED = "signed"
    SHIPPED = "shipped"
    """Not signed, but identified by its hash as part of this release."""
    UNSIGNED = "unsigned"
    UNKNOWN_KEY = "unknown_key"
    INVALID = "invalid"
    UNCHECKED = "unchecked"
    """``LOBBY_SIGNATURES=off``."""


class TrustedKey(msgspec.Struct, frozen=True):
    """One key of the list.

    :param only: the slugs it is trusted for; empty: for all.
    """

    key_id: str
    name: str
    only: frozenset[str] = frozenset()
    revoked: bool = False


class Trust(msgspec.Struct, frozen=True):
    """The keys this desk knows, by id, and the lines of the list that cannot be used."""

    keys: Mapping[str, TrustedKey]
    problems: tuple[str, ...] = ()


class Standing(msgspec.Struct, frozen=True):
    """The judgement on a signature.

    :param sentence: for an admin; empty if the signature is trusted.
    :param blocks: whether the addon may neither be installed nor run.
    """

    state: SignatureState
    key_id: str = ""
    name: str = ""
    sentence: str = ""
    blocks: bool = False

    @property
    def trusted(self) -> bool:
        """Whether the desk trusts the signer without a confirmation."""
        return self.state in {SignatureState.SIGNED, SignatureState.SHIPPED}

    @property
    def fingerprint(self) -> str:
        return keys.fingerprint(self.key_id) if self.key_id else ""


def load(config: Config) -> Trust:
    """Read the keys from the setting and the file. Never fails: an unusable line trusts no key."""
    lines = [("LOBBY_TRUSTED_KEYS", line) for line in config.trusted_keys.split(";")]
    path = config.data / FILE_NAME
    problems: list[str] = []
    if config.trusted_keys_file or path.exists():
        path = config.data / config.trusted_keys_file if config.trusted_keys_file else path
        try:
            with path.open("rb") as file:
                text = file.read(_MAX_FILE).decode()
        except (OSError, UnicodeDecodeError):
            problems.append(_("The key file %(name)s cannot be read.", name=path.name))
        else:
            lines += [(f"{path.name}:{at}", line) for at, line in enumerate(text.splitlines(), 1)]
    found: dict[str, TrustedKey] = {}
    for where, line in lines:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            key = parse(line)
        except KeyFormatError:
            problems.append(_("%(where)s is not a valid public key, so it is ignored.", where=where))
            continue
        known = found.get(key.key_id)
        # A key that one line revokes stays revoked, whatever other lines say.
        if known is None or not known.revoked:
            found[key.key_id] = key
    return Trust(found, tuple(problems))


def parse(line: str) -> TrustedKey:
    """Return the key in a line of the list.

    :raises KeyFormatError: if it contains no key.
    """
    words = line.split()
    only: frozenset[str] = frozenset()
    revoked = False
    while words and words[0] != keys.WORD:
        word = words.pop(0)
        if word == "revoked":
            revoked = True
        elif word.startswith("only="):
            # An empty list after the sign means no addon, not every addon.
            only = frozenset(word.removeprefix("only=").split(","))
        else:
            raise KeyFormatError("The line begins with an unknown word.")
    if len(words) < 2:
        raise KeyFormatError("The line names no key.")
    return TrustedKey(keys.public_key(words[1]).id, " ".join(words[2:])[:80], only, revoked)


def judge(
    mode: str,
    slug: str,
    public_key: str,
    problem: str,
    trust: Trust,
    *,
    unsigned_allowed: bool = False,
    comes_with_release: bool = False,
) -> Standing:
    """Return the judgement on the signature of the addon *slug*.

    :param mode: the setting ``LOBBY_SIGNATURES``.
    :param public_key: the key of its valid signature, in base64; empty for none.
    :param problem: why its signature is not valid; empty if it is valid, or there is none.
    :param comes_with_release: whether its hash is that of an addon that comes with this release.
    """
    if mode == "off":
        return Standing(SignatureState.UNCHECKED)
    if problem:
        return Standing(SignatureState.INVALID, sentence=problem, blocks=True)
    enforced = mode == "enforce"
    if not public_key and comes_with_release:
        return Standing(SignatureState.SHIPPED)
    if not public_key:
        sentence = noop("It is not signed, so its publisher cannot be verified.")
        return Standing(SignatureState.UNSIGNED, sentence=sentence, blocks=enforced and not unsigned_allowed)
    key_id = keys.public_key(public_key).id
    known = trust.keys.get(key_id)
    if known is None:
        sentence = noop("It is signed with an unknown key.")
        return Standing(SignatureState.UNKNOWN_KEY, key_id, "", sentence, enforced)
    if known.revoked:
        sentence = noop("It is signed with a revoked key.")
        return Standing(SignatureState.INVALID, key_id, known.name, sentence, True)
    if known.only and slug not in known.only:
        sentence = noop("It is signed with a key you trust for other addons only.")
        return Standing(SignatureState.UNKNOWN_KEY, key_id, known.name, sentence, enforced)
    return Standing(SignatureState.SIGNED, key_id, known.name)


def standing_of(config: Config, release: Release, *, trust: Trust | None = None) -> Standing:
    """Return the judgement on the signature of *release* on this desk.

    :param trust: the keys, if they were already read.
    """
    return judge(
        config.signatures,
        release.slug,
        release.public_key,
        release.signature_problem,
        load(config) if trust is None else trust,
        unsigned_allowed=release.slug in config.unsigned_allowed,
        comes_with_release=release.sha256 in shipped.hashes(),
    )


def require(config: Config, release: Release) -> Standing:
    """Return the judgement on the signature of *release*.

    :raises AddonError: with the state ``untrusted`` if this desk may not run it.
    """
    standing = standing_of(config, release)
    if standing.blocks:
        raise AddonError(standing.sentence, state=AddonState.UNTRUSTED)
    return standing


class Publisher(msgspec.Struct, frozen=True):
    """The publisher of an addon, known from its accepted releases.

    :param public_key: the pinned key; empty as long as no release was signed.
    :param highest_version: the highest version of its accepted releases.
    """

    name: str
    public_key: str
    highest_version: str

    def is_another(self, release: Release) -> bool:
        """Return whether *release* is signed with a key other than the pinned one, or not signed."""
        return bool(self.public_key) and self.public_key != release.public_key

    def is_older(self, release: Release) -> bool:
        """Return whether a newer release than *release* was accepted before."""
        return version_key(release.version) < version_key(self.highest_version)


def publisher_of(session: Session, slug: str) -> Publisher | None:
    """Return the publisher of the addon *slug*, or None if no release of it was ever accepted."""
    row = session.get(AddonPublisher, slug)
    return None if row is None else Publisher(row.name, row.public_key, row.highest_version)


def record_publisher(session: Session, release: Release) -> None:
    """Record that *release* was accepted. The caller has checked whether the publisher may change.

    The highest version is reset for a new publisher: a 99.0.0 signed with a stolen key must not block the
    fixed 1.0.1.
    """
    row = session.get(AddonPublisher, release.slug)
    name = release.manifest.publisher
    if row is None:
        row = AddonPublisher(slug=release.slug, public_key="", highest_version=release.version)
        session.add(row)
    known = Publisher(name, row.public_key, row.highest_version)
    row.name = name
    if known.is_another(release) or not known.is_older(release):
        row.highest_version = release.version
    row.public_key = release.public_key
