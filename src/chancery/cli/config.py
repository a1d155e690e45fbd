"""``chancery config``: the configuration of an instance."""

from chancery.cli.application import group

app = group("config")
app.command("chancery.cli.instance:check", name="check")
