"""The site, in workers that die by their own hand after a vote is committed and before it is answered, now and then."""

import os
import random
import signal
from collections.abc import Callable, Iterable
from typing import Any

from survey_site.wsgi import application as site

SHARE = 0.1


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer like the site; one vote of ten is kept and never answered."""
    answer = site(environ, start_response)
    if environ["PATH_INFO"].endswith("/vote/") and random.random() < SHARE:
        os.kill(os.getpid(), signal.SIGKILL)
    return answer
