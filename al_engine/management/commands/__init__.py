"""One module a command; see the package above."""
