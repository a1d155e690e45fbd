"""The chancery command: thin clients of the REST API, and the offline tools."""
