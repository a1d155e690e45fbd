"""What strangers may do: look before they submit, come back with a code, revoke what they hold."""
