"""The aliases of a model carried over into an MLflow model registry, by its REST API; Fairtrial's own stay the truth.

Nothing of MLflow is needed here: three calls of its API (mlflow.org, REST API, "Registered Model Alias"), POST and DELETE
``registered-models/alias`` and GET ``registered-models/get``. MLflow numbers its versions, so that version ``v4`` here is
version 4 there; any other name is handed over as it is.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen

from app.cli.errors import Refusal
from registry.ladder import Alias

_API: Final = "/api/2.0/mlflow"
_SECONDS: Final = 10
TOKEN: Final = "MLFLOW_TRACKING_TOKEN"  # noqa: S105 - the name of the variable, as MLflow's own client reads it


def set_aliases(address: str, model: str, aliases: Mapping[str, Alias]) -> list[str]:
    """Give the registered model the aliases of the ladder, and say what was moved; what is so already is left alone.

    Args:
        address: of the tracking server, for example ``https://mlflow.example.org``.

    Raises:
        Refusal: the server cannot be reached, or says no; what was moved before stays moved, and it can be called again.
    """
    if urlsplit(address).scheme not in ("http", "https"):
        raise Refusal(
            f"--mlflow: {address!r} is not allowed; give the address of a tracking server, http:// or https://"
        )
    base = address.rstrip("/") + _API
    known = {str(one["alias"]): str(one["version"]) for one in _registered(base, model).get("aliases") or ()}
    moved = []
    for name, alias in sorted(aliases.items()):
        of_alias = {"name": model, "alias": name}
        if alias.version is None and name in known:
            _call("DELETE", f"{base}/registered-models/alias", of_alias)
            moved.append(f"{name} taken away (it was {known[name]})")
        elif alias.version is not None and known.get(name) != (version := _version_there(alias.version)):
            _call("POST", f"{base}/registered-models/alias", of_alias | {"version": version})
            moved.append(f"{name} {known.get(name, 'none')} → {version}")
    return moved


def _version_there(version: str) -> str:
    number = version.removeprefix("v")
    return number if number.isdigit() else version


def _registered(base: str, model: str) -> Mapping[str, Any]:
    found = _call("GET", f"{base}/registered-models/get?{urlencode({'name': model})}")
    return dict(found.get("registered_model") or {})


def _call(method: str, url: str, body: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
    headers = {"Content-Type": "application/json"}
    if token := os.environ.get(TOKEN):
        headers["Authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(dict(body)).encode()
    request = Request(url, data=data, headers=headers, method=method)  # noqa: S310 - http and https only, checked above
    try:
        with urlopen(request, timeout=_SECONDS) as response:  # noqa: S310
            text = response.read().decode()
    except HTTPError as error:
        said = error.read().decode(errors="replace")[:300]
        raise Refusal(f"MLflow said no to {method} {urlsplit(url).path}: {error.code} {said}") from error
    except (URLError, TimeoutError) as error:
        raise Refusal(f"MLflow cannot be reached at {urlsplit(url).netloc}: {error}") from error
    return dict(json.loads(text)) if text.strip() else {}
