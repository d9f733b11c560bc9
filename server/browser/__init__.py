"""The browser: sessions over WebRTC, or over a plain WebSocket, with speech, events and, where there is one, a face."""
