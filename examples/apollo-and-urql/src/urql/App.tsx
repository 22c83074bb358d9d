import { useCallback } from "react";
import { useClient, useMutation, useQuery, useSubscription } from "urql";
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
import { inOrder, type Render, type StartResult } from "../renders";
import { ConnectionState, QuotaLine, RenderList, RenderView, StartForm } from "../view";
import { codesOf, toUserError } from "./client";

const AGAIN = { requestPolicy: "network-only" } as const;

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
  const [{ data }, execute] = useQuery({ query: QuotaDocument });
  const read = useCallback(() => execute(AGAIN), [execute]);
  useOnConnected(read);
  useAtTime(data?.renderQuota.resetsAt, read);
  return data && <QuotaLine quota={data.renderQuota} />;
}

function Start() {
  const [, start] = useMutation(StartDocument);

  async function onStart(input: StartRenderInput): Promise<StartResult> {
    const { data, error } = await start({ input });
    if (!data) throw toUserError(error);
    return data.startRender;
  }

  return <StartForm onStart={onStart} />;
}

function Watch({ id }: { id: string }) {
  const [progress, subscribe] = useSubscription({ query: ProgressDocument, variables: { id } });
  const [, cancel] = useMutation(CancelDocument);
  const [, refresh] = useMutation(RefreshDocument);
  const [, readQuota] = useQuery({ query: QuotaDocument });

  useRetryAfterError(codesOf(progress.error).includes("NOT_FOUND") ? undefined : progress.error, subscribe);

  async function onCancel(): Promise<void> {
    const { data, error } = await cancel({ id });
    if (!data) throw toUserError(error);
    readQuota(AGAIN);
    if (data.cancelRender.__typename !== "CancelRenderSuccess") throw new Error(data.cancelRender.message);
  }

  async function onRefresh(): Promise<Render> {
    const { data, error } = await refresh({ id });
    if (!data) throw toUserError(error);
    if (data.refreshDownloadUrl.__typename === "DownloadUrl") return data.refreshDownloadUrl.render;
    throw new Error(data.refreshDownloadUrl.message);
  }

  if (progress.error) return <p role="alert">{toUserError(progress.error).message}</p>;
  return progress.data && <RenderView render={progress.data.renderProgress} onCancel={onCancel} onRefresh={onRefresh} />;
}

function Renders() {
  const client = useClient();
  const [{ data, error }, execute] = useQuery({ query: RendersDocument });
  const [updates, subscribe] = useSubscription({ query: UpdatesDocument });
  useRetryAfterError(updates.error, subscribe);
  useOnConnected(useCallback(() => execute(AGAIN), [execute]));
  if (!data) return error && <p role="alert">{toUserError(error).message}</p>;
  const { hasNextPage, endCursor } = data.renders.pageInfo;
  const onMore = () => void client.query(RendersDocument, { after: endCursor }).toPromise();
  return <RenderList renders={inOrder(data)} onMore={hasNextPage ? onMore : undefined} />;
}
