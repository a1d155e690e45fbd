"""LDAP directories: OpenLDAP, Active Directory and their kin."""

from chancery.adapters.directory.ldap import LdapDirectory
from chancery.adapters.directory.plan import LdapPlan, Server

__all__ = ["LdapDirectory", "LdapPlan", "Server"]
