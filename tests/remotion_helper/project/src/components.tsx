import type { FC } from "react";
import { AbsoluteFill, useCurrentFrame } from "remotion";
import type { z } from "zod";
import type { cardSchema, eventSchema, PromoProps } from "./schemas";

export const Promo: FC<PromoProps> = ({ title, accent, body, scenes, layout, bg }) => (
  <AbsoluteFill
    style={{ background: bg.type === "color" ? bg.color : `url(${bg.src})`, color: accent, textAlign: layout }}
  >
    <h1>{title}</h1>
    <pre>{body}</pre>
    {scenes.map(({ text }) => (
      <p key={text}>{text}</p>
    ))}
  </AbsoluteFill>
);

export const Card: FC<z.infer<typeof cardSchema>> = ({ heading, size }) => (
  <AbsoluteFill style={{ background: "white", fontSize: size }}>{heading}</AbsoluteFill>
);

export const Plain: FC = () => <AbsoluteFill>{useCurrentFrame()}</AbsoluteFill>;

export const Event: FC<z.infer<typeof eventSchema>> = ({ name, at }) => (
  <AbsoluteFill>
    {name} {at.toISOString()}
  </AbsoluteFill>
);
