# SPDX-License-Identifier: Apache-2.0
"""
The archive of transcripts: the account of each session, the manifests, and the run that fills them.

What a DAG needs of an archive is exported here: its health, and the export for research.
"""

from lessonspace_provider.archive.health.figures import Health
from lessonspace_provider.archive.health.problems import Problem, problems_of
from lessonspace_provider.archive.health.store import read_health, rebuild_health
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
