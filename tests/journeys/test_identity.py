"""A person opens an account, proves her address, signs in, and stays signed in."""

import re
from uuid import uuid4

import httpx

from infra.ops.mail import read
from tests.journeys.stack import Stack

PASSWORD = "a walk along the winter sea"
