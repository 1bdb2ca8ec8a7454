# SPDX-License-Identifier: Apache-2.0
"""
Decide what waits need to know: has a session ended, which session was the lesson, is there a transcript. Pure.

Functions that read a session's fields in a DAG are exported here.
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
