import type { FC } from "react";
import { AbsoluteFill, Composition, interpolate, registerRoot, spring, useCurrentFrame, useVideoConfig } from "remotion";

const CAPTION = "The quick brown fox jumps over the lazy dog";
const LENGTHS = [60, 150, 600];

/** Words that spring in over a gradient, and start again every two seconds. */
const Clip: FC = () => {
  const { fps, width } = useVideoConfig();
  const frame = useCurrentFrame() % (2 * fps);
  return (
    <AbsoluteFill
      style={{
        background: "linear-gradient(#103050, #a04060)",
        color: "white",
        fontFamily: "sans-serif",
        fontSize: width / 18,
        justifyContent: "center",
        padding: width / 12,
      }}
    >
      <div>
        {CAPTION.split(" ").map((word, index) => {
          const shown = spring({ frame: frame - index * 4, fps });
          const style = {
            display: "inline-block",
            marginRight: "0.3em",
            opacity: shown,
            transform: `translateY(${interpolate(shown, [0, 1], [width / 20, 0])}px)`,
          };
          return (
            <span key={word} style={style}>
              {word}
            </span>
          );
        })}
      </div>
    </AbsoluteFill>
  );
};

registerRoot(() => (
  <>
    {LENGTHS.map((frames) => (
      <Composition
        key={frames}
        id={`Clip${frames}`}
        component={Clip}
        width={1280}
        height={720}
        fps={30}
        durationInFrames={frames}
      />
    ))}
  </>
));
