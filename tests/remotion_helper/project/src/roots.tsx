import { lazy, StrictMode, useEffect, useState } from "react";
import type { ComponentType, FC } from "react";
import { Composition, continueRender, delayRender } from "remotion";
import { Plain } from "./components";
import { withRendercast } from "./helper";
import type { RendercastOptions } from "./helper";
import { withRendercast as withoutInternals } from "./helper-without-internals";
import { Root } from "./Root";
import { cardSchema, promoSchema } from "./schemas";
import { Unusual } from "./Unusual";

declare const process: { env: Record<string, string | undefined> };

export type Roots = Record<string, ComponentType>;

const SIZE = { width: 640, height: 360, fps: 25, durationInFrames: 50 };
const bigintDefault = { type: "object", properties: { count: { default: BigInt(10) } } };
const eventJsonSchema = { type: "object", properties: { name: { type: "string" } }, required: ["name"] };

const Schemaless: FC = () => <Composition id="Plain" component={Plain} {...SIZE} />;

const Twice: FC = () => (
  <>
    <Composition id="Plain" component={Plain} {...SIZE} />
    <Composition id="Plain" component={Plain} {...SIZE} />
  </>
);

const OwnRendercast: FC = () => (
  <>
    <Composition id="rendercast" component={Plain} {...SIZE} />
    <Composition id="Plain" component={Plain} {...SIZE} />
  </>
);

const later = async (): Promise<void> => {
  await new Promise((resolve) => {
    setTimeout(resolve, 300);
  });
};

const Lazy = lazy(async () => {
  await later();
  return { default: Root };
});

/** Registers its compositions after it has loaded data, as Remotion's documentation describes it. */
const Late: FC = () => {
  const [handle] = useState(() => delayRender("loading data"));
  const [isLoaded, setIsLoaded] = useState(false);
  useEffect(() => {
    void later().then(() => setIsLoaded(true));
  }, []);
  useEffect(() => {
    if (isLoaded) {
      continueRender(handle);
    }
  }, [handle, isLoaded]);
  return isLoaded ? <Root /> : null;
};

/** Returns the roots of all tests. `options` are those that the project's version of zod needs. */
export const commonRoots = (options: RendercastOptions): Roots => {
  const WithHelper = withRendercast(Root, options);
  const Strict: FC = () => (
    <StrictMode>
      <WithHelper />
    </StrictMode>
  );
  return {
    plain: Root,
    helper: WithHelper,
    strict: Strict,
    lazy: withRendercast(Lazy, options),
    late: withRendercast(Late, options),
    schemaless: withRendercast(Schemaless),
    twicePlain: Twice,
    twice: withRendercast(Twice),
    ownRendercast: withRendercast(OwnRendercast),
    unusual: withRendercast(Unusual, options),
    withoutOptions: withRendercast(Root),
    explicit: withRendercast(Root, {
      ...options,
      schemas: { Card: cardSchema, Event: eventJsonSchema, Plain: bigintDefault, Nope: {} },
    }),
    withoutInternals: withoutInternals(Root),
    explicitWithoutInternals: withoutInternals(Root, {
      ...options,
      schemas: { Promo: promoSchema, Event: eventJsonSchema },
    }),
  };
};

/** Returns the root that the test has chosen by an environment variable. */
export const chosen = (roots: Roots): FC => {
  const name = process.env.RENDERCAST_TEST_ROOT ?? "helper";
  const root = roots[name];
  if (!root) {
    throw new Error(`There is no root "${name}".`);
  }
  return root as FC;
};
