"""OpenID providers, asked over HTTPS.  ``provider`` asks; ``plan`` says what, and loads nothing."""
