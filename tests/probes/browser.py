"""A Chromium without a window, driven over two pipes (DevTools protocol); it reaches no network and leaves nothing."""

import base64
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
READ, WRITE = 3, 4
NOTHING: Mapping[str, Any] = {}


def find_chromium() -> str | None:
    """Give the path of a Chromium on this machine; None where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """One browser process; as a context manager it is ended at the end.

    Args:
        program: Path of Chromium.
        profile: Empty folder for its profile.
    """

    def __init__(self, program: str, profile: Path) -> None:
        here_read, there_write = os.pipe()
        there_read, here_write = os.pipe()
        options = [
            "--headless=new", "--remote-debugging-pipe", f"--user-data-dir={profile}", "--no-first-run",
            "--disable-gpu", "--disable-extensions", "--disable-background-networking", "--disable-sync",
            "--disable-component-update", "--metrics-recording-only", "--hide-scrollbars", "--force-color-profile=srgb",
            "--font-render-hinting=none",
            # A page must not be able to reach anything even if its policy were wrong.
            "--host-resolver-rules=MAP * ~NOTFOUND",
            *(["--no-sandbox"] if os.geteuid() == 0 else []),
            "about:blank",
        ]  # fmt: skip
        self._log = (profile.parent / f"{profile.name}.log").open("wb")
        self._process = subprocess.Popen(
            # The protocol has fixed numbers for its pipes; a shell gives them.
            ["bash", "-c", f'exec "$0" "$@" {READ}<&{there_read} {WRITE}>&{there_write}', program, *options],
            pass_fds=(there_read, there_write),
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )
        os.close(there_read)
        os.close(there_write)
        self._in, self._out = here_write, here_read
        self._received = bytearray()
        self._number = 0
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        """Give the browser."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the browser and all that it started."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._log.close()
        for descriptor in (self._in, self._out):
            os.close(descriptor)

    def call(self, method: str, params: Mapping[str, Any] = NOTHING, session: str | None = None) -> dict[str, Any]:
        """Call a method of the protocol; what happens meanwhile is kept in `events`.

        Raises:
            RuntimeError: The browser refuses the call or has ended.
        """
        self._number += 1
        message = {"id": self._number, "method": method, "params": dict(params)}
        payload = json.dumps(message | ({"sessionId": session} if session else {})).encode() + b"\0"
        while payload:
            payload = payload[os.write(self._in, payload) :]
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def wait_for(self, method: str) -> dict[str, Any]:
        """Wait for an event; gives the first one that has not been waited for yet."""
        while True:
            for index, event in enumerate(self.events):
                if event.get("method") == method and not event.get("seen"):
                    self.events[index] = event | {"seen": True}
                    return event["params"]
            self.events.append(self._receive())

    def open(self, page: Path, **changes: Any) -> "Tab":
        """Open a page in a tab of its own; see `Tab`."""
        return Tab(self, page, **changes)

    def _receive(self) -> dict[str, Any]:
        while (end := self._received.find(b"\0")) < 0:
            part = os.read(self._out, 1 << 20)
            if not part:
                raise RuntimeError(f"Chromium has ended: {Path(self._log.name).read_text(errors='replace')[-2000:]}")
            self._received += part
        message = bytes(self._received[:end])
        del self._received[: end + 1]
        return json.loads(message)


class Tab:
    """One page.

    Args:
        browser: The browser.
        page: File to open.
        width: Of the window, px.
        dark: Whether the reader prefers dark colours.
        phone: Whether it is a phone: its viewport follows the page.
    """

    def __init__(
        self, browser: Browser, page: Path, *, width: int = 1280, dark: bool = False, phone: bool = False
    ) -> None:
        self._browser = browser
        target = browser.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        self._session = browser.call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "Accessibility", "DOM"):
            self.call(f"{domain}.enable")
        self.call(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": phone},
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", {"features": [scheme]})
        self._begin = len(browser.events)
        self.call("Page.navigate", {"url": page.absolute().as_uri()})
        browser.wait_for("Page.loadEventFired")

    def call(self, method: str, params: Mapping[str, Any] = NOTHING) -> dict[str, Any]:
        """Call a method of the protocol in this tab."""
        return self._browser.call(method, params, self._session)

    def run(self, script: str) -> Any:
        """Give the value of an expression of the page.

        Raises:
            RuntimeError: It failed.
        """
        answer = self.call("Runtime.evaluate", {"expression": script, "returnByValue": True, "awaitPromise": True})
        if "exceptionDetails" in answer:
            raise RuntimeError(str(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def problems(self) -> list[str]:
        """Give what the page wrote to the console, and every error."""
        kinds = {"Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"}
        return [json.dumps(event["params"]) for event in self._own() if event["method"] in kinds]

    def requests(self) -> list[str]:
        """Give the addresses that the page asked for, but for itself."""
        sent = [
            event["params"]["request"]["url"] for event in self._own() if event["method"] == "Network.requestWillBeSent"
        ]
        return sent[1:]

    def screenshot(self, selector: str | None = None) -> bytes:
        """Give a picture of the whole page, or of one element."""
        box = self.run(
            f"(() => {{ const box = document.querySelector({json.dumps(selector or 'html')}).getBoundingClientRect();"
            "return [box.x + scrollX, box.y + scrollY, box.width, box.height]; })()"
        )
        clip = dict(zip(("x", "y", "width", "height"), box, strict=True)) | {"scale": 1}
        answer = self.call("Page.captureScreenshot", {"clip": clip, "captureBeyondViewport": True})
        return base64.b64decode(answer["data"])

    def pdf(self) -> bytes:
        """Print the page."""
        return base64.b64decode(self.call("Page.printToPDF", {"printBackground": True})["data"])

    def accessible(self) -> Sequence[dict[str, Any]]:
        """Give the nodes of the accessibility tree that are not left out."""
        nodes = self.call("Accessibility.getFullAXTree")["nodes"]
        return [node for node in nodes if not node.get("ignored")]

    def _own(self) -> list[dict[str, Any]]:
        return [event for event in self._browser.events[self._begin :] if event.get("sessionId") == self._session]
