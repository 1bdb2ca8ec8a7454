# SPDX-License-Identifier: Apache-2.0
"""Many launches and many updates in one task: what they cost of calls, time, CPU and memory, and what a kill costs."""
