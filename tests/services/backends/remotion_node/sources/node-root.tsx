import type { FC } from "react";
import { useEffect, useState } from "react";
import {
  AbsoluteFill,
  Audio,
  Composition,
  continueRender,
  delayRender,
  Img,
  OffthreadVideo,
  staticFile,
  useCurrentFrame,
  useVideoConfig,
} from "remotion";
import { withRendercast } from "./helper";
import { Root } from "./Root";

interface TextProps extends Record<string, unknown> {
  text: string;
  color: string;
  durationInFrames: number;
  fps: number;
}

const TextAnimation: FC<TextProps> = ({ text, color }) => {
  if (text === "undrawable") {
    throw new Error("This text can't be drawn.");
  }
  return (
    <AbsoluteFill style={{ background: "black", color, fontSize: 40 }}>
      {text} {useCurrentFrame()}
    </AbsoluteFill>
  );
};

/** A blue background whose last frame is red, with a transparent left half. */
const Colors: FC = () => {
  const { width, durationInFrames } = useVideoConfig();
  const isLast = useCurrentFrame() === durationInFrames - 1;
  return (
    <AbsoluteFill style={{ left: width / 2, width: width / 2, background: isLast ? "#cc2233" : "#1144dd" }} />
  );
};

const Assets: FC = () => (
  <AbsoluteFill style={{ background: "black" }}>
    <Img src={staticFile("red.png")} style={{ position: "absolute", left: 0, width: 80, height: 90 }} />
    <OffthreadVideo src={staticFile("blue.webm")} muted style={{ position: "absolute", left: 80, width: 80 }} />
    <Audio src={staticFile("tone.wav")} />
  </AbsoluteFill>
);

/** Blocks the page for an hour. */
const loop = (): void => {
  const end = performance.now() + 3_600_000;
  while (performance.now() < end);
};

/** Blocks the page until the URL responds, and uses no CPU time, which a loop does. */
const block = (url: string): void => {
  const request = new XMLHttpRequest();
  request.open("GET", url, false);
  request.send();
};

const Wait: FC = () => {
  const [handle] = useState(() => delayRender("waiting"));
  useEffect(() => {
    const timer = setTimeout(() => continueRender(handle), 40);
    return () => clearTimeout(timer);
  }, [handle]);
  return <AbsoluteFill style={{ background: "black" }} />;
};

/** Waits before each frame, and uses little CPU time meanwhile. */
const Slow: FC = () => <Wait key={useCurrentFrame()} />;

interface FaultProps extends Record<string, unknown> {
  kind: string;
  url: string;
}

const Fetched: FC<{ url: string }> = ({ url }) => {
  const [handle] = useState(() => delayRender("loading data"));
  const [error, setError] = useState<Error | null>(null);
  useEffect(() => {
    fetch(url).then(
      () => continueRender(handle),
      (reason: unknown) => setError(reason as Error),
    );
  }, [handle, url]);
  if (error) {
    throw error;
  }
  return null;
};

const Endless: FC = () => {
  useState(() => delayRender("never continued"));
  return null;
};

const fail = (message: string) => (): never => {
  throw new Error(message);
};

/** Has two frames: the page of the first one fails after it, and the other page waits for data. */
const Idle: FC = () => {
  const frame = useCurrentFrame();
  useState(() => (frame === 0 ? setTimeout(fail("An idle page failed."), 500) : delayRender("waiting")));
  return null;
};

/** Fails when Remotion closes the page, while the video is encoded. */
const Late: FC = () => {
  useEffect(() => window.addEventListener("pagehide", fail("A closing page failed.")), []);
  return null;
};

const kept: Uint8Array[] = []; // 4 GB in the composition `buffers`

const FAULTS: Record<string, (props: FaultProps) => JSX.Element | null> = {
  throws: () => {
    console.error("logged before the error");
    throw new Error("The component is broken.");
  },
  surrogate: () => {
    throw new Error("Half of a pair: \ud83d, and no half: \\ud83d.");
  },
  idle: () => <Idle />,
  late: ({ url }) => (
    <>
      <Late />
      <Fetched url={url} />
    </>
  ),
  endless: () => <Endless />,
  blocked: ({ url }) => {
    block(url);
    return null;
  },
  exit: () => {
    (globalThis as unknown as { process: { exit: (status: number) => never } }).process.exit(1);
    return null;
  },
  memory: () => {
    new ArrayBuffer(2 ** 52);
    return null;
  },
  buffers: () => {
    kept.push(...Array.from({ length: 64 }, () => new Uint8Array(2 ** 26).fill(1)));
    return null;
  },
  leave: () => {
    window.location.replace("about:blank"); // what a substitute of `process.exit` may do
    return null;
  },
  fetch: ({ url }) => <Fetched url={url} />,
  image: ({ url }) => <Img src={url} maxRetries={0} />,
};

const Fault: FC<FaultProps> = (props) => FAULTS[props.kind]?.(props) ?? <AbsoluteFill />;

const SMALL = { width: 160, height: 90, fps: 30, durationInFrames: 6 };

const All: FC = () => (
  <>
    <Root />
    <Composition
      id="TextAnimation"
      component={TextAnimation}
      width={320}
      height={180}
      fps={30}
      durationInFrames={90}
      defaultProps={{ text: "Hello", color: "#ffffff", durationInFrames: 90, fps: 30 }}
      calculateMetadata={({ props }) => ({ durationInFrames: props.durationInFrames, fps: props.fps })}
    />
    <Composition id="Colors" component={Colors} {...SMALL} />
    <Composition id="Assets" component={Assets} {...SMALL} durationInFrames={12} />
    <Composition id="Slow" component={Slow} {...SMALL} durationInFrames={3000} />
    <Composition
      id="Fault"
      component={Fault}
      {...SMALL}
      defaultProps={{ kind: "none", url: "" }}
      calculateMetadata={({ props }) => {
        if (props.kind === "metadata") {
          throw new Error("The metadata can't be calculated.");
        }
        if (props.kind === "metadata-loop") {
          loop();
        }
        if (props.kind === "metadata-blocked") {
          block(props.url);
        }
        return props.kind === "idle" ? { durationInFrames: 2 } : {};
      }}
    />
  </>
);

export const NodeRoot = withRendercast(All);
