"""Everything an operator can choose.  Read once, in ``chancery.app``, then frozen."""
