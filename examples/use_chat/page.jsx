// A chat with useChat of Vercel's AI SDK, versions 6 and 7: its messages are a thread of the server's, by the page's #.
import { useChat } from "@ai-sdk/react";
import { DefaultChatTransport, lastAssistantMessageIsCompleteWithApprovalResponses } from "ai";
import { useMemo, useRef, useState } from "react";
import { createRoot } from "react-dom/client";

const RUNNABLE = "agent";
const API = `/api/ui/${RUNNABLE}/chat`;
const AGAIN = "resume the stream"; // what an answer that began again says
const JSON_BODY = { method: "POST", headers: { "content-type": "application/json" } }; // which a session's cookie needs

function Chat({ id, messages: kept }) {
  const last = useRef(""); // the id of the last answer
  const transport = useMemo(() => new DefaultChatTransport({
    api: API, // with the session's cookie; else headers: { "x-api-key": key }
    prepareReconnectToStreamRequest: () => ({ api: `${API}/${id}/stream?message=${last.current}` }),
  }), [id]);
  const { messages, sendMessage, regenerate, resumeStream, stop, status, error, addToolApprovalResponse } = useChat({
    id, messages: kept, transport,
    resume: true, // on a reload, read on
    sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithApprovalResponses,
    onError: ({ message }) => message.includes(AGAIN) && resumeStream(),
  });
  const [text, setText] = useState("");
  last.current = messages.findLast(({ role }) => role === "assistant")?.id ?? "";
  const busy = status === "submitted" || status === "streaming";
  const halt = () => fetch(`${API}/${id}/stop`, JSON_BODY).then(stop); // stop() alone ends the reading
  const ask = (event) => {
    event.preventDefault();
    sendMessage({ text });
    setText("");
  };
  return (
    <main data-status={status}>
      {messages.map(({ id, role, parts }) => (
        <article key={id} className={role}>
          {parts.map((part, place) => <Part key={place} part={part} decide={addToolApprovalResponse} />)}
        </article>
      ))}
      {error && <p role="alert">{error.message}</p>}
      <form onSubmit={ask}>
        <input aria-label="Your message" value={text} onChange={({ target }) => setText(target.value)} />
        <button disabled={busy || !text}>Ask</button>
        <button type="button" disabled={!busy} onClick={halt}>Stop</button>
        <button type="button" disabled={busy || !last.current} onClick={() => regenerate()}>Again</button>
      </form>
    </main>
  );
}

function Part({ part, decide }) {
  if (part.type === "text") return <p>{part.text}</p>;
  if (part.type === "reasoning") return <p className="reasoning">{part.text}</p>;
  if (part.type === "file") return <a href={part.url}>{part.filename ?? part.mediaType}</a>;
  return part.type === "dynamic-tool" ? <Tool {...part} decide={decide} /> : null;
}

function Tool({ toolName, state, input, output, errorText, approval, decide }) {
  const answer = (approved) => () => decide({ id: approval.id, approved });
  return (
    <section data-state={state}>
      <b>{toolName}</b> <code>{JSON.stringify(input)}</code> <span>{errorText ?? output}</span>
      {state === "approval-requested" && (
        <span>
          <button onClick={answer(true)}>Approve</button> <button onClick={answer(false)}>Reject</button>
        </span>
      )}
    </section>
  );
}

/** Returns the id of the thread that the page's # names, or of a new one, and what was said in it. */
async function conversation() {
  if (!location.hash) {
    const begun = await fetch("/api/threads", { ...JSON_BODY, body: JSON.stringify({ runnable: RUNNABLE }) });
    location.hash = (await begun.json()).id;
  }
  const id = location.hash.slice(1);
  const { items } = await (await fetch(`/api/threads/${id}/messages`)).json();
  return { id, messages: items.map(shown) };
}

const shown = ({ id, run_id, role, content, tool_calls }) => ({
  id: role === "ai" ? run_id : id,
  role: role === "ai" ? "assistant" : "user",
  parts: [...tool_calls.map(called), { type: "text", text: content }],
});

const called = ({ call_id, tool, input, output, is_error }) => ({
  type: "dynamic-tool", toolCallId: call_id, toolName: tool, input,
  ...(is_error ? { state: "output-error", errorText: output } : { state: "output-available", output }),
});

createRoot(document.getElementById("root")).render(<Chat {...await conversation()} />);
