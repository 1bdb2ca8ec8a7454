# SPDX-License-Identifier: Apache-2.0
"""What can be waited for: has a session ended, which one was the lesson, is there a transcript. Pure."""
