# SPDX-License-Identifier: Apache-2.0
"""
Builds sdist and wheel into ``dist``, and proves that each works alone: ``make package``.

With ``--release``, only for a commit whose tag, version and changelog agree: ``make release``. The tag decides what is
released; the version is in ``lessonspace_provider/__init__.py``, so that a clone without tags can be installed, and
importing it costs nothing.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from lessonspace_provider import __version__

CHECKOUT = Path(__file__).resolve().parent.parent
DIST = CHECKOUT / "dist"
TOOLS = CHECKOUT / ".cache" / "release" / "bin"
UV = Path(sys.prefix) / "bin" / "uv"
PINS = CHECKOUT / "constraints.txt"

_RELEASED = re.compile(r"## \[(\S+)\] - \d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class Commit:
    """
    What is to be released.

    :param version: the package's.
    :param heading: the newest one of the changelog.
    :param tags: of the commit.
    :param is_clean: whether the work tree is what was committed.
    """

    version: str
    heading: str
    tags: Collection[str]
    is_clean: bool


def obstacles(commit: Commit) -> list[str]:
    """List the reasons not to release a commit."""
    found = []
    released = _RELEASED.fullmatch(commit.heading)
    if not commit.is_clean:
        found.append("The work tree holds what is not committed.")
    if released is None or released[1] != commit.version:
        wanted = f"## [{commit.version}] - YYYY-MM-DD"
        found.append(f"CHANGELOG.md begins with {commit.heading!r}, not with {wanted!r}.")
    if f"v{commit.version}" not in commit.tags:
        tags = ", ".join(sorted(commit.tags)) or "none"
        found.append(f"This commit has to have the tag v{commit.version}, its version; its tags: {tags}.")
    return found


def present_commit() -> Commit:
    """Read the checkout."""
    changelog = (CHECKOUT / "CHANGELOG.md").read_text().splitlines()
    return Commit(
        version=__version__,
        heading=next((line for line in changelog if line.startswith("## ")), ""),
        tags=_git("tag", "--points-at", "HEAD").split(),
        is_clean=not _git("status", "--porcelain"),
    )


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=CHECKOUT, check=True, capture_output=True, text=True).stdout


def build() -> list[Path]:
    """Build the sdist, and the wheel from it."""
    shutil.rmtree(DIST, ignore_errors=True)
    _run([TOOLS / "python", "-m", "build", "--installer", "uv", "--outdir", DIST], cwd=CHECKOUT)
    built = sorted(DIST.iterdir())
    _run([TOOLS / "twine", "check", "--strict", *built], cwd=CHECKOUT)
    return built


def try_out(distribution: Path) -> str:
    """
    Install a distribution into an empty environment, and use it there.

    :param distribution: an sdist or a wheel.
    :return: what was seen.
    :raises subprocess.CalledProcessError: when it can't be installed, or does not work.
    """
    with tempfile.TemporaryDirectory(prefix="lessonspace-package-") as folder:
        python = Path(folder) / "venv" / "bin" / "python"
        _run([UV, "venv", "--quiet", "--python", sys.executable, python.parent.parent], cwd=folder)
        pins: list[str | Path] = ["--constraints", PINS, "--build-constraints", PINS]
        _run([UV, "pip", "install", "--quiet", "--python", python, *pins, distribution], cwd=folder)
        shutil.copy(CHECKOUT / "scripts" / "smoke.py", folder)
        seen = _run([python, "-I", "smoke.py", __version__], cwd=folder)
        listed = _run([python.with_name("airflow"), "providers", "list", "--output", "plain"], cwd=folder)
    (line,) = [line for line in listed.splitlines() if line.startswith("airflow-provider-lessonspace")]
    return f"{seen}{' '.join(line.split())}"


def _run(command: Sequence[str | Path], *, cwd: str | Path) -> str:
    """Run a command, with an Airflow home of its own and nothing of the caller's; log what it printed if it fails."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW_", "PYTHON"))}
    airflow = {"AIRFLOW_HOME": f"{cwd}/airflow", "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING"}
    # What builds is installed by uv from within the program build, which hands on no options.
    environment = {**kept, **airflow, "UV_CONSTRAINT": str(PINS), "UV_BUILD_CONSTRAINT": str(PINS)}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
    done.check_returncode()
    return done.stdout


def main() -> None:
    """Build, and log the results."""
    if "--release" in sys.argv[1:] and (found := obstacles(present_commit())):
        sys.exit("\n".join(["Nothing was built:", *found]))
    for distribution in build():
        print(f"{distribution.relative_to(CHECKOUT)}\n{try_out(distribution)}")


if __name__ == "__main__":
    main()
