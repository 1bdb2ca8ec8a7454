# SPDX-License-Identifier: Apache-2.0
"""How many of the names that the sandbox's people speak are found. The sandbox shares no code with what finds them."""

from __future__ import annotations

import re
import sys
import unicodedata
from random import Random

import pytest

from lessonspace_provider.sandbox import addresses
from lessonspace_provider.sandbox.dialogue import LANGUAGES, WORDS, make_segments
from lessonspace_provider.transcripts.redaction import NAME_LABEL
from lessonspace_provider.transcripts.spoken_names import Roster

#: Names that are words as well, as are some of what the sandbox's people say: "Will you mark ...", "a red pen".
WORDS_TOO = ["Will Young", "Grace Hill", "Rose Green", "Mark Day", "Red Page"]
PEOPLE = [name for name in WORDS["students"] if name] + WORDS_TOO
TITLE = re.compile(r"(Mrs|Herr|Madame|Mme|pan) ")


def marked_dialogues(monkeypatch):
    """Make up lessons in all languages: for each the people in it, and the texts with a mark around each name."""
    spoken = addresses.name_as_spoken
    with monkeypatch.context() as patch:
        patch.setattr(addresses, "name_as_spoken", lambda *given: f"⟦{spoken(*given)}⟧")
        for number in range(90):
            random = Random(number)
            names = [random.choice(WORDS["teachers"]), *random.sample(PEOPLE, 4)]
            speakers = [{"id": at, "name": name} for at, name in enumerate(names)]
            segments = make_segments(random, LANGUAGES[number % len(LANGUAGES)], speakers, 900, spoken_names=True)
            yield names, [unicodedata.normalize("NFC", segment["text"]) for segment in segments]


def names_marked(text):
    """Give where the names are in a text without marks."""
    spans, removed = [], 0
    for found in re.finditer("⟦(.*?)⟧", text):
        title = TITLE.match(found[1])
        start = found.start() - removed
        removed += 2
        spans.append((start + (title.end() if title else 0), start + len(found[1].rstrip("."))))
    return spans


def labels_in(plain, redacted):
    """Give what of a text the labels have replaced."""
    pattern = "(.+?)".join(map(re.escape, redacted.split(NAME_LABEL)))
    found = re.fullmatch(pattern, plain, re.DOTALL)
    return [found.span(group) for group in range(1, found.re.groups + 1)]


def measured(monkeypatch, diminutives):
    """Count the names that were spoken, those found, the labels written, and those that stand for a name."""
    spoken = found = written = right = 0
    missed = set()
    for names, texts in marked_dialogues(monkeypatch):
        roster = Roster(names, diminutives)
        for marked in texts:
            plain = re.sub("[⟦⟧]", "", marked)
            names_at, labels = names_marked(marked), labels_in(plain, roster.redact(plain)[0])
            is_found = [any(a <= start and end <= b for a, b in labels) for start, end in names_at]
            missed.update(plain[start:end] for (start, end), hit in zip(names_at, is_found) if not hit)
            spoken, found = spoken + len(names_at), found + sum(is_found)
            is_right = [any(a < end and start < b for start, end in names_at) for a, b in labels]
            written, right = written + len(labels), right + sum(is_right)
    return spoken, found, written, right, missed


def test_recall_of_spoken_names_is_99_percent(monkeypatch, capsys):
    spoken, found, written, right, missed = measured(monkeypatch, addresses.ADDRESSES["diminutives"])
    recall, precision = found / spoken, right / written
    _, without, *_ = measured(monkeypatch, {})
    with capsys.disabled():
        sys.stdout.write(
            f"\n{spoken} names spoken: recall {recall:.2%} ({without / spoken:.2%} without diminutives), "
            f"precision {precision:.2%}; missed: {sorted(missed)}\n"
        )
    assert spoken > 2_000
    assert recall >= 0.99
    assert precision >= 0.97
    assert 0.85 < without / spoken < recall


@pytest.mark.parametrize("marked", ["⟦Anna⟧, ⟦Herr Lee⟧!", "no one"])
def test_marks_are_read_as_they_are_written(marked):
    plain = re.sub("[⟦⟧]", "", marked)
    assert [plain[start:end] for start, end in names_marked(marked)] == (["Anna", "Lee"] if "⟦" in marked else [])
