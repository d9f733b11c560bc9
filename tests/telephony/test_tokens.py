import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from telephony.errors import TokenRefused, TokensFull
from telephony.tokens import TTL, StreamTokens


def test_a_token_lets_its_call_in_once() -> None:
    tokens = StreamTokens[str]()
    token = tokens.issue(0.0, "CA1", "demo")
    assert tokens.redeem(1.0, "CA1", token).ticket == "demo"
    with pytest.raises(TokenRefused, match="used"):
        tokens.redeem(1.0, "CA1", token)


def test_a_token_is_letters_and_digits_for_carriers_that_take_nothing_else() -> None:
    token = StreamTokens[str]().issue(0.0, "CA1", "demo")
    assert token.isascii()
    assert token.isalnum()
    assert len(token) == 64


def test_calls_that_wait_for_their_streams_are_counted() -> None:
    tokens = StreamTokens[str]()
    tokens.redeem(0.0, "CA1", tokens.issue(0.0, "CA1", "demo"))
    tokens.issue(10.0, "CA2", "demo")
    assert tokens.waiting(20.0) == 1
    assert tokens.knows(20.0, "CA1")
    assert tokens.knows(20.0, "CA2")
    assert not tokens.knows(20.0, "CA3")
    assert tokens.waiting(10.0 + TTL) == 0
    assert not tokens.knows(10.0 + TTL, "CA2")


def test_a_token_is_no_use_to_another_call() -> None:
    tokens = StreamTokens[str]()
    token = tokens.issue(0.0, "CA1", "demo")
    tokens.issue(0.0, "CA2", "demo")
    for call in ("CA2", "CA3", ""):
        with pytest.raises(TokenRefused, match="unknown"):
            tokens.redeem(1.0, call, token)


@pytest.mark.parametrize("wrong", ["", "x", "\ud800", "ü" * 1000])
def test_a_guessed_token_is_refused_and_spoils_nothing(wrong: str) -> None:
    tokens = StreamTokens[str]()
    token = tokens.issue(0.0, "CA1", "demo")
    with pytest.raises(TokenRefused, match="unknown"):
        tokens.redeem(1.0, "CA1", wrong)
    assert tokens.redeem(1.0, "CA1", token).ticket == "demo"


def test_a_token_expires_after_30_seconds() -> None:
    tokens = StreamTokens[str]()
    token = tokens.issue(0.0, "CA1", "demo")
    with pytest.raises(TokenRefused, match="expired"):
        tokens.redeem(TTL, "CA1", token)
    assert tokens.issue(TTL, "CA1", "demo") != token


def test_a_repeated_webhook_gets_the_same_answer_before_and_after_the_token_was_used() -> None:
    tokens = StreamTokens[str]()
    token = tokens.issue(0.0, "CA1", "demo")
    assert tokens.issue(5.0, "CA1", "demo") == token
    tokens.redeem(6.0, "CA1", token)
    assert tokens.issue(7.0, "CA1", "demo") == token
    assert tokens.issue(TTL + 100.0, "CA1", "demo") == token, "as long as the stream runs"
    with pytest.raises(TokenRefused, match="used"):
        tokens.redeem(8.0, "CA1", token)


def test_a_call_sent_back_to_us_after_its_stream_gets_a_new_token() -> None:
    tokens = StreamTokens[str]()
    token = tokens.issue(0.0, "CA1", "demo")
    tokens.redeem(1.0, "CA1", token)
    tokens.release(5.0, "CA1", token)
    assert tokens.issue(6.0, "CA1", "demo") == token, "a late repetition of the first webhook"
    new = tokens.issue(TTL, "CA1", "demo")
    assert new != token
    assert tokens.redeem(TTL + 1.0, "CA1", new).ticket == "demo"


def test_a_call_with_another_ticket_gets_a_token_for_that_one() -> None:
    tokens = StreamTokens[str]()
    first = tokens.issue(0.0, "CA1", "demo")
    second = tokens.issue(1.0, "CA1", "sales")
    assert tokens.redeem(2.0, "CA1", second).ticket == "sales"
    with pytest.raises(TokenRefused):
        tokens.redeem(2.0, "CA1", first)
    tokens.release(3.0, "CA1", first)
    assert tokens.issue(TTL + 5.0, "CA1", "sales") == second, "the old stream's end does not end the new one"


def test_a_full_store_refuses_newcomers_and_keeps_its_promises() -> None:
    tokens = StreamTokens[str](capacity=2)
    kept = tokens.issue(0.0, "CA1", "demo")
    tokens.issue(10.0, "CA2", "demo")
    with pytest.raises(TokensFull):
        tokens.issue(11.0, "CA3", "demo")
    assert tokens.issue(11.0, "CA1", "demo") == kept
    assert tokens.issue(TTL, "CA3", "demo"), "the first has expired"


class TokensMachine(RuleBasedStateMachine):
    """Whatever happens in whatever order: one session a token, none with an expired one, and a bounded store."""

    calls = st.sampled_from(["CA1", "CA2", "CA3"])

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.tokens = StreamTokens[str](capacity=2)
        self.issued: dict[str, tuple[str, float]] = {}
        self.opened: list[str] = []

    @rule(seconds=st.floats(0, 40))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(call=calls, agent=st.sampled_from(["demo", "sales"]))
    def issue(self, call: str, agent: str) -> None:
        try:
            token = self.tokens.issue(self.now, call, agent)
        except TokensFull:
            return
        self.issued.setdefault(token, (call, self.now))

    @rule(call=calls, data=st.data())
    def redeem(self, call: str, data: st.DataObject) -> None:
        token = data.draw(st.sampled_from(list(self.issued)) if self.issued else st.just("guess"))
        try:
            self.tokens.redeem(self.now, call, token)
        except TokenRefused:
            return
        owner, since = self.issued[token]
        assert owner == call
        assert self.now < since + TTL
        assert token not in self.opened, "a token opened two sessions"
        self.opened.append(token)

    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        if self.opened:
            token = data.draw(st.sampled_from(self.opened))
            self.tokens.release(self.now, self.issued[token][0], token)

    @invariant()
    def is_bounded(self) -> None:
        assert len(self.tokens) <= 2


TestTokens = TokensMachine.TestCase
TestTokens.settings = settings(max_examples=60, stateful_step_count=30)
