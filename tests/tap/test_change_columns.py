"""Which columns are taken for the time of the last change, or proposed: the names of real shops, and of their dates."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from sync_databases.columns import Column, Kind
from tap_legacy_orders.change_columns import likely_change_columns, sure_change_columns


def columns(names: str, kind: Kind = Kind.NAIVE_TIME) -> list[Column]:
    return [Column(name, sa.DateTime(), kind, nullable=True) for name in names.split()]


def names(found: list[Column]) -> str:
    return " ".join(column.name for column in found)


@pytest.mark.parametrize(
    ("of_table", "taken"),
    [
        ("date_created_gmt date_updated_gmt", "date_updated_gmt"),
        ("created_at updated_at", "updated_at"),
        ("date_added date_modified", "date_modified"),
        ("create_date write_date date_order commitment_date", "write_date"),
        ("creation modified transaction_date delivery_date", "modified"),
        ("date_updated date_updated_gmt", "date_updated_gmt"),
        ("payment_date rental_date last_update", "last_update"),
        ("LastModified OrderDate", "LastModified"),
        ("order_date required_date shipped_date", ""),
        ("CreatedOnUtc PaidDateUtc", ""),
        ("updated_at modified_at", "updated_at modified_at"),
        ("updated_at UpdatedAt", "updated_at UpdatedAt"),
    ],
)
def test_what_surely_holds_the_last_change_is_taken(of_table: str, taken: str) -> None:
    assert names(sure_change_columns(columns(of_table))) == taken


def test_a_name_of_several_meanings_is_taken_of_a_time_alone() -> None:
    assert names(sure_change_columns(columns("changed modified updated", Kind.INTEGER))) == ""
    assert names(sure_change_columns(columns("updated_at", Kind.INTEGER))) == "updated_at"
    assert names(sure_change_columns(columns("updated_at", Kind.BINARY))) == ""


@pytest.mark.parametrize("business", ["order_date", "RequiredDate", "shipped_date", "PaidDateUtc", "creation", "due"])
def test_a_date_of_business_is_never_proposed(business: str) -> None:
    assert names(likely_change_columns(columns(business))) == ""
    assert names(likely_change_columns(columns(f"{business} UpdateDate UpdateTS"))) == "UpdateDate UpdateTS"


@pytest.mark.parametrize(
    "name", ["date_upd", "LAST_UPD_DT", "tms", "SystemModstamp", "UpdateDate", "post_modified", "AENDDAT", "AEDAT"]
)
def test_names_of_real_shops_are_proposed(name: str) -> None:
    assert names(likely_change_columns(columns(name))) == name


@pytest.mark.parametrize("other", ["exchange_rate", "interchange_date", "LAENDERKZ"])
def test_an_exchange_is_no_change(other: str) -> None:
    assert names(likely_change_columns(columns(other))) == ""


@pytest.mark.parametrize(
    "who", ["updated_by", "modified_by_user", "created_modified", "change_reason", "price_changed_by"]
)
def test_who_and_why_are_not_when(who: str) -> None:
    assert names(likely_change_columns(columns(who, Kind.INTEGER))) == ""


def test_columns_of_other_types_are_proposed_after_times() -> None:
    table = [*columns("RevisionNumber", Kind.INTEGER), *columns("ModifiedDate post_modified")]
    assert names(likely_change_columns(table)) == "ModifiedDate post_modified RevisionNumber"
