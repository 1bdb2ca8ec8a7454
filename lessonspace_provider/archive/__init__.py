# SPDX-License-Identifier: Apache-2.0
"""
The archive of transcripts: entries of sessions, manifests, and the run that writes them.

For DAGs, its health and the export for research are exported here.
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
