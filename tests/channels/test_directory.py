"""Looking channels up, those nobody brings among them."""

from __future__ import annotations

import pytest

from host.channels.directory import NEUTRAL_MARK, Directory, KnownChannel
from tests.channels.toy import ToyAdapter, toy_card


def test_a_channel_is_found_by_its_key() -> None:
    adapter, card = ToyAdapter(), toy_card()
    directory = Directory([adapter], [card])
    assert directory.adapter("toy") is adapter
    assert directory.card("toy") is card
    assert directory.adapters == (adapter,)
    assert directory.keys == ("toy",)
    assert directory.mark("toy") == ToyAdapter.mark
    assert directory.label("toy") == "Toy"


def test_a_channel_nobody_brings_is_none_and_neutral() -> None:
    directory = Directory()
    assert directory.adapter("toy") is None
    assert directory.card("toy") is None
    assert directory.mark("toy") == NEUTRAL_MARK
    assert directory.label("toy-box") == "Toy box"


def test_a_channel_that_ran_before_keeps_its_name_and_mark() -> None:
    known = {"toy": KnownChannel("Toys & more", ToyAdapter.mark)}
    directory = Directory(known=known)
    assert directory.adapter("toy") is None
    assert (directory.label("toy"), directory.mark("toy")) == ("Toys & more", ToyAdapter.mark)
    assert Directory([ToyAdapter()], known=known).label("toy") == "Toy", "what runs says what it is called"
    without = Directory([ToyAdapter()], [toy_card()], known=known).without("toys", ["toy"])
    assert (without.adapter("toy"), without.card("toy"), without.label("toy")) == (None, None, "Toys & more")


def test_two_of_a_kind_and_a_card_without_adapter_are_refused() -> None:
    with pytest.raises(ValueError, match="two adapters"):
        Directory([ToyAdapter(), ToyAdapter()])
    with pytest.raises(ValueError, match="two settings cards"):
        Directory([ToyAdapter()], [toy_card(), toy_card()])
    with pytest.raises(ValueError, match="no adapter"):
        Directory([], [toy_card()])
