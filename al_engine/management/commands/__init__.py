"""One module per command; see the package above."""
