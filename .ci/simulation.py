"""Runs `casewright sandbox` for the checks that need it."""

import contextlib
import re
import signal
import socket
import subprocess
import sys


@contextlib.contextmanager
def running(casewright):
    """Its address, and the words that requests must be signed with."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    child = subprocess.Popen([casewright, "sandbox", "--log", "warn", "--listen", f"127.0.0.1:{port}"],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        words = {}
        # What it prints for people: it ends with how to stop it.
        for line in child.stdout:
            if found := re.search(r"(client_token|client_secret|access_token): (\S+)", line):
                words[found[1]] = found[2]
            if line.startswith("Stop it"):
                break
        if len(words) != 3:
            sys.exit(f"the sandbox did not start (exit {child.poll()})")
        yield f"http://127.0.0.1:{port}", words
    finally:
        child.terminate()
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            child.kill()
            raise
