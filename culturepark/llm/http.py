"""OpenAI-compatible servers over one shared session; no retries here (see ``limits``).

A server that refuses a parameter is asked again without it, and the refusal is remembered per model.
No secret is ever part of a message: errors name the shown URL and a masked excerpt of the server's own.
"""

from __future__ import annotations

import logging
import os
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from culturepark.errors import CallError, CultureParkError, EndpointError
from culturepark.files import encode_json
from culturepark.llm.address import find_credentials, make_headers, split_base
from culturepark.llm.base import Reply, Request
from culturepark.llm.dialect import Dialect
from culturepark.llm.faults import Fault, UnreachableError, clean_message, error_for, read_fault, show_url
from culturepark.llm.wire import has_choice, hide_secrets, keep_asked, make_body, parse_answer, read_reply

if TYPE_CHECKING:
    import aiohttp

_log = logging.getLogger(__name__)
_MOST_BYTES = 64 << 20  # of an answer to one request


class HttpClient:
    """A ``ChatClient`` for one OpenAI-compatible server.

    ``prefill`` tells that the server goes on from a last assistant message (llama.cpp and vLLM do).
    """

    def __init__(
        self,
        base_url: str,
        api_key: str | None = None,
        *,
        timeout_s: float = 300.0,
        connect_s: float = 30.0,
        prefill: bool = False,
    ) -> None:
        self._base, userinfo = split_base(base_url)
        key = (api_key or "").strip()
        self._headers, self._secrets = make_headers(self._base, userinfo, key)
        self._credentials = find_credentials(self._base, userinfo, key)
        self._timeout_s, self._connect_s = timeout_s, connect_s
        self._prefill = prefill
        self._session: aiohttp.ClientSession | None = None
        self._dialects: defaultdict[str, Dialect] = defaultdict(Dialect)
        self._chat_url = self.url_of("/chat/completions")
        self.on_headers: Callable[[Request, Mapping[str, str]], None] | None = None  # of every answer to a request
        self.url = show_url(self._base)
        self.where = f"the server at {self.url}"

    def __repr__(self) -> str:
        return f"HttpClient({self.url!r})"

    async def reply(self, request: Request) -> Reply:
        """Answer one request."""
        return self.read(await self.ask(request), request)

    def read(self, answer: Mapping[str, Any], request: Request | None = None) -> Reply:
        """The reply in a server's whole answer, without this client's secrets and what ``request`` did not ask for."""
        reply = read_reply(answer, request.prefill if request and self._prefill else "")
        return hide_secrets(keep_asked(reply, request) if request else reply, self._credentials)

    async def ask(self, request: Request) -> dict[str, Any]:
        """Answer one request with the server's whole answer, which holds at least one choice."""
        dialect = self._dialects[request.model]
        body = make_body(request, self._prefill)
        for _ in range(8):
            sent = dialect.speak(body)
            status, headers, raw = await self._send("POST", self._chat_url, sent, most=_MOST_BYTES)
            if self.on_headers is not None:
                self.on_headers(request, headers)
            answer = parse_answer(raw)
            if 200 <= status < 300 and has_choice(answer):
                return dict(answer)
            fault = read_fault(status, answer, headers, self._secrets)
            if status not in (400, 422) or fault.is_context or not dialect.learn(sent, fault):
                break
            _log.warning("%s, model %s: %s", self.where, request.model, "; ".join(dialect.describe()))
        raise await self._explain(fault, request.model)

    async def models(self) -> list[str]:
        """The names of the models the server says it serves."""
        return [str(entry["id"]) for entry in await self.model_entries()]

    async def model_entries(self) -> list[dict[str, Any]]:
        """The server's list of models as it stands, one entry a model."""
        body = await self.get_json(self.url_of("/models"))
        entries = body.get("data") if isinstance(body, dict) else None
        if not isinstance(entries, list):
            raise CallError(f"{self.where} answered /models without a list of models", "server")
        return [entry for entry in entries if isinstance(entry, dict) and "id" in entry]

    async def get_json(self, url: str) -> Any:
        """GET one address of this server; raises for everything but a 200 with JSON."""
        status, headers, raw = await self._send("GET", url)
        body = parse_answer(raw)
        if status != 200 or body is None:
            raise error_for(read_fault(status, body, headers, self._secrets), self.where)
        return body

    async def exchange(
        self, method: str, url: str, body: bytes | None = None, content_type: str = ""
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Send any request to this server; status, headers and body of whatever it answers."""
        return await self._send(method, url, body, content_type)

    def read_fault(self, status: int, body: Any, headers: Mapping[str, str]) -> Fault:
        """What an error answer says, without this client's secrets."""
        return read_fault(status, body, headers, self._secrets)

    def make_body(self, request: Request) -> dict[str, Any]:
        """The request's body in the words this server takes, as far as they are known."""
        dialect = self._dialects[request.model]
        return dialect.speak(make_body(request, self._prefill))

    def learn(self, request: Request, fault: Fault) -> bool:
        """Take in that a request was refused; True when it is worth sending again in other words."""
        return self._dialects[request.model].learn(self.make_body(request), fault)

    def url_of(self, path: str, *, root: bool = False) -> str:
        """The address of ``path`` under the base URL, or with ``root`` beside its ``/v1``."""
        parts = urlsplit(self._base)
        prefix = parts.path.removesuffix("/v1") if root else parts.path
        return urlunsplit((parts.scheme, parts.netloc, prefix + path, parts.query, ""))

    def adaptations(self, model: str) -> tuple[str, ...]:
        """What is sent in other words to ``model`` because the server refused the usual ones."""
        return self._dialects.get(model, Dialect()).describe()

    async def close(self) -> None:
        """Close all connections; the next request opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _open_session(self) -> aiohttp.ClientSession:
        import aiohttp

        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=self._timeout_s, sock_connect=self._connect_s),
                headers=self._headers,
            )
        return self._session

    async def _send(
        self,
        method: str,
        url: str,
        body: Mapping[str, Any] | bytes | None = None,
        content_type: str = "",
        *,
        most: int = 0,
    ) -> tuple[int, Mapping[str, str], bytes]:
        # "from None" throughout: aiohttp's own errors may carry the full URL and the request's headers.
        import aiohttp

        is_ready = body is None or isinstance(body, bytes)
        data = body if is_ready else encode_json(body)
        extra = {"Content-Type": content_type} if content_type else None
        try:
            session = self._open_session()
            async with session.request(method, url, data=data, headers=extra, allow_redirects=False) as response:
                return response.status, response.headers, await self._read_body(response, most)
        except aiohttp.ConnectionTimeoutError:
            told = f"no answer in {self._connect_s:g} s"
            raise UnreachableError(f"cannot connect to {self.url}: {told}") from None
        except TimeoutError:
            raise CallError(f"{self.where} gave no answer in {self._timeout_s:g} s", "timeout") from None
        except aiohttp.ClientConnectorCertificateError:
            raise EndpointError(f"cannot connect to {self.url}: its TLS certificate is not trusted") from None
        except aiohttp.ClientConnectorError as error:
            raise UnreachableError(f"cannot connect to {self.url}: {_reason(error.os_error)}") from None
        except (aiohttp.ClientError, OSError) as error:
            told = type(error).__name__
            raise CallError(f"the connection to {self.url} broke ({told})", "network") from None

    async def _read_body(self, response: aiohttp.ClientResponse, most: int) -> bytes:
        """The whole body. Raises ``CallError`` when it is longer than ``most`` bytes (0: any length)."""
        parts, size = [], 0
        while part := await response.content.readany():
            parts.append(part)
            size += len(part)
            if 0 < most < size:
                raise CallError(f"{self.where} answered more than {most >> 20} MB, without a usable reply", "server")
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def _explain(self, fault: Fault, model: str) -> CultureParkError:
        """The error for a fault; for a 404 the server is asked which models it has."""
        if not fault.is_unknown_model and fault.status not in (404, 405):
            return error_for(fault, self.where)
        try:
            served = await self.models()
        except CultureParkError:
            if fault.is_unknown_model:
                return EndpointError(f"{self.where} has no model {model!r}: check --model")
            hint = "check --base-url, it usually ends in /v1"
            return EndpointError(f"nothing answers chat at {self.url} ({fault.status}): {hint}")
        if model in served:
            told = f"{fault.status}: {fault.message}"
            return EndpointError(f"{self.where} lists the model {model!r} but answers {told}")
        names = clean_message(", ".join(served[:5]), self._secrets) or "none"
        more = f" and {len(served) - 5} more" if len(served) > 5 else ""
        return EndpointError(f"{self.where} has no model {model!r}; it serves: {names}{more}")


def _reason(error: OSError) -> str:
    if error.errno and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or "the host name is not known"
