"""Every group there is, by the name of its process."""

from typing import Final

from consumers.auth.app import auth, auth_refresh
from consumers.curation.app import curation
from consumers.projections.accounts.app import accounts
from consumers.projections.factors.app import factors
from consumers.projections.keys.app import keys
from consumers.projections.picks.app import picks
from consumers.projections.sessions.app import sessions
from consumers.projections.things.app import things
from consumers.social.app import social
from infra.runtime.group import Group

ALL: Final[dict[str, Group]] = {
    group.name: group
    for group in (auth, auth_refresh, curation, social, accounts, factors, keys, picks, sessions, things)
}
