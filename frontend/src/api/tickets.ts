import { json } from "@/api/http";
import { Problem } from "@/api/problem";

/**
 * Returns a ticket, good once within 30 seconds, for an address that can carry no header. Undefined where the
 * server makes none: the session's cookie then opens it.
 */
export async function ticketFor(route: string): Promise<string | undefined> {
  try {
    return (await json<{ ticket: string }>("POST", "/api/tickets", { route })).ticket;
  } catch (error) {
    if (error instanceof Problem && (error.status === 404 || error.status === 405)) return undefined;
    throw error;
  }
}
