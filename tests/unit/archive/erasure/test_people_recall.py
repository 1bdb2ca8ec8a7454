# SPDX-License-Identifier: Apache-2.0
"""How many of the names that the sandbox's people speak are erased, by their hashes."""

from __future__ import annotations

from lessonspace_provider.archive.erasure.people import LABEL, ErasedPeople, marks_of_name
from lessonspace_provider.sandbox import dialogue_names
from lessonspace_provider.transcripts.name_forms import composed, folded, forms_of_name
from tests.marked_dialogues import measured, show

KEY = b"k" * 32
DIMINUTIVES = {folded(name): forms for name, forms in dialogue_names.ADDRESSES["diminutives"].items()}


def with_diminutives(name):
    """The names that a careful person gives to the erasure."""
    words = {*forms_of_name(name), folded(composed(name))}
    return [name, *(form for word in sorted(words) for form in DIMINUTIVES.get(word, ()))]


def measured_with(monkeypatch, names_of):
    def redact_of(names):
        marks = [mark for name in names for given in names_of(name) for mark in marks_of_name(KEY, given)]
        people = ErasedPeople(KEY, [f"redact:{mark}" for mark in marks])
        return lambda text: people.redacted(text)[0]

    return measured(monkeypatch, redact_of, LABEL)


def test_recall_of_erased_names_is_99_percent(monkeypatch, capsys):
    spoken, found, written, right, missed = measured_with(monkeypatch, with_diminutives)
    recall, precision = found / spoken, right / written
    _, without, *_ = measured_with(monkeypatch, lambda name: [name])
    show(
        capsys,
        f"{spoken} names spoken: recall {recall:.2%} ({without / spoken:.2%} without diminutives), "
        f"precision {precision:.2%}; missed: {sorted(missed)}",
    )
    assert recall >= 0.99
    assert precision >= 0.97
    assert 0.85 < without / spoken < recall
