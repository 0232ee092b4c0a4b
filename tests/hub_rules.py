"""What MeltanoHub accepts as a plugin's definition, in our own words.

Facts of the schemas in the Hub's repository (`schemas/plugin_definitions` and `schemas/common`, seen in 2025): which
keys a definition may have, which it must, and which words `kind`, capabilities, quality and status know. The schemas
themselves are the Hub's, and not copied here.
"""

from __future__ import annotations

from typing import Any

from jsonschema import Draft7Validator

TEXT = {"type": "string"}
TEXTS = {"type": "array", "items": TEXT}
KINDS = ["string", "integer", "decimal", "boolean", "array", "object", "options", "file", "email", "date_iso8601"]
OLD_KINDS = ["hidden", "oauth", "password"]
BOOLEAN = {"type": "boolean"}
PROCESSOR = {"enum": ["upcase_string", "nest_object", "stringify"]}
SETTING: dict[str, Any] = {
    "type": "object",
    "required": ["name"],
    "additionalProperties": False,
    "properties": {
        **dict.fromkeys(("name", "label", "description", "placeholder", "tooltip", "documentation"), TEXT),
        **dict.fromkeys(("docs", "env"), TEXT),
        "aliases": TEXTS,
        "value": {},
        "kind": {"enum": KINDS + OLD_KINDS},
        "options": {"type": "array", "items": {"type": "object", "properties": {"label": TEXT, "value": TEXT}}},
        **dict.fromkeys(("hidden", "sensitive"), BOOLEAN),
        **dict.fromkeys(("value_processor", "value_post_processor"), PROCESSOR),
        "oauth": {"type": "object", "required": ["provider"]},
    },
}
COMMON: dict[str, Any] = {
    **dict.fromkeys(
        (
            *("name", "namespace", "variant", "label", "description", "pip_url", "executable", "python"),
            *("repo", "docs", "log_parser", "definition", "next_steps", "settings_preamble", "usage", "prereq"),
        ),
        TEXT,
    ),
    "logo_url": {"type": ["string", "null"]},
    "domain_url": {"type": ["string", "null"], "pattern": "^https?://"},
    "keywords": TEXTS,
    "hidden": BOOLEAN,
    "settings": {"type": "array", "items": SETTING},
    "settings_group_validation": {"type": "array", "items": TEXTS},
    "commands": {"type": "object"},
    "requires": {"type": "object", "required": ["files"]},
    "supported_python_versions": {"type": "array", "items": {"type": "string", "pattern": r"^3\.\d+$"}},
    "maintenance_status": {"enum": ["active", "beta", "development", "inactive", "unknown"]},
    "quality": {"enum": ["gold", "silver", "bronze", "unknown"]},
}
OF_BOTH = ["about", "stream-maps", "activate-version", "batch", "schema-flattening", "structured-logging"]
OF_TAPS = [*OF_BOTH, "properties", "catalog", "discover", "state", "test", "log-based"]
OF_TARGETS = [*OF_BOTH, "soft-delete", "hard-delete", "datatype-failsafe", "target-schema", "validate-records"]
OWN: dict[str, dict[str, Any]] = {
    "extractors": {
        "capabilities": {"type": "array", "items": {"enum": OF_TAPS}},
        "metadata": {"type": "object"},
        "schema": {"type": "object"},
        "select": TEXTS,
    },
    "loaders": {"capabilities": {"type": "array", "items": {"enum": OF_TARGETS}}, "dialect": {}, "target_schema": {}},
    "utilities": {"ext_repo": TEXT},
}


def errors_of(kind: str, definition: dict[str, Any]) -> list[str]:
    """What the Hub would refuse in a definition; `kind` is `extractors`, `loaders` or `utilities`."""
    schema = {
        "type": "object",
        "required": ["name", "namespace", "variant", "quality"],
        "additionalProperties": False,
        "properties": COMMON | OWN[kind],
    }
    return [f"{error.json_path}: {error.message}" for error in Draft7Validator(schema).iter_errors(definition)]
