# SPDX-License-Identifier: Apache-2.0
"""One queue per API key, over all threads, processes and machines that use it."""
