"""How a message gets onto a topic: commands from the gateway, the outboxes, the clock."""
