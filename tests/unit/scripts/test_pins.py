# SPDX-License-Identifier: Apache-2.0
"""What make installs has a version of its own in constraints.txt."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pytest brings it

CHECKOUT = Path(__file__).parents[3]
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
PINNED = {
    Requirement(line).name
    for line in (CHECKOUT / "constraints.txt").read_text().splitlines()
    if not line.startswith("#")
}


@pytest.mark.parametrize("group", ["test", "docs", "matrix", "release"])
def test_every_tool_of_a_group_is_pinned(group: str) -> None:
    wanted = [entry for entry in PROJECT["dependency-groups"][group] if isinstance(entry, str)]
    names = {canonicalize_name(Requirement(entry).name) for entry in wanted}
    assert names - PINNED == set()


def test_what_builds_and_installs_is_pinned() -> None:
    builds = {canonicalize_name(Requirement(entry).name) for entry in PROJECT["build-system"]["requires"]}
    assert (builds | {"uv", "pip"}) - PINNED == set()


def test_make_installs_nothing_without_the_pins() -> None:
    recipes = (CHECKOUT / "Makefile").read_text().replace("\\\n", " ").splitlines()
    installs = [line for line in recipes if re.search(r"\bpip install\b", line)]
    assert len(installs) == 4
    assert [line for line in installs if not re.search(r"--constraints? constraints\.txt", line)] == []
