"""`python -m vitrify.cli` is `vitrify`."""

from vitrify.cli.main import app

app()
