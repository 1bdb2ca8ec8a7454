# SPDX-License-Identifier: Apache-2.0
"""Lessons that the sandbox makes up, with a mark around each spoken name; it shares no code with what finds names."""

from __future__ import annotations

import re
import sys
import unicodedata
from random import Random

from lessonspace_provider.sandbox import dialogue_names
from lessonspace_provider.sandbox.dialogue import LANGUAGES, WORDS, make_segments

#: Names that are words as well, as are some of what the sandbox's people say: "Will you mark ...", "a red pen".
WORDS_TOO = ["Will Young", "Grace Hill", "Rose Green", "Mark Day", "Red Page"]
PEOPLE = [name for name in WORDS["students"] if name] + WORDS_TOO
PARTICLES = ("von", "de", "בן")
TITLE = re.compile(r"(Mrs|Herr|Madame|Mme|pan) ")


def marked_dialogues(monkeypatch):
    """Make up lessons in all languages: for each the people in it, and the texts with a mark around each name."""
    spoken = dialogue_names.name_as_spoken
    with monkeypatch.context() as patch:
        patch.setattr(dialogue_names, "name_as_spoken", lambda *given: f"⟦{spoken(*given)}⟧")
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


def labels_in(plain, redacted, label):
    """Give what of a text the labels have replaced."""
    pattern = "(.+?)".join(map(re.escape, redacted.split(label)))
    found = re.fullmatch(pattern, plain, re.DOTALL)
    return [found.span(group) for group in range(1, found.re.groups + 1)]


def is_covered(plain, span, labels):
    """Whether each word of a name is in a label; particles alone, and one letter before an apostrophe, name no one."""
    words = [found.span() for found in re.finditer(r"[^\W_]{2,}", plain) if span[0] <= found.start() < span[1]]
    named = [(start, end) for start, end in words if plain[start:end] not in PARTICLES]
    return all(any(a < end and start < b for a, b in labels) for start, end in named)


def measured(monkeypatch, redact_of, label):
    """
    Count the names that were spoken, those found, the labels written, and those that stand for a name.

    :param redact_of: makes of the names of a lesson's people what redacts a text.
    """
    spoken = found = written = right = 0
    missed = set()
    for names, texts in marked_dialogues(monkeypatch):
        redact = redact_of(names)
        for marked in texts:
            plain = re.sub("[⟦⟧]", "", marked)
            names_at, labels = names_marked(marked), labels_in(plain, redact(plain), label)
            is_found = [is_covered(plain, span, labels) for span in names_at]
            missed.update(plain[start:end] for (start, end), hit in zip(names_at, is_found) if not hit)
            spoken, found = spoken + len(names_at), found + sum(is_found)
            is_right = [any(a < end and start < b for start, end in names_at) for a, b in labels]
            written, right = written + len(labels), right + sum(is_right)
    return spoken, found, written, right, missed


def show(capsys, line):
    """Print a figure of a test that passes."""
    with capsys.disabled():
        sys.stdout.write(f"\n{line}\n")
