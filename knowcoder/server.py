"""A language model behind an OpenAI-compatible server: one prompt in, one reply out, retried with backoff."""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from types import TracebackType

import httpx2
import msgspec

from knowcoder.errors import ConfigError, ModelError

KEY_VARIABLE = "OPENAI_API_KEY"
LONGEST_PAUSE = 120.0  # seconds, whatever a server asks for
_REFUSED = {
    HTTPStatus.UNAUTHORIZED: f"set {KEY_VARIABLE} in the environment to a key that it takes",
    HTTPStatus.FORBIDDEN: f"set {KEY_VARIABLE} in the environment to a key that may use the model",
    HTTPStatus.NOT_FOUND: "correct the address (it mostly ends in /v1) or {model}",
}


class Unanswered(Exception):
    """Why one prompt got no answer, in a few words, and what the server said; another prompt may get one.

    ``refused``: the server will not answer this prompt, however often it is asked.
    """

    def __init__(self, why: str, said: str = "", refused: bool = False) -> None:
        super().__init__(f"{why}: {said}" if said else why)
        self.why = why
        self.refused = refused


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as it stands, whether it ended by itself, and the prompt's tokens where the server counts them."""

    text: str
    finished: bool
    prompt_tokens: int | None


class _Message(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    message: _Message | None = None
    text: str | None = None
    finish_reason: str | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None


class _Answer(msgspec.Struct):
    choices: list[_Choice]
    usage: _Usage | None = None


class Server:
    """Asks one model of one server; safe to use from several threads. A context manager.

    Args:
        url: the address to which ``/chat/completions`` or ``/completions`` is added.
        api: ``chat`` sends the prompt as a user's message, ``completion`` as text to go on with.
        max_tokens: longest answer, in tokens.
        retries: times that a prompt is sent again where the server is away, busy or broken.
        key: API key, sent as bearer token where not empty; never written anywhere.
        timeout: seconds to wait for one answer.
        pause: seconds before the first retry; doubled before each further one.
        setting: the key that the address was given by, which errors name.

    Raises:
        ConfigError: the address is none, or holds a name or password; the key is no text that a header can hold.
    """

    def __init__(
        self,
        url: str,
        model: str,
        api: str = "chat",
        max_tokens: int = 80,
        retries: int = 6,
        key: str = "",
        timeout: float = 120,
        pause: float = 0.5,
        setting: str = "describe.url",
    ) -> None:
        self.url, self.model, self.api, self.max_tokens = _checked(url, setting), model, api, max_tokens
        self.setting = setting
        if not (key.isascii() and key.isprintable()):
            raise ConfigError(f"{KEY_VARIABLE}: holds characters that no key has; set it to the key alone")
        self._retries, self._key, self._pause = retries, key, pause
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        limits = httpx2.Limits(max_connections=None)  # as many as there are threads
        self._client = httpx2.Client(headers=headers, timeout=httpx2.Timeout(timeout, connect=10), limits=limits)
        self._closed = threading.Event()

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give up what is being asked, in all threads."""
        self._closed.set()
        self._client.close()

    def ask(self, prompt: str) -> str:
        """The model's answer to a text; see ``reply``."""
        return self.reply(prompt).text

    def reply(
        self, prompt: str | Sequence[int], max_tokens: int | None = None, extra: Mapping[str, object] | None = None
    ) -> Reply:
        """The model's answer.

        Args:
            prompt: text, or (where the server takes them) token ids.
            max_tokens: longest answer, where it is not the server's.
            extra: further fields of the request.

        Raises:
            Unanswered: this prompt got no answer: it was refused, or the server stayed busy or broken.
            ModelError: no prompt will get one: the server is away, or refuses the key, the model or the address.
        """
        body: dict[str, object] = {"model": self.model, "max_tokens": max_tokens or self.max_tokens, "temperature": 0}
        body |= {"messages": [{"role": "user", "content": prompt}]} if self.api == "chat" else {"prompt": prompt}
        body |= extra or {}
        address = f"{self.url}/{'chat/completions' if self.api == 'chat' else 'completions'}"
        pause = self._pause
        for left in range(self._retries, -1, -1):
            try:
                response = self._client.post(address, json=body)
            except (httpx2.ReadTimeout, httpx2.WriteTimeout) as error:
                if not left:
                    raise Unanswered("no answer in time") from error
                wait = None
            except (httpx2.TransportError, RuntimeError) as error:  # a closed client is a RuntimeError
                if not left or self._closed.is_set():
                    raise ModelError(
                        f"{self.setting}={self.url}: cannot be reached ({error}); "
                        "start the server or correct the address"
                    ) from error
                wait = None
            else:
                if response.is_success:
                    return _reply(response)
                self._refuse(response)
                if not left:
                    raise Unanswered(f"{_status(response)}, again and again", self._said(response))
                wait = _retry_after(response)
            self._closed.wait(pause * random.uniform(0.5, 1) if wait is None else wait)
            pause = min(2 * pause, LONGEST_PAUSE)
        raise AssertionError  # the last round returns or raises

    def _refuse(self, response: httpx2.Response) -> None:
        """Raise where asking again would not help."""
        status = response.status_code
        if status in _REFUSED or response.is_redirect:
            remedy = _REFUSED.get(HTTPStatus(status), f"give {response.headers.get('location', 'its new address')}")
            remedy = remedy.replace("{model}", f"{self.setting.removesuffix('url')}model")
            raise ModelError(f"{self.setting}={self.url}: {_status(response)}: {self._said(response)}; {remedy}")
        if response.is_client_error and status not in (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS):
            raise Unanswered(_status(response), self._said(response), refused=True)

    def _said(self, response: httpx2.Response) -> str:
        said = " ".join(response.text.split())
        return (said.replace(self._key, "***") if self._key else said)[:200]


def _checked(url: str, setting: str) -> str:
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL as error:
        raise ConfigError(f"{setting}={url}: {error}; give an address such as http://localhost:8000/v1") from error
    if parsed.userinfo or parsed.query:
        raise ConfigError(f"{setting}: keys do not belong in an address; put one into {KEY_VARIABLE}")
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ConfigError(f"{setting}={url}: is no address; give one such as http://localhost:8000/v1")
    return url.rstrip("/")


def _reply(response: httpx2.Response) -> Reply:
    try:
        answer = msgspec.json.decode(response.content, type=_Answer)
        first = answer.choices[0]
    except (msgspec.DecodeError, UnicodeDecodeError, IndexError) as error:
        raise Unanswered("the answer is not what an OpenAI-compatible server sends") from error
    text = (first.message.content if first.message else first.text) or ""
    return Reply(text, first.finish_reason == "stop", answer.usage.prompt_tokens if answer.usage else None)


def _status(response: httpx2.Response) -> str:
    return f"{response.status_code} {response.reason_phrase}".strip()


def _retry_after(response: httpx2.Response) -> float | None:
    """Seconds that the server asks to be left alone, if it does."""
    said = response.headers.get("retry-after", "")
    try:
        seconds = float(said)
    except ValueError:
        try:
            until = parsedate_to_datetime(said)
        except ValueError:
            return None
        seconds = (until - datetime.now(UTC)).total_seconds() if until.tzinfo else 0.0
    return min(max(seconds, 0.0), LONGEST_PAUSE) if seconds == seconds else None
