import { zColor, zTextarea } from "@remotion/zod-types";
import type { CalculateMetadataFunction } from "remotion";
import { z } from "zod";

export const promoSchema = z.object({
  title: z.string().min(1).max(60),
  accent: zColor(),
  body: zTextarea(),
  scenes: z
    .array(z.object({ text: z.string(), seconds: z.number().positive() }))
    .min(1)
    .max(10),
  layout: z.enum(["left", "center", "right"]).default("left"),
  bg: z.union([
    z.object({ type: z.literal("color"), color: zColor() }),
    z.object({ type: z.literal("image"), src: z.string().url() }),
  ]),
});

export type PromoProps = z.infer<typeof promoSchema>;

export const cardSchema = z.object({ heading: z.string().max(40), size: z.number().int().min(8).max(200) }).strict();

export const eventSchema = z.object({ name: z.string(), at: z.date() });

export const promoDuration: CalculateMetadataFunction<PromoProps> = ({ props }) => ({
  durationInFrames: props.scenes.reduce((frames, { seconds }) => frames + Math.round(seconds * 30), 0),
});
