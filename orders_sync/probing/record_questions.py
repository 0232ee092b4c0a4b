"""Questions about records as a whole: how they are matched, refused and answered."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from orders_sync.probing.bench import Bench
from orders_sync.probing.fields import KEY, NUMBER, SECOND, TEXT
from orders_sync.probing.questions import Calls, Question
from orders_sync.probing.verdicts import NotAsked, Verdict, by_value, seen, unknown
from orders_sync.probing.wire import Exchange
from target_zoho_crm.api.codes import ZohoCode
from target_zoho_crm.api.costs import CALL_RECORDS, upsert_credits

_INSERT = Calls("an insert of one record", 1)
_SEED = Calls("one record by which others are tried", 1)
_NEW = Calls("an upsert of one new record", 1)


def _calls(switch: str, credits_: int, *shared: Calls) -> tuple[Calls, ...]:
    return (*shared, Calls(f"writes and reads for {switch}", credits_))


def problem(exchange: Exchange) -> dict[str, Any]:
    """The error of a call of one record, alone or inside `data`."""
    return exchange.flat if "code" in exchange.flat else exchange.item


def details(found: dict[str, Any]) -> dict[str, Any]:
    """The details of an error."""
    inner = found.get("details")
    return inner if isinstance(inner, dict) else {}


def _inserted(bench: Bench) -> Exchange:
    found = bench.once("plain insert", lambda: bench.insert(bench.record()))
    if not found.taken:
        raise NotAsked(f"no record could be made: {problem(found).get('code')}")
    return found


def _insert_status(bench: Bench) -> Verdict:
    return by_value(_inserted(bench).status, {200: 200, 201: 201}, "the status")


def _details_spelling(bench: Bench) -> Verdict:
    names = set(_inserted(bench).details) - {"id"}
    title = {"Modified_Time", "Modified_By", "Created_Time", "Created_By"}
    for position, expected in (("title", title), ("lower", {each.lower() for each in title})):
        if names == expected:
            return seen(position)
    return unknown(f"details have {', '.join(sorted(names))}")


def _ids(bench: Bench) -> Verdict:
    record = _inserted(bench).details.get("id")
    if isinstance(record, str) and record.isdecimal():
        return seen("text")
    return seen("number") if type(record) is int else unknown("an id is neither digits in text nor a whole number")


def _too_many_records(bench: Bench) -> Verdict:
    bench.need(KEY)
    found = bench.upsert(*(bench.record() for _ in range(CALL_RECORDS + 1)))
    error = problem(found)
    if error.get("code") == ZohoCode.INVALID_DATA and "maximum_length" in details(error):
        return seen(ZohoCode.INVALID_DATA)
    return (
        seen(ZohoCode.LIMIT_EXCEEDED)
        if error.get("code") == ZohoCode.LIMIT_EXCEEDED
        else unknown("101 records meet another answer")
    )


def _request_errors(bench: Bench) -> Verdict:
    found = bench.wire.call("POST", f"{bench.module}/upsert", {}, credits=1)
    if found.flat.get("code") == ZohoCode.MANDATORY_NOT_FOUND:
        return seen("flat")
    if found.item.get("code") == ZohoCode.MANDATORY_NOT_FOUND:
        return seen("in_data")
    return unknown("a call without `data` meets another answer")


def _all_failed_status(bench: Bench) -> Verdict:
    bench.need(NUMBER)
    found = bench.insert(bench.record(**{NUMBER: "no number"}))
    if found.item.get("code") != ZohoCode.INVALID_DATA:
        return unknown("a text for a number is not refused with INVALID_DATA")
    return by_value(found.status, {400: 400, 202: 202, 200: 200}, "the status")


def _same_key_twice(bench: Bench) -> Verdict:
    bench.need(KEY, TEXT)
    key = bench.key()
    record = bench.seed("twice", **{KEY: key})
    found = bench.upsert(*(bench.record(**{KEY: key, TEXT: text}) for text in ("first", "second")))
    codes = [each.get("code") for each in found.items if isinstance(each, dict)]
    ids = {str(details(each).get("id")) for each in found.items if isinstance(each, dict)}
    actions = [each.get("action") for each in found.items if isinstance(each, dict)]
    if codes == ["SUCCESS", "SUCCESS"] and ids == {record} and actions == ["update", "update"]:
        return seen("update")
    if codes == ["SUCCESS", ZohoCode.DUPLICATE_DATA]:
        return seen("refuse")
    return unknown(f"codes {codes}, actions {actions}, {len(ids)} ids")


def _repeated_links(bench: Bench) -> Verdict:
    def own(field: dict[str, Any]) -> bool:
        about = field.get("multiselectlookup")
        other = about.get("connected_module") if isinstance(about, dict) else None
        return isinstance(other, dict) and other.get("api_name") == bench.module

    name = next((each for each, field in bench.fields.items() if own(field)), None)
    if name is None:
        raise NotAsked("the module has no multi-select lookup to itself; one can be made by hand")
    other = bench.seed("linked")
    record = bench.seed("linking", **{name: [{name: {"id": other}}]})
    again = bench.update(record, **{name: [{name: {"id": other}}]})
    links = bench.read(record).get(name)
    if not again.taken or not isinstance(links, list):
        return unknown("the second link is not simply taken")
    return by_value(len(links), {1: "once", 2: "again"}, "the number of links")


def _unknown_keys(bench: Bench) -> Verdict:
    found = bench.insert(bench.record(Probe_No_Such_Field="x"))
    if found.taken:
        return seen("ignore")
    refused = found.item.get("code") == ZohoCode.INVALID_DATA and found.details.get("api_name") == "Probe_No_Such_Field"
    return seen("refuse") if refused else unknown("the unknown key meets another answer")


def _duplicate_checks(bench: Bench) -> Verdict:
    bench.need(KEY, SECOND)
    value = bench.key()
    record = bench.seed("second held", **{SECOND: value})
    found = bench.upsert(bench.record(**{SECOND: value}))
    if found.taken and found.item.get("action") == "update" and str(found.details.get("id")) == record:
        return seen("all")
    refused = found.item.get("code") == ZohoCode.DUPLICATE_DATA and found.details.get("api_name") == SECOND
    return seen("named") if refused else unknown("a held value of another unique field meets another answer")


def _duplicate_named(bench: Bench) -> Verdict:
    bench.need(KEY, SECOND)
    key, value = bench.key(), bench.key()
    bench.seed("of the key", **{KEY: key})
    bench.seed("of the second", **{SECOND: value})
    found = bench.insert(bench.record(**{KEY: key, SECOND: value}))
    order = [name for name in bench.fields if name in {KEY, SECOND}]
    errors = found.details.get("errors")
    if isinstance(errors, list):
        named = [details(each).get("api_name") for each in errors if isinstance(each, dict)]
        is_all = found.item.get("code") == ZohoCode.MULTIPLE_OR_MULTI_ERRORS and set(named) == set(order)
        return seen("all") if is_all else unknown(f"the refusal names {named}")
    if found.item.get("code") != ZohoCode.DUPLICATE_DATA:
        return unknown("two held values are not refused with DUPLICATE_DATA")
    return by_value(found.details.get("api_name"), {order[0]: "first", order[1]: "last"}, "the field that is named")


def _duplicate_field(found: Exchange, action: str) -> Verdict:
    if not found.taken or found.item.get("action") != action:
        return unknown(f"the upsert is not answered as an {action}")
    if "duplicate_field" not in found.item:
        return seen("absent")
    return by_value(found.item["duplicate_field"], {None: "null", KEY: "name"}, "`duplicate_field`")


def _duplicate_field_on_insert(bench: Bench) -> Verdict:
    bench.need(KEY)
    return _duplicate_field(bench.once("new upsert", lambda: bench.upsert(bench.record())), "insert")


def _duplicate_field_on_update(bench: Bench) -> Verdict:
    bench.need(KEY)
    key = bench.key()
    bench.seed("updated", **{KEY: key})
    return _duplicate_field(bench.upsert(bench.record(**{KEY: key})), "update")


def _unknown_id(bench: Bench) -> Verdict:
    record = bench.seed("deleted")
    bench.wire.call("DELETE", bench.module, credits=1, params={"ids": record, "wf_trigger": "false"})
    found = bench.update(record, **{bench.name_field: bench.key()})
    error = problem(found)
    about = details(error)
    if error.get("code") != ZohoCode.INVALID_DATA or ("resource_path_index" in about) == ("api_name" in about):
        return unknown("an update of a record that is deleted meets another answer")
    if "resource_path_index" in about:
        return seen("flat")
    return seen("in_data") if about["api_name"] == "id" else unknown(f"it names {about['api_name']}")


def _module_names(bench: Bench) -> Verdict:
    other = bench.module.lower() if bench.module.lower() != bench.module else bench.module.upper()
    found = bench.wire.call("GET", other, credits=1, params={"fields": "id", "per_page": "1"})
    if found.status == HTTPStatus.NO_CONTENT or (found.status == HTTPStatus.OK and found.items):
        return seen("any_case")
    return (
        seen("exact") if problem(found).get("code") == ZohoCode.INVALID_MODULE else unknown("it meets another answer")
    )


RECORD_QUESTIONS = (
    Question("module_names", "a module's name in another case", _calls("module_names", 1), _module_names),
    Question("insert_status", "the status of an insert", (_INSERT,), _insert_status),
    Question("details_spelling", "how details of a success are spelt", (_INSERT,), _details_spelling),
    Question("ids", "ids as text or as numbers", (_INSERT,), _ids),
    Question(
        "too_many_records",
        "101 records in a call",
        _calls("too_many_records", upsert_credits(CALL_RECORDS + 1)),
        _too_many_records,
    ),
    Question("request_errors", "an error of a whole request", _calls("request_errors", 1), _request_errors),
    Question(
        "all_failed_status", "the status when every record failed", _calls("all_failed_status", 1), _all_failed_status
    ),
    Question("same_key_twice", "one key twice in a call", _calls("same_key_twice", 2), _same_key_twice),
    Question("repeated_links", "a link that is there already", _calls("repeated_links", 4), _repeated_links),
    Question("unknown_keys", "a key that is no field", _calls("unknown_keys", 1), _unknown_keys),
    Question(
        "duplicate_checks",
        "a held value of a field that was not named",
        _calls("duplicate_checks", 2),
        _duplicate_checks,
    ),
    Question("duplicate_named", "which field DUPLICATE_DATA names", _calls("duplicate_named", 3), _duplicate_named),
    Question("duplicate_field_on_insert", "`duplicate_field` of a new record", (_NEW,), _duplicate_field_on_insert),
    Question(
        "duplicate_field_on_update",
        "`duplicate_field` of a known record",
        _calls("duplicate_field_on_update", 2),
        _duplicate_field_on_update,
    ),
    Question("unknown_id", "an update of a record that is not there", _calls("unknown_id", 3), _unknown_id),
)
