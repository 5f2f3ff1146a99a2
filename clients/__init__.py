"""Programs that talk to Pickly from outside, over HTTP only."""
