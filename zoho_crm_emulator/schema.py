"""Modules and fields: what they are, where they are kept, and how they change at run time."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any, Literal, get_args

import msgspec

from zoho_crm_emulator.alterations import Alteration
from zoho_crm_emulator.store import Store

DataType = Literal[
    "text", "textarea", "email", "phone", "website", "picklist", "multiselectpicklist", "date", "datetime",
    "integer", "bigint", "currency", "double", "percent", "boolean", "lookup", "ownerlookup", "userlookup",
    "autonumber", "layout", "subform", "multiselectlookup", "multiuserlookup", "linetax",
]  # fmt: skip

# The lengths Zoho's field metadata names for a type when the field itself names none.
LENGTHS: dict[str, int] = {
    "text": 255, "textarea": 2000, "email": 100, "phone": 30, "website": 450, "picklist": 120,
    "multiselectpicklist": 2000, "date": 20, "datetime": 40, "integer": 9, "bigint": 18, "currency": 16,
    "double": 16, "percent": 5, "boolean": 5, "lookup": 120, "ownerlookup": 120, "userlookup": 120,
    "autonumber": 200, "layout": 120, "subform": 100, "multiselectlookup": 100, "multiuserlookup": 100, "linetax": 120,
}  # fmt: skip
TEXTAREA_LENGTHS = {"small": 2000, "large": 32000, "rich_text": 50000}
# Fields whose value is a list of rows, each a record of a module that belongs to the field.
ROW_TYPES = frozenset({"subform", "multiselectlookup", "multiuserlookup"})
LAYOUT, TAG = "Layout", "Tag"  # fields of every module that stand in the document in a form of their own
PARENT = "Parent_Id"  # in the module of the rows: the record that a row belongs to
UNIQUE_TYPES = frozenset({"text", "email", "phone", "website", "integer", "bigint", "currency", "double", "autonumber"})


class SchemaError(ValueError):
    """A module or field that cannot be made as asked."""


class Field(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One field of a module; the emulator's own words where Zoho's document says it in a roundabout way."""

    api_name: str
    data_type: DataType
    id: int = 0
    label: str | None = None
    length: int | None = None
    decimal_place: int | None = None
    system_mandatory: bool = False
    layout_mandatory: bool = False  # demanded on writing, yet not shown by the fields call
    unique: bool = False
    case_sensitive: bool = False
    folding: Literal["casefold", "upper", "compatible", "accents"] = "casefold"  # of a unique field: `unique_keys.py`
    external: Literal["org", "user"] | None = None
    pick_list: tuple[str, ...] = ()
    pick_list_open: bool = True  # an unknown value is added to the list, not refused
    lookup: str | None = None  # the module that a lookup, or the rows of a multi-select lookup, point to
    rows: str | None = None  # of a subform or multiple lookup: the module of its rows
    textarea_type: Literal["small", "large", "rich_text"] = "small"
    api_create: bool = True
    api_update: bool = True
    system: bool = False  # kept in the record's own columns: id, owner, who and when
    custom: bool = True

    @property
    def max_length(self) -> int:
        """Characters, or digits before the point."""
        if self.length is not None:
            return self.length
        if self.data_type == "textarea":
            return TEXTAREA_LENGTHS[self.textarea_type]
        return LENGTHS[self.data_type]

    @property
    def is_key(self) -> bool:
        """Whether two records may not share a value of this field."""
        return self.unique or self.external is not None

    @property
    def writable(self) -> bool:
        """Whether the API takes a value for it at all."""
        return self.api_create or self.api_update


class Layout(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A layout beside the standard one: which fields it demands beyond those that the module itself demands."""

    name: str
    id: int = 0
    required: tuple[str, ...] = ()


class Validation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A validation rule: a record that meets the criteria is refused, with the message, at the field."""

    field: str
    criteria: dict[str, Any]  # as Zoho's requests write them
    message: str | None = None


class Dependency(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A pick list whose values depend on another's: those of the child that go with each value of the parent."""

    parent: str
    child: str
    values: dict[str, tuple[str, ...]]


class Module(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One module."""

    api_name: str
    id: int = 0
    layout_id: int = 0
    singular: str = ""
    plural: str = ""
    custom: bool = True
    layouts: tuple[Layout, ...] = ()  # beside the standard one
    validations: tuple[Validation, ...] = ()
    dependencies: tuple[Dependency, ...] = ()
    alterations: tuple[Alteration, ...] = ()  # what the org makes of values once they are accepted
    link: str | None = None  # of a multiple lookup's rows: the field that points to the other record
    rows_of: str | None = None  # the module whose subform (or multiple lookup) has its rows here
    line_items: int = 0  # of a module with line items, and of theirs: the id of the latter; totals are computed then
    own_field: str = "Name"  # what Zoho checks for duplicates first when the caller names nothing


class ModuleView:
    """A module with its fields, and what is worked out from them once for each version of the schema."""

    def __init__(self, module: Module, fields: Iterable[Field]) -> None:
        self.module = module
        self.fields = {field.api_name: field for field in fields}
        self.keys = [field for field in self.fields.values() if field.is_key]
        self.stored = [f for f in self.fields.values() if not f.system and f.data_type not in ROW_TYPES]
        self.row_fields = [field for field in self.fields.values() if field.data_type in ROW_TYPES]
        self.mandatory = [field.api_name for field in self.stored if field.system_mandatory or field.layout_mandatory]
        self.mandatory_rows = [
            field.api_name for field in self.row_fields if field.system_mandatory or field.layout_mandatory
        ]
        self.user_lookups = [field for field in self.stored if field.data_type == "userlookup"]
        always = [field.api_name for field in self.stored if field.system_mandatory]
        self.layouts = {one.id: list(dict.fromkeys([*always, *one.required])) for one in module.layouts}
        self.lookups = [field for field in self.stored if field.data_type == "lookup"]

    @property
    def name(self) -> str:
        """The module's API name."""
        return self.module.api_name

    @property
    def id(self) -> int:
        """The module's id."""
        return self.module.id

    def mandatory_by(self, layout: int) -> list[str]:
        """The fields that a record of this layout must have."""
        return self.layouts.get(layout, self.mandatory)

    @property
    def own_key(self) -> Field | None:
        """The field Zoho checks first when `duplicate_check_fields` is absent."""
        return self.fields.get(self.module.own_field)


class Catalog:
    """All modules of the org. Readers take a `ModuleView`, which never changes; a change makes a new one."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.RLock()
        self.modules: dict[str, ModuleView] = {}
        self.version = 0

    def load(self) -> bool:
        """Read the schema from the store; False when the store holds none yet."""
        reader = self._store.read()
        fields: dict[str, list[Field]] = {}
        for module, doc in reader.execute("SELECT module, doc FROM fields ORDER BY module, position"):
            fields.setdefault(module, []).append(msgspec.json.decode(doc, type=Field))
        modules = [
            msgspec.json.decode(doc, type=Module)
            for (doc,) in reader.execute("SELECT doc FROM modules ORDER BY position")
        ]
        with self._lock:
            self.modules = {m.api_name: ModuleView(m, fields.get(m.api_name, [])) for m in modules}
            self.version += 1
        return bool(modules)

    def get(self, name: str, *, any_case: bool = False) -> ModuleView | None:
        """The module of that API name; with `any_case` also where the case of its letters is another."""
        if name in self.modules or not any_case:
            return self.modules.get(name)
        return next((view for own, view in self.modules.items() if own.lower() == name.lower()), None)

    def by_id(self, module_id: int) -> ModuleView | None:
        """The module of that id."""
        return next((view for view in self.modules.values() if view.id == module_id), None)

    def put_module(self, module: Module, fields: Iterable[Field]) -> ModuleView:
        """Add a module, or replace it with all its fields; ids are given where they are missing."""
        old = self.modules.get(module.api_name)
        module = msgspec.structs.replace(
            module,
            id=module.id or (old.id if old else self._store.new_id()),
            layout_id=module.layout_id or (old.module.layout_id if old else self._store.new_id()),
            singular=module.singular or module.api_name.removesuffix("s"),
            plural=module.plural or module.api_name,
        )
        kept = [self._with_id(field, old) for field in fields]
        for field in kept:
            self._check(field)
        with self._lock, self._store.write() as connection:
            position = list(self.modules).index(module.api_name) if old else len(self.modules)
            connection.execute(
                "INSERT OR REPLACE INTO modules VALUES (?, ?, ?)",
                (module.api_name, position, msgspec.json.encode(module)),
            )
            connection.execute("DELETE FROM fields WHERE module = ?", (module.api_name,))
            connection.executemany(
                "INSERT INTO fields VALUES (?, ?, ?, ?)",
                [(module.api_name, f.api_name, n, msgspec.json.encode(f)) for n, f in enumerate(kept)],
            )
            view = ModuleView(module, kept)
            self.modules = {**self.modules, module.api_name: view}
            self.version += 1
        return view

    def put_field(self, module_name: str, field: Field) -> Field:
        """Add a field, or replace the one of that name; raises SchemaError for an unknown module."""
        with self._lock:
            view = self._need(module_name)
            fields = dict(view.fields)
            fields[field.api_name] = field
            return self.put_module(view.module, fields.values()).fields[field.api_name]

    def put_rows_field(self, module_name: str, field: Field, fields: Iterable[Field]) -> Field:
        """Add a subform or multiple lookup, with the module of its rows: the parent's id and `fields`."""
        with self._lock:
            self._need(module_name)
            name = field.rows or (field.api_name if field.data_type == "subform" else f"{module_name}_{field.api_name}")
            if name == module_name or (name in self.modules and self.modules[name].module.rows_of != module_name):
                raise SchemaError(f"there is a module {name} already")
            parent = Field(api_name=PARENT, data_type="lookup", lookup=module_name, system_mandatory=True, custom=False)
            links = {
                "multiselectlookup": [Field(api_name=field.api_name, data_type="lookup", lookup=field.lookup)],
                "multiuserlookup": [Field(api_name=field.api_name, data_type="userlookup")],
            }.get(field.data_type, [])
            link = links[0].api_name if links else None
            module = Module(api_name=name, rows_of=module_name, link=link, own_field=PARENT)
            self.put_module(module, [parent, *links, *fields])
            return self.put_field(module_name, msgspec.structs.replace(field, rows=name))

    def put_layout(self, module_name: str, layout: Layout) -> Layout:
        """Add a layout, or replace the one of that name."""
        with self._lock:
            view = self._need(module_name)
            missing = [name for name in layout.required if name not in view.fields]
            if missing:
                raise SchemaError(f"{module_name} has no field {missing[0]}")
            others = {one.name: one for one in view.module.layouts}
            before = others.pop(layout.name, None)
            layout = msgspec.structs.replace(layout, id=before.id if before else self._store.new_id())
            module = msgspec.structs.replace(view.module, layouts=(*others.values(), layout))
            self.put_module(module, view.fields.values())
            return layout

    def put_rules(self, module_name: str, **rules: Any) -> None:
        """Set the `validations`, `dependencies` or `alterations` of a module, in place of those it has."""
        with self._lock:
            view = self._need(module_name)
            module = msgspec.structs.replace(view.module, **rules)
            for name in (name for one in module.dependencies for name in (one.parent, one.child)):
                if name not in view.fields or view.fields[name].data_type != "picklist":
                    raise SchemaError(f"{module_name} has no pick list {name}")
            self.put_module(module, view.fields.values())

    def alter_field(self, module_name: str, api_name: str, changes: dict[str, Any]) -> Field:
        """Change some properties of a field; raises SchemaError for an unknown one."""
        with self._lock:
            field = self._need(module_name).fields.get(api_name)
            if field is None:
                raise SchemaError(f"{module_name} has no field {api_name}")
            merged = {**msgspec.to_builtins(field), **changes}
            return self.put_field(module_name, msgspec.convert(merged, Field))

    def remove_field(self, module_name: str, api_name: str) -> None:
        """Take a field away; values already stored stay unseen."""
        with self._lock:
            view = self._need(module_name)
            self.put_module(view.module, [f for f in view.fields.values() if f.api_name != api_name])

    def add_choices(self, module_name: str, api_name: str, values: Iterable[str]) -> None:
        """Append unknown values to an open pick list."""
        with self._lock:
            field = self._need(module_name).fields[api_name]
            new = [value for value in dict.fromkeys(values) if value not in field.pick_list]
            if new:
                self.put_field(module_name, msgspec.structs.replace(field, pick_list=(*field.pick_list, *new)))

    def _need(self, module_name: str) -> ModuleView:
        view = self.modules.get(module_name)
        if view is None:
            raise SchemaError(f"no module {module_name}")
        return view

    def rename_module(self, old: str, new: str) -> ModuleView:
        """Give a module another API name; its id, fields and records stay."""
        view = self.modules[old]
        with self._lock, self._store.write() as connection:
            for table in ("modules", "fields"):
                column = "api_name" if table == "modules" else "module"
                connection.execute(f"DELETE FROM {table} WHERE {column} = ?", (old,))  # noqa: S608 - fixed names
            self.modules = {name: module for name, module in self.modules.items() if name != old}
        return self.put_module(msgspec.structs.replace(view.module, api_name=new), view.fields.values())

    def _with_id(self, field: Field, old: ModuleView | None) -> Field:
        if field.id:
            return field
        before = old.fields.get(field.api_name) if old else None
        return msgspec.structs.replace(field, id=before.id if before else self._store.new_id())

    def _check(self, field: Field) -> None:
        if field.is_key and field.data_type not in UNIQUE_TYPES:
            raise SchemaError(f"a {field.data_type} field cannot be unique")
        if field.data_type in {"lookup", "multiselectlookup"} and not field.lookup:
            raise SchemaError("a lookup field needs `lookup`, the module it points to")
        if field.data_type in ROW_TYPES and not field.rows:
            raise SchemaError("a field of rows needs `rows`, the module of its rows: add it by `put_rows_field`")
        if field.data_type not in get_args(DataType):
            raise SchemaError(f"unknown data type {field.data_type}")
