"""The security log: what is written into it, and what no stranger can do to it."""
