"""Entry point of `saliscope` and of `python -m saliscope.cli`."""

from __future__ import annotations

import os
import sys

from saliscope.cli.guard import COMPLETE, guarded


def main() -> int:
    """Run the command line and give its exit status."""
    arguments = sys.argv[1:]
    # Prompts and status bars ask this one often: without click it takes two thirds of the time.
    if arguments[:1] == ["status"] and {*arguments[1:]} <= {"--json"} and COMPLETE not in os.environ:
        from saliscope.cli.status import report

        return guarded(lambda: report(as_json="--json" in arguments), as_json="--json" in arguments)

    from saliscope.cli.app import app

    status: int = app.main(arguments, prog_name="saliscope", standalone_mode=False)
    return status


if __name__ == "__main__":
    sys.exit(main())
