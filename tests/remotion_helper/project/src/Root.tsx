import type { FC } from "react";
import { Composition, Folder, Still } from "remotion";
import { Card, Event, Plain, Promo } from "./components";
import { cardSchema, eventSchema, promoDuration, promoSchema } from "./schemas";

export const Root: FC = () => (
  <>
    <Composition
      id="Promo"
      component={Promo}
      schema={promoSchema}
      calculateMetadata={promoDuration}
      width={1280}
      height={720}
      fps={30}
      durationInFrames={30}
      defaultProps={{
        title: "Hello",
        accent: "#ff5500",
        body: "First line\nSecond line",
        scenes: [{ text: "One", seconds: 1 }],
        layout: "left" as const,
        bg: { type: "color" as const, color: "#000000" },
      }}
    />
    <Folder name="Images">
      <Still
        id="Card"
        component={Card}
        schema={cardSchema}
        width={1200}
        height={630}
        defaultProps={{ heading: "Card", size: 64 }}
      />
    </Folder>
    <Composition id="Plain" component={Plain} width={640} height={360} fps={25} durationInFrames={50} />
    <Composition
      id="Event"
      component={Event}
      schema={eventSchema}
      width={640}
      height={360}
      fps={30}
      durationInFrames={60}
      defaultProps={{ name: "Launch", at: new Date("2026-01-02T03:04:05.000Z") }}
    />
  </>
);
