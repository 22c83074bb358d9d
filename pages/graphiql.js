// Starts GraphiQL with Rendercast's first operations. Inserted into graphiql.html after React, GraphiQL and the explorer
// plugin.

const httpUrl = location.origin + location.pathname;
const webSocketUrl = httpUrl.replace(/^http/, "ws");
const template = /** @type {HTMLTemplateElement} */ (document.getElementById("first-operations"));
const firstOperations = template.content.textContent;

// The URL's parameters hold the edited operations and variables, so that a reload or a shared link restores them.
const urlParameters = new URLSearchParams(location.search);

/** @param {string} name @param {string} value */
function storeInUrl(name, value) {
  if (value) urlParameters.set(name, value);
  else urlParameters.delete(name);
  history.replaceState(null, "", `?${urlParameters}`);
}

// After a startRender response, the variable $renderId is set to the new render's id, which Watch uses.
/** @type {(renderId: string) => void} */
let onRenderStarted = () => {};

/** @type {typeof fetch} */
async function fetchAndReadRenderId(...request) {
  const response = await fetch(...request);
  const result = await response.clone().json().catch(() => null);
  const renderId = result?.data?.startRender?.render?.id;
  if (renderId) onRenderStarted(renderId);
  return response;
}

/** @param {string | undefined} variables @param {string} renderId */
function withRenderId(variables, renderId) {
  try {
    return JSON.stringify({ ...JSON.parse(variables || "{}"), renderId }, null, 2);
  } catch {
    return variables; // invalid JSON, still being edited: left as it is
  }
}

// graphql-ws gives up after a refused connection, so it gets the URL only when the server responds.
async function webSocketUrlOnceReachable() {
  while (!(await isServerReachable())) await new Promise((resolve) => setTimeout(resolve, 1000));
  return webSocketUrl;
}

function isServerReachable() {
  const page = fetch(httpUrl, { headers: { Accept: "text/html" }, cache: "no-store" });
  return page.then((response) => response.ok, () => false);
}

// GraphiQL's editors have no accessible names, trap the Tab key (WCAG 2.1.2) and scroll only by moving the cursor,
// which also chooses the operation that Ctrl-Enter runs.
const EDITOR_NAMES = {
  ".graphiql-query-editor": "Query",
  ".graphiql-editor-tool .graphiql-editor:nth-child(1)": "Variables",
  ".graphiql-editor-tool .graphiql-editor:nth-child(2)": "Headers",
  ".graphiql-response": "Response",
};

function makeNewEditorsAccessible() {
  for (const [selector, name] of Object.entries(EDITOR_NAMES)) {
    const element = /** @type {CodeMirrorElement | null} */ (document.querySelector(`${selector} .CodeMirror`));
    const editor = element?.CodeMirror;
    if (editor && editor.getOption("screenReaderLabel") !== name) makeAccessible(editor, name);
  }
}

/** @param {CodeMirrorEditor} editor @param {string} name */
function makeAccessible(editor, name) {
  editor.setOption("screenReaderLabel", name);
  editor.addKeyMap({ Tab: false, "Shift-Tab": false }); // Ctrl-] and Ctrl-[ indent
  const scroller = { tabIndex: 0, role: "group", ariaLabel: `${name}, scrolled by arrow keys` };
  Object.assign(editor.getScrollerElement(), scroller);
}

const fetcher = GraphiQL.createFetcher({
  url: httpUrl,
  fetch: fetchAndReadRenderId,
  subscriptionUrl: webSocketUrlOnceReachable,
});

function RendercastGraphiQL() {
  const [query, setQuery] = React.useState(urlParameters.get("q") || firstOperations);
  const [variables, setVariables] = React.useState(urlParameters.get("variables") || undefined);
  const [headers, setHeaders] = React.useState(urlParameters.get("headers") || undefined);

  onRenderStarted = (renderId) => setVariables((current) => withRenderId(current, renderId));

  return React.createElement(GraphiQL, {
    fetcher,
    defaultEditorToolsVisibility: true,
    plugins: [GraphiQLPluginExplorer.explorerPlugin()],
    query,
    variables,
    headers,
    onEditQuery(/** @type {string} */ newQuery) {
      setQuery(newQuery);
      storeInUrl("q", newQuery);
    },
    onEditVariables(/** @type {string} */ newVariables) {
      setVariables(newVariables);
      storeInUrl("variables", newVariables);
    },
    onEditHeaders: setHeaders,
    inputValueDeprecation: true,
    isHeadersEditorEnabled: true,
    shouldPersistHeaders: true,
  });
}

const container = /** @type {HTMLElement} */ (document.getElementById("graphiql"));
new MutationObserver(makeNewEditorsAccessible).observe(container, { childList: true, subtree: true });
ReactDOM.createRoot(container).render(React.createElement(RendercastGraphiQL));
