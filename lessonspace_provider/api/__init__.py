# SPDX-License-Identifier: Apache-2.0
"""The HTTP client of the Lessonspace API: what may be sent, how a call is made, and how its response is read."""
