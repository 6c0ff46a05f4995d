"""HTTP and WebSocket endpoints over the core."""
