# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from scripts.text_width import fit, visible, width


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("Maths", 5),
        ("日本語", 6),
        ("café", 4),
        ("cafe\u0301", 4),
        ("👩‍🏫", 2),
        ("👍🏽", 2),
        ("❤️", 2),
        ("🇫🇷🇩🇪", 4),
        ("שלום", 4),
    ],
)
def test_width_counts_the_columns_of_a_terminal(text: str, columns: int) -> None:
    assert width(text) == columns


@pytest.mark.parametrize(
    "text",
    ["", "Maths", "A very long name of a lesson", "日本語の授業です", "👩‍🏫👩‍🏫👩‍🏫👩‍🏫👩‍🏫👩‍🏫", "שיעור עברית לכיתה"],
)
def test_fitted_text_fills_its_columns_exactly(text: str) -> None:
    assert width(fit(text, 10)) == 10


def test_a_cut_is_shown_by_an_ellipsis() -> None:
    assert fit("Mathematics", 6) == "Mathe…"


def test_a_cut_leaves_no_broken_emoji() -> None:
    assert fit("👩‍🏫👩‍🏫👩‍🏫", 5) == "👩‍🏫👩‍🏫…"
    assert fit("🇫🇷🇩🇪🇪🇸", 4) == "🇫🇷… "


def test_right_to_left_text_is_isolated_from_the_next_column() -> None:
    assert fit("שלום", 6) == "\u2068שלום\u2069  "


def test_text_cannot_move_the_cursor_or_turn_the_line() -> None:
    assert visible("a\x1b[2Jb\nc\u202ed\te") == "a [2Jb cd e"
