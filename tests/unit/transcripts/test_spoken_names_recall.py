# SPDX-License-Identifier: Apache-2.0
"""How many of the names that the sandbox's people speak are found."""

from __future__ import annotations

import re

import pytest

from lessonspace_provider.sandbox import dialogue_names
from lessonspace_provider.transcripts.redaction import NAME_LABEL
from lessonspace_provider.transcripts.spoken_names import Roster
from tests.marked_dialogues import measured, names_marked, show


def measured_with(monkeypatch, diminutives):
    def redact_of(names):
        roster = Roster(names, diminutives)
        return lambda text: roster.redact(text)[0]

    return measured(monkeypatch, redact_of, NAME_LABEL)


def test_recall_of_spoken_names_is_99_percent(monkeypatch, capsys):
    spoken, found, written, right, missed = measured_with(monkeypatch, dialogue_names.ADDRESSES["diminutives"])
    recall, precision = found / spoken, right / written
    _, without, *_ = measured_with(monkeypatch, {})
    show(
        capsys,
        f"{spoken} names spoken: recall {recall:.2%} ({without / spoken:.2%} without diminutives), "
        f"precision {precision:.2%}; missed: {sorted(missed)}",
    )
    assert spoken > 2_000
    assert recall >= 0.99
    assert precision >= 0.97
    assert 0.85 < without / spoken < recall


@pytest.mark.parametrize("marked", ["⟦Anna⟧, ⟦Herr Lee⟧!", "no one"])
def test_marks_are_read_as_they_are_written(marked):
    plain = re.sub("[⟦⟧]", "", marked)
    assert [plain[start:end] for start, end in names_marked(marked)] == (["Anna", "Lee"] if "⟦" in marked else [])
