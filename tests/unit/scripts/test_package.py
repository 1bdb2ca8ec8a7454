# SPDX-License-Identifier: Apache-2.0
"""What speaks against a release."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from lessonspace_provider import __version__
from scripts import package
from scripts.package import Commit, obstacles, present_commit

GOOD = Commit(version="1.2.0", heading="## [1.2.0] - 2026-11-26", tags={"v1.2.0", "latest"}, is_clean=True)


def test_a_commit_is_released_when_tag_version_and_changelog_agree():
    assert obstacles(GOOD) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"tags": set()}, "the tag v1.2.0, its version; its tags: none"),
        ({"tags": {"v1.2.1"}}, "the tag v1.2.0, its version; its tags: v1.2.1"),
        ({"tags": {"1.2.0"}}, "the tag v1.2.0"),
        ({"heading": "## [Unreleased]"}, "'## [1.2.0] - YYYY-MM-DD'"),
        ({"heading": "## [1.1.0] - 2026-01-01"}, "begins with '## [1.1.0] - 2026-01-01'"),
        ({"heading": ""}, "CHANGELOG.md"),
        ({"is_clean": False}, "not committed"),
    ],
)
def test_commit_that_does_not_agree_is_refused_with_what_disagrees(change, told):
    (obstacle,) = obstacles(replace(GOOD, **change))
    assert told in obstacle


def test_all_obstacles_to_a_release_are_reported_at_once():
    assert len(obstacles(Commit("1.2.0", "", (), is_clean=False))) == 3


def test_the_checkout_is_read(tmp_path, monkeypatch):
    def git(*arguments):
        identity = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org"]
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True)

    monkeypatch.setattr(package, "CHECKOUT", tmp_path)
    (tmp_path / "CHANGELOG.md").write_text(f"# Changelog\n\n## [{__version__}] - 2026-11-26\n\n- All.\n\n## [0.0.1]\n")
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "Begin")
    git("tag", "--annotate", f"v{__version__}", "--message", "First")
    assert obstacles(present_commit()) == []
    (tmp_path / "left").touch()
    assert obstacles(present_commit()) == ["The work tree holds what is not committed."]


def test_an_unreleased_state_is_not_built(monkeypatch):
    monkeypatch.setattr(package, "present_commit", lambda: replace(GOOD, is_clean=False))
    monkeypatch.setattr(package, "build", lambda: pytest.fail("it was built"))
    monkeypatch.setattr(sys, "argv", ["package", "--release"])
    with pytest.raises(SystemExit, match="Nothing was built"):
        package.main()
