"""Keys on a PKCS#11 token: a hardware security module, a smart card, SoftHSM."""
