"""The README's example runs as it stands."""

import re
import subprocess
import sys
from pathlib import Path

from tests.clients.platform import Platform

ROOT = Path(__file__).parents[3]
README = ROOT / "clients" / "python" / "README.md"


def test_the_example_publishes_and_lists_a_pick(address: str, platform: Platform) -> None:
    found = re.search(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert found is not None
    example = (
        found[1].replace("http://127.0.0.1:8000", address).replace('token="..."', 'token="token-of-ana"')
    )

    for expected in ("done", "already-picked - the first is /v1/picks/"):
        ran = subprocess.run(
            [sys.executable, "-c", example], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert ran.stdout.startswith(expected)
        assert ran.stdout.endswith(" 4.5 Toy Story\n")

    assert len(platform.picks) == 1
