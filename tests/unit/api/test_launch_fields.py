# SPDX-License-Identifier: Apache-2.0
"""Webhooks and features of a launch."""

from __future__ import annotations

import pytest

from lessonspace_provider.api.launch import launch_body
from lessonspace_provider.api.launch_fields import known_webhooks, refuse_unknown_webhooks, unknown_features
from lessonspace_provider.exceptions import LessonspaceInputError

URL = "https://school.example/hook"


def test_the_known_webhooks_are_those_that_the_vendor_and_clients_name():
    assert set(known_webhooks()) == {
        *("session.start", "session.idle", "session.end", "user.join", "user.idle", "user.leave"),
        *("transcription.finish", "cobrowser.start", "cobrowser.stop", "chat.message"),
        *("knock.request", "knock.admit", "knock.deny", "summary.finish"),
    }


@pytest.mark.parametrize(
    ("webhooks", "name"),
    [
        ({"recording": {"finish": URL}}, "recording.finish"),
        ({"recording": None}, "recording"),
        ({"recording": {}}, "recording"),
        ({"recording": URL}, "recording"),
        ({"session": {"end": URL, "finish": URL}}, "session.finish"),
        ({"session": {"end": URL}, "Session": {"end": URL}}, "Session.end"),
        ({"recording.finish": URL}, "recording.finish"),
        ({7: URL}, "7"),
    ],
)
def test_an_unknown_webhook_is_refused_with_the_list_of_known_ones(webhooks, name):
    with pytest.raises(LessonspaceInputError) as caught:
        refuse_unknown_webhooks(webhooks)
    message = str(caught.value)
    assert message.startswith(f"Unknown webhook '{name}'.")
    assert f"Known names: {', '.join(known_webhooks())}." in message
    assert "can stop all webhooks of the space" in message
    assert message.endswith("Nothing was sent.")


@pytest.mark.parametrize("name", ["webhooks.session.end", "sesion.end"])
def test_a_name_that_is_nearly_right_is_answered_with_the_right_form(name):
    with pytest.raises(LessonspaceInputError, match=r"Did you mean \{'session': \{'end': url\}\}\?"):
        refuse_unknown_webhooks({name: {}})


@pytest.mark.parametrize(
    "webhooks",
    [None, "", {}, {"session": None}, {"session": {}}, {"session": {"end": URL}, "knock": {"deny": ""}}],
)
def test_known_webhooks_are_not_refused(webhooks):
    refuse_unknown_webhooks(webhooks)


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


@pytest.mark.parametrize(("user", "is_expanded"), [(("name", "Ann"), True), ("Ann", False), (["Ann"], False)])
def test_a_pair_that_expand_makes_of_a_mapping_is_refused_with_the_reason(user, is_expanded):
    with pytest.raises(LessonspaceInputError, match=r"^user was refused: it must be a mapping with name") as caught:
        launch_body("maths-7b", {"user": user})
    assert ("give expand() a list of mappings" in str(caught.value)) == is_expanded
    assert "Ann" not in str(caught.value)


def test_one_url_as_webhooks_is_refused_with_the_form_of_a_mapping():
    with pytest.raises(
        LessonspaceInputError, match=r"^webhooks was .* such as \{'session': \{'end': url\}\}"
    ) as caught:
        launch_body("maths-7b", {"webhooks": URL})
    assert URL not in str(caught.value)
    assert launch_body("maths-7b", {"webhooks": ""})["webhooks"] == ""
