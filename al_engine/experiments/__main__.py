"""`python -m al_engine.experiments CONFIG.toml --output DIR`: an experiment without Django."""

import argparse
import sys
from typing import Final

from al_engine.experiments.command_line import DESCRIPTION, add_arguments, run
from al_engine.standard_streams import standard_streams

PROGRAM: Final = "python -m al_engine.experiments"


def main() -> int:
    """Do what the command line says; returns the exit status."""
    parser = argparse.ArgumentParser(prog=PROGRAM, description=DESCRIPTION)
    add_arguments(parser)
    return run(vars(parser.parse_args()), program=PROGRAM.split())


if __name__ == "__main__":
    with standard_streams():
        sys.exit(main())
