import { get } from "@/api/http";
import type { components } from "@/api/schema";

/** What the caller may use, and which chat model answers. */
export type Usable = components["schemas"]["UsableRunnables"];

export const listRunnables = (signal?: AbortSignal) => get<Usable>("/api/runnables", signal);
