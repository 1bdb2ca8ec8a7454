# SPDX-License-Identifier: Apache-2.0
"""
Transcripts and summaries: their formats and the redaction of speakers. Pure.

For DAGs, the formats of a transcript and the talk time of its speakers are exported here.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lessonspace_provider.transcripts.formats import pieces_of
    from lessonspace_provider.transcripts.talk_time import SpeakerTime, TalkTime, measure_talk_time

__all__ = ["SpeakerTime", "TalkTime", "measure_talk_time", "pieces_of"]


def __getattr__(name: str) -> object:
    """Import when first used: the hook imports this package, and needs none of them."""
    if name in __all__:
        module = "formats" if name == "pieces_of" else "talk_time"
        return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
