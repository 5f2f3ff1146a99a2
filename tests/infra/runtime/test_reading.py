"""How long a group rests between two polls."""

import pytest

from infra.runtime.reading import FULL, LONGEST_REST, rest


@pytest.mark.parametrize(
    ("records", "seconds", "expected"),
    [
        (1, 0.004, 0.0),
        (2, 0.004, 0.004),
        (FULL - 1, 0.5, LONGEST_REST),
        (FULL, 0.5, 0.0),
    ],
)
def test_a_poll_of_a_few_is_followed_by_a_rest_as_long_as_it_took(
    records: int, seconds: float, expected: float
) -> None:
    assert rest(records, seconds) == expected
