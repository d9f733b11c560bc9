from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.storage.ranges import Unsatisfiable, http_date, is_unchanged, wanted_range

MODIFIED = datetime(2026, 5, 1, 12, 0, 0, 500, tzinfo=UTC)


def wanted(asked: str, size: int = 100, headers: Mapping[str, str] = MappingProxyType({})) -> tuple[int, int] | None:
    return wanted_range({"range": asked, **headers}, size, "tag", MODIFIED)


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=0-9", (0, 10)),
        ("bytes=10-", (10, 100)),
        ("bytes=90-200", (90, 100)),
        ("bytes=99-99", (99, 100)),
        ("bytes=-10", (90, 100)),
        ("bytes=-500", (0, 100)),
        ("Bytes = 3 - 5", (3, 6)),
        ("", None),
        ("bytes=", None),
        ("bytes=-", None),
        ("bytes=9-3", None),
        ("bytes=0-1,5-6", None),
        ("bytes=a-b", None),
        ("items=0-1", None),
        ("bytes=0-1;x", None),
        ("bytes=٠-١", None),
        ("bytes=" + "9" * 400 + "-", None),
    ],
)
def test_a_single_range_is_understood_and_everything_else_means_the_whole(
    asked: str, part: tuple[int, int] | None
) -> None:
    assert wanted(asked) == part


@pytest.mark.parametrize(
    ("asked", "size"),
    [("bytes=100-", 100), ("bytes=100-200", 100), ("bytes=-0", 100), ("bytes=-1", 0), ("bytes=0-", 0)],
)
def test_what_lies_beyond_the_end_cannot_be_had(asked: str, size: int) -> None:
    with pytest.raises(Unsatisfiable):
        wanted(asked, size)


@given(st.text("bytes=0123456789-, ", max_size=20), st.integers(0, 50))
def test_a_part_always_lies_within_the_file(asked: str, size: int) -> None:
    try:
        part = wanted(asked, size)
    except Unsatisfiable:
        return
    assert part is None or 0 <= part[0] < part[1] <= size


@pytest.mark.parametrize(
    ("condition", "holds"),
    [('"tag"', True), ('"other"', False), ('W/"tag"', False), ("tag", False), (http_date(MODIFIED), True),
     ("Fri, 01 May 2026 12:00:01 GMT", False), ("yesterday", False)],
)  # fmt: skip
def test_a_part_is_given_only_while_the_file_is_the_same(condition: str, holds: bool) -> None:
    assert (wanted("bytes=0-1", headers={"if-range": condition}) is not None) is holds


@pytest.mark.parametrize(
    ("headers", "unchanged"),
    [
        ({}, False),
        ({"if-none-match": '"tag"'}, True),
        ({"if-none-match": 'W/"tag"'}, True),
        ({"if-none-match": '"a", "tag"'}, True),
        ({"if-none-match": "*"}, True),
        ({"if-none-match": '"a"'}, False),
        ({"if-none-match": '"a"', "if-modified-since": http_date(MODIFIED)}, False),
        ({"if-modified-since": http_date(MODIFIED)}, True),
        ({"if-modified-since": "Fri, 01 May 2026 11:59:59 GMT"}, False),
        ({"if-modified-since": "Fri, 01 May 2026"}, False),
        ({"if-modified-since": "\x00"}, False),
    ],
)
def test_a_client_that_has_the_file_is_told_so(headers: dict[str, str], unchanged: bool) -> None:
    assert is_unchanged(headers, "tag", MODIFIED) is unchanged
