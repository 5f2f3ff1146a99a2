"""Migration files: what they may not say, and that each belongs to a group."""

from pathlib import Path

import pytest

from infra.ops.migrate import MigrationError
from infra.ops.migrations_files import faults_of, migrations_of
from infra.roles import schemas

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("sql", "fault"),
    [
        ("CREATE TABLE curation.pick ()", "1: names the schema curation"),
        ('INSERT INTO a SELECT * FROM "read_picks" . "pick"', "1: names the schema read_picks"),
        ("-- fine\nSELECT public.f()", "2: names the schema public"),
        (
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 1 FROM mesh.dead $$",
            "1: names the schema mesh",
        ),
        ("ALTER TABLE read_picks_next.pick ADD a int", "1: names the schema read_picks_next"),
        ("CREATE TABLE a ();\nCOMMIT;", "2: says COMMIT"),
        ("SET LOCAL search_path = social", "1: says SET LOCAL SEARCH_PATH"),
        ("SET ROLE social", "1: says SET ROLE"),
        ("GRANT SELECT ON a TO b", "1: says GRANT"),
        ("CREATE SCHEMA a", "1: says CREATE SCHEMA"),
        ("CREATE INDEX CONCURRENTLY a ON b (c)", "1: says CONCURRENTLY"),
    ],
)
def test_sql_that_oversteps_is_found(sql: str, fault: str) -> None:
    assert [found for found in faults_of(sql) if found.startswith(fault)]


@pytest.mark.parametrize(
    "sql",
    [
        "-- as in curation.pick\nCREATE TABLE pick (rating float DEFAULT 0.5)",
        "COMMENT ON TABLE pick IS 'not ''public.pick'''",
        "UPDATE pick p SET note = t.title FROM thing t WHERE p.thing_id = t.thing_id",
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $x$ BEGIN RETURN NEW; END $x$",
        "/* public.pick */ CREATE INDEX a ON pick (b)",
    ],
)
def test_sql_that_keeps_to_its_own_is_left_alone(sql: str) -> None:
    assert faults_of(sql) == []


def test_a_file_that_oversteps_stops_the_run_by_name(tmp_path: Path) -> None:
    (tmp_path / "social").mkdir()
    (tmp_path / "social/0001_x.sql").write_text("DROP TABLE curation.pick")

    with pytest.raises(MigrationError, match=r"social/0001_x\.sql:1: names the schema curation"):
        migrations_of("social", tmp_path)


def test_every_committed_file_belongs_to_a_group_and_keeps_the_rules() -> None:
    used = {each.name for schema in schemas() for each in migrations_of(schema)}
    folder = ROOT / "infra/migrations"

    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*.sql")} == used
