"""The command tree.  Each group is imported when it is used, so that `--help` answers at once."""

from typing import Final

from cyclopts import App, Group, Parameter

from chancery import __version__

_EXIT_CODES: Final = (
    "Exit codes: 0 done; 1 unexpected; 2 usage or bad input; 3 some of several failed; "
    "4 not found; 5 not signed in or not allowed; 6 conflict; 7 unavailable; "
    "8 verification failed; 130 interrupted."
)
_RECORD: Final = Group("Certificates and requests", sort_key=1)
_OFFICE: Final = Group("Authorities and rules", sort_key=2)
_KEYS: Final = Group("Keys", sort_key=3)
_PEOPLE: Final = Group("People and access", sort_key=3)
_SERVER: Final = Group("Server", sort_key=4)

_QUICKSTART: Final = """Make a complete instance in an empty directory.

A root and an issuing CA, accounts, profiles, TLS.  Secrets go to files below
the directory; their places are shown, they are not."""
_COMPLETION: Final = """Print the completion script of a shell.

bash: source <(chancery completion bash); zsh: put it into a file _chancery on
your fpath; fish: chancery completion fish | source."""

GROUPS: Final = (
    # name, module, help, group of the help page
    ("request", "request", "Ask for certificates, and decide on what others ask for.", _RECORD),
    ("certificate", "certificate", "Find, revoke and renew certificates.", _RECORD),
    ("revocation", "revocation", "Revocation by who holds the key or the code.", _RECORD),
    ("portal", "portal", "What is open to people without an account.", _RECORD),
    ("filter", "filter", "Searches that you keep for lists.", _RECORD),
    ("va", "va", "A validation authority that stands alone.", _SERVER),
    ("status", "status", "Certificate status for others to take along.", _SERVER),
    ("crl", "crl", "Certificate revocation lists.", _RECORD),
    ("ocsp", "ocsp", "What an authority's OCSP answers say.", _RECORD),
    ("operation", "operation", "Many at once: followed, cancelled.", _RECORD),
    ("figures", "figures", "What there is to do, and what happened each day.", _RECORD),
    ("audit", "audit", "Read the audit log, and check that nobody has changed it.", _RECORD),
    ("ca", "ca", "Certification authorities and their certificates.", _OFFICE),
    ("vault", "vault", "Vaults: where keys are, and whether these places work.", _OFFICE),
    ("container", "container", "Trees of authorities with one owner.", _OFFICE),
    ("profile", "profile", "Certificate profiles: what a certificate may say.", _OFFICE),
    ("dn-profile", "dn_profile", "Subject rules: how a distinguished name is built.", _OFFICE),
    ("ra", "ra", "Registration authorities: who may ask for what, and who decides.", _OFFICE),
    ("door", "door", "Doors by which devices and servers enrol by themselves.", _OFFICE),
    ("scep", "scep", "Who enrols by SCEP.", _OFFICE),
    ("est", "est", "Who enrols by EST.", _OFFICE),
    ("cmp", "cmp", "Who enrols by CMP.", _OFFICE),
    ("acme", "acme", "Who enrols by ACME, and who is to renew early.", _OFFICE),
    ("ceremony", "ceremony", "An offline root: keys and certificates on files.", _OFFICE),
    ("bundle", "bundle", "What an offline CA is to sign: out to it, and back.", _OFFICE),
    ("custodian", "custodian", "Custodians: who holds which share of what.", _OFFICE),
    ("key", "key", "Managed keys: their life, their use, their export.", _KEYS),
    ("key-order", "key_order", "What waits for others to agree to it.", _KEYS),
    ("key-component", "key_component", "Keys in pieces that different people hold.", _KEYS),
    ("key-group", "key_group", "Keys that belong together, and who may use them.", _KEYS),
    ("key-template", "key_template", "What new keys are like.", _KEYS),
    ("user", "user", "Accounts.", _PEOPLE),
    ("group", "group", "Groups of accounts.", _PEOPLE),
    ("token", "token", "Your bearer tokens.", _PEOPLE),
    ("account", "account", "What you sign in with: password, second factors, sessions.", _PEOPLE),
    ("directory", "directory", "LDAP directories that vouch for people.", _PEOPLE),
    ("provider", "provider", "OpenID providers that vouch for people.", _PEOPLE),
    ("notification", "notification", "Messages to people and machines.", _SERVER),
    ("job", "job", "Work in the background that waits, runs or failed.", _SERVER),
    ("backup", "backup", "Backups that two order and custodians open.", _SERVER),
    ("config", "config", "The configuration of an instance.", _SERVER),
    ("database", "database", "The database of an instance.", _SERVER),
    ("bench", "bench", "What measurements need.", _SERVER),
)


def group(name: str) -> App:
    """Return an empty command group; the exit codes are told once, at the top."""
    return App(name=name, help_epilogue="")


def build() -> App:
    """Return the whole command, ready to be called with tokens."""
    app = App(
        name="chancery",
        help="Chancery: an enterprise certificate authority.",
        help_epilogue=_EXIT_CODES,
        version=__version__,
        help_format="plaintext",
        default_parameter=Parameter(negative=(), show_default=_worth_saying),
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    for name, module, text, shelf in GROUPS:
        app.command(f"chancery.cli.{module}:app", name=name, help=text, group=shelf)
    for name, text, shelf in (
        ("quickstart", _QUICKSTART, _SERVER),
        ("serve", "Run an instance in the foreground.", _SERVER),
    ):
        app.command(
            f"chancery.cli.instance:{name}", name=name, help=text, group=shelf, help_epilogue=""
        )
    app.command(
        "chancery.cli.unseal:unseal",
        name="unseal",
        help="Give a share to a server that starts sealed.",
        group=_SERVER,
        help_epilogue="",
    )
    app.command(
        "chancery.cli.whoami:whoami",
        name="whoami",
        help="Show who the server takes you for.",
        group=_PEOPLE,
        help_epilogue="",
    )
    app.command(
        "chancery.cli.completion:completion",
        name="completion",
        help=_COMPLETION,
        group=_SERVER,
        help_epilogue="",
    )
    app["--help"].group = _SERVER
    app["--version"].group = _SERVER
    return app


def _worth_saying(value: object) -> str | None:
    """Show a default in the help where it says something: not ``False``, not ``()``."""
    return str(value) if value not in (False, (), None, "") else None
