"""`python -m couler_jobs` is the command `couler-jobs`."""

import sys

from couler_jobs.cli import main

if __name__ == "__main__":
    sys.exit(main())
