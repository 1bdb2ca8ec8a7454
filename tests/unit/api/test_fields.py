# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from lessonspace_provider.api.fields import KEYS_TO_ROOMS, pick, unpicked, without_keys

OPENING = [
    *sorted(KEYS_TO_ROOMS),
    "Secret",
    "download_url",
    "signedUrl",
    "guest_link",
    "links",
    "access_token",
    "jwt",
    "uri",
]


@pytest.mark.parametrize("name", OPENING)
def test_what_may_open_something_is_left_out_at_any_depth(name):
    answer = {"uuid": "u", name: "x", "space": {"id": "s", name: "x", "settings": [{name: ["x"], "chat": True}]}}
    rest = {"uuid": "u", "space": {"id": "s", "settings": [{"chat": True}]}}
    assert without_keys(answer) == pick(answer, "all") == rest
    assert pick(answer, ["uuid", name]) == {"uuid": "u"}


def test_all_other_fields_are_kept():
    answer = {"name": "n", "is_password_set": True, "recording_available": True, "tags": "{}", "profile_picture": None}
    assert pick(answer, "all") == answer


def test_fields_that_are_not_there_are_named_with_the_nearest():
    assert unpicked({"uuid", "name"}, ["uuid", "name"]) == []
    assert unpicked({"uuid", "name"}, ["uid"]) == ["Field 'uid' is not in what the API sent. Did you mean 'uuid'?"]
    assert unpicked({"uuid", "name"}, ["tags"]) == ["Field 'tags' is not in what the API sent. There are: name, uuid."]


def test_fields_that_are_left_out_are_named():
    (sentence,) = unpicked({"uuid", "playback_url"}, ["uuid", "playback_url"])
    assert sentence == "Field 'playback_url' is left out, since it may open a recording or a space."


@pytest.mark.parametrize("fields", [None, "all", ["uid"]])
def test_nothing_is_missed_in_the_short_form_the_whole_or_nothing(fields):
    assert unpicked({"uuid"} if fields != ["uid"] else (), fields) == []
