// Compiled, not executed: props of compositions are checked, and the types fit React 18 and 19.

import { createClient, type Render, type RendercastError } from "@rendercast/client";
import { RenderButton, RendercastProvider, RenderProgress, useRender, useRenders } from "@rendercast/react";
import { useRef } from "react";

declare module "@rendercast/client" {
  interface CompositionProps {
    Promo: { title: string; seconds?: number };
    Logo: { color?: string };
  }
}

const client = createClient({ url: "http://127.0.0.1:8000" });

export function Typed() {
  const promo = useRender({ key: "promo", storage: "local" });
  const button = useRef<HTMLButtonElement>(null);
  const start = () => promo.start({ composition: "Promo", props: { title: "Hello" } });
  void start().then((render: Render | null) => render?.outputUrl);
  void promo.start({ composition: "Logo" });
  // @ts-expect-error the composition does not exist
  void promo.start({ composition: "Other", props: {} });
  // @ts-expect-error the title is missing
  void promo.start({ composition: "Promo", props: {} });
  // @ts-expect-error the title is not a string
  void promo.start({ composition: "Promo", props: { title: 1 } });
  // @ts-expect-error the property does not exist
  void promo.start({ composition: "Promo", props: { title: "Hello", minutes: 1 } });
  // @ts-expect-error the storage does not exist
  useRender({ storage: "cookie" });
  // @ts-expect-error the status does not exist
  useRenders({ filter: { status: ["DONE"] } });
  const code = (promo.error as RendercastError | null)?.code;
  return (
    <RendercastProvider client={client}>
      <RenderButton of={promo} input={{ composition: "Promo", props: { title: "Hello" } }} ref={button} className="wide">
        {({ secondsLeft }) => <b>{secondsLeft}</b>}
      </RenderButton>
      {/* @ts-expect-error the title is not a string */}
      <RenderButton of={promo} input={() => ({ composition: "Promo", props: { title: null } })}>Render</RenderButton>
      <RenderProgress of={promo} label="Fortschritt" messages={{ COMPLETE: "Fertig" }} id="progress" />
      <RenderProgress renderId={null}>{({ progressProps }) => <div {...progressProps}>{code}</div>}</RenderProgress>
    </RendercastProvider>
  );
}
