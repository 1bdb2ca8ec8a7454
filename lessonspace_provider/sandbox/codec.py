# SPDX-License-Identifier: Apache-2.0
"""Read JSON into the dataclasses of the control endpoints. Importing this loads pydantic."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import TypeAdapter

Item = TypeVar("Item")

_adapters: dict[object, TypeAdapter[Any]] = {}


def adapter(kind: type[Item]) -> TypeAdapter[Item]:
    """Return the reader of a type; making one takes milliseconds, so each is made once."""
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]
