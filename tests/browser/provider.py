"""An OpenID Connect provider for tests, on this machine: who signs in is chosen on its page.

The authorization code flow of OpenID Connect Core 1.0, section 3.1, with what a provider has to check: the client and its
secret, the redirect address, proof of the code's owner (RFC 7636, S256), and that a code is used once.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT = "fairtrial"
ASKED = ("client_id", "redirect_uri", "response_type", "scope", "state", "nonce", "code_challenge")


@dataclass(frozen=True)
class Account:
    """Somebody whom the provider knows, and what it says of them.

    Attributes:
        verified: whether it vouches for the address; None if it says nothing about it.
        lifetime: seconds for which what it says is good.
    """

    email: str
    verified: bool | None = True
    lifetime: int = 3600

    @property
    def claims(self) -> dict[str, object]:
        said = {} if self.verified is None else {"email_verified": self.verified}
        return {"sub": f"account of {self.email}", "email": self.email, **said}


@dataclass
class Provider:
    """A running provider.

    Attributes:
        client_secret: the app's, which stands in its secrets.
        redirect: the one address to which it sends people back.
        signed_out: how often somebody signed out here.
    """

    issuer: str
    redirect: str
    accounts: tuple[Account, ...]
    client_secret: str = field(default_factory=secrets.token_urlsafe)
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "of-the-tests"}))
    codes: dict[str, tuple[Account, Mapping[str, str]]] = field(default_factory=dict)
    signed_out: int = 0

    @property
    def metadata_url(self) -> str:
        return f"{self.issuer}/.well-known/openid-configuration"

    @property
    def metadata(self) -> dict[str, object]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "end_session_endpoint": f"{self.issuer}/sign-out",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
        }

    def wrong_with(self, asked: Mapping[str, str]) -> str | None:
        """Why a request to sign somebody in is refused."""
        wanted = {"client_id": CLIENT, "redirect_uri": self.redirect, "response_type": "code"}
        wrong = [name for name, value in wanted.items() if asked.get(name) != value]
        wrong += [name for name in ("state", "nonce", "code_challenge") if not asked.get(name)]
        wrong += [] if {"openid", "email"} <= set(asked.get("scope", "").split()) else ["scope"]
        return f"not as registered: {', '.join(wrong)}" if wrong else None

    def back(self, email: str, asked: Mapping[str, str]) -> str:
        """Where somebody goes who has signed in, with a code that only the app can turn into a token."""
        account = next(one for one in self.accounts if one.email == email)
        code = secrets.token_urlsafe()
        self.codes[code] = (account, asked)
        return f"{self.redirect}?{urlencode({'code': code, 'state': asked['state']})}"

    def token(self, form: Mapping[str, str], authorization: str) -> dict[str, object] | None:
        """What a code is worth; None if it is worth nothing."""
        expected = base64.b64encode(f"{CLIENT}:{self.client_secret}".encode()).decode()
        account, asked = self.codes.pop(form.get("code", ""), (None, {}))
        proof = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if (
            account is None
            or authorization != f"Basic {expected}"
            or form.get("grant_type") != "authorization_code"
            or form.get("redirect_uri") != self.redirect
            or base64.urlsafe_b64encode(proof).decode().rstrip("=") != asked["code_challenge"]
        ):
            return None
        now = int(time.time())
        claims = {
            **account.claims,
            "iss": self.issuer,
            "aud": CLIENT,
            "iat": now,
            "exp": now + account.lifetime,
            "nonce": asked["nonce"],
        }
        id_token = jwt.encode({"alg": "RS256", "kid": "of-the-tests"}, claims, self.key)
        return {"token_type": "Bearer", "access_token": secrets.token_urlsafe(), "id_token": id_token}


@contextmanager
def provided(port: int, redirect: str, accounts: tuple[Account, ...]) -> Iterator[Provider]:
    """A provider on a port of this machine, for one app."""
    provider = Provider(f"http://localhost:{port}", redirect, accounts)
    server = ThreadingHTTPServer(("127.0.0.1", port), _handler(provider))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(provider: Provider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            asked = dict(parse_qsl(parts.query))
            match parts.path:
                case "/.well-known/openid-configuration":
                    self._json(provider.metadata)
                case "/keys":
                    self._json({"keys": [provider.key.as_dict(private=False)]})
                case "/authorize" if wrong := provider.wrong_with(asked):
                    self._send(400, "text/plain", wrong)
                case "/authorize":
                    self._send(200, "text/html", _page(provider, asked))
                case "/sign-out" if asked.get("post_logout_redirect_uri") == provider.redirect:
                    provider.signed_out += 1
                    self._redirect(provider.redirect)
                case _:
                    self._send(404, "text/plain", f"nothing is at {parts.path}")

        def do_POST(self) -> None:
            form = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
            if urlsplit(self.path).path == "/authorize":
                self._redirect(provider.back(form.pop("account"), form))
                return
            token = provider.token(form, self.headers.get("Authorization", ""))
            self._json({"error": "invalid_grant"} if token is None else token, 400 if token is None else 200)

        def _json(self, document: Mapping[str, object], status: int = 200) -> None:
            self._send(status, "application/json", json.dumps(document))

        def _redirect(self, to: str) -> None:
            self.send_response(303)
            self.send_header("Location", to)
            self.end_headers()

        def _send(self, status: int, kind: str, text: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: what is asked holds codes."""

    return Handler


def _page(provider: Provider, asked: Mapping[str, str]) -> str:
    hidden = "".join(
        f'<input type="hidden" name="{name}" value="{escape(asked.get(name, ""))}">' for name in ASKED
    )
    buttons = "".join(
        f'<p><button name="account" value="{escape(one.email)}">{escape(one.email)}</button></p>'
        for one in provider.accounts
    )
    return (
        '<!doctype html><html lang="en"><title>Who are you?</title><link rel="icon" href="data:,">'
        f'<h1>Who are you?</h1><form method="post" action="/authorize">{hidden}{buttons}</form></html>'
    )
