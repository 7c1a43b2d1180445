"""Asks a Hugging Face hub over HTTP: where it is, with which token, how redirects go and what went wrong, in words."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import urlsplit

from backends.contract import ForgeError, UsageError

if TYPE_CHECKING:
    from http.client import HTTPMessage, HTTPResponse
    from urllib.request import OpenerDirector, Request

TIMEOUT_SECONDS = 10.0
_YES = ("1", "true", "yes", "on")
BLOCK_BYTES = 1 << 17

# Controls, line ends, turns of the direction of writing, halves of characters; a backslash parts folders elsewhere.
HOSTILE = re.compile("[\\\\\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_LOCAL = {
    "dataset": "Without a network, give a file on this machine.",
    "model": "Without a network, start from a model folder on this machine.",
}


class Passing(ForgeError):
    """A failure that the next try may not meet; a download goes on where it was."""


class BadRange(Passing):
    """The hub does not go on from the place that was asked for; the next try starts anew."""


def forbidden_by(kind: str) -> str | None:
    """The variable by which a person forbids to ask the hub for a `dataset` or a `model`, if there is one."""
    names = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE" if kind == "dataset" else "TRANSFORMERS_OFFLINE")
    return next((name for name in names if os.environ.get(name, "").strip().lower() in _YES), None)


@dataclass(frozen=True)
class Hub:
    """One dataset, or something else of `kind`, on one hub: opens its addresses and says in words what went wrong."""

    dataset: str
    revision: str
    endpoint: str
    token: str | None = field(repr=False)
    kind: str = "dataset"

    @property
    def files(self) -> str:
        """The address below which its files are."""
        return f"/{'datasets/' if self.kind == 'dataset' else ''}{self.dataset}/resolve/{self.revision}"

    def open(self, address: str, start: int = 0) -> HTTPResponse:
        """Ask for an address, from a byte on; the token goes to the hub itself and to no host that it points to."""
        name = forbidden_by(self.kind)
        if name is not None:
            why, place = f"{name} is set: nothing is asked", "file" if self.kind == "dataset" else "model folder"
            fix = f"Give a {place} on this machine, or unset {name}."
            raise UsageError(f"{self.dataset} is on the hub, which needs the network", why, fix)
        from http.client import HTTPException
        from urllib.error import HTTPError
        from urllib.request import Request

        request = Request(self.endpoint + address, headers={"User-Agent": "forge-tui"})
        if start:
            request.add_header("Range", f"bytes={start}-")
        if self.token:
            request.add_unredirected_header("Authorization", f"Bearer {self.token}")
        try:
            response: HTTPResponse = _opener().open(request, timeout=TIMEOUT_SECONDS)
            return response
        except HTTPError as error:
            error.close()
            raise self._refusal(error.code, error.headers.get("X-Error-Code", "")) from None
        except (OSError, HTTPException, ValueError) as error:
            fix = f"{_LOCAL[self.kind]} Behind a proxy, set HTTPS_PROXY."
            raise Passing(f"The hub at {self.endpoint} cannot be reached", _reason(error), fix) from None

    def blocks(self, response: HTTPResponse) -> Iterator[bytes]:
        """Yield what comes; an answer that ends before its announced length is a failure, not an end."""
        from http.client import HTTPException

        try:
            while block := response.read(BLOCK_BYTES):
                yield block
        except (OSError, HTTPException) as error:
            raise self.cut(_reason(error)) from None
        if response.length:
            raise self.cut(f"{response.length:,} bytes of its answer did not come")

    def cut(self, why: str, kind: type[Passing] = Passing) -> Passing:
        """An answer that ended early."""
        return kind(f"The connection to {self.endpoint} was cut", why, "Try again: a download goes on where it was.")

    def odd(self, why: str) -> ForgeError:
        """A reply that no hub would give."""
        return ForgeError(
            f"The reply of {self.endpoint} cannot be understood", why, f"Try again later. {_LOCAL[self.kind]}"
        )

    def _refusal(self, status: int, code: str) -> ForgeError:
        part = "datasets/" if self.kind == "dataset" else ""
        answer, page = f"{self.endpoint} answered {status}", f"{self.endpoint}/{part}{self.dataset}"
        if status in (401, 403) and code != "RepoNotFound":
            why = f"{answer} {'to your token' if self.token else 'and no token was found to send'}"
            fix = f"Accept the terms on {page} and set HF_TOKEN to a valid token of that account."
            return UsageError(f"The hub does not give {self.dataset} to you", why, fix)
        if code == "RevisionNotFound":
            why = f"the {self.kind} is there, but no branch, tag or commit of that name"
            return UsageError(f"{self.dataset} has no revision {self.revision!r}", why, f"Look for it on {page}.")
        if code == "EntryNotFound":
            return ForgeError(f"A file of {self.dataset} is gone", f"it is listed, but {answer}", f"Look at {page}.")
        if status == 404 or code == "RepoNotFound":
            why = f"{self.endpoint} does not know it at {self.revision!r}, or it is private"
            fix = (
                f"Check the name; for a private {self.kind} set HF_TOKEN. A file on this machine needs its whole path."
            )
            return UsageError(f"There is no {self.kind} {self.dataset} on the hub", why, fix)
        if status == 416:
            return self.cut("it does not go on from where the file was cut", BadRange)
        if status == 429:
            return Passing("The hub was asked too often", answer, "Wait some minutes; HF_TOKEN raises the limit.")
        kind = Passing if status in (408, 500, 502, 503, 504) else ForgeError
        return kind(f"The hub cannot give {self.dataset} now", answer, f"Try again later. {_LOCAL[self.kind]}")


def connect(dataset: str, revision: str, token: str | None, kind: str = "dataset") -> Hub:
    """The dataset or model on the hub that HF_ENDPOINT names, with the token that was given or is found here."""
    return Hub(dataset, revision, _endpoint(), _token(token), kind)


def _endpoint() -> str:
    endpoint = (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")
    try:
        parts = urlsplit(endpoint)
        usable = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc and parts.port != 0
    except ValueError:
        usable = False
    if not usable or HOSTILE.search(endpoint):  # not shown, because it may hold a password
        why = "it must be http:// or https:// and a host, without a name or password in it"
        raise UsageError("HF_ENDPOINT is no address of a hub", why, "Correct it, or unset it to ask huggingface.co.")
    return endpoint


def _token(given: str | None) -> str | None:
    """The token that was given, of HF_TOKEN or of the hub's own login; it is not shown even when it is none."""
    token = (given or os.environ.get("HF_TOKEN") or "").strip()
    if not token:
        home = os.environ.get("HF_HOME") or os.path.join(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "huggingface")
        try:
            token = Path(os.path.expanduser(home), "token").read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            return None
    if not re.fullmatch(r"[\x21-\x7e]*", token):
        why = "it holds spaces, line ends or other characters that no token has"
        raise UsageError("The token for the hub cannot be sent", why, "Correct HF_TOKEN or the login file of the hub.")
    return token or None


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _opener() -> OpenerDirector:
    """What follows redirects: never from https to something weaker, and with the token on the same host only."""
    from urllib.request import HTTPRedirectHandler, build_opener

    class Careful(HTTPRedirectHandler):
        def redirect_request(
            self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
        ) -> Request | None:
            fp.close()  # else all of its text would be read
            old, new = _origin(req.full_url), _origin(newurl)
            if new[0] not in (old[0], "https"):
                raise ForgeError(
                    "The hub points to another place", f"{new[0]} is less safe than {old[0]}", "Tell its operator."
                )
            request = super().redirect_request(req, fp, code, msg, headers, newurl)
            token = req.get_header("Authorization")
            if request is not None and token and new == old:
                request.add_unredirected_header("Authorization", token)
            return request

    return build_opener(Careful)


def _reason(error: Exception) -> str:
    """Why there was no answer."""
    import socket
    import ssl
    from urllib.error import URLError

    cause = error.reason if isinstance(error, URLError) else error
    if isinstance(cause, socket.gaierror):
        return "its name is not known here: there is no network, or the name is wrong"
    if isinstance(cause, TimeoutError):
        return f"it did not answer within {TIMEOUT_SECONDS:g} seconds"
    if isinstance(cause, ssl.SSLCertVerificationError):
        return "its certificate is not trusted here; SSL_CERT_FILE can name those of your network"
    told = getattr(cause, "strerror", None) or str(cause)  # a proxy's words, when it refuses the way
    return HOSTILE.sub("?", told)[:200] if isinstance(cause, OSError) else "what it sent is no HTTP"
