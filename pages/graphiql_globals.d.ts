// Types of the library functions that pages/graphiql.js uses.

interface CodeMirrorEditor {
  getOption(name: string): unknown;
  setOption(name: string, value: unknown): void;
  addKeyMap(keys: Record<string, unknown>): void;
  getScrollerElement(): HTMLElement;
}

interface CodeMirrorElement extends Element {
  CodeMirror?: CodeMirrorEditor;
}

interface FetcherOptions {
  url: string;
  fetch: typeof fetch;
  subscriptionUrl: () => Promise<string>;
}

type SetState<T> = (next: T | ((current: T) => T)) => void;

declare const React: {
  useState<T>(initial: T): [T, SetState<T>];
  createElement(component: unknown, props?: object): object;
};

declare const ReactDOM: { createRoot(container: Element): { render(element: object): void } };

declare const GraphiQL: { createFetcher(options: FetcherOptions): object };

declare const GraphiQLPluginExplorer: { explorerPlugin(): object };
