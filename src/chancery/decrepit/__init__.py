"""Obsolete algorithms that old clients force on us, fenced and named."""
