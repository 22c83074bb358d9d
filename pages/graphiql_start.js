      // Once startRender has answered, the variable $renderId is the render it started: Watch needs no copying.
      let watchNext = () => {};

      async function fetchAndWatchNext(...request) {
        const response = await fetch(...request);
        const answer = await response.clone().json().catch(() => null);
        const renderId = answer?.data?.startRender?.render?.id;
        if (renderId) watchNext(renderId);
        return response;
      }

      function withRenderId(variables, renderId) {
        try {
          return JSON.stringify({ ...JSON.parse(variables || "{}"), renderId }, null, 2);
        } catch {
          return variables; // half written: left alone
        }
      }

      // graphql-ws takes a connection that is refused for the end: it is told where to connect once the server answers.
      async function subscriptionUrlOnceItAnswers() {
        while (!(await answers())) await new Promise((resolve) => setTimeout(resolve, 1000));
        return subscriptionUrl;
      }

      function answers() {
        const page = fetch(fetchURL, { headers: { Accept: "text/html" }, cache: "no-store" });
        return page.then((response) => response.ok, () => false);
      }

      // GraphiQL's editors have no names to be told by, keep Tab for themselves, so that who has no mouse never leaves
      // them, and scroll by the cursor alone, which also chooses the operation that is run.
      const EDITORS = {
        ".graphiql-query-editor": "Query",
        ".graphiql-editor-tool .graphiql-editor:nth-child(1)": "Variables",
        ".graphiql-editor-tool .graphiql-editor:nth-child(2)": "Headers",
        ".graphiql-response": "Answer",
      };

      function openNewEditors() {
        for (const [place, name] of Object.entries(EDITORS)) {
          const editor = document.querySelector(`${place} .CodeMirror`)?.CodeMirror;
          if (editor && editor.getOption("screenReaderLabel") !== name) openToAll(editor, name);
        }
      }

      function openToAll(editor, name) {
        editor.setOption("screenReaderLabel", name);
        editor.addKeyMap({ Tab: false, "Shift-Tab": false }); // Ctrl-] and Ctrl-[ indent
        const scroller = { tabIndex: 0, role: "group", ariaLabel: `${name}, scrolled by arrow keys` };
        Object.assign(editor.getScrollerElement(), scroller);
      }

      const page = document.getElementById("graphiql");
      new MutationObserver(openNewEditors).observe(page, { childList: true, subtree: true });
