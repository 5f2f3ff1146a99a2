"""squawk reads every migration, with the rules that are off written down beside them."""

import subprocess
import sys
from pathlib import Path

MIGRATIONS = Path(__file__).parents[3] / "infra/migrations"
SQUAWK = Path(sys.executable).with_name("squawk")


def squawk(*files: Path) -> subprocess.CompletedProcess[str]:
    config = MIGRATIONS / "squawk.toml"
    return subprocess.run(
        [SQUAWK, "--config", config, *files], capture_output=True, text=True, check=False, cwd=MIGRATIONS
    )


def test_no_migration_is_dangerous_to_run() -> None:
    files = sorted(MIGRATIONS.rglob("*.sql"))

    done = squawk(*files)

    assert files
    assert done.returncode == 0, done.stdout


def test_a_dangerous_migration_is_found(tmp_path: Path) -> None:
    planted = tmp_path / "0002_x.sql"
    planted.write_text("ALTER TABLE pick ADD COLUMN a text NOT NULL;\nDROP TABLE thing;\n")

    done = squawk(planted)

    assert done.returncode == 1
    assert "adding-required-field" in done.stdout
    assert "ban-drop-table" in done.stdout
