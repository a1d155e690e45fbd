"""Tables of authorities, profiles and registration authorities."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Table,
    UniqueConstraint,
    false,
    text,
)

from chancery.adapters.storage.schema import STRING, metadata, number, octets, words

container = Table(
    "container",
    metadata,
    words("name", key=True),
    words("owner_group", null=True),
    words("description"),
)

authority = Table(
    "authority",
    metadata,
    words("name", key=True),
    Column("container", STRING, ForeignKey("container.name"), nullable=False),
    words("parent", null=True),
    words("subject"),
    words("key_id", null=True),
    words("key_algorithm"),
    words("signature_algorithm"),
    words("state"),
    Column("offline", Boolean, nullable=False),
    words("silo"),
    words("region"),
    words("security_level"),
    octets("certificate", null=True),
    words("chain"),
    number("created_at"),
    octets("csr", null=True),
    number("crl_lifetime_s"),
    number("crl_every_s"),
    words("ocsp_key_id", null=True),
    octets("ocsp_certificate", null=True),
    Column("crl_idp", STRING, nullable=False, server_default="none"),
    Column("crl_urls", STRING, nullable=False, server_default='["{http}/crl/{ca}.crl"]'),
    Column("crl_delta_every_s", BigInteger, nullable=False, server_default="0"),
    Column("crl_on_revocation", STRING, nullable=False, server_default="all"),
    Column("crl_jitter_s", BigInteger, nullable=False, server_default="0"),
    Column("crl_shards", STRING, nullable=False, server_default="[]"),
    Column("crl_ca_list", Boolean, nullable=False, server_default=false()),
    Column("crl_keep_expired", Boolean, nullable=False, server_default=false()),
    Column("crl_indirect", STRING, nullable=False, server_default="[]"),
)

_CURRENT = text("current")
authority_certificate = Table(
    "authority_certificate",
    metadata,
    Column("authority", STRING, ForeignKey("authority.name"), primary_key=True),
    words("issuer", key=True),
    words("serial", key=True),
    words("kind"),
    words("key_id", null=True),
    octets("der"),
    number("not_before"),
    number("not_after"),
    number("created_at"),
    Column("current", Boolean, nullable=False),
    Index(
        "uq_authority_certificate_current",
        "authority",
        unique=True,
        sqlite_where=_CURRENT,
        postgresql_where=_CURRENT,
    ),
)

profile_version = Table(
    "profile_version",
    metadata,
    words("sha256", key=True),
    words("name"),
    number("version"),
    words("document"),
    number("created_at"),
    words("created_by"),
    UniqueConstraint("name", "version"),
)

# Points at the version in force; a retired profile has none.
profile_head = Table(
    "profile_head",
    metadata,
    words("name", key=True),
    Column("sha256", STRING, ForeignKey("profile_version.sha256"), nullable=False),
)

dn_profile = Table("dn_profile", metadata, words("name", key=True), words("document"))

registration_authority = Table(
    "registration_authority", metadata, words("name", key=True), words("document")
)
