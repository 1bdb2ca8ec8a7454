# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from lessonspace_provider.api.fields import KEYS_TO_ROOMS, pick, without_keys

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
