"""Requests made from the API's own description, about subjects that exist, and a tally of the answers."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final
from uuid import UUID

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from infra.settings import Settings
from infra.tokens import mint
from schemas.topics import TOPICS
from tests.journeys.stack import Stack
from tests.producers.reading import ends, header, read

CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
PEOPLE: Final = 4
PICKS: Final = 3
AFTER: Final = "Pickly-After"

IDENTITY = ("/v1/auth/", "/v1/me", "/v1/admin/", "/.well-known/", "/v1/accounts/{account}/")
KEPT = ("/v1/accounts/{account}/picks",)
"""Left out: they end the session that asks, and need what only a mail or a device tells."""


@dataclass
class Tally:
    """How many answers there were with which status, by operation; and which commands were accepted."""

    statuses: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    accepted: set[UUID] = field(default_factory=set)
    unsendable: int = 0

    @property
    def total(self) -> Counter[int]:
        """Over all operations."""
        return sum(self.statuses.values(), Counter[int]())

    def share(self, *classes: int) -> float:
        """Of all answers, those with a status 2xx for 2, and so on."""
        return sum(n for status, n in self.total.items() if status // 100 in classes) / self.total.total()

    def note(self, operation: str, status: int, headers: Mapping[str, str]) -> None:
        """A write that was refused at the door has waited for no decision."""
        self.statuses[operation][status] += 1
        if not operation.startswith("GET") and (status < 400 or "preference-applied" in headers):
            self.accepted.add(UUID(headers["pickly-command"]))


class Fuzzer:
    """Sends requests to a running gateway and judges every answer.

    `known` holds what exists, by the name of the parameter that takes it.
    """

    def __init__(self, stack: Stack, number: int) -> None:
        self.tally = Tally()
        self.known: dict[str, list[str]] = defaultdict(list)
        self._handles = [f"fuzz{number}.{n}" for n in range(PEOPLE)]
        self._stack = stack
        self._number = number
        self._session = requests.Session()

    def _tokens(self) -> list[str]:
        """Fresh ones: they live ten minutes."""
        config = Settings(secrets=Path(self._stack.env["PICKLY_SECRETS"]))
        return [mint(handle, settings=config) for handle in self._handles]

    def _publish(self) -> None:
        """Let everybody publish a few picks, and remember what came of it."""
        for handle, token in zip(self._handles, self._tokens(), strict=True):
            for n in range(PICKS):
                thing = {"ref": f"movielens:{handle}-{n}", "kind": "film", "title": f"Film {n}"}
                headers = {"authorization": f"Bearer {token}", "prefer": "wait=10"}
                url = f"{self._stack.url}/v1/picks"
                answer = self._session.post(url, json={"thing": thing}, headers=headers, timeout=30)
                self.tally.note("POST /v1/picks", answer.status_code, answer.headers)
                assert answer.status_code == 201, answer.text
                self._remember(answer)
            self.known["account"].append(handle)

    def _remember(self, answer: requests.Response) -> None:
        pick = answer.json()
        told = {
            "pick_id": pick["id"],
            "thing_id": pick["thing"]["id"],
            "ref": pick["thing"]["ref"],
            "account": pick["author"]["id"],
            "command_id": answer.headers["pickly-command"],
            AFTER: answer.headers["pickly-command"],
        }
        for name, value in told.items():
            self.known[name].append(value)

    def run(self, cases: int) -> None:
        """So many requests, spread over the operations; half of them valid, half of them not."""
        self._publish()
        schema = schemathesis.openapi.from_url(f"{self._stack.url}/openapi.json")
        every = [each.ok() for each in schema.get_all_operations() if isinstance(each, Ok)]
        operations = [each for each in every if not f"{each.path}/".startswith(IDENTITY) or each.path in KEPT]
        for operation in operations:
            for mode in GenerationMode:
                self._try(operation, mode, max(1, cases // len(operations) // len(list(GenerationMode))))

    def _try(self, operation: Any, mode: GenerationMode, cases: int) -> None:
        @seed(self._number)
        @settings(
            max_examples=cases,
            deadline=None,
            database=None,
            print_blob=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(
            case=operation.as_strategy(generation_mode=mode),
            token=st.sampled_from([*self._tokens(), None]),
            chance=st.integers(0, 2**32),
        )
        def send(case: Any, token: str | None, chance: int) -> None:
            self._send(case, token, Random(chance), valid=mode is GenerationMode.POSITIVE)

        send()

    def _send(self, case: Any, token: str | None, chance: Random, *, valid: bool) -> None:
        self._fill(case, chance, valid=valid)
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        try:
            answer = case.call(
                base_url=self._stack.url,
                session=self._session,
                headers=headers,
                timeout=60,
                allow_redirects=False,
            )
        except (requests.exceptions.InvalidHeader, requests.exceptions.InvalidURL, UnicodeError):
            self.tally.unsendable += 1
            return
        headers = {name.lower(): values[0] for name, values in answer.headers.items()}
        self.tally.note(case.operation.label, answer.status_code, headers)
        case.validate_response(answer, checks=CHECKS)

    def _fill(self, case: Any, chance: Random, *, valid: bool) -> None:
        """Let most requests be about what exists; nobody may wait for a command that will never be."""
        for given_values in (case.path_parameters, case.query, case.headers):
            for name in [name for name in (given_values or {}) if name in self.known]:
                if name == AFTER or (valid and chance.random() < 0.8) or chance.random() < 0.3:
                    given_values[name] = chance.choice(self.known[name])
        if valid and case.operation.label == "POST /v1/picks" and chance.random() < 0.8:
            case.body["thing"]["ref"] = (
                f"movielens:{chance.getrandbits(64):x}"  # the schema cannot say what one is
            )
        if not valid and case.method != "GET" and not case.operation.body and chance.random() < 0.5:
            case.body, case.media_type = {"role": "admin"}, "application/json"  # nobody asks for one


async def positions(config: Settings) -> dict[str, dict[int, int]]:
    """Where every topic ends now."""
    return {topic.name: await ends(config, topic) for topic in TOPICS.values()}


async def published(config: Settings, since: Mapping[str, dict[int, int]]) -> tuple[set[UUID], set[UUID]]:
    """Ids of the commands that gateways have sent since, and of those that events since go back to."""
    commands: set[UUID] = set()
    origins: set[UUID] = set()
    for topic in TOPICS.values():
        for record in await read(config, topic, since[topic.name]):
            if header(record, "ce_source") == "pickly/gateway":
                commands.add(UUID(header(record, "ce_id")))
            elif (origin := header(record, "ce_correlation")) is not None:
                origins.add(UUID(origin))
    return commands, origins
