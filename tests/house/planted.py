"""For every house rule: code that breaks it, and code that looks like it and does not.

Where a rule reads the text of every file, the planted words are written in halves.
"""

from typing import Final

from tests.house.source import File

HANDLER: Final = "@curation.on(PublishPick)\nasync def publish(pick, meta, db):\n"
LONG: Final = "    x = 1\n"


def consumer(text: str) -> File:
    """A consumer's table of contents."""
    return File("consumers/curation/app.py", text)


def gateway(text: str) -> File:
    """A read of the gateway."""
    return File("gateway/reads/picks.py", text)


def a_test(text: str) -> File:
    """A test module."""
    return File("tests/gateway/test_picks.py", text)


BREAKS: Final[dict[str, tuple[File, ...]]] = {
    "consumers_know_no_clock_and_no_chance": (
        consumer("from datetime import UTC, datetime\nat = datetime.now(UTC)\n"),
        consumer("from datetime import datetime as dt\nat = dt.utcnow()\n"),
        consumer("import datetime\nday = datetime.date.today()\n"),
        consumer("import time\nat = time.monotonic()\n"),
        consumer("from time import time as clock\n"),
        consumer("import random\n"),
        consumer("from secrets import token_urlsafe\n"),
        consumer("from uuid import uuid4\n"),
        consumer("import uuid\nid = uuid.uuid1()\n"),
        consumer("import uuid as ids\nid = ids.uuid7()\n"),
        consumer("import uuid_utils\nid = uuid_utils.uuid7()\n"),
        consumer("from uuid_utils import uuid7\n"),
        consumer("import os\nsalt = os.urandom(16)\n"),
        consumer("import asyncio\nasync def wait():\n    await asyncio.sleep(1)\n"),
        consumer("from asyncio import get_running_loop\nat = get_running_loop().time()\n"),
    ),
    "handlers_send_nothing": (
        consumer("from producers.send import Sender\n"),
        consumer("import aiokafka\n"),
        consumer("import httpx\n"),
        consumer("from redis.asyncio import Redis\n"),
        consumer(f"{HANDLER}    await meta.broker.publish(pick)\n"),
        consumer(f"{HANDLER}    await sender.send_and_wait(pick)\n"),
    ),
    "only_the_runtime_subscribes": (
        File("infra/ops/lag.py", "from faststream import AckPolicy\n"),
        File("infra/ops/lag.py", "import faststream\npolicy = faststream.AckPolicy.ACK\n"),
        File("gateway/app.py", "@broker.subscriber('pick.events')\nasync def on(m): ...\n"),
        a_test("broker.subscriber('pick.events')\n"),
    ),
    "only_the_token_module_imports_jose": (
        File("gateway/auth.py", "from jose import jwt\n"),
        File("infra/settings.py", "import jose.jwk\n"),
        a_test("import jose\n"),
    ),
    "consumers_ask_no_clock_in_sql": (
        consumer("SQL = 'UPDATE pick SET deleted_at = now() WHERE pick_id = $1'\n"),
        consumer("SQL = f'INSERT INTO pick ({columns}) VALUES (gen_random_uuid(), $1)'\n"),
        consumer("SQL = 'SELECT pick_id FROM pick WHERE due_at < CURRENT_TIMESTAMP'\n"),
        consumer("SQL = 'select pick_id from pick order by random()'\n"),
        consumer('SQL = """\nSELECT 1\n WHERE $1 < clock_timestamp()\n"""\n'),
        consumer("SQL = \"SELECT 'now'::timestamptz\"\n"),
        File("infra/migrations/curation/0009_at.sql", "CREATE TABLE t (at timestamptz DEFAULT now());\n"),
    ),
    "consumers_name_no_schema": (
        consumer("SQL = 'SELECT note FROM curation.pick'\n"),
        consumer("SQL = 'SELECT note FROM pick JOIN read_things.thing USING (thing_id)'\n"),
        consumer("SQL = 'INSERT INTO elsewhere.pick VALUES ($1)'\n"),
        consumer("SQL = 'UPDATE elsewhere.pick SET note = $1'\n"),
        consumer("SQL = 'delete from elsewhere.pick'\n"),
        consumer("SQL = f'SELECT note FROM {schema}.pick'\n"),
        consumer("SQL = 'SELECT note FROM pick, mesh.decisions'\n"),
        consumer(
            "SQL = 'SELECT set_config($1, $2, true) WHERE 1 = 1'; OTHER = 'SELECT 1; SET search_path = x'\n"
        ),
        File("infra/migrations/social/0009_x.sql", "CREATE TABLE social.x (id uuid);\n"),
        File(
            "infra/migrations/runtime/decider/0009_x.sql",
            "CREATE TABLE IF NOT EXISTS curation.x (id uuid);\n",
        ),
    ),
    "gateway_names_the_schema": (
        gateway("SQL = 'SELECT body FROM pick WHERE pick_id = $1'\n"),
        gateway("SQL = 'SELECT p.body FROM read_picks.pick p JOIN thing t USING (thing_id)'\n"),
        gateway("SQL = 'select body from pick where pick_id = $1'\n"),
        gateway("SQL = 'WITH p AS (SELECT 1) SELECT body FROM p JOIN pick USING (pick_id)'\n"),
    ),
    "files_are_short": (
        File("infra/long.py", "x = 1\n" * 251),
        File("tests/test_long.py", "x = 1\n" * 251),
        consumer("x = 1\n" * 151),
        File("consumers/projections/picks/app.py", "x = 1\n" * 151),
        File("pickly", "x = 1\n" * 151),
    ),
    "functions_are_short": (
        File("infra/long.py", "def f():\n" + LONG * 40),
        File("infra/long.py", "class A:\n    async def f(self):\n        ...\n" + "        x = 1\n" * 40),
        File("infra/long.py", "def f():\n    '''Says much.\n\n    Indeed.\n    '''\n" + LONG * 40),
    ),
    "handlers_are_short": (
        consumer(HANDLER + LONG * 15),
        consumer(HANDLER.replace(".on(", ".on_batch(") + '    """One line."""\n' + LONG * 15),
    ),
    "the_command_needs_only_python": (
        File("pickly", "import httpx\n"),
        File("pickly", "from infra.local import servers\n"),
    ),
    "exceptions_are_explained": (
        File("infra/x.py", "x = f()  # type" + ": ignore\n"),
        File("infra/x.py", "x = f()  # type" + ": ignore[no-any-return]\n"),
        File("infra/x.py", "x = f()  # type" + ": ignore - the stubs are wrong\n"),
        File("infra/x.py", "import x  # no" + "qa\n"),
        File("infra/x.py", "import x  # no" + "qa: F401\n"),
        File("infra/x.py", "import x  # no" + "qa - needed for its effect\n"),
        File("infra/x.py", "x = 1  # prag" + "ma: no cover - never happens\n"),
    ),
    "no_left_overs": tuple(
        File("docs/a.md", f"{first}{second}: later\n")
        for first, second in (("TO", "DO"), ("FIX", "ME"), ("X", "XX"), ("HA", "CK"))
    ),
    "no_path_of_one_machine": (
        File("docs/a.md", "Open /wo" + "rk/main/README.md\n"),
        File("infra/x.py", 'PATH = "/ro' + 'ot/.m2"\n'),
        File("infra/x.ini", "/ho" + "me/ana/pickly\n"),
        File("docs/a.md", "(/Use" + "rs/ana)\n"),
    ),
    "no_registry_address": (
        File("infra/locks/a.txt", "--index-url https://py" + "pi.org/simple\n"),
        File("clients/web/package-lock.json", '"resolved": "https://regi' + 'stry.npmjs.org/x"\n'),
        File("docs/a.md", "files.python" + "hosted.org\n"),
        File("infra/x.py", "# https://repo1.ma" + "ven.org/maven2\n"),
    ),
    "skips_are_explained": (
        a_test("@pytest.mark.skip\ndef test_a(): ...\n"),  # planted for the rule to find
        a_test("@pytest.mark.skip()\ndef test_a(): ...\n"),  # planted for the rule to find
        a_test("@pytest.mark.skipif(True)\ndef test_a(): ...\n"),
        a_test("@pytest.mark.skipif(True, reason='')\ndef test_a(): ...\n"),
        a_test("@pytest.mark.xfail\ndef test_a(): ...\n"),
        a_test("def test_a():\n    pytest.skip()\n"),
        a_test("yaml = pytest.importorskip('yaml')\n"),
    ),
    "topics_have_no_underscore": (File("schemas/topics.py", "X = Topic('direct_message.commands', KIND)\n"),),
}

KEEPS: Final[dict[str, tuple[File, ...]]] = {
    "consumers_know_no_clock_and_no_chance": (
        consumer("from datetime import datetime, timedelta\nDUE = timedelta(days=30)\nat = meta.at + DUE\n"),
        consumer("from uuid import UUID, uuid5\nid = uuid5(cause, 'thing')\n"),
        consumer("time = meta.at.time()\nrandom = 1\n"),
        File("producers/clock.py", "import time\nnow = time.time()\n"),
    ),
    "handlers_send_nothing": (
        consumer(f"{HANDLER}    return PickPublished(**dict(pick))\n"),
        consumer("publish = 1\nasync def send(): ...\n"),
        File("producers/relay.py", "import aiokafka\nproducer.send_batch()\n"),
    ),
    "only_the_runtime_subscribes": (
        File(
            "infra/runtime/group.py", "from faststream import AckPolicy\nbroker.subscriber('pick.events')\n"
        ),
        File("producers/clock.py", "from faststream.kafka import KafkaBroker\n"),
    ),
    "only_the_token_module_imports_jose": (
        File("infra/tokens.py", "from jose import jwt\n"),
        File("tests/infra/test_tokens.py", "from jose import jwt\n"),
    ),
    "consumers_ask_no_clock_in_sql": (
        consumer("SQL = 'UPDATE pick SET deleted_at = $2 WHERE pick_id = $1'\n"),
        consumer('"""Nothing here is from now() on."""\nreason = "not now()"\n'),
        File(
            "infra/migrations/runtime/decider/0001_x.sql", "CREATE TABLE t (at timestamptz DEFAULT now());\n"
        ),
        File("infra/migrations/social/0001_x.sql", "-- not now()\nCREATE TABLE t (at timestamptz);\n"),
    ),
    "consumers_name_no_schema": (
        consumer("SQL = 'SELECT p.note FROM pick p WHERE p.version IS DISTINCT FROM excluded.version'\n"),
        consumer("SQL = 'SELECT EXTRACT(EPOCH FROM p.at) FROM pick p'\n"),
        consumer(
            "SQL = 'INSERT INTO pick VALUES ($1) ON CONFLICT (pick_id) DO UPDATE SET note = excluded.note'\n"
        ),
        consumer("SQL = 'SELECT note FROM pick FOR UPDATE'\n"),
        consumer("TEXT = 'curation.pick'\n"),
        gateway("SQL = 'SELECT body FROM read_picks.pick'\n"),
        File("infra/migrations/social/0001_x.sql", "CREATE TABLE x (id uuid); -- not social.x\n"),
    ),
    "gateway_names_the_schema": (
        gateway("SQL = 'SELECT p.body FROM read_picks.pick p JOIN read_things.thing t USING (thing_id)'\n"),
        gateway("SQL = 'SELECT * FROM unnest($1::uuid[]) WITH ORDINALITY AS asked (id, place)'\n"),
        gateway("SQL = f'SELECT body FROM {schema}.pick'\nOTHER = f'SELECT body FROM {source}'\n"),
        gateway(
            "SQL = 'WITH page AS (SELECT 1 FROM read_picks.pick), n (id) AS MATERIALIZED (SELECT 2)"
            " SELECT * FROM page JOIN n USING (id)'\n"
        ),
        gateway('"""Where picks come FROM here."""\ntext = "take it from here"\n'),
    ),
    "files_are_short": (
        File("infra/short.py", "x = 1\n" * 250),
        consumer("x = 1\n" * 150),
        File("infra/locks/dev.txt", "x\n" * 4000),
    ),
    "functions_are_short": (
        File("infra/short.py", "def f():\n" + LONG * 39),
        File("infra/short.py", "def f():\n    '''Says much.\n\n    Indeed.\n    '''\n" + LONG * 39),
    ),
    "handlers_are_short": (
        consumer(HANDLER + LONG * 13),
        consumer("def helper():\n" + LONG * 20),
    ),
    "the_command_needs_only_python": (
        File("pickly", "#!/usr/bin/env python3\nimport argparse\nfrom pathlib import Path\n"),
        File("infra/x.py", "import httpx\n"),
    ),
    "exceptions_are_explained": (
        File("infra/x.py", "x = f()  # type" + ": ignore[no-any-return]  # aiokafka has no stubs\n"),
        File("infra/x.py", "import x  # no" + "qa: F401 - needed for its effect\n"),
        File("infra/x.py", "text = '# type" + ": ignore'\n"),
    ),
    "no_left_overs": (File("docs/a.md", "hacks, todos and XXXL shirts\n"),),
    "no_path_of_one_machine": (
        File("docs/a.md", "GET /v1/work/1, infra/home/x, $HOME/work/x and the root / of it\n"),
        File("Dockerfile", "WORKDIR /app\n"),
    ),
    "no_registry_address": (File("docs/a.md", "a package of PyPI, an image of apache/kafka\n"),),
    "skips_are_explained": (
        a_test("@pytest.mark.skipif(os.geteuid() != 0, reason='not run: needs root')\ndef test_a(): ...\n"),
        a_test("@pytest.mark.skip(reason='a story')\ndef test_a(): ...\n"),  # planted for the rule to find
        a_test("def test_a():\n    pytest.skip('not run: needs root')\n"),
        a_test("def test_a():\n    pytest.skip(why)\n"),
    ),
    "topics_have_no_underscore": (
        File("schemas/topics.py", "X = Topic('pick.commands', KIND)\n"),
        File("gateway/x.py", "SQL = 'SELECT 1 FROM read_picks.pick'\n"),
    ),
}
