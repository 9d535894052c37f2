"""Where each sort of fault is played."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.torture.isolation import KINDS, Stage
from tests.torture.sluggish import Addon
from tests.torture.strangers import Accounts

STAGES: dict[str, Callable[[], Stage]] = {"desk": Stage, "provider": Accounts, "addon": Addon}


def stage_of(kinds: Sequence[str], *, short: bool = False) -> Stage:
    """Return the stage that *kinds* need, which must be of one sort.

    :param short: whether it is for the short form.
    """
    (of,) = {KINDS[kind].of for kind in kinds}
    return Accounts(short) if of == "provider" else STAGES[of]()
