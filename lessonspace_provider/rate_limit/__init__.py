# SPDX-License-Identifier: Apache-2.0
"""
One queue per API key, for all threads, processes and machines that use the key.

Code that calls the API without the hook can use the same queue:

    settings = LessonspaceHook().settings
    gate_for(settings.api_key, settings.base_url, settings.rate_limit).acquire()
"""

from lessonspace_provider.rate_limit.gate import Gate, RateLimitSettings, gate_for

__all__ = ["Gate", "RateLimitSettings", "gate_for"]
