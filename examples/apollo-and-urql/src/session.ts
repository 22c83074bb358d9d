let cachedToken: Promise<string | null> | undefined;
let isRenewing = false;

/** Return the credentials: headers for HTTP, or `connection_init` parameters for a WebSocket. */
export async function credentials(): Promise<Record<string, string>> {
  const token = await (cachedToken ??= fetchToken());
  return token === null ? {} : { Authorization: `Bearer ${token}` };
}

/** Get a new token. Call this when Rendercast has rejected the current one. */
export async function renewCredentials(): Promise<void> {
  if (!isRenewing) cachedToken = undefined; // requests that fail together renew it once
  isRenewing = true;
  await credentials();
  isRenewing = false;
}

/** Request a token from your own backend, which identifies the user by a cookie. Null if signed out. Never throws. */
async function fetchToken(): Promise<string | null> {
  try {
    const response = await fetch("/session", { method: "POST" });
    if (!response.ok) return null;
    const { token } = (await response.json()) as { token: string | null };
    return token;
  } catch {
    return null;
  }
}
