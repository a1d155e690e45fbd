"""``chancery config``: the configuration of an instance."""

from chancery.cli import instance
from chancery.cli.application import group

app = group("config")
app.command(instance.check)
app.command(instance.renew_certificate)
