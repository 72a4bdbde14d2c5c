"""The server of the demo: the page, what it should know, and readings of the pictures that it sends.

The network reads one picture at a time, in a thread, so that the page and its files are always served at once.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rnnvision.errors import FailureError, UsageError
from rnnvision.inference.demo.examples import Examples
from rnnvision.inference.demo.facts import MAX_UPLOAD, PAGE, facts_of
from rnnvision.inference.demo.guard import Guard
from rnnvision.inference.demo.reading import open_picture, read

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

    from rnnvision.inference.classifier import Classifier

OF_FOLDERS = {"opening.js", "reader_in_browser.js"}  # of an exported page, whose pictures no server opens
SERVED = {path.name: path for path in PAGE.iterdir() if path.name not in OF_FOLDERS}
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
INVERT: dict[str, bool | str] = {"auto": "auto", "true": True, "false": False}
LAST = {"connection": "close"}  # the rest of an upload is not waited for
UPLOADS = 4  # held in memory at a time
UPLOAD_SECONDS = 20.0  # until it has its turn, and then for all of one


class TooLargeError(Exception):
    """An upload of more than `MAX_UPLOAD` bytes."""


def make_app(classifier: "Classifier", examples: Examples, *, host: str = "127.0.0.1") -> "Starlette":
    """The application for a server that listens on `host`."""
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.requests import ClientDisconnect
    from starlette.responses import FileResponse, JSONResponse, Response
    from starlette.routing import Route

    facts = facts_of(classifier)
    one_at_a_time, turns = asyncio.Lock(), asyncio.Semaphore(UPLOADS)

    async def file(request: "Request") -> "Response":
        path = SERVED.get(request.path_params.get("name", "index.html"))
        if path is None:
            return JSONResponse({"error": "there is no such page"}, status_code=404)
        return FileResponse(path, media_type=TYPES[path.suffix])

    async def known(request: "Request") -> "Response":
        return JSONResponse(facts)

    async def count(request: "Request") -> "Response":
        return JSONResponse({"count": await asyncio.to_thread(len, examples)})

    async def answered(work: Callable[[], dict[str, Any]]) -> "Response":
        async with one_at_a_time:
            try:
                return JSONResponse(await asyncio.to_thread(work))
            except (FailureError, UsageError) as error:  # such as DataError
                return JSONResponse({"error": str(error)}, status_code=422)

    async def reading(request: "Request") -> "Response":
        choice = INVERT.get(request.query_params.get("invert", "auto"), "auto")
        try:
            await asyncio.wait_for(turns.acquire(), UPLOAD_SECONDS)
        except asyncio.TimeoutError:
            return JSONResponse({"error": "others send files at this moment; try again"}, status_code=503, headers=LAST)
        try:
            content = await asyncio.wait_for(uploaded(request), UPLOAD_SECONDS)
        except TooLargeError:
            most = f"{MAX_UPLOAD / 1e6:.0f} MB"
            large = f"this file is larger than {most}; choose a smaller one"
            return JSONResponse({"error": large}, status_code=413, headers=LAST)
        except asyncio.TimeoutError:
            late = f"this file did not arrive within {UPLOAD_SECONDS:.0f} s; choose a smaller one"
            return JSONResponse({"error": late}, status_code=408, headers=LAST)
        except ClientDisconnect:
            return Response(status_code=400)  # which nobody reads
        finally:
            turns.release()
        return await answered(lambda: read(open_picture(content, classifier), classifier, choice).to_json())

    async def example(request: "Request") -> "Response":
        if not await asyncio.to_thread(len, examples):
            return JSONResponse({"error": "the images of its data set are not on this machine"}, status_code=404)

        def work() -> dict[str, Any]:
            chosen = examples.one()
            return {**read(chosen.pixels, classifier).to_json(), "name": chosen.name, "truth": chosen.truth}

        return await answered(work)

    return Starlette(
        routes=[
            Route("/", file),
            Route("/facts", known),
            Route("/reading", reading, methods=["POST"]),
            Route("/examples", count),
            Route("/example", example),
            Route("/{name}", file),
        ],
        middleware=[Middleware(Guard, host=host)],
    )


async def uploaded(request: "Request") -> bytes:
    """The content of a request, given up as soon as it is too large.

    Raises:
        TooLargeError: if it is.
    """
    if int(request.headers.get("content-length", "0")) > MAX_UPLOAD:
        raise TooLargeError
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > MAX_UPLOAD:
            raise TooLargeError
    return bytes(content)
