"""Managed keys inside the key boundary: kept, used and handed out by rule, never in clear."""
