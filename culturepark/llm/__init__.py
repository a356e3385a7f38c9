"""Model engines: one protocol (``base``), its transports, and the wrappers around them."""
