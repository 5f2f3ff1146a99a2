"""Faults on a stack of its own, judged by a ledger of what was sent: `./pickly chaos`."""
