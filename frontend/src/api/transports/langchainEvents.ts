import type { ServerEvent } from "@/api/events";

/** An event of LangChain's `streamEvents`, as far as it is looked at. */
export interface LangChainEvent {
  event: string;
  name: string;
  run_id: string;
  data: { chunk?: unknown; input?: unknown; output?: unknown; error?: unknown };
}

/** Returns the run's events in one of LangChain's: the answer's own tokens, and the tools at work. */
export function fromLangChain({ event, name, run_id, data }: LangChainEvent, runId: string): ServerEvent[] {
  if (event === "on_chain_stream" && run_id === runId) {
    const content = textOf(data.chunk);
    return content ? [{ type: "token", content }] : [];
  }
  const call = { tool: name, call_id: run_id };
  if (event === "on_tool_start") return [{ type: "tool_start", ...call, input: data.input }];
  if (event === "on_tool_end") {
    const failed = (data.output as { status?: string } | undefined)?.status === "error";
    return [{ type: "tool_end", ...call, output: textOf(data.output), is_error: failed }];
  }
  if (event === "on_tool_error") {
    return [{ type: "tool_end", ...call, output: String(data.error ?? "The tool failed."), is_error: true }];
  }
  return [];
}

/** Returns the text of a chunk: a string, a message, or a message whose content is a list of blocks. */
export function textOf(chunk: unknown): string {
  if (typeof chunk === "string") return chunk;
  if (Array.isArray(chunk)) return chunk.map(textOf).join("");
  if (typeof chunk !== "object" || chunk === null) return "";
  const { content, text } = chunk as { content?: unknown; text?: unknown };
  return content !== undefined ? textOf(content) : typeof text === "string" ? text : "";
}
