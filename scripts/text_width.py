# SPDX-License-Identifier: Apache-2.0
"""Fitting text of any script into columns of a terminal."""

from __future__ import annotations

import unicodedata

ZERO_WIDTH_JOINER = "\u200d"
EMOJI_PRESENTATION = "\ufe0f"
FIRST_STRONG_ISOLATE, POP_ISOLATE = "\u2068", "\u2069"
RIGHT_TO_LEFT = {"R", "AL", "AN"}


def visible(text: str) -> str:
    """The text on one line, without what could move the cursor or turn the reading direction."""
    spaced = "".join(" " if unicodedata.category(c) in {"Cc", "Zl", "Zp"} else c for c in text)
    kept = (c for c in spaced if unicodedata.category(c) != "Cf" or c == ZERO_WIDTH_JOINER)
    return " ".join("".join(kept).split())


def width(text: str) -> int:
    """How many columns a terminal gives the text."""
    return sum(_cluster_width(cluster) for cluster in _clusters(text))


def fit(text: str, columns: int) -> str:
    """The text in exactly so many columns: padded, or cut between characters and ended with an ellipsis.

    Right-to-left text is wrapped in isolates, so that a terminal that reorders it leaves its neighbours alone.
    """
    shown = visible(text)
    if width(shown) > columns:
        shown = _cut(shown, columns - 1) + "…"
    padding = " " * (columns - width(shown))
    if any(unicodedata.bidirectional(c) in RIGHT_TO_LEFT for c in shown):
        shown = FIRST_STRONG_ISOLATE + shown + POP_ISOLATE
    return shown + padding


def _cut(text: str, columns: int) -> str:
    kept = ""
    left = columns
    for cluster in _clusters(text):
        left -= _cluster_width(cluster)
        if left < 0:
            break
        kept += cluster
    return kept.rstrip()


def _clusters(text: str) -> list[str]:
    """Split the text into what a reader sees as one character each; an approximation of Unicode's rules."""
    clusters: list[str] = []
    for character in text:
        if clusters and _continues(clusters[-1], character):
            clusters[-1] += character
        else:
            clusters.append(character)
    return clusters


def _continues(cluster: str, character: str) -> bool:
    if _is_regional_indicator(character):
        return len(cluster) == 1 and _is_regional_indicator(cluster)
    return (
        cluster.endswith(ZERO_WIDTH_JOINER)
        or unicodedata.category(character) in {"Mn", "Me", "Cf"}
        or "\U0001f3fb" <= character <= "\U0001f3ff"  # skin tones
    )


def _is_regional_indicator(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _cluster_width(cluster: str) -> int:
    first = cluster[0]
    if unicodedata.category(first) in {"Mn", "Me", "Cf"}:
        return 0
    wide = unicodedata.east_asian_width(first) in {"W", "F"}
    return 2 if wide or EMOJI_PRESENTATION in cluster or _is_regional_indicator(first) else 1
