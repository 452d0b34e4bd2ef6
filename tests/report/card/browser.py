"""A headless Chromium that is driven over pipes: no driver, no port, and not a packet to anywhere."""

import base64
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

_SECONDS = 20.0
_FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars"),
    *("--remote-debugging-pipe", "--no-first-run", "--no-default-browser-check", "--mute-audio"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-default-apps", "--disable-extensions", "--disable-domain-reliability", "--no-pings"),
    *("--disable-features=OptimizationHints,MediaRouter,Translate", "--metrics-recording-only"),
    *("--proxy-server=127.0.0.1:9", "--host-resolver-rules=MAP * ~NOTFOUND"),
)


class Browser:
    """A Chromium with one tab, by the DevTools protocol.

    Attributes:
        events: what it has told since the last page was opened.
    """

    def __init__(self, profile: Path) -> None:
        assert CHROMIUM is not None
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()

        def at_three_and_four() -> None:
            os.dup2(os.dup2(to_browser, 13), 3)
            os.dup2(os.dup2(from_browser, 14), 4)

        self._process = subprocess.Popen(
            [CHROMIUM, *_FLAGS, f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            close_fds=False,
            preexec_fn=at_three_and_four,
            env={**os.environ, "HOME": str(profile)},
        )
        os.close(to_browser)
        os.close(from_browser)
        self._rest, self._last, self._session = b"", 0, None
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def close(self) -> None:
        """End the browser, and wait for it."""
        self._process.kill()
        self._process.wait(_SECONDS)
        os.close(self._write)
        os.close(self._read)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Ask for something and wait for the answer."""
        self._last += 1
        message = {"id": self._last, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + _SECONDS
        while True:
            answer = self._message(until)
            if answer.get("id") == self._last:
                assert "error" not in answer, answer["error"]
                return answer["result"]
            self.events.append(answer)

    def _message(self, until: float) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._read], [], [], max(0.0, until - time.monotonic()))
            assert ready, "the browser does not answer"
            data = os.read(self._read, 1 << 20)
            assert data, "the browser has ended"
            self._rest += data
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def open(self, page: Path, *, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        """Open a card, and wait until its charts are drawn."""
        self.call("Page.navigate", url="about:blank")
        self.events = []
        self.screen(width, height, dark=dark)
        self.call("Page.navigate", url=page.as_uri())
        self.wait("document.documentElement?.dataset.drawn")

    def screen(self, width: int, height: int, *, dark: bool = False) -> None:
        """The size and the light of the screen."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def ask(self, expression: str) -> Any:
        """The value of an expression in the page."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, expression: str) -> Any:
        """Wait until an expression in the page is true."""
        until = time.monotonic() + _SECONDS
        while not (value := self.ask(expression)):
            assert time.monotonic() < until, f"{expression} does not come true"
            time.sleep(0.05)
        return value

    def press(self, key: str, code: int, text: str = "") -> None:
        """Press a key and let go of it."""
        for kind in ("keyDown", "keyUp"):
            extra = {"text": text} if text and kind == "keyDown" else {}
            self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **extra
            )

    def type(self, text: str) -> None:
        """Write into what has the focus."""
        self.call("Input.insertText", text=text)

    def complaints(self) -> list[Any]:
        """The errors of the console: exceptions, what the page's policy refused, what failed to load."""
        told = []
        for event in self.events:
            said = event.get("params", {})
            match event.get("method"):
                case "Runtime.exceptionThrown":
                    told.append(said["exceptionDetails"])
                case "Log.entryAdded" if said["entry"]["level"] == "error":
                    told.append(said["entry"]["text"])
                case "Runtime.consoleAPICalled" if said["type"] in ("error", "assert"):
                    told.append(said["args"])
        return told

    def requests(self) -> list[str]:
        """The addresses that were asked for: no inline data, and nothing that the page's policy refused."""
        failures = [
            event["params"] for event in self.events if event.get("method") == "Network.loadingFailed"
        ]
        refused = {failure["requestId"] for failure in failures if failure.get("blockedReason") == "csp"}
        sent = [event["params"] for event in self.events
                if event.get("method") == "Network.requestWillBeSent"]  # fmt: skip
        urls = [request["request"]["url"] for request in sent if request["requestId"] not in refused]
        return [url for url in urls if not url.startswith("data:")]

    def picture(self, path: Path, *, top: int = 0, height: int | None = None) -> None:
        """Take a picture of the page, of a stretch of it where a height is given."""
        width = self.ask("innerWidth")
        height = height or self.ask("document.documentElement.scrollHeight")
        clip = {"x": 0, "y": top, "width": width, "height": height, "scale": 1}
        shot = self.call("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))
