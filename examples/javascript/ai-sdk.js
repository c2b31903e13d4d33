// The transport that useChat of Vercel's AI SDK has inside, versions 6 and 7. docs/wires.md has it in React.
import { DefaultChatTransport, readUIMessageStream } from "ai";

const ATTEMPTS = 10; // to read on, about a minute

/** Yields the answer so far, each time it grows. Throws what the server refuses with. */
export async function* ask({ url, key, question, runnable = "chat", signal }) {
  const api = `${url}/api/ui/${runnable}/chat`;
  const [headers, chatId] = [{ "x-api-key": key }, crypto.randomUUID()];
  let answer, failure;
  const transport = new DefaultChatTransport({
    api,
    // under the same key a question that is sent twice is answered once
    headers: { ...headers, "idempotency-key": crypto.randomUUID() },
    prepareReconnectToStreamRequest: () => ({ api: `${api}/${chatId}/stream?message=${answer.id}`, headers }),
  });
  const messages = [{ id: "question", role: "user", parts: [{ type: "text", text: question }] }];
  const start = { chatId, messages, trigger: "submit-message", abortSignal: signal };
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    try {
      const stream = await (answer ? transport.reconnectToStream({ chatId }) : transport.sendMessages(start));
      const onError = (error) => (failure = error);
      for await (answer of readUIMessageStream({ stream, onError })) {
        yield { type: "complete", content: textOf(answer) };
      }
      if (answer?.metadata.status === "failed") throw failure;
      if (answer?.metadata.status) return; // without, it was cut: to the SDK that is an end
    } catch (error) {
      if (signal?.aborted || !(error instanceof TypeError)) throw error;
    } // else the connection was lost
    await new Promise((resolve) => setTimeout(resolve, Math.min(500 * 2 ** attempt, 10_000)));
  }
  throw new Error("The connection was lost, and not found again.");
}

const textOf = ({ parts }) => parts.map((part) => (part.type === "text" ? part.text : "")).join("");
