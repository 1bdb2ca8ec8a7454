# SPDX-License-Identifier: Apache-2.0
"""
The archive of transcripts: the account of each session, the manifests, and the run that fills them.

What a DAG needs of an archive is exported here: its health, and the export for research.
"""

from lessonspace_provider.archive.health import Health
from lessonspace_provider.archive.health_problems import Problem, problems_of
from lessonspace_provider.archive.health_store import read_health, rebuild_health
from lessonspace_provider.archive.research import ResearchExport, export_research

__all__ = [
    "Health",
    "Problem",
    "ResearchExport",
    "export_research",
    "problems_of",
    "read_health",
    "rebuild_health",
]
