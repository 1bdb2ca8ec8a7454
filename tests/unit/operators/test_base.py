# SPDX-License-Identifier: Apache-2.0
"""What all operators that list something share."""

from __future__ import annotations

import inspect
import json

import pytest
from hypothesis import HealthCheck, given, settings

from lessonspace_provider.operators.sessions import LessonspaceListSessionsOperator
from lessonspace_provider.operators.spaces import LessonspaceListSpacesOperator
from lessonspace_provider.operators.users import LessonspaceListUsersOperator
from tests.odd_items import session_fields, values

OPERATORS = [LessonspaceListSessionsOperator, LessonspaceListSpacesOperator, LessonspaceListUsersOperator]
SESSION = {"uuid": "5b5f1a2c-3d4e-4f5a-8b9c-0d1e2f3a4b5c", "name": "Algebra", "end_time": "2026-11-22T10:00:00Z"}
OTHER = {**SESSION, "uuid": "6c6f1a2c-3d4e-4f5a-8b9c-0d1e2f3a4b5c"}


class Hook:
    """Stands in for the hook, with the same entries in every list."""

    def __init__(self, *entries):
        self.entries = entries

    def list_sessions(self, **filters):
        return iter(self.entries)

    list_spaces = list_users = list_sessions


def listed(operator_class, *entries, **parameters):
    operator = operator_class(task_id="list", **parameters)
    operator.hook = Hook(*entries)
    return operator.execute({})


@pytest.mark.parametrize("operator_class", OPERATORS)
@pytest.mark.parametrize("name", ["filters", "fields", "destination"])
def test_parameters_of_lists_are_optional_and_typed(operator_class, name):
    parameter = inspect.signature(operator_class.__init__).parameters[name]
    assert parameter.default is None
    assert parameter.annotation not in (inspect.Parameter.empty, "Any")


@pytest.mark.parametrize("operator_class", OPERATORS)
def test_a_list_logs_how_much_it_read_and_where_it_is(operator_class, tmp_path, capfd):
    listed(operator_class, SESSION, OTHER)
    assert "Read 2 entries into the task's result" in "".join(capfd.readouterr())
    listed(operator_class, SESSION, OTHER, destination=f"file://{tmp_path}/x.jsonl")
    assert f"Read 2 entries and wrote them to file://{tmp_path}/x.jsonl" in "".join(capfd.readouterr())


@pytest.mark.parametrize("operator_class", OPERATORS)
@given(odd=session_fields, more=values)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_shape_of_one_entry_stops_a_list(operator_class, odd, more):
    odd = {"uuid": OTHER["uuid"], **odd, "user": more, "role": more, "slug": more}
    kept = listed(operator_class, SESSION, odd, SESSION)
    assert len(kept) == 3
    assert kept[0] == kept[2]
    json.dumps(kept, allow_nan=False)
