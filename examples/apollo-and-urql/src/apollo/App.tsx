import { useMutation, useQuery, useSubscription } from "@apollo/client/react";
import {
  CancelDocument,
  ProgressDocument,
  QuotaDocument,
  RefreshDocument,
  RendersDocument,
  StartDocument,
  type StartRenderInput,
  UpdatesDocument,
} from "../gql/graphql";
import { useRetryAfterError, useSelectedId, useOnConnected, useAtTime } from "../hooks";
import { inOrder, type Render, type StartResult, withRender } from "../renders";
import { ConnectionState, QuotaLine, RenderList, RenderView, StartForm } from "../view";
import { codesOf, toUserError } from "./client";

export function App() {
  const id = useSelectedId();
  return (
    <main>
      <h1>Renders</h1>
      <ConnectionState />
      <Quota />
      <Start />
      {id && <Watch key={id} id={id} />}
      <Renders />
    </main>
  );
}

function Quota() {
  const { data, refetch } = useQuery(QuotaDocument);
  useOnConnected(refetch);
  useAtTime(data?.renderQuota.resetsAt, refetch);
  return data && <QuotaLine quota={data.renderQuota} />;
}

function Start() {
  const [start] = useMutation(StartDocument);

  async function onStart(input: StartRenderInput): Promise<StartResult> {
    try {
      const { data } = await start({ variables: { input } });
      if (data) return data.startRender;
    } catch (error) {
      throw toUserError(error);
    }
    throw toUserError(undefined);
  }

  return <StartForm onStart={onStart} />;
}

function Watch({ id }: { id: string }) {
  const progress = useSubscription(ProgressDocument, { variables: { id } });
  const [cancel] = useMutation(CancelDocument, { refetchQueries: [QuotaDocument] });
  const [refresh] = useMutation(RefreshDocument);

  useRetryAfterError(codesOf(progress.error).includes("NOT_FOUND") ? undefined : progress.error, progress.restart);

  async function onCancel(): Promise<void> {
    const { data } = await cancel({ variables: { id } }).catch((error: unknown) => Promise.reject(toUserError(error)));
    if (data && data.cancelRender.__typename !== "CancelRenderSuccess") throw new Error(data.cancelRender.message);
  }

  async function onRefresh(): Promise<Render> {
    const { data } = await refresh({ variables: { id } }).catch((error: unknown) => Promise.reject(toUserError(error)));
    if (data?.refreshDownloadUrl.__typename === "DownloadUrl") return data.refreshDownloadUrl.render;
    throw data ? new Error(data.refreshDownloadUrl.message) : toUserError(undefined);
  }

  if (progress.error) return <p role="alert">{toUserError(progress.error).message}</p>;
  return progress.data && <RenderView render={progress.data.renderProgress} onCancel={onCancel} onRefresh={onRefresh} />;
}

function Renders() {
  const { data, error, fetchMore, refetch } = useQuery(RendersDocument);
  const updates = useSubscription(UpdatesDocument, {
    onData({ client, data: { data: update } }) {
      if (!update) return;
      client.cache.updateQuery({ query: RendersDocument }, (list) => list && withRender(list, update.renderUpdates));
    },
  });
  useRetryAfterError(updates.error, updates.restart);
  useOnConnected(refetch);
  if (!data) return error && <p role="alert">{toUserError(error).message}</p>;
  const { hasNextPage, endCursor } = data.renders.pageInfo;
  const onMore = () => void fetchMore({ variables: { after: endCursor } });
  return <RenderList renders={inOrder(data)} onMore={hasNextPage ? onMore : undefined} />;
}
