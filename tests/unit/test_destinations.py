# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from airflow.sdk import ObjectStoragePath

from lessonspace_provider.destinations import as_place
from lessonspace_provider.exceptions import LessonspaceInputError

NO_PLACES = [
    "",
    "a",
    "./a",
    "file://",
    "file://a/b",
    "file://a@b/c",
    ":///a",
    "s3://",
    "a\0",
    "/\ud800",
    7,
    None,
    b"/a",
]


@pytest.mark.parametrize(
    ("destination", "path"),
    [
        ("/data/a", "/data/a"),
        ("file:///data/a", "/data/a"),
        ("file:///data/a@b/c", "/data/a@b/c"),
        (ObjectStoragePath("file:///data/a"), "/data/a"),
        ("s3://aws_default@bucket/a", "bucket/a"),
    ],
)
def test_a_place_is_an_absolute_path_or_a_url(destination, path):
    assert as_place(destination, "a folder").path == path


@pytest.mark.parametrize("destination", NO_PLACES)
def test_a_place_that_depends_on_the_worker_or_is_none_is_refused(destination):
    with pytest.raises(LessonspaceInputError, match=r"destination=.*must be a folder"):
        as_place(destination, "a folder")
