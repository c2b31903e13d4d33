import { send } from "@/api/http";

const LAST_FRAME = /(?:^|[\r\n])event: ?(?:end|error)[\r\n]/;
const LONGEST = 16; // characters of such a line

/**
 * The `fetch` that a RemoteRunnable is given: it sends the session, turns problem+json into a Problem, reads the
 * run's id from its header, and sees whether LangServe's last frame came. RemoteRunnable itself takes a stream
 * that breaks off for a whole one.
 */
export class WatchedFetch {
  runId: string | undefined;
  whole = false;

  constructor(private readonly onRun: (runId: string) => void) {}

  readonly fetch = async (url: string, init: RequestInit): Promise<Response> => {
    const response = await send(url, init);
    this.runId = response.headers.get("x-run-id") ?? undefined;
    if (this.runId) this.onRun(this.runId);
    return new Response(response.body?.pipeThrough(this.watching()), response);
  };

  private watching(): TransformStream<Uint8Array, Uint8Array> {
    const decoder = new TextDecoder();
    let tail = "";
    return new TransformStream({
      transform: (piece, controller) => {
        const text = tail + decoder.decode(piece, { stream: true });
        this.whole ||= LAST_FRAME.test(text);
        tail = text.slice(-LONGEST);
        controller.enqueue(piece);
      },
    });
  }
}
