"""Identity, the table of contents: each module holds the handlers of one subject, 3 to 15 lines each.

registration    an account begins when its e-mail address is proven
signing_in      a session begins
second_factor   a challenge is answered, and the session begins
enrolling       second factors are added
factors         they are named and removed
recovery_codes  for when all factors are lost
step_up         who is signed in proves a factor once more
refreshing      a refresh token is exchanged, by a decider of its own
sessions        a session is named or ended, or ends because nobody uses it
profile         what people say about themselves, and what they are called
roles           staff give and take roles
changing_password, resetting_password, changing_email, resending
                credentials change, by who knows them or reads the account's mail
leaving         an account is put away or is to be deleted
chores          what is due each minute
"""

from consumers.auth import (
    changing_email,
    changing_password,
    chores,
    enrolling,
    factors,
    leaving,
    profile,
    recovery_codes,
    refreshing,
    registration,
    resending,
    resetting_password,
    roles,
    second_factor,
    sessions,
    signing_in,
    step_up,
)
from consumers.auth.group import auth, auth_refresh
from consumers.auth.letters import MAIL, deliver

auth.effect(MAIL)(deliver)

__all__ = [
    "auth",
    "auth_refresh",
    "changing_email",
    "changing_password",
    "chores",
    "enrolling",
    "factors",
    "leaving",
    "profile",
    "recovery_codes",
    "refreshing",
    "registration",
    "resending",
    "resetting_password",
    "roles",
    "second_factor",
    "sessions",
    "signing_in",
    "step_up",
]
