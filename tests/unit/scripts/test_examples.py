# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest

from lessonspace_provider.plugin.archives import Archive, configured_archives
from scripts.examples import (
    DAGS_FOLDER,
    WAITING_DAGS,
    example_dags,
    history_days,
    shown_archives,
    variables,
    what_to_trigger,
)
from scripts.run_folder import RunFolder

RUN = RunFolder(Path("/checkout/.demo/ui"))


def variables_needed() -> set[str]:
    """The Variables that an example reads, in Python or in a template, without a default of its own."""
    return {name for path in DAGS_FOLDER.glob("*.py") for name in variables_read_by(path.read_text())}


def variables_read_by(source: str) -> Iterator[str]:
    yield from re.findall(r"\bvar\.(?:value|json)\.(?!get\b)(\w+)", source)
    tree = ast.parse(source)
    constants = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Variable.get" and not node.keywords:
            name = node.args[0]
            yield ast.literal_eval(constants[name.id] if isinstance(name, ast.Name) else name)


def test_every_variable_that_an_example_needs_is_stored() -> None:
    needed = variables_needed()
    assert {"lessonspace_leavers", "lessonspace_inventory"} <= needed, "the search finds both ways to read one"
    assert needed - set(variables(RUN)) == set()


def test_every_stored_variable_is_read_by_an_example() -> None:
    sources = "".join(path.read_text() for path in DAGS_FOLDER.glob("*.py"))
    assert [name for name in variables(RUN) if name not in sources] == []


def test_what_the_examples_write_stays_in_the_folder_of_the_run() -> None:
    values = [value for name, (value, _) in variables(RUN).items() if not name.endswith("_address")]
    paths = [re.findall(r'(?:file://|^)(/[^"]+)', value) for value in values]
    assert all(found and all(path.startswith(f"{RUN.root}/") for path in found) for found in paths)
    assert len(set(values)) == len(values)


def test_make_ui_names_every_example() -> None:
    line = what_to_trigger("the space")
    assert "\n" not in line
    assert [name for name in example_dags() if not re.search(rf"\b{name}\b", line)] == []
    to_trigger, by_themselves = line.split(";")
    assert [name for name in WAITING_DAGS if name in to_trigger or name not in by_themselves] == []


@pytest.mark.parametrize(("day", "days"), [(23, 1), (24, 1), (25, 2), (29, 6)])
def test_the_sandboxs_own_sessions_stay_out_of_last_week_unless_it_was_yesterday(day: int, days: int) -> None:
    assert history_days(datetime(2026, 11, day, 12, tzinfo=timezone.utc)) == days


def test_the_page_shows_the_archive_that_the_examples_write(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in shown_archives(RUN).items():
        monkeypatch.setenv(name, value)
    assert configured_archives() == [Archive(variables(RUN)["lessonspace_archive"][0])]
