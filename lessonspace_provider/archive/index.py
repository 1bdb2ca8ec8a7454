# SPDX-License-Identifier: Apache-2.0
"""
The index of closed manifests, so that a night does not read those of years. Pure.

A manifest is closed when nothing in it is open. The index has the names of these, each with a fingerprint of the file
in which that was found. A manifest that is not in it, or whose file has changed since, is read: so nothing is lost with
the index, and it needs no order of writes, no lock and no repair.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

#: Where the index is, below the destination: not among the manifests, which others read by their names.
INDEX = "manifest_index.json"

#: The one field of the index.
_CLOSED = "closed"


def read_index(data: bytes | None) -> dict[str, str]:
    """
    Read an index.

    :param data: the file's content; None when there is none.
    :return: the fingerprint of each closed manifest by its name; empty when it can't be read.
    """
    try:
        closed = json.loads(data or b"{}")[_CLOSED]
        return {name: mark for name, mark in closed.items() if isinstance(mark, str)}
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return {}


def write_index(closed: Mapping[str, str]) -> bytes:
    """Write an index, in the order of the names."""
    return json.dumps({_CLOSED: dict(sorted(closed.items()))}, indent=0).encode()
