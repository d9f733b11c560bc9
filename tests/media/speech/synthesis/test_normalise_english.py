"""What English text is read as."""

from __future__ import annotations

import pytest

from media.speech.synthesis.normalise import normalise


def spoken(text: str, language: str = "en-us") -> str:
    """The words with their marks."""
    return " ".join(token.text + token.mark for token in normalise(text, language))


CASES = {
    # numbers
    "I have 3 cats": "I have three cats.",
    "1205": "one thousand two hundred five.",
    "1,234,567": "one million two hundred thirty-four thousand five hundred sixty-seven.",
    "3.14 and .5": "three point one four and point five.",
    "-5 degrees": "minus five degrees.",
    "It's 007": "It's zero zero seven.",
    "1st, 22nd and 103rd": "first, twenty-second and one hundred third.",
    "1500 people": "fifteen hundred people.",
    "version 1.2.3": "version one point two point three.",
    "the host 192.168.0.1": "the host one nine two dot one six eight dot zero dot one.",
    "12345678": "one two three four, five six seven eight.",
    # years and decades
    "In 1984": "In nineteen eighty-four.",
    "In 2005 or 2026": "In two thousand five or twenty twenty-six.",
    "Since 1789": "Since seventeen eighty-nine.",
    "1789 people": "one thousand seven hundred eighty-nine people.",
    "the 60s and 1980s and '90s": "the sixties and nineteen eighties and nineties.",
    "60s": "sixty seconds.",
    # identifiers
    "Your booking number is 4821.": "Your booking number is four eight two one.",
    "Order #4821": "Order number four eight two one.",
    "You are #12": "You are number twelve.",
    "Your code is 90210": "Your code is nine zero two, one zero.",
    "the order is 150 cups": "the order is one hundred fifty cups.",
    "room 12, room 302": "room twelve, room three zero two.",
    "flight BA 2490": "flight BA two four nine zero.",
    "There are 4821 of them": "There are four thousand eight hundred twenty-one of them.",
    "MP3, B52, AB12CD": "MP three, B fifty-two, AB one two CD.",
    # times
    "at 11:30": "at eleven thirty.",
    "at 9:00": "at nine o'clock.",
    "at 9am": "at nine AM.",
    "at 9:05 p.m. sharp": "at nine oh five PM sharp.",
    "at 14:05": "at fourteen oh five.",
    "We met at 5 p.m. Then we left.": "We met at five PM. Then we left.",
    "9am–5pm": "nine AM to five PM.",
    # dates
    "on 2026-03-04": "on March fourth twenty twenty-six.",
    "on 3/4/2026": "on March fourth twenty twenty-six.",
    "on 13/4/2026": "on April thirteenth twenty twenty-six.",
    "on March 3rd, 2026.": "on March third twenty twenty-six.",
    "on Mar 3": "on March third.",
    "4 March 2026": "the fourth of March twenty twenty-six.",
    "the 4th of March": "the fourth of March.",
    "on Tue, 5 May": "on Tuesday, the fifth of May.",
    "I may 5 times": "I may five times.",
    # money
    "$12.50": "twelve dollars and fifty cents.",
    "$1": "one dollar.",
    "$0.99": "ninety-nine cents.",
    "€5 and 5€": "five euros and five euros.",
    "£3m": "three million pounds.",
    "$1.5 billion": "one point five billion dollars.",
    "$5-10": "five to ten dollars.",
    "-$5.25": "minus five dollars and twenty-five cents.",
    "US$20": "twenty US dollars.",
    "100 USD": "one hundred dollars.",
    "50p": "fifty pence.",
    # amounts
    "12.5% off": "twelve point five percent off.",
    "20°C": "twenty degrees Celsius.",
    "100 km/h": "one hundred kilometres per hour.",
    "1 kg, 5kg": "one kilogram, five kilograms.",
    "16 GB": "sixteen gigabytes.",
    "50 m²": "fifty square metres.",
    "5'10\" tall": "five foot ten tall.",
    "1/2 cup": "one half cup.",
    "2 1/2 and 5½": "two and a half and five and a half.",
    "24/7": "twenty-four seven.",
    "10-20 people": "ten to twenty people.",
    "1990-1995": "nineteen ninety to nineteen ninety-five.",
    "1.2M users and 10k fans, 4K": "one point two million users and ten thousand fans, four K.",
    "221B Baker Street": "two two one B Baker Street.",
    "3x4": "three by four.",
    "2x faster": "two times faster.",
    "16:9": "sixteen to nine.",
    # telephone numbers and addresses
    "(555) 123-4567": "five five five, one two three, four five six seven.",
    "+44 20 7946 0958": "plus four four, two zero, seven nine four six, zero nine five eight.",
    "call 911": "call nine one one.",
    "john.smith@example.co.uk": "john dot smith at example dot co dot uk.",
    "https://www.example.com/path?x=1": "www dot example dot com slash path.",
    "go to example.com.": "go to example dot com.",
    "#HelloWorld": "hashtag Hello World.",
    # abbreviations
    "Dr. Smith": "Doctor Smith.",
    "Baker St. in London": "Baker Street in London.",
    "St. John": "Saint John.",
    "Oak Dr. is near": "Oak Drive is near.",
    "e.g. this, i.e. that, etc.": "for example this, that is that, et cetera.",
    "No. 5 is alive. No. It is.": "number five is alive. No. It is.",
    "Mr. and Mrs. Jones vs. us": "Mister and Missus Jones versus us.",
    "the U.S. government": "the US government.",
    "w/o onions": "without onions.",
    # capitals
    "World War II": "World War two.",
    "Henry VIII": "Henry the eighth.",
    "Chapter IV": "Chapter four.",
    "OpenAI": "Open AI.",
    "COVID-19": "COVID nineteen.",
    "Jan 5-7": "January fifth to seven.",
    "5-7pm": "five to seven PM.",
    # signs
    "2 + 2 = 4": "two plus two equals four.",
    "5 - 3": "five minus three.",
    "3 * 4": "three times four.",
    "x^2": "x squared.",
    "5 > 3": "five greater than three.",
    "B&B": "B and B.",
    "C++ and C#": "C plus plus and C sharp.",
    "π": "pi.",
    # punctuation
    "Wait... what?": "Wait, what?",
    "Really?!": "Really?",
    "He left (quietly) -- and then": "He left, quietly, and then.",
    'She said: "Go."': "She said: Go.",
    "snake_case": "snake case.",
    "well-known": "well-known.",
    "don't": "don't.",
}


@pytest.mark.parametrize(("text", "expected"), CASES.items(), ids=str)
def test_english_is_read_as_a_person_would(text: str, expected: str) -> None:
    assert spoken(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    {
        "on 3/4/2026": "on the third of April twenty twenty-six.",
        "1205": "one thousand two hundred and five.",
    }.items(),
)
def test_british_english_puts_the_day_first_and_says_and(text: str, expected: str) -> None:
    assert spoken(text, "en-gb") == expected


@pytest.mark.parametrize(
    ("text", "said"),
    {
        "FBI": "ef-bee-eye",
        "URLs": "yew-ar-ells",
        "NASA": "nasa",
        "NOTE: this": "NOTE",
        "USPS": "yew-ess-pee-ess",
        "9am": "eigh-em",
        "STOP THAT NOW": "stop",
        "vitamin A is good": "eigh",
        "A book": "A",
    }.items(),
)
def test_letters_are_said_by_their_names_unless_they_are_a_word(text: str, said: str) -> None:
    assert said in [token.say for token in normalise(text)]


@pytest.mark.parametrize(
    ("text", "word", "source"),
    [
        ("It costs $12.50 today", "fifty", "$12.50"),
        ("on March 3rd, 2026.", "third", "3rd"),
        ("on March 3rd, 2026.", "twenty-six", "2026"),
        ("a **bold** word", "bold", "bold"),
        ("see [the page](https://x.org/y) now", "page", "page"),
        ("see [the page](https://x.org/y) now", "now", "now"),
        ("😀 hello 🎉", "hello", "hello"),
        ("e-mail a@b.com!", "dot", "a@b.com"),
        ("ChatGPT", "GPT", "GPT"),
    ],
)
def test_a_word_knows_the_characters_it_came_from(text: str, word: str, source: str) -> None:
    token = next(token for token in normalise(text) if token.text == word)
    assert text[token.start : token.end] == source


def test_the_last_word_of_a_block_ends_a_sentence() -> None:
    tokens = list(normalise("First line\n\nSecond: line"))
    assert [(t.text, t.mark, t.ends_block) for t in tokens] == [
        ("First", "", False),
        ("line", ".", True),
        ("Second", ":", False),
        ("line", ".", True),
    ]


def test_a_long_text_is_read_word_by_word() -> None:
    read = normalise("one two three\n\n" * 1000)
    assert next(read).text == "one"
    assert sum(1 for _ in read) == 2999
