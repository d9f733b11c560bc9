import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneNumberType

from telephony.numbers import Destination, DestinationRefused, check_destination, country_of

EVERYWHERE = frozenset(phonenumbers.SUPPORTED_REGIONS)


def example(country: str, kind: int) -> str:
    number = phonenumbers.example_number_for_type(country, kind)
    assert number is not None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def refusal(text: str, countries: frozenset[str] = EVERYWHERE) -> str:
    with pytest.raises(DestinationRefused) as caught:
        check_destination(text, countries)
    assert len(text) < 8 or text not in str(caught.value), "what was sent may be somebody's number"
    return caught.value.code


def test_a_number_in_an_allowed_country_may_be_called() -> None:
    assert check_destination("+442079460018", frozenset({"GB"})) == Destination(
        "+442079460018", "GB", ("Europe/London",)
    )


@pytest.mark.parametrize("country", ["US", "GB", "DE", "IT", "JP", "BR", "IN", "ZA", "AU"])
def test_ordinary_numbers_of_many_countries_are_known(country: str) -> None:
    for kind in (PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE):
        found = check_destination(example(country, kind), frozenset({country}))
        assert found.country == country
        assert found.zones


@pytest.mark.parametrize(
    "text",
    [
        "",
        "+",
        "14155550199",
        "+1 415 555 0123",
        "+1415555O123",
        "(415) 555-0123",
        "+٤٤٢٠٧٩٤٦٠٠١٨",
        "+123456",
        "+" + "1" * 16,
        "tel:+14155550123",
        "+14155550123;ext=5",
        "\x00+14155550123",
        "+14155550123\n",
    ],
)
def test_what_is_not_e164_is_refused_before_anything_else(text: str) -> None:
    assert refusal(text) == "NOT_E164"


@pytest.mark.parametrize("text", ["+10000000000", "+442", "+99912345678", "+4912"])
def test_numbers_that_cannot_exist_are_refused(text: str) -> None:
    assert refusal(text.ljust(10, "0")) == "NO_SUCH_NUMBER"


@pytest.mark.parametrize(
    ("country", "kind"),
    [
        ("US", PhoneNumberType.PREMIUM_RATE),
        ("GB", PhoneNumberType.PREMIUM_RATE),
        ("DE", PhoneNumberType.PREMIUM_RATE),
        ("DE", PhoneNumberType.SHARED_COST),
        ("IT", PhoneNumberType.SHARED_COST),
        ("GB", PhoneNumberType.PERSONAL_NUMBER),
        ("GB", PhoneNumberType.PAGER),
    ],
)
def test_numbers_that_cost_more_than_a_call_are_refused(country: str, kind: int) -> None:
    assert refusal(example(country, kind)) == "COSTLY"


@pytest.mark.parametrize("text", ["+870773111632", "+8816512345678", "+88213123456", "+883510012345"])
def test_satellites_are_refused(text: str) -> None:
    assert refusal(text) == "SATELLITE"


@pytest.mark.parametrize("text", ["+80812345678", "+80012345678"])
def test_numbers_of_no_country_are_refused(text: str) -> None:
    assert refusal(text) == "COSTLY"


def test_other_countries_are_refused_with_the_setting_that_changes_it() -> None:
    with pytest.raises(
        DestinationRefused, match=r"is in GB, and calls go only to: IT, US \(setting telephony.countries\)"
    ):
        check_destination("+442079460018", frozenset({"US", "IT"}))


def test_countries_that_share_a_code_are_told_apart() -> None:
    canadian, jamaican = example("CA", PhoneNumberType.FIXED_LINE), example("JM", PhoneNumberType.FIXED_LINE)
    assert check_destination(canadian, frozenset({"CA"})).country == "CA"
    assert refusal(jamaican, frozenset({"US", "CA"})) == "COUNTRY"


def test_a_toll_free_number_says_nothing_of_where_it_is() -> None:
    assert check_destination("+18005551234", frozenset({"US"})).zones == ()


def test_the_country_of_our_own_number_is_known() -> None:
    assert (country_of("+14155550123"), country_of("+80012345678"), country_of("nonsense")) == ("US", None, None)


@given(st.text(max_size=20) | st.from_regex(r"\A\+[0-9]{7,15}\Z"))
def test_whatever_is_sent_is_a_destination_or_refused(text: str) -> None:
    try:
        found = check_destination(text, EVERYWHERE)
    except DestinationRefused:
        return
    assert check_destination(found.number, frozenset({found.country})) == found
    assert phonenumbers.number_type(phonenumbers.parse(found.number)) != PhoneNumberType.PREMIUM_RATE
