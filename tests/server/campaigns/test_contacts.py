"""Contacts as lists and as CSV, and results as CSV."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.campaigns.contacts import MOST_CONTACTS, Contact, ContactsRefused, checked, read_csv
from server.campaigns.results import COLUMNS, Result, write_csv

US = frozenset({"US"})
ONE, TWO = "+14155550123", "+14155550124"


def refusal(text: str) -> str:
    with pytest.raises(ContactsRefused) as caught:
        read_csv(text, US)
    return str(caught.value)


def test_other_columns_of_a_csv_are_variables() -> None:
    text = f'first_name,phoneNumber,note\r\n"Ann, Ms",{ONE},"says ""hi"""\r\n\r\nBob, {TWO} ,\r\n'
    assert read_csv(text, US) == [
        Contact(ONE, {"first_name": "Ann, Ms", "note": 'says "hi"'}),
        Contact(TWO, {"first_name": "Bob", "note": ""}),
    ]


def test_a_csv_may_begin_with_a_byte_order_mark_and_end_its_lines_as_it_likes() -> None:
    for end in ("\n", "\r\n", "\r"):
        assert read_csv(f"\ufeffPHONENUMBER{end}{ONE}{end}", US) == [Contact(ONE)]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "the CSV is empty"),
        ("phoneNumber\n", "there is nobody to call"),
        (f"number\n{ONE}\n", "the CSV has no column phoneNumber"),
        (f"phoneNumber;name\n{ONE};Ann\n", "the CSV has no column phoneNumber"),
        (f"phoneNumber,first name\n{ONE},Ann\n", "column 2 must be named by letters, digits and _"),
        (f"phoneNumber,a,a\n{ONE},1,2\n", "two columns are called a"),
        (f"phoneNumber,name\n{ONE}\n", "line 2 has 1 fields, and the header names 2"),
        (f'phoneNumber,name\n{ONE},"Ann\n', "line 2 is not CSV (RFC 4180)"),
        (f"phoneNumber,name\n{ONE},{'x' * 1001}\n", "line 2.name: must have at most 1000 characters"),
        (f"phoneNumber\n{ONE}\n4155550123\n", "line 3.phoneNumber: must be in E.164 form"),
        (f"phoneNumber\n{ONE}\n\n{ONE}\n", "line 4.phoneNumber: is the number of line 2 too"),
        (f"phoneNumber\n{ONE}\n+390612345678\n", "line 3.phoneNumber: is in IT, and calls go only to: US"),
    ],
)
def test_what_is_wrong_with_a_csv_is_named(text: str, problem: str) -> None:
    assert refusal(text).startswith(problem)


def test_all_bad_rows_are_counted_and_the_first_named() -> None:
    rows: list[tuple[str, dict[str, str]]] = [(ONE, {}), *(("nobody", {}) for _ in range(8))]
    with pytest.raises(ContactsRefused) as caught:
        checked(rows, US)
    text = str(caught.value)
    assert text.startswith("contacts[1].phoneNumber: must be in E.164 form")
    assert text.endswith("; and 3 more")
    assert text.count("contacts[") == 5


def test_more_contacts_than_a_campaign_may_have_are_refused() -> None:
    numbers = "\n".join(ONE for _ in range(MOST_CONTACTS + 1))
    assert refusal(f"phoneNumber\n{numbers}") == "there are more than 10000 contacts"


@given(st.text(max_size=300))
def test_any_text_is_contacts_or_is_refused(text: str) -> None:
    try:
        assert read_csv(text, US)
    except ContactsRefused as error:
        assert str(error)


names = st.from_regex(r"\A[a-z_][a-z0-9_]{0,10}\Z")
values = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=30)


@given(st.dictionaries(names, values.map(str.strip), max_size=4))
def test_variables_come_through_a_csv_as_they_are(variables: dict[str, str]) -> None:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerows([["phoneNumber", *variables], [ONE, *variables.values()]])
    assert read_csv(out.getvalue(), US) == [Contact(ONE, variables)]


def result(number: str = ONE, **variables: object) -> Result:
    return Result(number, "done", "answered", 1, "call_1", 61, 20, None, variables)


def test_results_have_a_line_for_each_contact_and_a_column_for_each_variable() -> None:
    text = write_csv([result(name="Ann", status="vip"), result(TWO, name="Bob", vip=True, age=4)])
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert rows == [
        [*COLUMNS, "name", "variables.status", "vip", "age"],
        [ONE, "done", "answered", "1", "call_1", "61", "20", "", "Ann", "vip", "", ""],
        [TWO, "done", "answered", "1", "call_1", "61", "20", "", "Bob", "", "true", "4"],
    ]
    assert text.endswith("\r\n")


@pytest.mark.parametrize("formula", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "|cmd", "%0A"])
def test_what_a_spreadsheet_would_run_is_text_in_the_results(formula: str) -> None:
    rows = list(csv.reader(io.StringIO(write_csv([result(note=formula)]), newline="")))
    assert rows[1][-1] == f"'{formula}"


@given(st.text(max_size=40))
def test_no_cell_of_a_stranger_begins_a_formula(text: str) -> None:
    rows = list(csv.reader(io.StringIO(write_csv([result(note=text)]), newline="")))
    cell = rows[1][-1]
    assert not cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r"))
    assert cell in (text, f"'{text}")
