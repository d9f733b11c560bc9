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
    first = use(slots, RULES + "I would like to")
    second = use(slots, RULES + "Do you have any")
    assert first != second
    assert use(slots, RULES + "I would like to book") == first
    assert use(slots, RULES + "Do you have any pasta") == second
    assert {first, second} <= {2, 3, 4}


def test_what_begins_anew_takes_the_slot_unused_for_longest() -> None:
    slots = Slots(0, 2)
    first = use(slots, RULES + "I would like a table.")
    second = use(slots, RULES + "Do you have any parking?")
    use(slots, RULES + "I would like a table. For two.")
    assert use(slots, RULES + "Something entirely different") == second
    assert first != second


def test_a_slot_in_use_is_not_given_twice() -> None:
    slots = Slots(0, 2)
    assert slots.take("one") != slots.take("one")


def test_a_revised_last_word_is_still_the_same_conversation() -> None:
    slots = Slots(0, 3)
    for slot in range(3):
        slots.give_back(slot, RULES)
    own = use(slots, RULES + "I would like a table for")
    use(slots, RULES + "Yes")
    assert use(slots, RULES + "I would like a table four people") == own
