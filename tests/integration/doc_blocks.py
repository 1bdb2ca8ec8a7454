# SPDX-License-Identifier: Apache-2.0
"""The code blocks of the documentation."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
PAGES = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md"]
_BLOCK = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks_of(page: Path) -> list[tuple[str, str]]:
    """Give a page's code blocks: language and text."""
    return _BLOCK.findall(page.read_text())


def function_in(page: str, name: str) -> Any:
    """Run the block of a page in docs that defines a function, and give that."""
    (text,) = (text for _, text in blocks_of(ROOT / "docs" / page) if f"def {name}(" in text)
    names: dict[str, Any] = {"__name__": "block"}
    exec(compile(text, page, "exec"), names)  # noqa: S102
    return names[name]
