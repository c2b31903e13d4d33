import { get, json } from "@/api/http";
import { Problem } from "@/api/problem";

export interface Limit {
  name: string;
  limit: number;
  remaining: number;
  reset_seconds: number;
}

/** Who is signed in, and what is left to them. */
export interface Me {
  tenant_id: string;
  user_id: string;
  name: string;
  scopes?: string[];
  expires_at: number | null;
  plan?: string | null;
  limits?: Limit[];
}

/** Returns who is signed in; null where the server does not tell. */
export async function readMe(signal?: AbortSignal): Promise<Me | null> {
  try {
    return await get<Me>("/api/me", signal);
  } catch (error) {
    if (error instanceof Problem && error.status === 404) return null;
    throw error;
  }
}

/** Opens a session for an API key or a token, which is sent once and kept nowhere. */
export const signIn = (credential: string) => json<Me>("POST", "/auth/session", { credential });
