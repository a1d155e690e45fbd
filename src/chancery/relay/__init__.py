"""A dedicated registration authority: a host that relays to its centre, and waits for it.

It holds no key of a CA and no record.  ``relay`` passes requests on,
``queue`` keeps what comes in while the centre is away, ``courier`` hands it
over.
"""
