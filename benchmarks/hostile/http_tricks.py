"""Requests that are hostile beside their files: broken multipart, slow bodies, floods, base64 tricks."""

from __future__ import annotations

import base64
import json
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

TIMEOUT_S = 30.0
_BOUNDARY = "b0undary"


@dataclass(frozen=True, slots=True)
class Trick:
    """A request and the statuses that may answer it; 0 stands for a closed connection."""

    name: str
    send: Callable[[str], int]
    allowed: frozenset[int]


def tricks(page: bytes) -> Iterator[Trick]:
    """Every trick; ``page`` is a document that can be read."""
    yield from _multipart(page)
    yield from _base64(page)
    yield from _headers(page)
    yield from _bodies(page)
    yield from _paths(page)


def _multipart(page: bytes) -> Iterator[Trick]:
    kind = f"multipart/form-data; boundary={_BOUNDARY}"
    start = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
    bodies = {
        "without an end": start.encode() + page,
        "without a boundary in it": page,
        "of no parts": f"--{_BOUNDARY}--\r\n".encode(),
        "whose part has no headers": f"--{_BOUNDARY}\r\n\r\nx\r\n--{_BOUNDARY}--".encode(),
        "whose part has 100 kB of headers": (start[:-2] + "X: " + "y" * 100_000).encode(),
        "of 5000 parts": (start + f"x\r\n--{_BOUNDARY}--").encode() * 5000,
        "with bytes for a field's name": start.encode().replace(b"image", b"\xff\xfe\x00") + page,
    }
    for name, body in bodies.items():
        yield _post(f"multipart {name}", body, {"Content-Type": kind}, {400, 415, 422})
    yield _post("multipart without a boundary", page, {"Content-Type": "multipart/form-data"}, {400})
    many = [("image", (f"{i}.png", page)) for i in range(30)]
    yield Trick("multipart of 30 files", lambda url: _status(url, files=many), frozenset({413}))
    names = ["../../etc/passwd", "C:\\windows\\system32", "\u202egnp.exe", "a" * 5000]
    for name in names:
        files = [("image", (name, page))]
        yield Trick(
            f"file called {name[:24]!r}",
            lambda url, files=files: _status(url, files=files),  # type: ignore[misc]
            frozenset({200, 400}),
        )


def _base64(page: bytes) -> Iterator[Trick]:
    good = base64.b64encode(page).decode()
    images: dict[str, object] = {
        "cut": good[:-3],
        "with line ends": "\n".join(good[i : i + 76] for i in range(0, len(good), 76)),
        "of other letters": "\u0430" * 400,
        "empty": "",
        "url-safe": good.replace("+", "-").replace("/", "_") + "-_",
    }
    for name, content in images.items():
        yield _json(f"base64 {name}", {"image": f"data:image/png;base64,{content}"})
    for url in ("http://127.0.0.1:9/x.png", "file:///etc/passwd", "ftp://127.0.0.1/x", "/etc/passwd"):
        yield _json(f"image {url}", {"image": url})
    yield _json("image a number", {"image": 7})
    yield _json("no image", {})
    yield _json("image twice", {"image": good, "url": "http://127.0.0.1:9/"})
    deep = b'{"image":' + b"[" * 100_000
    yield _post("json of 100000 brackets", deep, {"Content-Type": "application/json"}, {400}, "/api/")
    yield _post("json that is none", b"\xff\xfe{", {"Content-Type": "application/json"}, {400}, "/api/")


def _headers(page: bytes) -> Iterator[Trick]:
    many = {f"X-{number}": "y" * 20 for number in range(2000)}
    yield _post("2000 headers", page, many, {0, 200, 400, 431})
    yield _post("a header of 256 kB", page, {"X-Long": "y" * 262_144}, {0, 200, 400, 431})
    yield _post("an id with control characters", page, {"X-Request-ID": "a\tb<script>"}, {200})
    accepted = "text/x," * 9000 + "application/json"
    yield _post("an Accept of 60 kB", page, {"Accept": accepted}, {0, 200, 400, 431})
    yield _post("a body called gzip", page, {"Content-Encoding": "gzip"}, {200, 415})
    yield _raw("a request line of 100 kB", b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    yield _raw("not HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200))
    yield _raw("two lengths", _head("Content-Length: 5", "Content-Length: 6") + b"hello!")
    yield _raw("a length and chunks", _head("Content-Length: 5", "Transfer-Encoding: chunked") + b"0\r\n\r\n")
    yield _raw("a negative length", _head("Content-Length: -1"))


def _bodies(page: bytes) -> Iterator[Trick]:
    yield _raw("a length of 10 GB", _head("Content-Length: 10000000000"), {413})
    yield _raw("chunks that are none", _head("Transfer-Encoding: chunked") + b"zz\r\nhello\r\n0\r\n\r\n")
    yield _raw("half a body, then silence", _head("Content-Length: 5000") + page[:200], {0}, quiet_s=2)
    yield _raw("a body byte by byte, then gone", _head("Content-Length: 5000"), {0}, drip=page[:20])
    yield _post("more than the limit", bytes(33 * 2**20), {}, {413})


def _paths(page: bytes) -> Iterator[Trick]:
    for path in ("/../../etc/passwd", "/docs/../../serve_config.yaml", "/%2e%2e/%2e%2e/etc/passwd", "//etc"):
        yield _raw(f"GET {path}", f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode(), {404, 400})
    pages = "1," * 5000
    queries = ("path=/etc/passwd", "url=http://127.0.0.1:9/", "dpi=1e9", f"pages={pages}", "dpi=9&dpi=9")
    for query in queries:
        yield _post(f"?{query[:24]}", page, {}, {200, 400, 422}, f"/ocr?{query}")


def _post(name: str, body: bytes, headers: dict[str, str], allowed: set[int], path: str = "/ocr") -> Trick:
    return Trick(name, lambda url: _status(url, path, content=body, headers=headers), frozenset(allowed))


def _json(name: str, document: object) -> Trick:
    body, headers = json.dumps(document).encode(), {"Content-Type": "application/json"}
    return _post(name, body, headers, {400}, "/api/")


def _status(url: str, path: str = "/ocr", **request: object) -> int:
    try:
        return httpx.post(url + path, timeout=TIMEOUT_S, **request).status_code  # type: ignore[arg-type]
    except httpx.TimeoutException:
        raise
    except httpx.TransportError:
        return 0


def _head(*headers: str) -> bytes:
    return "\r\n".join(["POST /ocr HTTP/1.1", "Host: x", *headers, "\r\n"]).encode()


def _raw(
    name: str,
    data: bytes,
    allowed: set[int] | None = None,
    quiet_s: float | None = None,
    drip: bytes = b"",
) -> Trick:
    """Bytes on a socket; what answers them. After ``quiet_s``, or once all has dripped, it hangs up."""

    def send(url: str) -> int:
        parts = urlsplit(url)
        with socket.create_connection((parts.hostname, parts.port), timeout=quiet_s or TIMEOUT_S) as peer:
            try:
                peer.sendall(data)
                for byte in drip:
                    peer.sendall(bytes([byte]))
                    time.sleep(0.05)
                if drip:
                    return 0
                answer = peer.recv(64)
            except (ConnectionError, BrokenPipeError):
                return 0
            except TimeoutError:
                if quiet_s is None:
                    raise
                return 0
        return int(answer.split()[1]) if answer.startswith(b"HTTP/") else 0

    return Trick(name, send, frozenset(allowed or {0, 400, 404, 413, 414, 431}))
