# SPDX-License-Identifier: Apache-2.0
"""
What can be waited for: has a session ended, which one was the lesson, is there a transcript. Pure.

What a DAG needs of a session is exported here.
"""

from lessonspace_provider.sessions import (
    end_time,
    ended_within,
    has_ended,
    known_start,
    space_id_of,
    space_of,
    start_time,
)

__all__ = ["end_time", "ended_within", "has_ended", "known_start", "space_id_of", "space_of", "start_time"]
