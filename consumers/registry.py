"""Every group there is, by the name of its process."""

from typing import Final

from consumers.curation.app import curation
from consumers.projections.picks.app import picks
from consumers.projections.things.app import things
from consumers.social.app import social
from infra.runtime.group import Group

ALL: Final[dict[str, Group]] = {group.name: group for group in (curation, social, picks, things)}
