"""The inline linter: every certificate passes it before the real key signs.

It takes bytes apart by itself and knows nothing of the encoder
(``wire.tbs``, ``wire.extensions``), so that an error there shows here.  It
is fast because a profile's fixed extensions are judged once, not once per
certificate.
"""

from chancery.wire.lint.certificate import compile_lint

__all__ = ["compile_lint"]
