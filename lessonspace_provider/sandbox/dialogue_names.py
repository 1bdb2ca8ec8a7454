# SPDX-License-Identifier: Apache-2.0
"""How people name each other in the dialogue of lessons: dialogue_names.json holds the phrases and the forms."""

from __future__ import annotations

import json
from importlib.resources import files
from random import Random
from typing import TypedDict

from lessonspace_provider.sandbox.messages import Segment, Speaker


class _Addresses(TypedDict):
    phrases: dict[str, list[str]]
    spoken_as: dict[str, list[str]]
    diminutives: dict[str, list[str]]


ADDRESSES: _Addresses = json.loads((files(__package__) / "dialogue_names.json").read_text(encoding="utf-8"))

#: How many of the segments speak of a person by name.
SHARE = 0.4


def add_names(random: Random, language: str, segments: list[Segment], speakers: list[Speaker]) -> None:
    """Let people speak of each other by name, in full or in part, in lower case, or by a diminutive."""
    names = [name for speaker in speakers if (name := speaker["name"]) and _forms(name)]
    for segment in segments if names else ():
        if random.random() < SHARE:
            phrase = random.choice(ADDRESSES["phrases"][language])
            said = name_as_spoken(random, random.choice(names))
            sentence = phrase.format(
                name=said, possessive=_possessive(random, said), genitive=_genitive(said), n=random.randint(2, 60)
            )
            segment["text"] = f"{segment['text']} {sentence}"


def name_as_spoken(random: Random, name: str) -> str:
    """Choose how a person is called."""
    return random.choice(_forms(name))


def _forms(name: str) -> list[str]:
    spoken = ADDRESSES["spoken_as"].get(name, [_first(name), name])
    words = [word.strip(",") for word in name.split()]
    pet_names = [pet_name for word in words for pet_name in ADDRESSES["diminutives"].get(word, [])]
    return [*spoken, *pet_names] if spoken else []


def _first(name: str) -> str:
    return name.split(maxsplit=1)[0].rstrip(",")


def _possessive(random: Random, said: str) -> str:
    return said + random.choice(("'s", "’s"))


def _genitive(said: str) -> str:
    return said + ("'" if said[-1] in "sßxz" else "s")
