# SPDX-License-Identifier: Apache-2.0
"""
Where results go: destinations, files that are written whole, lists, and delivery inside the task.

``write_whole`` is exported for DAGs that write files of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lessonspace_provider.output.files import write_whole

__all__ = ["write_whole"]


def __getattr__(name: str) -> object:
    """Import when first used: operators import this package when a DAG is parsed, and fsspec is slow to import."""
    if name in __all__:
        from lessonspace_provider.output import files

        return getattr(files, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
