# SPDX-License-Identifier: Apache-2.0
"""The public import paths, as CONTRIBUTING.md and the documentation name them."""

from __future__ import annotations

#: Public modules, and the names in them that users import.
PUBLIC = {
    "archive": "Health Problem ResearchExport export_research problems_of read_health rebuild_health",
    "attendance": "Stay attendance profiles_by_user",
    "exceptions": "LessonspaceError LessonspaceAuthError LessonspaceBadRequestError LessonspaceInputError "
    "LessonspaceNotFoundError LessonspaceRateLimitedError LessonspaceServerError LessonspaceTranscriptNotReady",
    "hooks.lessonspace": "LessonspaceHook",
    "links": "LessonspaceArchiveHealthLink LessonspaceSpaceLink",
    "operators.archive": "LessonspaceArchiveTranscriptsOperator LessonspaceBuildTablesOperator "
    "LessonspaceEraseOperator LessonspaceExpireArchiveOperator",
    "operators.sessions": "LessonspaceListSessionsOperator LessonspaceUpdateSessionOperator "
    "LessonspaceUpdateSessionsOperator LessonspaceGetRecordingUrlOperator",
    "operators.spaces": "LessonspaceLaunchSpaceOperator LessonspaceLaunchSpacesOperator LessonspaceListSpacesOperator",
    "operators.transcripts": "LessonspaceGetTranscriptOperator LessonspaceArchiveTranscriptsOperator",
    "operators.users": "LessonspaceListUsersOperator LessonspaceRemoveUserOperator",
    "output": "write_whole",
    "rate_limit": "Gate RateLimitSettings gate_for",
    "retry_policy": "LessonspaceRetryPolicy",
    "sandbox": "Fault NewSession Sandbox SandboxControl SandboxControlError SandboxSettings Visit",
    "sandbox.pytest_plugin": "lessonspace_sandbox_settings lessonspace_sandbox lessonspace_connection",
    "sensors.sessions": "LessonspaceSessionEndSensor",
    "sensors.transcripts": "LessonspaceTranscriptSensor",
    "spreadsheets": "Row read_rows without_formulas",
    "transcripts": "SpeakerTime TalkTime measure_talk_time pieces_of",
    "triggers.sessions": "LessonspaceSessionEndTrigger LessonspaceSessionEndedEventTrigger SessionEndEvent",
    "triggers.transcripts": "LessonspaceTranscriptTrigger TranscriptEvent",
    "waiting": "end_time ended_within has_ended known_start space_id_of space_of start_time",
}
#: Of these, packages that export a few names in `__all__`; their modules are private.
EXPORTING_PACKAGES = ("archive", "output", "rate_limit", "sandbox", "transcripts", "waiting")
