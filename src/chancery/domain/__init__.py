"""What things are: frozen types, states, rules, errors.  No I/O, no clock, no randomness."""
