# SPDX-License-Identifier: Apache-2.0
"""Names of launch features. The API drops a name that it does not know, without an error. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

#: The older names that the vendor's guide lists.
OLDER = frozenset(
    {
        "chat",
        "emojis",
        "endSession",
        "exportZip",
        "fullscreen",
        "hideTabbar",
        "hideToolbar",
        "importPdf",
        "importZip",
        "invite",
        "participants",
        "profanityFilter",
        "tabContextMenu",
        "tabDownload",
        "timer",
    }
)

#: The newer names that the vendor's guide lists or that clients send. There are more of them.
NEWER = frozenset(
    {
        "apps.calculator",
        "apps.dice",
        "apps.enabled",
        "apps.graphingCalculator",
        "apps.sharedVideo",
        "av.directLeaderUnmute",
        "av.enabled",
        "av.layoutModes",
        "av.publishing",
        "av.screenShare",
        "breakouts.enabled",
        "chat.enabled",
        "import.zip",
        "options.fullscreen",
        "options.profanityFilter",
        "people.invite",
        "reactions.emojis",
    }
)


def unknown_features(features: object) -> list[str]:
    """
    Describe each feature whose name is not known here.

    :param features: the launch field; anything but a mapping has none.
    :return: the name, with a known one if that is close, such as ``'chatt' (did you mean 'chat'?)``.
    """
    names = features if isinstance(features, Mapping) else {}
    return [_described(name) for name in names if name not in OLDER | NEWER]


def _described(name: object) -> str:
    nearest = difflib.get_close_matches(str(name), sorted(OLDER | NEWER), n=1)
    return f"{str(name)[:100]!r} (did you mean {nearest[0]!r}?)" if nearest else f"{str(name)[:100]!r}"
