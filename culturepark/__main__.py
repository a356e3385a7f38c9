"""``python -m culturepark``."""

import sys

from culturepark.cli import main

sys.exit(main())
