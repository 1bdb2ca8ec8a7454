# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import traceback

import pytest

from lessonspace_provider.api.replaced_errors import ErrorsReplaced
from lessonspace_provider.exceptions import LessonspaceConnectionError, LessonspaceError


def variables_of(error):
    """The variables of all frames that an error's traceback shows, without the test's own."""
    frame, variables = error.__traceback__.tb_next, []
    while frame:
        variables += [value for value in frame.tb_frame.f_locals.values() if value is not error]
        frame = frame.tb_next
    return variables


@pytest.mark.parametrize("kinds", [(Exception,), (ValueError,), (KeyError, ValueError)])
def test_replaced_error_leaves_no_trace_of_the_first_one(kinds):
    def fails(secret):
        raise ValueError(secret)

    with (
        pytest.raises(LessonspaceError, match=r"^ValueError$") as caught,
        ErrorsReplaced(lambda e: LessonspaceError(type(e).__name__), *kinds),
    ):
        fails("s3cr3t")
    error = caught.value
    assert error.__cause__ is error.__context__ is None
    assert "s3cr3t" not in "".join(traceback.format_exception(error))
    assert not [value for value in variables_of(error) if isinstance(value, ValueError) or value == "s3cr3t"]


def test_other_errors_and_own_ones_are_not_replaced():
    for kind in (KeyError, LessonspaceConnectionError, KeyboardInterrupt):
        with pytest.raises(kind), ErrorsReplaced(lambda e: LessonspaceError("x"), ValueError, LessonspaceError):
            raise kind("x")
    with pytest.raises(LessonspaceConnectionError), ErrorsReplaced(lambda e: LessonspaceError("x"), Exception):
        raise LessonspaceConnectionError("no answer")


def test_error_that_was_being_handled_is_no_context_either():
    def handles_one():
        try:
            raise OSError("s3cr3t")
        except OSError:
            with ErrorsReplaced(lambda e: LessonspaceError("x"), Exception):
                raise ValueError("s3cr3t") from None

    with pytest.raises(LessonspaceError) as caught:
        handles_one()
    assert caught.value.__context__ is None
