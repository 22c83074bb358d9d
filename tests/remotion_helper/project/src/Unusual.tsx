import type { FC } from "react";
import { Composition } from "remotion";
import { z } from "zod";
import { Plain } from "./components";

interface Tree {
  name: string;
  children: Tree[];
}

const tree: z.ZodType<Tree> = z.object({ name: z.string(), children: z.array(z.lazy(() => tree)) });

const SCHEMAS = {
  AMap: z.object({ sizes: z.map(z.string(), z.number()) }),
  ABigint: z.object({ count: z.bigint() }),
  ATransform: z.object({ seconds: z.string().transform(Number) }),
  ATree: z.object({ tree }),
  ATuple: z.object({ point: z.tuple([z.number(), z.string()]), rest: z.tuple([z.number()]).rest(z.boolean()) }),
  NoDate: z.object({ at: z.date().optional() }),
};

/** Compositions with schemas that are rare, or that JSON Schema cannot represent. */
export const Unusual: FC = () =>
  Object.entries(SCHEMAS).map(([id, schema]) => (
    <Composition
      key={id}
      id={id}
      component={Plain}
      schema={schema as unknown as z.ZodObject<Record<string, never>>}
      width={640}
      height={360}
      fps={25}
      durationInFrames={50}
      defaultProps={{}}
    />
  ));
