"""The local stack: real servers, and the supervisor over small stand-in programs."""
