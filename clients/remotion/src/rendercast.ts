/**
 * Rendercast's helper for Remotion projects: it publishes the props schemas of the compositions.
 *
 * `withRendercast(Root)` adds a hidden composition, `rendercast`. Its `calculateMetadata` returns the catalog as props:
 * `{compositions: {<id>: {schema: <JSON Schema draft 2020-12 or null>, calculatesMetadata: <boolean or null>}}}`.
 *
 * Use the npm package `@rendercast/remotion`, or copy this file into the project: it imports only `react` and
 * `remotion`. Licence: MIT.
 */
import { createElement, Suspense, useEffect, useLayoutEffect, useState } from "react";
import type { ComponentType, FC } from "react";
import * as Remotion from "remotion";

/** What Rendercast reads about one composition. `calculatesMetadata` is null if it is unknown. */
export interface CatalogEntry {
  schema: object | null;
  calculatesMetadata: boolean | null;
}

export interface RendercastOptions {
  /**
   * Schemas by composition id, used instead of the compositions' own: zod schemas, or JSON Schemas of draft 2020-12.
   * With them the helper needs no private part of Remotion.
   */
  schemas?: Readonly<Record<string, object>>;
  /**
   * Converts the schemas of zod before 4.2, which cannot do it themselves: `z.toJSONSchema` of zod 4.0 and 4.1, or
   * `zodToJsonSchema` of the package zod-to-json-schema (3.24 or newer) for zod 3.
   */
  toJsonSchema?: (schema: any, options?: any) => unknown;
}

// Remotion's templates are checked with the library of ES2015, without that of the DOM.
declare const console: { warn(message: string): void };

type Catalog = Record<string, CatalogEntry>;
type ToJsonSchema = NonNullable<RendercastOptions["toJsonSchema"]>;

interface RegisteredComposition {
  id: string;
  schema: object | null;
  calculateMetadata: unknown;
}

/** The part of https://standardschema.dev/json-schema that is used. */
interface StandardSchema {
  "~standard"?: { jsonSchema?: { input: (options: { target: string }) => unknown } };
}

const HIDDEN_ID = "rendercast";
const DRAFT = "draft-2020-12";
const DRAFT_URI = "https://json-schema.org/draft/2020-12/schema";
/** Options with which zod-to-json-schema returns what zod 4 returns: only strict objects reject extra keys. */
const ZOD3_OPTIONS = {
  $refStrategy: "none",
  pipeStrategy: "input",
  removeAdditionalStrategy: "strict",
  allowedAdditionalProperties: undefined,
};
/** The types of zod 3 that have no JSON form. zod 4 itself rejects them. */
const UNREPRESENTABLE_IN_ZOD3 = new Set([
  "ZodBigInt",
  "ZodDate",
  "ZodFunction",
  "ZodMap",
  "ZodNaN",
  "ZodPromise",
  "ZodSet",
  "ZodSymbol",
  "ZodUndefined",
  "ZodVoid",
]);

/** Returns a root component for `registerRoot()` that has the compositions of `Root` and the hidden composition. */
export function withRendercast(Root: ComponentType, options: RendercastOptions = {}): FC {
  const calculateMetadata = () => ({ props: { compositions: catalog(options) } });
  const RootWithRendercast: FC = () =>
    createElement(
      Suspense,
      { fallback: createElement(RootIsLoading) },
      createElement(Root),
      Remotion.getRemotionEnvironment().isStudio ? null : createElement(HiddenComposition, { calculateMetadata }),
    );
  return RootWithRendercast;
}

/** Keeps Remotion waiting while the root component is suspended, for example by `React.lazy`. */
const RootIsLoading: FC = () => {
  useDelayedRender("Rendercast: loading the root component", true);
  return null;
};

type Step = "mounted" | "others-registered" | "id-taken" | "registering" | "registered";

/**
 * Registers the hidden composition after those of the root, unless one of them has its id.
 *
 * Compositions register in effects. The effect here runs after them, and its state update is rendered with theirs.
 */
const HiddenComposition: FC<{ calculateMetadata: () => { props: { compositions: Catalog } } }> = ({
  calculateMetadata,
}) => {
  const [step, setStep] = useState<Step>("mounted");
  const isRegistered = step === "registered";
  useDelayedRender("Rendercast: registering the hidden composition", !isRegistered && step !== "id-taken");
  useEffect(() => {
    if (step === "mounted") {
      setStep("others-registered");
    } else if (step === "others-registered") {
      setStep(isIdTaken() ? "id-taken" : "registering");
    } else if (step === "registering") {
      setStep("registered");
    }
  }, [step]);
  if (step !== "registering" && !isRegistered) {
    return null;
  }
  return createElement(Remotion.Composition, {
    id: HIDDEN_ID,
    component: Nothing,
    width: 2,
    height: 2,
    fps: 30,
    durationInFrames: 1,
    calculateMetadata,
  });
};

const Nothing: FC = () => null;

/** Remotion does not read the compositions while `isWaiting`. */
function useDelayedRender(label: string, isWaiting: boolean): void {
  useLayoutEffect(() => {
    if (!isWaiting) {
      return undefined;
    }
    const handle = Remotion.delayRender(label);
    return () => Remotion.continueRender(handle);
  }, [label, isWaiting]);
}

function isIdTaken(): boolean {
  const isTaken = registeredCompositions()?.some(({ id }) => id === HIDDEN_ID) ?? false;
  if (isTaken) {
    warn(`the project has a composition "${HIDDEN_ID}". Rename it: Rendercast cannot read any schema now.`);
  }
  return isTaken;
}

function catalog({ schemas = {}, toJsonSchema }: RendercastOptions): Catalog {
  const given = new Map(Object.keys(schemas).map((id) => [id, schemas[id]]));
  const compositions = registeredCompositions() ?? withoutInternals([...given.keys()]);
  const ids = new Set(compositions.map(({ id }) => id));
  for (const id of given.keys()) {
    if (!ids.has(id)) {
      warn(`the option "schemas" names "${id}", which is not a composition.`);
    }
  }
  const published: Catalog = {};
  for (const { id, schema, calculateMetadata } of compositions) {
    if (id !== HIDDEN_ID) {
      published[id] = {
        schema: jsonSchema(id, given.get(id) ?? schema, toJsonSchema),
        calculatesMetadata: calculateMetadata === undefined ? null : calculateMetadata !== null,
      };
    }
  }
  return published;
}

/**
 * Returns the compositions that are registered, or null if this version of Remotion does not list them.
 *
 * `Internals` is not a public interface. This function alone uses it. Tested with Remotion 4.0.301 and 4.0.527.
 */
function registeredCompositions(): RegisteredComposition[] | null {
  const { Internals } = Remotion as {
    Internals?: { compositionsRef?: { current?: { getCompositions?: () => RegisteredComposition[] } | null } };
  };
  return Internals?.compositionsRef?.current?.getCompositions?.() ?? null;
}

function withoutInternals(ids: string[]): RegisteredComposition[] {
  if (ids.length === 0) {
    warn('this version of Remotion does not list its compositions. Pass the option "schemas".');
  }
  return ids.map((id) => ({ id, schema: null, calculateMetadata: undefined }));
}

/** Returns the JSON Schema of the props, or null, with a warning, if the schema has none. */
function jsonSchema(id: string, schema: object | null, toJsonSchema: ToJsonSchema | undefined): object | null {
  if (schema === null) {
    return null;
  }
  try {
    // A default of a type that JSON has not, such as a bigint, fails here instead of in Remotion.
    return JSON.parse(JSON.stringify(converted(schema, toJsonSchema))) as object;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    warn(`the composition "${id}" has no JSON Schema: ${reason}`);
    return null;
  }
}

function converted(schema: object, toJsonSchema: ToJsonSchema | undefined): unknown {
  const standard = (schema as StandardSchema)["~standard"];
  if (standard?.jsonSchema) {
    return standard.jsonSchema.input({ target: DRAFT }); // zod 4.2 or newer, or another library of that standard
  }
  const isZod4 = "_zod" in schema;
  if (!isZod4 && !("_def" in schema)) {
    return schema; // It is a JSON Schema.
  }
  if (!toJsonSchema) {
    const name = isZod4 ? "z.toJSONSchema of zod 4.0 or 4.1" : "zodToJsonSchema of the package zod-to-json-schema";
    throw new Error(`pass the option "toJsonSchema": ${name}.`);
  }
  return isZod4 ? toJsonSchema(schema, { target: DRAFT, io: "input" }) : convertedFromZod3(schema, toJsonSchema);
}

function convertedFromZod3(schema: object, toJsonSchema: ToJsonSchema): object {
  const json = toJsonSchema(schema, { ...ZOD3_OPTIONS, postProcess: postProcessZod3 }) as object;
  return { ...json, $schema: DRAFT_URI };
}

/** Rejects what JSON cannot represent, and rewrites tuples, which zod-to-json-schema writes in the form of draft 7. */
function postProcessZod3(json: Record<string, unknown>, { typeName }: { typeName: string }): unknown {
  if (UNREPRESENTABLE_IN_ZOD3.has(typeName)) {
    throw new Error(`${typeName} cannot be represented in JSON Schema`);
  }
  if (typeName !== "ZodTuple") {
    return json;
  }
  const { items: prefixItems, additionalItems = false, ...rest } = json;
  return { ...rest, prefixItems, items: additionalItems };
}

function warn(message: string): void {
  console.warn(`Rendercast: ${message}`);
}
