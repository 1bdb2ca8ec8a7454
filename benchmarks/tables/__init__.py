# SPDX-License-Identifier: Apache-2.0
"""What the tables of the archive cost, and whether they agree with the manifests."""
