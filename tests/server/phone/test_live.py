from server.phone.live import LiveCalls


class Talking:
    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def finish(self, text: str, reason: str) -> None:
        self.told.append((text, reason))


def test_a_call_that_is_here_is_told_and_another_is_not() -> None:
    live, call = LiveCalls(), Talking()
    live.add("c1", call)
    assert live.ids() == {"c1"}
    assert live.finish("c1", "Goodbye.", "credit")
    assert not live.finish("c2", "Goodbye.", "credit")
    assert call.told == [("Goodbye.", "credit")]
    live.remove("c1", call)
    assert not live.finish("c1", "Goodbye.", "credit")


def test_a_stream_that_ends_late_does_not_take_the_new_one_away() -> None:
    live, first, second = LiveCalls(), Talking(), Talking()
    live.add("c1", first)
    live.add("c1", second)
    live.remove("c1", first)
    assert live.finish("c1", "Goodbye.", "credit")
    assert second.told == [("Goodbye.", "credit")]
