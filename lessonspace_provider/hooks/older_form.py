# SPDX-License-Identifier: Apache-2.0
"""The connection form as Airflow 3.0 and 3.1 ask the hook for it: what get_provider_info() returns, in their form."""

from __future__ import annotations

from typing import Any, cast

from lessonspace_provider.get_provider_info import get_provider_info


def field_behaviour() -> dict[str, object]:
    """
    Return the standard fields.

    :return: ``hidden_fields``, ``relabeling`` and ``placeholders``.
    """
    return {name.replace("-", "_"): value for name, value in _connection_type()["ui-field-behaviour"].items()}


def widgets() -> dict[str, object]:
    """
    Make the extra fields.

    :return: WTForms fields by name. They know no fractions: those can be written into the extra as JSON.
    :raises ImportError: without WTForms. Airflow 3.1 shows something in its place; 3.0 then shows its standard form.
    """
    from wtforms import IntegerField, StringField
    from wtforms.validators import Optional, any_of

    def widget(label: str, description: str, schema: dict[str, Any]) -> object:
        kind = IntegerField if "number" in schema["type"] else StringField
        choice = [any_of(schema["enum"])] if "enum" in schema else []
        return kind(label, [Optional(), *choice], description=description, default=schema.get("default"))

    return {name: widget(**field) for name, field in _connection_type()["conn-fields"].items()}


def _connection_type() -> dict[str, Any]:
    (connection_type,) = cast("list[dict[str, Any]]", get_provider_info()["connection-types"])
    return connection_type
