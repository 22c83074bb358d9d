/** Schemas of compositions: one, the same with a change of each kind, and one with what zod has besides. */
import { zColor, zTextarea } from "@remotion/zod-types";
import { z } from "zod";

const shape = {
  title: z.string().min(1).max(60).describe("The headline."),
  seconds: z.number().positive(),
  layout: z.enum(["left", "center", "right"]),
  accent: zColor().default("#ffffff"),
  scenes: z.array(z.object({ text: z.string(), picture: z.object({ src: z.url(), zoom: z.number().optional() }) })).min(1),
};
const { title, ...withoutTitle } = shape;
const scene = z.object({ text: z.string(), picture: z.object({ src: z.url(), width: z.number() }) });

const brand = z.object({ name: z.string(), colors: z.tuple([zColor(), zColor()]) }).meta({ id: "Brand" });
const node = z.object({
  label: z.string(),
  get children() {
    return z.array(node);
  },
});

export const schemas: Record<string, z.ZodType> = {
  Promo: z.object(shape),
  Renamed: z.object({ ...withoutTitle, headline: title }),
  TypeChanged: z.object({ ...shape, seconds: z.string() }),
  ValueRemoved: z.object({ ...shape, layout: z.enum(["left", "right"]) }),
  Added: z.object({ ...shape, subtitle: z.string() }),
  NestedChanged: z.object({ ...shape, scenes: z.array(scene).min(1) }),
  everything: z.object({
    brand,
    tree: node,
    anything: z.json().optional(),
    body: zTextarea().nullable(),
    background: z.discriminatedUnion("type", [
      z.object({ type: z.literal("color"), color: zColor() }),
      z.object({ type: z.literal("image"), src: z.url(), fit: z.enum(["cover", "contain"]).default("cover") }),
    ]),
    range: z.tuple([z.number()]).rest(z.boolean()),
    sizes: z.record(z.enum(["s", "m"]), z.int()),
    counts: z.record(z.string(), z.number()),
    both: z.intersection(z.object({ a: z.string() }), z.object({ b: z.number() })),
    on: z.iso.date(),
    percent: z.templateLiteral([z.number(), "%"]),
    version: z.union([z.literal(1), z.literal("two")]),
    parsed: z.string().transform(Number),
    loose: z.looseObject({ known: z.string() }),
    strict: z.strictObject({}),
    "data-id": z.string().optional(),
    class: z.string().optional(),
  }),
  "also-branded": z.object({ brand, second: brand.optional().describe("Another brand.") }),
  WithId: z.object({ brand }).meta({ id: "Props" }),
  Dated: z.object({ at: z.date() }),
};
