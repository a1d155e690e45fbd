"""The one module that knows every other.  Read it to see how chancery fits together."""
