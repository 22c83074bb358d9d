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
