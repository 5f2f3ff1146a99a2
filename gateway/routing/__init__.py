"""Routes are declared once: FastAPI documents them, a route class executes them at ASGI level."""
