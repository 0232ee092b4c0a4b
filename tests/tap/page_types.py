"""Types of columns of each engine, with values at every boundary: what the property test of pages reads through.

A value is SQL text. Values of one type are different orders; whether the engine takes two of them for equal, or how it
sorts them, is no concern of this list.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine_fixtures import UTF16

TEXTS = ("''", "' '", "'a'", "'A'", "'a '", "'a|b'", "'B'", "'10'", "'9'", "'ä'", "'Z'", "'a-b'", "'ab'", "'_'", "'%'")
DISTINCT_TEXTS = ("''", "'a'", "'B'", "'a|b'", "'10'", "'9'", "'ö'", "'Zz'", "'a-b'", "'ab'", "'_'", "'%'")
"""Texts that no collation takes for one."""


@dataclass(frozen=True)
class PageType:
    """A type, and values that a column of it can hold."""

    name: str
    declared: str
    values: tuple[str, ...]
    refused: bool = False
    """Whether it is refused as key and as position, by name."""
    ties: bool = False
    """Whether the database takes some of the values for equal, so that no index on it can be unique."""
    key_length: str = ""
    """What an index on it needs behind the column's name (MySQL's prefix)."""
    setup: tuple[str, ...] = ()
    in_short: bool = True
    """Whether the short form of the test tries it."""


CITEXT = "CREATE EXTENSION IF NOT EXISTS citext"
FOLDING = "CREATE COLLATION IF NOT EXISTS folding (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"

POSTGRESQL = (
    PageType("smallint", "SMALLINT", ("-32768", "-1", "0", "1", "32767")),
    PageType("integer", "INTEGER", ("-2147483648", "-1", "0", "10", "9", "2147483647")),
    PageType("bigint", "BIGINT", ("-9223372036854775808", "-1", "0", "9", "10", "9223372036854775807")),
    PageType(
        "numeric",
        "NUMERIC",
        ("'NaN'", "'-Infinity'", "'Infinity'", "-1.50", "0", "1", "1.000000000000000000001", "1e40", "9", "10"),
    ),
    PageType("numeric(20,4)", "NUMERIC(20,4)", ("'NaN'", "-9999999999999999.9999", "0", "0.0001", "9", "10", "1.5")),
    PageType("text", "TEXT", TEXTS),
    PageType("varchar", "VARCHAR(50)", TEXTS),
    PageType("varchar in C", 'VARCHAR(50) COLLATE "C"', TEXTS),
    PageType("varchar in ICU", 'VARCHAR(50) COLLATE "de-x-icu"', TEXTS),
    PageType(
        "text that folds case",
        "TEXT COLLATE folding",
        DISTINCT_TEXTS,
        setup=(FOLDING,),
    ),
    PageType("char", "CHAR(6)", ("''", "'a'", "'A'", "'a|b'", "'10'", "'9'", "'ö'", "'  b'")),
    PageType('"char"', '"char"', ("''", "'a'", "'A'", "'|'", "'9'")),
    PageType("name", "NAME", ("''", "'a'", "'A'", "'a '", "'10'", "'9'")),
    PageType("citext", "citext", DISTINCT_TEXTS, setup=(CITEXT,)),
    PageType("citext in two cases", "citext", TEXTS, ties=True, setup=(CITEXT,)),
    PageType("text that folds case, in two", "TEXT COLLATE folding", TEXTS, ties=True, setup=(FOLDING,)),
    PageType("numeric of many digits", "NUMERIC", ("1", "1.0", "1.00", "0", "0.0", "10", "9.50", "9.5"), ties=True),
    PageType("domain over text", "order_code", TEXTS, setup=("CREATE DOMAIN order_code AS VARCHAR(40)",)),
    PageType(
        "domain over citext", "folding_code", DISTINCT_TEXTS, setup=(CITEXT, "CREATE DOMAIN folding_code AS citext")
    ),
    PageType(
        "domain over a domain",
        "small_amount",
        ("0", "1", "9", "10", "99"),
        setup=("CREATE DOMAIN amount AS INTEGER CHECK (VALUE >= 0)", "CREATE DOMAIN small_amount AS amount"),
    ),
    PageType(
        "enum",
        '"Sales Channel"',
        ("'web'", "'pos'", "'A phone'", "''", "'it''s'", "'%'"),
        setup=("""CREATE TYPE "Sales Channel" AS ENUM ('web', 'pos', 'A phone', '', 'it''s', '%')""",),
    ),
    PageType("bytea", "BYTEA", (r"'\x'", r"'\x00'", r"'\x00ff'", r"'\xff'", r"'\x6131'", r"'\x0a'")),
    PageType(
        "uuid",
        "UUID",
        (
            "'00000000-0000-0000-0000-000000000000'",
            "'ffffffff-ffff-ffff-ffff-ffffffffffff'",
            "'6f9619ff-8b86-d011-b42d-00cf4fc964ff'",
            "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'",
        ),
    ),
    PageType(
        "date",
        "DATE",
        (
            "'-infinity'",
            "'infinity'",
            "'0044-03-15 BC'",
            "'0001-01-01'",
            "'2024-02-29'",
            "'9999-12-31'",
            "'12024-01-01'",
        ),
    ),
    PageType(
        "timestamp",
        "TIMESTAMP",
        (
            "'-infinity'",
            "'infinity'",
            "'0044-03-15 12:00:00 BC'",
            "'0001-01-01'",
            "'2024-02-29 23:59:59.999999'",
            "'2024-02-29 23:59:59.9'",
            "'2024-03-01'",
            "'9999-12-31'",
            "'12024-01-01'",
        ),
    ),
    PageType(
        "timestamp(0)", "TIMESTAMP(0)", ("'-infinity'", "'2024-02-29 23:59:59'", "'2024-03-01'", "'0044-03-15 BC'")
    ),
    PageType(
        "timestamptz",
        "TIMESTAMPTZ",
        (
            "'-infinity'",
            "'infinity'",
            "'0044-03-15 12:00:00+00 BC'",
            "'2024-10-27 02:30:00+02'",
            "'2024-10-27 02:30:00+01'",
            "'2024-02-29 23:59:59.999999Z'",
            "'12024-01-01Z'",
        ),
    ),
    PageType("time", "TIME", ("'00:00'", "'24:00'", "'12:30:00.000001'", "'12:30'", "'09:00'")),
    PageType("timetz", "TIMETZ", ("'00:00+00'", "'24:00-15'", "'12:30+02'", "'12:30+01'", "'13:30+02'")),
    PageType(
        "interval",
        "INTERVAL",
        ("'-1 year'", "'0'", "'1 mon'", "'30 days'", "'1 day 02:03:04.5'", "'24:00:00'"),
        ties=True,
    ),
    PageType("boolean", "BOOLEAN", ("true", "false")),
    PageType("inet", "INET", ("'10.0.0.1'", "'10.0.0.0/8'", "'9.0.0.1'", "'::1'", "'2001:db8::/32'")),
    PageType("cidr", "CIDR", ("'10.0.0.0/8'", "'9.0.0.0/8'", "'::/0'", "'2001:db8::/32'")),
    PageType("macaddr", "MACADDR", ("'08:00:2b:01:02:03'", "'00:00:00:00:00:00'", "'ff:ff:ff:ff:ff:ff'")),
    PageType("oid", "OID", ("0", "9", "10", "4294967295")),
    PageType("pg_lsn", "PG_LSN", ("'0/0'", "'16/B374D848'", "'9/1'", "'FFFFFFFF/FFFFFFFF'")),
    PageType("range", "INT4RANGE", ("'empty'", "'[1,5)'", "'[9,10)'", "'(,3)'", "'[10,)'")),
    PageType("array", "TEXT[]", ("'{}'", "'{a,b}'", "'{a}'", """'{"a b",NULL}'""", """'{"",x}'""")),
    PageType("array of integers", "INTEGER[]", ("'{}'", "'{9}'", "'{10}'", "'{9,1}'", "'{{1,2},{3,4}}'")),
    PageType("jsonb", "JSONB", ("'1'", "'9'", "'10'", "'\"a\"'", "'{\"a\": 1}'", "'[1, 2]'", "'null'")),
    PageType("real", "REAL", ("'NaN'", "'-Infinity'", "'Infinity'", "0", "1.1", "1e-30", "3.4e38", "16777217")),
    PageType("double", "DOUBLE PRECISION", ("'NaN'", "'-Infinity'", "0", "0.1", "0.30000000000000004", "1e-300", "10")),
    PageType("money", "MONEY", ("'-92233720368547758.08'", "'0'", "'1.5'", "'1234.56'", "'92233720368547758.07'")),
    PageType("bit", "BIT(3)", ("B'000'", "B'101'", "B'111'")),
    PageType("json", "JSON", ("'1'", "'{}'"), refused=True),
    PageType("point", "POINT", ("'(1,2)'", "'(3,4)'"), refused=True),
    PageType("xml", "XML", ("'<a/>'", "'<b/>'"), refused=True),
    PageType("xid", "XID", ("'3'", "'4'"), refused=True),
)

MARIADB = (
    PageType("tinyint", "TINYINT", ("-128", "-1", "0", "9", "10", "127")),
    PageType("tinyint(1)", "TINYINT(1)", ("-1", "0", "1", "2", "9", "10", "127")),
    PageType("smallint unsigned", "SMALLINT UNSIGNED", ("0", "9", "10", "65535")),
    PageType("mediumint", "MEDIUMINT", ("-8388608", "0", "9", "10", "8388607")),
    PageType("int", "INT", ("-2147483648", "-1", "0", "9", "10", "2147483647")),
    PageType("int zerofill", "INT(8) ZEROFILL", ("0", "9", "10", "4294967295")),
    PageType("bigint", "BIGINT", ("-9223372036854775808", "-1", "0", "9", "10", "9223372036854775807")),
    PageType(
        "bigint unsigned",
        "BIGINT UNSIGNED",
        ("0", "9", "10", "9223372036854775807", "9223372036854775808", "18446744073709551615"),
    ),
    PageType(
        "decimal", "DECIMAL(38,18)", ("-12345678901234567890.123456789012345678", "0", "0.000000000000000001", "9")
    ),
    PageType("decimal(65,0)", "DECIMAL(65,0)", ("9" * 65, "-" + "9" * 65, "0", "9", "10")),
    PageType("varchar", "VARCHAR(50)", DISTINCT_TEXTS),
    PageType("varchar in two cases", "VARCHAR(50)", TEXTS, ties=True),
    PageType(
        "varchar in binary",
        "VARCHAR(50) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        ("''", "'a'", "'A'", "'a '", "'10'"),
        ties=True,
    ),
    PageType("varchar without pads", "VARCHAR(50) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin", TEXTS),
    PageType("varchar in latin1", "VARCHAR(50) CHARACTER SET latin1", DISTINCT_TEXTS),
    PageType("varchar in ucs2", "VARCHAR(50) CHARACTER SET ucs2", DISTINCT_TEXTS, in_short=False),
    PageType("varchar in utf16 by bytes", "VARCHAR(50) CHARACTER SET utf16 COLLATE utf16_nopad_bin", TEXTS),
    PageType("char in utf32", "CHAR(50) CHARACTER SET utf32", DISTINCT_TEXTS, in_short=False),
    PageType("varchar in sjis", "VARCHAR(50) CHARACTER SET sjis", ("'a'", "'B'", "'10'", "'9'", "'あ'", "'ア'")),
    PageType("varchar in cp1251", "VARCHAR(50) CHARACTER SET cp1251", ("'a'", "'B'", "'10'", "'9'", "'я'", "'Ж'")),
    PageType("varchar by UCA", "VARCHAR(50) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci", DISTINCT_TEXTS),
    PageType("char", "CHAR(6)", ("''", "'a'", "'B'", "'a|b'", "'10'", "'9'", "'  c'")),
    PageType("text", "TEXT", DISTINCT_TEXTS, key_length="(100)"),
    PageType(
        "enum",
        "ENUM('web','pos','A phone','it''s','10','9')",
        ("'web'", "'pos'", "'A phone'", "'it''s'", "'10'", "'9'"),
    ),
    PageType("enum with an empty one", "ENUM('b','','a')", ("'b'", "''", "'a'")),
    PageType("set", "SET('gift','express','a')", ("''", "'gift'", "'express'", "'gift,express'", "'a'", "'gift,a'")),
    PageType(
        "set of 64",
        "SET(" + ",".join(f"'m{number}'" for number in range(64)) + ")",
        ("''", "'m0'", "'m62'", "'m63'", "'m0,m63'", "'m1,m53'", "'m0,m53'"),
    ),
    PageType("binary", "BINARY(4)", ("x'00'", "x'00ff'", "x'ff'", "x'61312020'")),
    PageType("varbinary", "VARBINARY(16)", ("x''", "x'00'", "x'00ff'", "x'ff'", "x'6131'", "x'613120'")),
    PageType("blob", "BLOB", ("x''", "x'00'", "x'00ff'", "x'ff'", "x'6131'"), key_length="(100)"),
    PageType(
        "date", "DATE", ("'0000-00-00'", "'2024-00-00'", "'2024-02-29'", "'2024-02-00'", "'1000-01-01'", "'9999-12-31'")
    ),
    PageType(
        "datetime",
        "DATETIME",
        (
            "'0000-00-00'",
            "'2024-00-00'",
            "'1000-01-01'",
            "'2024-02-29 23:59:59'",
            "'2024-03-01'",
            "'9999-12-31 23:59:59'",
        ),
    ),
    PageType(
        "datetime(6)",
        "DATETIME(6)",
        (
            "'0000-00-00'",
            "'2024-02-00 10:00:00'",
            "'2024-02-29 23:59:59.999999'",
            "'2024-02-30'",
            "'2024-03-01 00:00:00.1'",
        ),
    ),
    PageType(
        "timestamp",
        "TIMESTAMP",
        ("'0000-00-00'", "'1970-01-01 00:00:01'", "'2024-10-27 00:30:00'", "'2024-10-27 01:30:00'"),
    ),
    PageType(
        "timestamp(3)", "TIMESTAMP(3)", ("'0000-00-00'", "'2024-10-27 00:30:00.123'", "'2024-10-27 00:30:00.124'")
    ),
    PageType("time", "TIME", ("'-838:59:59'", "'838:59:59'", "'00:00:00'", "'-00:00:01'", "'09:00:00'", "'100:00:00'")),
    PageType("time(6)", "TIME(6)", ("'-838:59:59.999999'", "'00:00:00'", "'-00:00:00.000001'", "'12:30:00.5'")),
    PageType("year", "YEAR", ("0", "1901", "2024", "2155")),
    PageType(
        "uuid",
        "UUID",
        (
            "'00000000-0000-0000-0000-000000000000'",
            "'ffffffff-ffff-ffff-ffff-ffffffffffff'",
            "'6f9619ff-8b86-11d0-b42d-00cf4fc964ff'",
            "'00000001-8b86-11d1-b42d-00cf4fc964ff'",
            "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'",
        ),
    ),
    PageType("inet6", "INET6", ("'::'", "'::1'", "'2001:db8::'", "'ffff::'", "'::ffff:10.0.0.1'", "'::ffff:9.0.0.1'")),
    PageType("inet4", "INET4", ("'0.0.0.0'", "'9.0.0.1'", "'10.0.0.1'", "'255.255.255.255'")),
    PageType("json", "JSON", ("'1'", "'{}'", "'[9]'", "'[10]'"), key_length="(100)"),
    PageType("float", "FLOAT", ("1.1", "2"), refused=True),
    PageType(
        "double", "DOUBLE", ("-1.5", "0", "1.1", "0.1e0 + 0.2e0", "1e300", "5e-324", "1709294400.123456", "16777217")
    ),
    PageType("bit", "BIT(8)", ("b'1'", "b'10'"), refused=True),
    PageType("bit(1)", "BIT(1)", ("b'1'", "b'0'"), refused=True),
    PageType("point", "POINT NOT NULL", ("POINT(1,2)", "POINT(3,4)"), refused=True, key_length="(25)"),
)

SQLITE_DECLARED = (
    "INTEGER", "INT", "BIGINT", "TEXT", "VARCHAR(20)", "STRING", "NUMERIC", "DECIMAL(10,2)", "REAL", "BOOLEAN",
    "DATE", "DATETIME", "TIMESTAMP", "TIME", "BLOB", "JSON", "UUID", "",
)  # fmt: skip
SQLITE_STORED = {
    "integer": ("-9223372036854775808", "-1", "0", "7", "10", "1709294400", "9223372036854775807"),
    "real": ("-1.5", "0.1", "2.5", "1e300", "1709294400.25", "9e999"),
    "text": (
        "'a'",
        "'A'",
        "'B '",
        "'x|y'",
        "'é'",
        "'2024-03-01 10:00:00'",
        "'2024-03-01T10:00:01Z'",
        "'2024-03-02'",
        "''",
    ),
    "blob": ("x'00'", "x'6131'", "x'ff'", "x'3130'"),
    "text that is no UTF-8": ("CAST(x'ff41' AS TEXT)", "CAST(x'41c3' AS TEXT)", "CAST(x'5c78' AS TEXT)"),
}
_MIXED = tuple(value for values in SQLITE_STORED.values() for value in values[:3])
SQLITE = tuple(
    PageType(
        f"{stored} in {declared or 'no type'}",
        declared,
        values,
        in_short=stored == "everything" or declared in {"TEXT", ""},
    )
    for declared in SQLITE_DECLARED
    for stored, values in {**SQLITE_STORED, "everything": _MIXED}.items()
)

_WITHOUT_BYTES = tuple(kind for kind in SQLITE if not kind.name.startswith("text that is no UTF-8"))

OF_ENGINE = {"postgresql": POSTGRESQL, "mariadb": MARIADB, "sqlite": SQLITE, UTF16: _WITHOUT_BYTES}
