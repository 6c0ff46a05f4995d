"""RTP in from Redis, WebRTC out to browsers."""
