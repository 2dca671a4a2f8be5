"""Whose conversations they are, until there are accounts."""

LOCAL_OWNER = "local"
"""Who uses a server that asks nobody who they are: its first owner."""
