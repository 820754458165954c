"""What every request passes before it reaches a route: pure ASGI, one concern a file."""
