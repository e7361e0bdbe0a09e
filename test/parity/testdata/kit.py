"""The SDK's scripts for golden values, which those beside this file stand on."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[3] / "sdk" / "plugintest" / "golden"))

import reference  # noqa: E402, F401
from golden import compact, plan  # noqa: E402, F401
