# SPDX-License-Identifier: Apache-2.0
"""
One queue per API key, over all threads, processes and machines that use it.

Code that calls the API without the hook passes the same queue with what is exported here:

    settings = LessonspaceHook().settings
    gate_for(settings.api_key, settings.base_url, settings.rate_limit).acquire()
"""

from lessonspace_provider.rate_limit.gate import Gate, RateLimitSettings, gate_for

__all__ = ["Gate", "RateLimitSettings", "gate_for"]
