"""What the processes tell about themselves: traces, and texts of errors that quote nobody's values.

`docs/telemetry.md` tells what there is to see; logs are in `infra/logs.py`.
"""
