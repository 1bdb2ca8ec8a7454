# SPDX-License-Identifier: Apache-2.0
"""Ways to share the limit of one key over processes and machines."""
