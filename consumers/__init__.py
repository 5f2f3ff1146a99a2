"""Who decides and who projects: one folder, one group, one Postgres schema, one role."""
