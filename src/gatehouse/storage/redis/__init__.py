"""Redis: one server, behind Sentinels, or a cluster."""
