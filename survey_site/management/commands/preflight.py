"""`preflight`: say in one sentence what would keep the server from starting."""

import errno
import socket
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    """Check what `make run` needs; folders were checked when the settings were read."""

    help = "Check that the web server's address is free."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)

    # Django hands parsed options over untyped.
    def handle(self, *args: Any, **options: Any) -> None:
        host, port = options["host"], options["port"]
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                raise CommandError(_sentence(error, host=host, port=port)) from error


def _sentence(error: OSError, *, host: str, port: int) -> str:
    another = f"Choose another one: make run PORT={port + 1 if port < 65535 else 8000}"
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} is in use, perhaps by Twinseed itself. {another}"
    if error.errno == errno.EACCES:
        return f"Port {port} may not be used by this account. {another}"
    return f"Cannot listen on {host}:{port} ({error.strerror}). {another}"
