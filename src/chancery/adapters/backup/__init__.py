"""Backups on a medium: the device with its key behind a PIN, the layers, the instance's files."""
