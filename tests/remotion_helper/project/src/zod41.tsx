import type { FC } from "react";
import { Composition } from "remotion";
import { z } from "zod-4.1";
import { Plain } from "./components";
import { withRendercast } from "./helper";
import type { Roots } from "./roots";

const SIZE = { width: 640, height: 360, fps: 25, durationInFrames: 50 };
const titleSchema = z.object({ title: z.string().min(1).max(60), layout: z.enum(["left", "right"]).default("left") });
const dateSchema = z.object({ at: z.date() });

const Root: FC = () => (
  <>
    <Composition
      id="Title"
      component={Plain}
      schema={titleSchema}
      defaultProps={{ title: "Hi", layout: "left" }}
      {...SIZE}
    />
    <Composition id="Date" component={Plain} schema={dateSchema} defaultProps={{ at: new Date(0) }} {...SIZE} />
  </>
);

/** Roots with schemas of zod 4.1, which converts only by a function. */
export const zod41Roots: Roots = {
  zod41: withRendercast(Root, { toJsonSchema: z.toJSONSchema }),
  zod41WithoutOptions: withRendercast(Root),
};
