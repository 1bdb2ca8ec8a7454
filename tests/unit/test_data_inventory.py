# SPDX-License-Identifier: Apache-2.0
"""The page that tells a data protection officer where people's data is names each place that the code writes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from airflow.configuration import conf
from airflow.utils.db_cleanup import config_dict

from lessonspace_provider.archive.erasure.tombstones import ERASURES
from lessonspace_provider.archive.health.store import HEALTH, HEALTH_PAGE
from lessonspace_provider.archive.index import INDEX
from lessonspace_provider.archive.schema import SUMMARY
from lessonspace_provider.archive.tables.columns import TABLES
from lessonspace_provider.archive.tables.store import FOLDER
from lessonspace_provider.archive.windows import MANIFESTS
from lessonspace_provider.bulk.account import FILE_NAME
from lessonspace_provider.operators import archive, archive_erasure
from lessonspace_provider.transcripts.formats import WRITERS
from lessonspace_provider.triggers.transcripts import LessonspaceTranscriptTrigger

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs/explanation/data-inventory.md").read_text()
CODE = set(re.findall(r"`([^`\n]+)`", PAGE))


@pytest.mark.parametrize(
    "place",
    [
        *(f".{name}" for name in WRITERS if name != "json"),
        "<path>.json",
        f"<path>.{SUMMARY}.txt",
        f"{MANIFESTS}/*.json",
        INDEX,
        *(f"{FOLDER}/{table}" for table in TABLES),
        HEALTH,
        HEALTH_PAGE,
        f"{ERASURES}/*.json",
        f"{ERASURES}/key",
        FILE_NAME,
    ],
)
def test_a_place_that_the_code_writes_is_in_the_inventory(place):
    assert place in CODE


def test_folders_of_an_archive_are_those_in_the_inventory(tmp_path):
    """A constant that names a new folder or file of the archive has to be added above, and to the page."""
    modules = (ROOT / "lessonspace_provider/archive").rglob("*.py")
    pattern = re.compile(r'^[A-Z_]+(?:: [^=]+)? = "(\w+(?:\.\w+)?)"$', re.MULTILINE)
    named = {name for module in modules for name in pattern.findall(module.read_text())}
    places = {name for name in named if "." in name or name in ("manifests", "tables", "erasures")}
    assert places >= {"manifests", "tables", "erasures", "manifest_index.json"}
    assert not [place for place in places if not any(code.startswith(place) for code in CODE)]


@pytest.mark.parametrize(
    "place", ["user_ids", "names", "extra_names", "path_template", "redact_spoken_names", "account_names"]
)
def test_a_parameter_that_brings_or_hides_names_is_in_the_inventory(place):
    assert place in {name.partition("=")[0] for name in CODE}


def test_names_of_an_erasure_that_airflow_renders_are_in_the_inventory():
    fields = archive_erasure.LessonspaceEraseOperator.template_fields
    row = next(line for line in PAGE.splitlines() if line.startswith("| rendered fields"))
    assert ("names" in fields) == ("numbers of `user_ids` and `names`" in row)
    assert "extra_names" in archive.LessonspaceArchiveTranscriptsOperator.template_fields


def test_tables_of_airflow_that_hold_data_are_cleaned_by_its_command():
    assert {"xcom", "dag_run", "task_instance", "trigger", "asset_event", "log"} <= config_dict.keys()


def test_airflow_has_the_option_that_the_inventory_names():
    options = re.findall(r"`\[core\] (\w+)`", PAGE) + re.findall(r"older versions: `(\w+)`", PAGE)
    assert any(conf.has_option("core", option) for option in options)


def test_what_openlineage_gets_of_a_run_is_in_the_inventory():
    utils = pytest.importorskip("airflow.providers.openlineage.utils.utils", reason="OpenLineage is not installed here")
    row = next(line for line in PAGE.splitlines() if line.startswith("| OpenLineage events"))
    assert ("conf" in utils.DagRunInfo.includes) == ("`conf`" in row)
    if conf.has_option("openlineage", "include_full_task_info"):  # older ones have no such option
        assert "`include_full_task_info`" in row


@pytest.mark.parametrize(
    "word", ["XCom", "rendered fields", "logs", "Redis", "mails", "Lessonspace", "Versions", "backups"]
)
def test_kinds_of_places_are_in_the_inventory(word):
    assert word in PAGE


def test_triggers_hold_no_names():
    names = LessonspaceTranscriptTrigger.__init__.__annotations__
    assert not [name for name in names if "name" in name or "user" in name]
