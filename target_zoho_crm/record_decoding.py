"""Typed rows: the RECORD lines of one stream, decoded by a struct that is compiled from the stream's schema.

A block of lines becomes keys, versions and tuples of the mapped columns without a dict for any record.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from operator import attrgetter
from typing import Any

import msgspec

from sync_databases.exact_numbers import exact_number
from sync_databases.folded_keys import shortest_number
from sync_databases.keys import KEY_LENGTH, NO_VERSION
from sync_databases.keys import join_key as join_texts
from sync_ledger.stream_contract import CONTENT_PROPERTY, DELETED_AT_PROPERTY, KEY_PROPERTY, VERSION_PROPERTY
from target_zoho_crm.lenient_json import OddValue
from target_zoho_crm.odd_names import OddNames

GONE: tuple[Any, ...] = (object(),)
"""The row of an order that was deleted at its source."""

SCALARS: dict[str, Any] = {"string": str, "integer": int, "number": Decimal, "boolean": bool}


class _Message(msgspec.Struct):
    record: msgspec.Raw


_json = msgspec.json.Decoder(float_hook=exact_number)
_messages: msgspec.json.Decoder[list[_Message]] = msgspec.json.Decoder(list[_Message])
_in_texts = msgspec.json.Encoder(decimal_format="string")


class BadRecordError(Exception):
    """A record that the stream's own schema does not allow; says where, never what."""

    def __init__(self, message: str, *, field: str | None = None) -> None:
        """Keep the property at fault, if one is."""
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class Rows:
    """Some records of one stream: lists of equal length; a row holds the mapped columns in their order."""

    keys: list[str]
    versions: list[str]
    values: list[tuple[Any, ...]]
    partial: bool = False
    """Whether a row may lack a value: `msgspec.UNSET` stands where the record had no such property."""
    deletions: bool = False
    """Whether a row may be `GONE`."""
    contents: list[str] | None = None
    """What our tap says of the orders' contents, "" where it says nothing; None where it says nothing of all."""


def join_key(parts: Sequence[Any]) -> str:
    """One text of the values of a key, as the tap makes it of its columns; a number in its shortest form."""
    return join_texts([_shortest(part) if isinstance(part, (Decimal, float)) else _text(part) for part in parts])


def _shortest(number: Decimal | float) -> str:
    """7 for 7.0, since one order's key may come as either."""
    return shortest_number(_text(number if isinstance(number, Decimal) else Decimal(repr(number))))


def _text(value: Any) -> str:
    if value is None or isinstance(value, (dict, list, msgspec.UnsetType)):
        raise BadRecordError("the record has no key")
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, Decimal):
        return str(value)
    if not value.is_finite():
        raise BadRecordError("the record has no key")
    return format(value, "f") if _can_be_written_out(value) else str(value)


def _can_be_written_out(number: Decimal) -> bool:
    """Whether its digits without an exponent are no more than a key may have: 1E+999999999 has a billion."""
    return abs(number.adjusted()) < KEY_LENGTH


class RowReader:
    """Reads the records of one stream whose schema is known."""

    def __init__(
        self,
        properties: Mapping[str, Mapping[str, Any]],
        *,
        required: Sequence[str],
        key_properties: Sequence[str],
        replication_key: str | None,
        sources: Sequence[str],
        keys_by_hash: bool = False,
        encoded: str | None = None,
    ) -> None:
        """Compile for a schema.

        Args:
            properties: the schema's properties.
            required: properties that may not be absent.
            key_properties: the record's key, unless it carries `_sync_key`.
            replication_key: the version, unless the record carries `_sync_version`; None takes a hash of the record.
            sources: the properties that a row holds, in this order.
            keys_by_hash: take a hash of the record for its key where the stream names none.
            encoded: a property of `sources` that stays JSON, as bytes; null becomes None.

        Raises:
            BadRecordError: the stream has no key.
        """
        # In the order in which our tap's records have them, whatever that of the schema: a decoder looks for them so.
        names = sorted(properties, key=str.encode) if KEY_PROPERTY in properties else properties
        self._names = {name: f"p{index}" for index, name in enumerate(names)}
        self._odd = OddNames(properties)
        types = {name: _struct_type(definition) for name, definition in properties.items()}
        self._raw = {name for name, kind in types.items() if kind is msgspec.Raw}
        self._integers = {name for name, kind in types.items() if kind in (int, int | None)}
        strict = self._struct(self._names, types, optional={DELETED_AT_PROPERTY, CONTENT_PROPERTY})
        lenient = self._struct(self._names, types, optional=set(properties) - set(required))
        line = msgspec.defstruct("Line", [("record", strict)], gc=False)
        self._lines: msgspec.json.Decoder[list[Any]] = msgspec.json.Decoder(list[line])  # type: ignore[valid-type]
        self._bare: msgspec.json.Decoder[list[Any]] = msgspec.json.Decoder(list[strict])  # type: ignore[valid-type]
        self._one = msgspec.json.Decoder(lenient)
        self._encode = msgspec.json.Encoder(decimal_format="number", enc_hook=_plain_text).encode
        self._take = self._taker(sources)
        self._encoded = sources.index(encoded) if encoded is not None else -1
        self._deleted = self._deletion_reader()
        self._contents = self._content_reader(types)
        self._raw_positions = [index for index, name in enumerate(sources) if name in self._raw]
        by_hash = keys_by_hash and not key_properties and KEY_PROPERTY not in properties
        self._keys = self._hashes if by_hash else self._key_reader(key_properties)
        self._versions = self._version_reader(replication_key)
        ours = {KEY_PROPERTY, VERSION_PROPERTY, CONTENT_PROPERTY, DELETED_AT_PROPERTY}
        own = {*ours, *sources}
        own |= set() if KEY_PROPERTY in properties else set(key_properties)
        own |= set() if VERSION_PROPERTY in properties or replication_key is None else {replication_key}
        self._needed = {name: kind for name, kind in types.items() if name in own}
        used = {name: attribute for name, attribute in self._names.items() if name in own}
        self._only_needed = msgspec.json.Decoder(self._struct(used, types, optional=set(used) - set(required)))

    def read_lines(self, lines: Sequence[bytes]) -> Rows:
        """Read whole RECORD lines.

        Raises:
            msgspec.MsgspecError: a line is no JSON, or not what the schema says; read them one by one then.
            BadRecordError: a record has no key.
        """
        if self._odd:
            return self.read_bare_lines([bytes(message.record) for message in _messages.decode(_array(lines))])
        return self._rows([line.record for line in self._lines.decode(_array(lines))])

    def read_bare_lines(self, lines: Sequence[bytes]) -> Rows:
        """Read lines that are records by themselves; raises as `read_lines` does."""
        return self._rows(self._bare.decode(self._odd.rename(_array(lines))))

    def _rows(self, records: list[Any]) -> Rows:
        values = self._plain(list(map(self._take, records)))
        deleted = self._deleted
        if deleted is not None and any(map(deleted, records)):
            values = [GONE if deleted(record) else row for record, row in zip(records, values, strict=True)]
        deletions = deleted is not None
        return Rows(
            self._keys(records), self._versions(records), values, deletions=deletions, contents=self._contents(records)
        )

    def read_record(self, record: Mapping[str, Any]) -> Rows:
        """Read one record that came as a dict; a property that it lacks is `msgspec.UNSET` in the row.

        What nobody needs of a record does it no harm, whatever it holds.

        Raises:
            BadRecordError: the record is not what the schema says.
        """
        tidy = dict(record)
        for name in self._integers & tidy.keys():
            value = tidy[name]
            if isinstance(value, Decimal) and abs(value.adjusted()) < KEY_LENGTH and value == value.to_integral_value():
                tidy[name] = int(value)
        try:
            row = self._decoded(tidy, self._one)
        except BadRecordError:
            row = self._decoded({name: tidy[name] for name in self._needed if name in tidy}, self._only_needed)
        if self._deleted is not None and self._deleted(row):
            return Rows(self._keys([row]), self._versions([row]), [GONE], deletions=True)
        values = self._plain([self._take(row)])
        return Rows(self._keys([row]), self._versions([row]), values, partial=True, contents=self._contents([row]))

    def _struct(self, names: Mapping[str, str], types: Mapping[str, Any], *, optional: Any) -> type[msgspec.Struct]:
        fields: list[Any] = []
        for source, attribute in names.items():
            name = self._odd.other(source)
            if source in optional:
                kind = types[source] | msgspec.UnsetType
                fields.append((attribute, kind, msgspec.field(name=name, default=msgspec.UNSET)))
            else:
                fields.append((attribute, types[source], msgspec.field(name=name)))
        return msgspec.defstruct("Row", fields, kw_only=True, gc=False)

    def _decoded(self, record: Mapping[str, Any], decoder: msgspec.json.Decoder[Any]) -> Any:
        for name in self._needed.keys() & record.keys():
            if isinstance(record[name], OddValue):
                raise BadRecordError("the value is no JSON, such as NaN or a number without bounds", field=name)
        try:
            encoded = self._encode(self._odd.renamed(record))
        except (ValueError, OverflowError, TypeError) as error:
            raise self._unwritable(record, error) from None
        try:
            return decoder.decode(encoded)
        except (msgspec.MsgspecError, RecursionError) as error:
            text = str(error)
            field = text.rpartition("`$.")[2].rstrip("`") if "`$." in text else None
            raise BadRecordError(text, field=self._odd.name(field)) from None

    def _unwritable(self, record: Mapping[str, Any], error: Exception) -> BadRecordError:
        """Name the first property whose value is no JSON: half a character, or nested as deep as no reader follows."""
        for name, value in record.items():
            try:
                self._encode({name: value})
            except (ValueError, OverflowError, TypeError) as own:
                half = isinstance(own, UnicodeEncodeError)
                text = "holds half a character, or is nested too deeply" if half else "cannot be written as JSON"
                return BadRecordError(f"the value {text}", field=name if _is_proper(name) else None)
        return BadRecordError(f"the record cannot be written as JSON ({type(error).__name__})")

    def _plain(self, values: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        if not self._raw_positions:
            return values
        unpacked = []
        for row in values:
            cells = list(row)
            for position in self._raw_positions:
                if isinstance(cells[position], msgspec.Raw):
                    encoded = position == self._encoded
                    cells[position] = _json_bytes(cells[position]) if encoded else _json.decode(cells[position])
            unpacked.append(tuple(cells))
        return unpacked

    def _taker(self, sources: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
        names = [self._names[source] for source in sources]
        if len(names) > 1:
            return attrgetter(*names)
        return lambda row: tuple(getattr(row, name) for name in names)

    def _deletion_reader(self) -> Callable[[Any], bool] | None:
        """What decides whether a record is of a deleted order; None where the stream has no such property."""
        if DELETED_AT_PROPERTY not in self._names:
            return None
        own = attrgetter(self._names[DELETED_AT_PROPERTY])
        if DELETED_AT_PROPERTY in self._raw:
            return lambda row: isinstance(own(row), msgspec.Raw) and bytes(own(row)) != b"null"
        return lambda row: own(row) is not None and own(row) is not msgspec.UNSET

    def _content_reader(self, types: Mapping[str, Any]) -> Callable[[list[Any]], list[str] | None]:
        """What reads the contents of records."""
        if types.get(CONTENT_PROPERTY) not in (str, str | None):
            return lambda _: None
        own = attrgetter(self._names[CONTENT_PROPERTY])

        def read(rows: list[Any]) -> list[str] | None:
            contents = [content or "" for content in map(own, rows)]
            return contents if any(contents) else None

        return read

    def _key_reader(self, key_properties: Sequence[str]) -> Callable[[list[Any]], list[str]]:
        names = [KEY_PROPERTY] if KEY_PROPERTY in self._names else list(key_properties)
        if not names or any(name not in self._names for name in names):
            raise BadRecordError("the stream has no key: its SCHEMA message must name key_properties that it defines")
        take = self._taker(names)
        raw = any(name in self._raw for name in names)

        def read(rows: list[Any]) -> list[str]:
            parts = [take(row) for row in rows]
            if raw:
                parts = [tuple(_json.decode(p) if isinstance(p, msgspec.Raw) else p for p in part) for part in parts]
            return [key_text(join_key(part)) for part in parts]

        if names != [KEY_PROPERTY]:
            return read
        own = attrgetter(self._names[KEY_PROPERTY])

        def read_own(rows: list[Any]) -> list[str]:
            keys = list(map(own, rows))
            if None in keys or "" in keys or any(map(str.isspace, keys)):  # Zoho trims: blanks are no key to it
                raise BadRecordError("the record has no key", field=KEY_PROPERTY)
            return keys

        return read_own

    def _version_reader(self, replication_key: str | None) -> Callable[[list[Any]], list[str]]:
        name = VERSION_PROPERTY if VERSION_PROPERTY in self._names else replication_key
        if name is None or name not in self._names or name in self._raw:
            return self._hashes
        own = attrgetter(self._names[name])
        return lambda rows: version_texts(list(map(own, rows)))

    def _hashes(self, rows: list[Any]) -> list[str]:
        """A text that differs for different records."""
        return [_digest(self._encoded_row(row)) for row in rows]

    def _encoded_row(self, row: Any) -> bytes:
        try:
            return self._encode(row)
        except ValueError:  # a number is none: `"NaN"` in quotes is a decimal's own text for it
            return _in_texts.encode(row)


def _array(lines: Sequence[bytes]) -> bytes:
    return b"[" + b",".join(lines) + b"]"


def _json_bytes(raw: msgspec.Raw) -> bytes | None:
    """A copy, since the raw value keeps the whole block of records alive."""
    encoded = bytes(raw)
    return None if encoded == b"null" else encoded


def key_text(key: str) -> str:
    """Check a key.

    Raises:
        BadRecordError: it is empty, or blanks alone, which Zoho trims.
    """
    if not key or key.isspace():
        raise BadRecordError("the record has no key")
    return key


def shortened_key(key: str) -> str:
    """A name by which the ledger can hold any key, one that is too long or no proper text; differs for each."""
    digest = _digest(key.encode(errors="surrogatepass"))
    proper = key[: KEY_LENGTH - len(digest) - 1].encode(errors="replace").decode()
    return f"{proper}#{digest}".replace("\0", "?")


def storable_key(key: str) -> str:
    """The key as it is, but for one with half a character in it."""
    return key if _is_proper(key) else shortened_key(key)


def _is_proper(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def version_text(value: Any) -> str:
    """The version as the ledger holds it."""
    if value is None or value is msgspec.UNSET or value == "":  # Oracle's ledger takes an empty text for NULL
        return NO_VERSION
    text = value if isinstance(value, str) else _text(value)
    fits = len(text) <= KEY_LENGTH and "\0" not in text and _is_proper(text)
    return text if fits else _digest(text.encode(errors="surrogatepass"))


def version_texts(values: list[Any]) -> list[str]:
    """The versions as the ledger holds them: as they are where all of them are texts that it can hold."""
    try:
        fit = "\0" not in "".join(values) and max(map(len, values), default=0) <= KEY_LENGTH and "" not in values
    except TypeError:  # not all are texts
        fit = False
    return values if fit else list(map(version_text, values))


def _plain_text(value: Any) -> str:
    if isinstance(value, OddValue):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _struct_type(definition: Mapping[str, Any]) -> Any:
    """The type of one property; what is no plain scalar stays raw JSON until it is needed."""
    kinds = definition.get("type", [])
    names = {kinds} if isinstance(kinds, str) else set(kinds)
    plain = names - {"null"}
    if len(plain) == 1 and (scalar := SCALARS.get(next(iter(plain)))):
        return scalar | None if "null" in names else scalar
    if plain == {"integer", "number"}:
        return Decimal | None if "null" in names else Decimal
    if plain == {"boolean", "integer"}:
        return bool | int | None if "null" in names else bool | int
    return msgspec.Raw
