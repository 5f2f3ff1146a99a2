"""Every route, one file per thing."""
