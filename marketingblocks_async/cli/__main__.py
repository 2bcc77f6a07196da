"""``python -m marketingblocks_async.cli``: the command without its script."""

import sys

from .entry import main

sys.exit(main())
