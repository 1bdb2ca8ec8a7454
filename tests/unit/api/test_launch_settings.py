# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from lessonspace_provider.api.launch_settings import refused_settings


@pytest.mark.parametrize(
    ("asked", "held", "words"),
    [
        (
            {"transcribe": True},
            {"transcribe": False},
            ("transcribe=True was sent", "no transcript", "add-on", "record_av"),
        ),
        ({"summarise": True}, {"summarise": False}, ("summarise=True was sent", "no summary", "add-on", "record_av")),
        ({"record_av": True}, {"record_av": False}, ("record_av=True was sent", "not recorded", "transcript")),
        ({"record_av": False}, {"record_av": True}, ("record_av=False was sent", "are recorded")),
        ({"allow_guests": False}, {"allow_guests": True}, ("allow_guests=False was sent", "can join")),
        ({"transcribe": True}, {"record_av": False}, ("no transcript", "Send record_av=True")),
        ({"transcribe": True}, {"transcribe": True, "record_av": False}, ("no transcript", "Send record_av=True")),
        ({"waiting_room": True}, {"waiting_room": False}, ("waiting_room=True was sent, but the space has", "False")),
    ],
)
def test_a_setting_that_does_not_hold_is_described_with_what_follows(asked, held, words):
    (sentence,) = refused_settings({"id": "maths", **asked}, held)
    assert [word for word in words if word not in sentence] == []


def test_each_refused_setting_has_a_sentence_of_its_own():
    asked = {"record_av": True, "transcribe": True, "summarise": True}
    sentences = refused_settings(asked, dict.fromkeys(asked, False))
    assert [sentence.split("=")[0] for sentence in sentences] == ["record_av", "transcribe", "summarise"]


@pytest.mark.parametrize(
    "held",
    [None, "off", [], {}, {"transcribe": None}, {"transcribe": "false"}, {"transcribe": 0}, {"transcribe": True}],
)
def test_missing_and_odd_settings_say_nothing(held):
    assert refused_settings({"transcribe": True}, held) == []


@pytest.mark.parametrize("asked", [{}, {"transcribe": None}, {"name": "x"}])
def test_what_was_not_asked_for_is_not_missed(asked):
    assert refused_settings(asked, {"transcribe": False, "record_av": False, "name": False}) == []
