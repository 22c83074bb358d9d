// Code that starts the render of an input, for "Copy as". Whatever the input contains, it stays data in each language.

/** @import { AnimationProps, Json, JsonObject, StartInput } from "../types.d.ts" */

/**
 * Where the code is for. `url` is that of the server, without a final slash. `signsIn` means that it expects a token.
 * @typedef {{ url: string, signsIn: boolean }} Target
 */

const RESULT = "__typename ... on StartRenderSuccess { render { id status } } ... on UserError { message }";
const MUTATION = `mutation ($input: StartRenderInput!) { startRender(input: $input) { ${RESULT} } }`;
const NAME = /^[_A-Za-z][_0-9A-Za-z]*$/; // of GraphQL, and of an identifier in JavaScript
const ENUMS = new Set(["style", "format", "proResProfile"]); // fields of inputs that have a name as their value
/** @type {Set<string>} */
const NO_ENUMS = new Set(); // of props
const PATH_NAME = /^[^.[\]="]+$/; // a name that `--set` takes without quotes
// Terminals interpret control characters, so none may be in a text that is pasted into one. The server accepts none.
const CONTROLS = /(?![\n\t])\p{Cc}/gu;

/**
 * The options of the command line for the fields of an output.
 * @type {Record<string, string>}
 */
const OPTIONS = {
  width: "--width",
  height: "--height",
  scale: "--scale",
  fps: "--fps",
  crf: "--crf",
  bitrateKbps: "--bitrate",
  proResProfile: "--prores-profile",
  everyNthFrame: "--every-nth-frame",
  loops: "--loops",
  frame: "--frame",
  quality: "--quality",
};

/**
 * Return a command of a POSIX shell.
 * @param {StartInput} input
 * @param {Target} target
 */
export function curl(input, { url, signsIn }) {
  const lines = [`curl ${quoted(`${url}/graphql`)}`, "-H 'Content-Type: application/json'"];
  if (signsIn) lines.push('-H "Authorization: Bearer $RENDERCAST_TOKEN"');
  lines.push(`--data-raw ${quoted(json({ query: MUTATION, variables: { input } }))}`);
  return `${lines.join(" \\\n  ")}\n`;
}

/**
 * Return a line of a POSIX shell. `rendercast` reads the token from RENDERCAST_TOKEN.
 * @param {StartInput} input
 * @param {Target} target
 */
export function commandLine({ animationProps, composition, output }, { url }) {
  const options = ["rendercast render", `--url ${quoted(url)}`, ...outputOptions(output)];
  if (composition) {
    options.push(`--composition ${quoted(composition.id)}`);
    for (const [name, value] of Object.entries(composition.props)) {
      options.push(`--set ${quoted(`${PATH_NAME.test(name) ? name : `[${json(name)}]`}=${json(value)}`)}`);
    }
    return `${options.join(" ")}\n`;
  }
  const { text, ...props } = /** @type {AnimationProps} */ (animationProps);
  options.push(...textOptions(props));
  if (text === "-") return `printf %s - | ${options.join(" ")} -\n`; // alone it means standard input
  return `${options.join(" ")} -- ${quoted(text)}\n`;
}

/**
 * Return a document without variables, but for props with names that GraphQL does not have: these follow as a comment.
 * @param {StartInput} input
 */
export function graphql(input) {
  const { composition } = input;
  if (!composition || hasNames(composition.props)) return `mutation {\n  startRender(input: ${literal(input)}) {\n    ${RESULT}\n  }\n}\n`;
  const { props, ...rest } = composition;
  const fields = [`composition: {${fieldsOf(rest)}, props: $props}`];
  if (input.output) fields.push(`output: ${literal(input.output)}`);
  const mutation = `mutation ($props: JSON!) {\n  startRender(input: {${fields.join(", ")}}) {\n    ${RESULT}\n  }\n}\n`;
  return `${mutation}\n# Variables: ${json({ props })}\n`;
}

/**
 * Return a component in TypeScript for `@rendercast/react`.
 * @param {StartInput} input
 * @param {Target} target
 */
export function react(input, { url, signsIn }) {
  const token = signsIn ? ', token: () => sessionStorage.getItem("token")' : "";
  return `import { createClient } from "@rendercast/client";
import { RenderButton, RendercastProvider, RenderProgress, useRender } from "@rendercast/react";

const client = createClient({ url: ${json(url)}${token} });

function Video() {
  const video = useRender({ key: "video" });
  return (
    <>
      <RenderButton of={video} input={${indented(json(flat(input), 2), 6)}}>Render</RenderButton>
      <RenderProgress of={video} />
      {video.render?.outputUrl && <a href={video.render.outputUrl}>Open</a>}
    </>
  );
}

export default function App() {
  return <RendercastProvider client={client}><Video /></RendercastProvider>;
}
`;
}

/**
 * Return a program in Python for `rendercast.client`.
 * @param {StartInput} input
 * @param {Target} target
 */
export function python({ animationProps, composition, output }, { url, signsIn }) {
  const given = composition ? [json(composition.id), pythonLiteral(composition.props)] : textArguments(/** @type {AnimationProps} */ (animationProps));
  if (output) given.push(`output=${pythonLiteral(output)}`);
  const token = signsIn ? ', token=os.environ["RENDERCAST_TOKEN"]' : "";
  return `${signsIn ? "import os\n\n" : ""}from rendercast.client import Client

with Client(${json(url)}${token}) as client:
    render = client.start(
        ${given.join(",\n        ")},
    )
    for state in client.watch(render.id):
        print(state.status, state.progress, state.output_url or "")
`;
}

/** @param {AnimationProps} props */
function textArguments({ text, ...props }) {
  return [`text=${json(text)}`, `animation=${pythonLiteral(props)}`];
}

/**
 * Return the input as the npm package takes it: without `animationProps` around a text.
 * @param {StartInput} input
 */
function flat({ animationProps, composition, output }) {
  const what = composition ? { composition: composition.id, props: composition.props } : animationProps;
  return { ...what, ...(output && { output }) };
}

/** @param {Omit<AnimationProps, "text">} props */
function textOptions({ style, fontFamily, fontSize, fontWeight, italic, color, backgroundColor, durationInFrames }) {
  const options = [`--style ${style.toLowerCase().replaceAll("_", "-")}`, `--font ${quoted(fontFamily)}`, `--size ${fontSize}`];
  if (fontWeight !== undefined) options.push(`--weight ${fontWeight}`);
  if (italic) options.push("--italic");
  options.push(`--color ${quoted(color)}`);
  if (backgroundColor) options.push(`--background ${quoted(backgroundColor)}`);
  options.push(`--frames ${durationInFrames}`);
  return options;
}

/** @param {JsonObject | undefined} output */
function outputOptions(output) {
  const [chosen] = Object.entries(output ?? {});
  if (!chosen) return [];
  const [kind, value] = chosen;
  const { format = kind, ...options } = /** @type {JsonObject} */ (value);
  const given = Object.entries(options).map(([field, each]) => outputOption(field, each));
  return [`--output ${quoted(String(format).toLowerCase())}`, ...given];
}

/**
 * @param {string} field
 * @param {Json} value
 */
function outputOption(field, value) {
  if (value === true) return `--${field}`; // transparent, muted
  const text = field === "proResProfile" ? String(value).replace(/^P(?=\d)/, "").replaceAll("_", "-").toLowerCase() : String(value);
  return `${OPTIONS[field]} ${quoted(text)}`;
}

/**
 * Return a text as one word of a shell: in single quotes, in which a shell interprets nothing.
 * @param {string} text
 */
function quoted(text) {
  const plain = text.replaceAll(CONTROLS, "");
  return /^[\w.:/-]+$/.test(plain) ? plain : `'${plain.replaceAll("'", String.raw`'\''`)}'`;
}

/**
 * Return a value as JSON without control characters: also a literal of JavaScript.
 * @param {unknown} value
 * @param {number} [indent]
 */
function json(value, indent) {
  return JSON.stringify(value, undefined, indent).replaceAll(CONTROLS, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/**
 * Return a value as a literal of GraphQL. Its fields in `enums` are names, not texts.
 * @param {unknown} value
 * @param {Set<string>} [enums]
 * @returns {string}
 */
function literal(value, enums = ENUMS) {
  if (Array.isArray(value)) return `[${value.map((item) => literal(item, enums)).join(", ")}]`;
  return value && typeof value === "object" ? `{${fieldsOf(value, enums)}}` : json(value);
}

/**
 * Return the fields of a literal, without those that are undefined.
 * @param {object} value
 * @param {Set<string>} [enums]
 */
function fieldsOf(value, enums = ENUMS) {
  return Object.entries(value)
    .filter(([, each]) => each !== undefined)
    .map(([name, each]) => `${name}: ${enums.has(name) && NAME.test(each) ? each : literal(each, name === "props" ? NO_ENUMS : enums)}`)
    .join(", ");
}

/**
 * Return whether all names in a value are names of GraphQL.
 * @param {Json} value
 * @returns {boolean}
 */
function hasNames(value) {
  if (!value || typeof value !== "object") return true;
  const isValid = Array.isArray(value) || Object.keys(value).every((name) => NAME.test(name));
  return isValid && Object.values(value).every(hasNames);
}

/**
 * @param {unknown} value
 * @returns {string}
 */
function pythonLiteral(value) {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(pythonLiteral).join(", ")}]`;
  if (typeof value !== "object") return json(value);
  const items = Object.entries(/** @type {object} */ (value)).filter(([, each]) => each !== undefined);
  return `{${items.map(([name, each]) => `${json(name)}: ${pythonLiteral(each)}`).join(", ")}}`;
}

/**
 * Indent all lines but the first.
 * @param {string} text
 * @param {number} columns
 */
function indented(text, columns) {
  return text.replaceAll("\n", `\n${" ".repeat(columns)}`);
}
