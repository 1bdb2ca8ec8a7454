# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given

from lessonspace_provider.api.ids import is_slug, is_uuid, named, user_id_of
from tests.odd_items import values

UUID = "5b5f1a2c-3d4e-4f5a-8b9c-0d1e2f3a4b5c"


@pytest.mark.parametrize("value", [UUID, UUID.upper()])
def test_a_uuid_is_one_with_its_dashes(value):
    assert is_uuid(value)


@pytest.mark.parametrize(
    "value", [f"{{{UUID}}}", f"urn:uuid:{UUID}", UUID.replace("-", ""), f"{UUID}\n", f" {UUID}", UUID[:-1], 7, None]
)
def test_other_spellings_of_a_uuid_are_none(value):
    assert not is_uuid(value)


@pytest.mark.parametrize("value", [UUID, "Maths_one-7", "a"])
def test_a_slug_has_letters_digits_and_dashes(value):
    assert is_slug(value)


@pytest.mark.parametrize("value", ["", "{{ a }}", "a b", "a/b", "..", "é", "a\n", "a" * 101, 7, None, ["a"]])
def test_other_text_is_no_slug(value):
    assert not is_slug(value)


@pytest.mark.parametrize(
    ("user", "user_id"),
    [
        ({"user": {"id": 5, "username": "eve"}, "role": "admin"}, 5),
        ({"id": 99, "user": {"id": 5}}, 5),
        ({"id": 99, "user": 7}, 7),
        ({"id": 8}, 8),
        ({"id": 8, "user": {"name": "Cy"}}, 8),
        ({"id": 8, "user": None}, 8),
        ({"id": True, "user": {"id": "7"}}, None),
        ({"id": 0, "user": -7}, None),
        ({"id": 2**63}, None),
        ({}, None),
    ],
)
def test_the_id_of_a_user_is_read_in_every_shape(user, user_id):
    assert user_id_of(user) == user_id


@given(uuid=values, number=values)
def test_an_entry_is_named_by_ids_alone(uuid, number):
    name = named({"uuid": uuid, "id": number, "name": "Ann"})
    assert name.replace("without a uuid, id ", "").isdigit() or name == "without an id"
    assert named({"uuid": UUID, "id": number}) == UUID
    assert named({"uuid": uuid, "id": 12}) == "without a uuid, id 12"
