# SPDX-License-Identifier: Apache-2.0
"""Compares the settings that a launch asked for with those that its answer reports. Pure."""

from __future__ import annotations

from collections.abc import Mapping

#: What follows when a setting is not the one that was asked for, by its name and the value that holds.
_CONSEQUENCES = {
    ("transcribe", False): "no transcript of its sessions will come. Transcription is an add-on of the plan, and needs "
    "record_av",
    ("summarise", False): "no summary of its sessions will come. Summaries are an add-on of the plan, and need "
    "transcribe and record_av",
    ("record_av", False): "audio and video are not recorded, so no recording, transcript or summary will come. The "
    "plan, or the organisation's settings, may not allow recordings",
    ("record_content", False): "the board is not recorded",
    ("allow_guests", False): "people without a link of their own can't join",
    ("record_av", True): "audio and video of its sessions are recorded",
    ("record_content", True): "the board is recorded",
    ("transcribe", True): "its sessions are transcribed",
    ("summarise", True): "its sessions are summarised",
    ("allow_guests", True): "people without a link of their own can join",
}


def refused_settings(asked: Mapping[str, object], room_settings: object) -> list[str]:
    """
    Describe each setting that was asked for and does not hold.

    :param asked: the body of the launch.
    :param room_settings: of its answer: the settings that hold. What is missing there, or no boolean, says nothing.
    :return: sentences without a full stop, none when all is as it was asked for.
    """
    held = room_settings if isinstance(room_settings, Mapping) else {}
    refused = [name for name in asked if isinstance(asked[name], bool) and held.get(name) is (not asked[name])]
    sentences = [
        f"{name}={asked[name]} was sent, but the space has {name}={held[name]}: "
        f"{_CONSEQUENCES.get((name, held[name]), 'the launch did not change it')}"
        for name in refused
    ]
    if _is_left_without_recording(asked, held):
        sentences.append(
            "transcribe=True was sent, but the space has record_av=False: no transcript of its sessions will come. "
            "Send record_av=True, or switch recording on for the organisation"
        )
    return sentences


def _is_left_without_recording(asked: Mapping[str, object], held: Mapping[str, object]) -> bool:
    """Whether a transcript was asked for, and only the recording that it needs is off."""
    return (
        asked.get("transcribe") is True
        and held.get("transcribe") is not False
        and asked.get("record_av") is not True
        and held.get("record_av") is False
    )
