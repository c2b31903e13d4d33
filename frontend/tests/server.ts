import { http, HttpResponse } from "msw";
import { setupServer } from "msw/node";
import type { Received } from "@/api/events";

/** The server as the network shows it. Each test says what it answers. */
export const server = setupServer();

export const ORIGIN = "http://gatehouse.test";
export const RUN = "01a1fd12-559d-7780-9193-c8e17af868e1";
export const THREAD = "01a1fd12-0000-7780-9193-c8e17af868e1";

export const start = (attempt = 1): Received["event"] => ({
  type: "start",
  run_id: RUN,
  thread_id: THREAD,
  runnable: "chat",
  attempt,
});
export const token = (content: string): Received["event"] => ({ type: "token", content });
export const usage = { input_tokens: 1, output_tokens: 2, total_tokens: 3 };
export const complete = (content: string): Received["event"] => ({ type: "complete", content, usage, duration_ms: 5 });
export const end = (status: "completed" | "cancelled" | "failed" = "completed"): Received["event"] => ({
  type: "end",
  status,
});

/** Returns events as the run API sends them, numbered from `first`. */
export const sse = (events: Received["event"][], first = 1): HttpResponse<string> =>
  new HttpResponse(
    events
      .map((event, place) => `id: 1-${first + place}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
      .join(""),
    { headers: { "content-type": "text/event-stream" } },
  );

/** Returns LangServe's frames. Without `whole` the connection breaks before the last one. */
export const frames = (chunks: unknown[], whole = true, last = "end"): HttpResponse<string> =>
  new HttpResponse(
    chunks.map((chunk) => `event: data\ndata: ${JSON.stringify(chunk)}\n\n`).join("") +
      (whole
        ? `event: ${last}\n${last === "error" ? 'data: {"status_code": 500, "message": "It failed."}\n' : ""}\n`
        : ""),
    { headers: { "content-type": "text/event-stream", "x-run-id": RUN } },
  );

export const problem = (status: number, kind: string, detail: string, headers: Record<string, string> = {}) =>
  HttpResponse.json(
    { type: `urn:gatehouse:problem:${kind}`, title: "Problem", status, detail },
    { status, headers: { "content-type": "application/problem+json", ...headers } },
  );

export const runState = (fields: object) => ({
  run_id: RUN,
  thread_id: THREAD,
  runnable: "chat",
  state: "completed",
  attempt: 1,
  text: "",
  last_event_id: "1-9",
  usage,
  problem: null,
  ...fields,
});

export const at = (path: string) => `${ORIGIN}${path}`;
export { http, HttpResponse };
