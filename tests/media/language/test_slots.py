"""Which slot of the runtime a prompt goes to."""

from __future__ import annotations

from media.language.llama import Slots

RULES = "These rules stand before everything that is said. "


def use(slots: Slots, prompt: str) -> int:
    slot = slots.take(prompt)
    slots.give_back(slot, prompt)
    return slot


def test_what_goes_on_stays_in_its_slot() -> None:
    slots = Slots(2, 3)
    first = use(slots, RULES + "I would")
    second = use(slots, RULES + "Do you")
    assert first != second
    assert use(slots, RULES + "I would like to") == first
    assert use(slots, RULES + "Do you have") == second
    assert {first, second} <= {2, 3, 4}


def test_what_begins_anew_takes_the_slot_unused_for_longest() -> None:
    slots = Slots(0, 2)
    first, second = use(slots, RULES + "I would like a table."), use(slots, RULES + "Do you have any parking?")
    use(slots, RULES + "I would like a table. For two.")
    assert use(slots, RULES + "Something entirely different") == second
    assert first != second


def test_a_slot_in_use_is_not_given_twice() -> None:
    slots = Slots(0, 2)
    assert slots.take("one") != slots.take("one")
