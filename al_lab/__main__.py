"""`python -m al_lab CONFIG.toml --output DIR`: runs an experiment and writes its report;

`python -m al_lab embed` makes feature files for experiments.
"""

import sys
from importlib.util import find_spec
from typing import Final

from al_engine.standard_streams import standard_streams

# What the lab needs, and what installs it.
NEEDED: Final = {"torch": "make setup", "matplotlib": "make lab"}


def main() -> int:
    """Do what the command line says; returns the exit status."""
    for package, remedy in NEEDED.items():
        if find_spec(package) is None:
            print(
                f"al_lab needs {package}, which is not installed: run `{remedy}`.", file=sys.stderr
            )
            return 1
    from al_lab import command_line, embed_command

    if sys.argv[1:2] == [embed_command.NAME]:
        return embed_command.main(sys.argv[2:])
    return command_line.main()


if __name__ == "__main__":
    with standard_streams():
        sys.exit(main())
