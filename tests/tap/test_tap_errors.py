"""What drivers complain of, in one line, without the password."""

from __future__ import annotations

import sqlalchemy as sa

from tap_legacy_orders.tap_errors import cause_of, where

URL = sa.make_url("postgresql://clerk:s3cret@db.example/shop")


def test_a_password_in_a_drivers_text_is_masked() -> None:
    assert cause_of(OSError("no entry for clerk/s3cret in file"), URL) == "no entry for clerk/*** in file"
    assert where(URL) == "postgresql://clerk:***@db.example/shop"


def test_the_first_line_of_what_a_driver_says_is_taken_wherever_it_put_it() -> None:
    assert cause_of(Exception(1045, "Access denied\nsecond line"), URL) == "Access denied"
    assert cause_of(Exception((20009, b"Unable to connect\nNet-Lib")), URL) == "Unable to connect"
    assert cause_of(TimeoutError(), URL) == "TimeoutError"
