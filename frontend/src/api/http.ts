import { problemOf } from "@/api/problem";

type Listener = () => void;
const listeners = new Set<Listener>();

/** Calls `listener` whenever the server says that nobody is signed in; returns how to stop that. */
export function onSignedOut(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/**
 * Fetches with the session's cookie. Raises Problem for every status that is no success, TypeError when the
 * server can't be reached.
 */
export async function send(path: string, init: RequestInit = {}): Promise<Response> {
  const response = await fetch(path, { credentials: "same-origin", ...init });
  if (response.ok) return response;
  const problem = await problemOf(response);
  if (problem.signedOut) listeners.forEach((listener) => listener());
  throw problem;
}

/** Sends `body` as JSON and returns the response's. The server takes no change without that content type. */
export async function json<T>(method: string, path: string, body?: unknown, more: RequestInit = {}): Promise<T> {
  const response = await send(path, {
    ...more,
    method,
    headers: { "content-type": "application/json", accept: "application/json", ...more.headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return (response.status === 204 ? undefined : await response.json()) as T;
}

export const get = <T>(path: string, signal?: AbortSignal) =>
  send(path, { headers: { accept: "application/json" }, ...(signal && { signal }) }).then(
    (response) => response.json() as Promise<T>,
  );
