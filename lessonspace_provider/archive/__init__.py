# SPDX-License-Identifier: Apache-2.0
"""The archive of transcripts: the account of each session, the manifests, and the run that fills them."""
