"""Protocol doors.  A protocol translates; it never decides.  Blind to each other."""
