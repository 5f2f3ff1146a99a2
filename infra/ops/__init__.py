"""Tools for those who run Pickly, each a command: migrations, topics, generated documents."""
