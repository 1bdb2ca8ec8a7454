# SPDX-License-Identifier: Apache-2.0
"""Sessions, users and spaces of any shape that JSON can have, to stand among good ones."""

from __future__ import annotations

from hypothesis import strategies as st

#: Values that were seen to stop a reader of items, and their like.
WORST = [
    "10:",
    "1:",
    "now",
    "2026-11-22T09:00:00",
    "9999-12-31T23:59:59Z",
    "0001-01-01T00:00:00+14:00",
    "\ud83d",
    "{{ conn.lessonspace_default.password }}",
    "9" * 5000,
    "",
    True,
    -1,
    0,
    0.5,
    1e300,
    10**400,
    10**5000,
    float("nan"),
    float("inf"),
    -float("inf"),
    [],
    {},
    [None],
    [[]],
    [{}],
    {"id": {}},
    {"id": []},
    {"user": {}},
    {"name": {}},
    None,
]

values = st.sampled_from(WORST) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)

times = st.sampled_from(["2026-11-22T09:00:00Z", "2026-11-10T09:30:00Z", "2099-01-01T00:00:00Z"]) | values

_profile = st.fixed_dictionaries({}, optional={"user": values, "name": values, "email": values, "role": values})
_guest = st.fixed_dictionaries({}, optional={"uuid": values, "id": values})
_row = st.fixed_dictionaries(
    {"log_type": st.sampled_from(["user-joined", "user-left"]) | values},
    optional={"date": times, "profile": values, "guest_uuid": values, "id": values, "user_socket_id": values},
)
_space = st.fixed_dictionaries({}, optional={"id": values, "slug": values, "name": values, "url": values})

#: Everything of a session but its ids.
session_fields = st.fixed_dictionaries(
    {},
    optional={
        "name": values,
        "space": _space | values,
        "start_time": times,
        "end_time": times,
        "profiles": st.lists(_profile | values, max_size=3) | values,
        "guests": st.lists(_guest | values, max_size=2) | values,
        "logs": st.lists(_row | values, max_size=4) | values,
        "billable_seconds": values,
        "tags": values,
        "record_av": values,
        "recording_access_policy": st.lists(values, max_size=2) | values,
        "recording_available": values,
    },
)
