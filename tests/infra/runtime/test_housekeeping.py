"""What is forgotten, and what must not be."""

from uuid import uuid4

from infra.runtime import Db, gone, inbox, ledger


async def test_the_inbox_forgets_old_ids_but_none_whose_letter_is_open(db: Db) -> None:
    fresh, old, dead = uuid4(), uuid4(), uuid4()
    for id, days in ((fresh, 7), (old, 9), (dead, 9)):
        await db.execute("INSERT INTO inbox VALUES ('widgets', $1, now() - $2 * interval '1 day')", id, days)
    await db.execute(
        "INSERT INTO dead_letter (group_name, topic, partition, record_offset, message_id, reason, error,"
        " attempts, appended_at, headers) VALUES ('widgets', 't', 0, 0, $1, 'r', 'e', 1, now(), '[]')",
        dead,
    )

    await inbox.prune(db, "widgets")

    assert {row["message_id"] for row in await db.fetch("SELECT message_id FROM inbox")} == {fresh, dead}


async def test_gone_keys_are_remembered_longer_than_anybody_may_read_their_tombstones(db: Db) -> None:
    await db.execute("SET search_path TO widgets")
    for key, days in (("kept", 30), ("forgotten", 32)):
        await db.execute("INSERT INTO gone VALUES ('t', $1, 1, now() - $2 * interval '1 day')", key, days)

    await gone.forget(db)

    assert [row["key"] for row in await db.fetch("SELECT key FROM gone")] == ["kept"]


async def test_a_lower_sequence_never_replaces_a_remembered_one(db: Db) -> None:
    await gone.remember(db, [("t", "a", 5)])
    await gone.remember(db, [("t", "a", 3)])

    assert await db.fetchval("SELECT sequence FROM gone") == 5


async def test_decisions_live_as_long_as_idempotency_keys(db: Db) -> None:
    for days in (7, 9):
        await db.execute(
            "INSERT INTO decision (command_id, type, status, resource, at)"
            " VALUES (gen_random_uuid(), 'T', $1, 'r', now() - $2 * interval '1 day')",
            str(days),
            days,
        )

    await ledger.prune(db)

    assert [row["status"] for row in await db.fetch("SELECT status FROM decision")] == ["7"]
