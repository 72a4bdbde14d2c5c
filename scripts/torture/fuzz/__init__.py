"""Command lines and files as people mistype them, each with what has to become of it; and how one is tried."""
