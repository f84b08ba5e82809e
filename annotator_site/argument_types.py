"""Types of arguments on the command line: each refuses in words what it cannot take."""

import argparse
from ipaddress import IPv4Address


def count(text: str) -> int:
    """A whole number of at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is too few: at least 1")
    return number


def none_or_more(text: str) -> int:
    """A whole number of at least 0; 0 starts no process of that role."""
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text} is too few: at least 0")
    return number


def port(text: str) -> int:
    """A TCP port; 0 means any free port."""
    number = int(text)
    if not 0 <= number <= 65_535:
        raise argparse.ArgumentTypeError(f"{text} is no port: 0 to 65535")
    return number


def address(text: str) -> str:
    """An IPv4 address."""
    try:
        return str(IPv4Address(text))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text} is no IPv4 address: 127.0.0.1 is this machine alone, 0.0.0.0 every network"
        ) from None


def amount(text: str) -> float:
    """A number of at least 0."""
    number = float(text)
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number of at least 0")
    return number


def probability(text: str) -> float:
    """A number from 0 to 1."""
    number = float(text)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return number
