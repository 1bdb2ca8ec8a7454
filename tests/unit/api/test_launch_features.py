# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from lessonspace_provider.api.launch_features import unknown_features


@pytest.mark.parametrize(
    "features", [None, "chat", {}, {"chat": True}, {"chat.enabled": False, "profanityFilter": True}]
)
def test_names_of_both_generations_are_known(features):
    assert unknown_features(features) == []


def test_an_unknown_name_is_described_with_the_nearest_known_one():
    assert unknown_features({"chat": True, "chat.enable": True, "x" * 500: True}) == [
        "'chat.enable' (did you mean 'chat.enabled'?)",
        f"'{'x' * 100}'",
    ]
