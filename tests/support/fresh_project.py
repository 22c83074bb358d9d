"""A Remotion project as `npx create-video` makes one: with nothing of Rendercast, and packages from npm.

The command downloads a template from GitHub. This project has the parts of it that matter, and links the packages of
tests/remotion_helper/project. Each frame of its video waits for a response of a `Gate`.
"""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.remotion_helper.projects import PROJECT, link_packages

DELAY_S = 0.5
RESPONSE = b"HTTP/1.1 204 No Content\r\nAccess-Control-Allow-Origin: *\r\nConnection: close\r\n\r\n"
SOURCES = {
    "src/index.ts": """
        import { registerRoot } from "remotion";
        import { RemotionRoot } from "./Root";
        registerRoot(RemotionRoot);
    """,
    "src/Root.tsx": """
        import { Composition, Still } from "remotion";
        import { Counter } from "./Counter";
        export const RemotionRoot = () => (
          <>
            <Composition id="Counter" component={Counter} durationInFrames={90} fps={30} width={320} height={180} />
            <Still id="Thumbnail" component={() => null} width={320} height={180} />
          </>
        );
    """,
    "src/Counter.tsx": """
        import { useEffect, useState } from "react";
        import { AbsoluteFill, continueRender, delayRender, useCurrentFrame } from "remotion";
        const Wait = () => {
          const [handle] = useState(() => delayRender("the gate"));
          useEffect(() => void fetch("GATE").finally(() => continueRender(handle)), [handle]);
          return null;
        };
        export const Counter = () => {
          const frame = useCurrentFrame();
          return <AbsoluteFill style={{ background: "#1144dd" }}>{frame}<Wait key={frame} /></AbsoluteFill>;
        };
    """,
}


class Gate:
    """A server that responds after `DELAY_S` until it is opened, and at once then."""

    def __init__(self) -> None:
        self.url = ""
        self._is_open = asyncio.Event()

    def open(self) -> None:
        """Let frames be drawn at full speed."""
        self._is_open.set()

    async def respond(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Respond to the request of a connection."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DELAY_S):
                    await self._is_open.wait()
            writer.write(RESPONSE)
            await writer.drain()
        writer.close()


@asynccontextmanager
async def open_gate() -> AsyncIterator[Gate]:
    """Serve a gate."""
    gate = Gate()
    async with await asyncio.start_server(gate.respond, "127.0.0.1", 0) as server:
        gate.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        yield gate


def make_fresh_project(folder: Path, *, gate: Gate) -> Path:
    """Make the project and return its folder. Its bundles are without Remotion's Studio."""
    project = folder / "fresh"
    (project / "src").mkdir(parents=True)
    for name, text in SOURCES.items():
        (project / name).write_text(text.replace("GATE", gate.url))
    shutil.copy(PROJECT / "package.json", project)
    link_packages(project, studio=False)
    return project
