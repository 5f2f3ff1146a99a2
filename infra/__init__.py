"""The ground: the runtime, the local stack, operations, migrations, deployment."""
