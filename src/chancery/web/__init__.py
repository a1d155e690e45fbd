"""The console and the public portal."""
