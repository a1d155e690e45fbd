"""What the office does.  Plain synchronous code that knows only ports, domain and wire."""
