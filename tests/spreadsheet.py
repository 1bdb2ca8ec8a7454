# SPDX-License-Identifier: Apache-2.0
"""How LibreOffice takes a CSV file apart, with any set of separators ticked in its import dialogue."""

from __future__ import annotations

import unicodedata

SIGNS = "=+-@＝＋－＠﹦﹢﹣﹫"
BLANK_LETTERS = "\u115f\u1160\u3164\uffa0"


def split_as_a_spreadsheet(text: str, delimiters: str) -> list[str]:
    """Give all cells of a file: a quotation mark means something only at the beginning of a cell."""
    cells, at = [], 0
    while at <= len(text):
        if text[at : at + 1] == '"':
            cell, at = _quoted(text, at + 1)
        else:
            cell = ""
        while at < len(text) and text[at] not in f"{delimiters}\r\n":
            cell, at = cell + text[at], at + 1
        cells.append(cell)
        at += 1
    return cells


def _quoted(text: str, at: int) -> tuple[str, int]:
    cell = ""
    while at < len(text):
        if text[at : at + 2] == '""':
            cell, at = cell + '"', at + 2
        elif text[at] == '"':
            return cell, at + 1
        else:
            cell, at = cell + text[at], at + 1
    return cell, at


def is_formula(cell: str) -> bool:
    """Whether a spreadsheet could compute a cell, that skips what can't be seen before it. A number is no formula."""
    try:
        float(cell)
    except ValueError:
        pass
    else:
        return False
    invisible = ("Cf", "Cc", "Zs", "Zl", "Zp", "Mn", "Me")
    shown = next((c for c in cell if unicodedata.category(c) not in invisible and c not in BLANK_LETTERS), "")
    return shown != "" and shown in SIGNS
