"""Where a text is cut into clauses."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from media.speech.synthesis.normalise import Token, normalise
from media.speech.synthesis.plan import (
    FIRST_LONGEST,
    LATER_LONGEST,
    TALKING,
    Clause,
    Pauses,
    clauses,
    letters,
)


def cut(text: str) -> list[str]:
    return [" ".join(t.text + t.mark for t in clause.tokens) for clause in clauses(normalise(text))]


def length(clause: Clause) -> int:
    return sum(letters(token) for token in clause.tokens)


def test_sentences_are_clauses() -> None:
    assert cut("Yes. Of course! Why not?") == ["Yes.", "Of course!", "Why not?"]


def test_the_first_clause_of_a_long_sentence_is_short() -> None:
    text = "Yes, of course, we can do that for you tomorrow at noon, or the day after if you like."
    assert cut(text)[0] == "Yes, of course,"


def test_a_short_first_sentence_is_not_cut() -> None:
    assert cut("Yes, of course, we can do that.") == ["Yes, of course, we can do that."]


def test_later_sentences_are_cut_at_their_marks_only_when_long() -> None:
    text = "Hello. We can do that for you tomorrow at noon, or the day after if you like, of course."
    assert cut(text) == ["Hello.", text.removeprefix("Hello. ")]


def test_a_long_sentence_without_marks_is_cut_before_a_joining_word() -> None:
    text = "The brown fox jumps over the lazy dog and runs away into the forest where it meets another fox with a hat"
    first, second = cut(text)
    assert len(first) <= FIRST_LONGEST
    assert first + " " + second == text + "."
    assert second.split()[0] in ("and", "into", "where", "with")


def test_pauses_follow_what_ends_the_clause() -> None:
    text = "Well, this sentence is long enough for a cut, you see, at a comma. Short. New\n\nParagraph"
    pauses = [clause.pause for clause in clauses(normalise(text))]
    assert pauses == [TALKING.clause, TALKING.sentence, TALKING.sentence, TALKING.block, TALKING.block]


def test_a_reader_pauses_as_asked() -> None:
    text = "Short. New\n\nParagraph"
    pauses = [clause.pause for clause in clauses(normalise(text), Pauses(sentence=0.4, block=0.8))]
    assert pauses == [0.4, 0.8, 0.8]


def test_no_more_is_read_than_the_first_clause_needs() -> None:
    read = []

    def words() -> itertools.chain[Token]:
        def noted(token: Token) -> Token:
            read.append(token)
            return token

        return itertools.chain.from_iterable([noted(t)] for t in normalise("One sentence. " * 1000))

    next(clauses(words()))
    assert len(read) <= 3


TOKENS = st.lists(
    st.tuples(st.integers(1, 60), st.sampled_from(["", "", "", "", ",", ".", "?"]), st.booleans()), max_size=200
).map(
    lambda items: [
        Token("w" * size, "w" * size, i, i + 1, mark, ends and mark == ".")
        for i, (size, mark, ends) in enumerate(items)
    ]
)


@given(TOKENS)
def test_every_word_is_in_one_clause_of_bounded_length(tokens: list[Token]) -> None:
    planned = list(clauses(tokens))
    assert [token for clause in planned for token in clause.tokens] == tokens
    for clause in planned:
        assert clause.tokens
        assert length(clause) <= LATER_LONGEST or len(clause.tokens) == 1
        assert all(token.mark not in (".", "?") for token in clause.tokens[:-1])
