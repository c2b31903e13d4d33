import type { Runnable } from "@/api/events";
import { get } from "@/api/http";

/** What the caller may use, and which chat model answers. */
export interface Served {
  model: string;
  items: Runnable[];
}

export const listRunnables = (signal?: AbortSignal) => get<Served>("/api/runnables", signal);
