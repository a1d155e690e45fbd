"""The outside world behind the ports: storage, lint, publication."""
