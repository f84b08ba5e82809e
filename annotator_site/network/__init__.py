"""Limits on connections before their user is known: bytes, time, descriptors, rates."""
