/** The body of every error of the server (RFC 9457), as far as the client looks at it. */
export interface ProblemBody {
  type?: string;
  title?: string;
  status?: number;
  detail?: string;
  /** Of faulty fields: where each is, and what is wrong with it. */
  errors?: { loc: (string | number)[]; msg: string }[];
}

const KIND = "urn:gatehouse:problem:";
const SOON = 60; // seconds

/** An error that the server told of: `message` can be shown as it is. */
export class Problem extends Error {
  readonly status: number;
  readonly kind: string;
  /** Seconds after which it is worth trying again, where the server said so. */
  readonly retryAfter: number | undefined;

  constructor(body: ProblemBody, status = body.status ?? 500, retryAfter?: number) {
    super(sentences(body) || `The server answered with ${status}.`);
    this.name = "Problem";
    this.status = status;
    this.kind = (body.type ?? "").replace(KIND, "") || "unknown";
    this.retryAfter = retryAfter;
  }

  /** Whether the server asks to come again so soon that it can be done without asking anybody. */
  get soon(): boolean {
    return this.status === 429 && this.retryAfter !== undefined && this.retryAfter <= SOON;
  }

  get signedOut(): boolean {
    return this.status === 401;
  }

  /** Whether the same request may well succeed by itself in a moment. */
  get passing(): boolean {
    return this.status === 502 || this.status === 503 || (this.status === 504 && this.kind === "unknown");
  }
}

const MOST_FAULTS = 3; // that are shown

function sentences({ detail, title, errors }: ProblemBody): string {
  const faults = Array.isArray(errors) ? errors.slice(0, MOST_FAULTS) : [];
  // the first step is the part of the request: body, input
  const told = faults.map(({ loc, msg }) => [loc.slice(1).join(" "), msg].filter(Boolean).join(": "));
  return [detail || title, ...told].filter(Boolean).join(" ");
}

/** The stream broke off before the server could say which run it is: nothing can be joined. */
export class Interrupted extends Error {
  constructor(cause?: unknown) {
    super("The connection broke off before an answer began. Send it again.", { cause });
    this.name = "Interrupted";
  }
}

/** Returns the problem that a response tells of; a proxy's page of HTML becomes one too. */
export async function problemOf(response: Response): Promise<Problem> {
  const body: unknown = await response.json().catch(() => ({}));
  const problem = typeof body === "object" && body !== null ? (body as ProblemBody) : {};
  return new Problem(problem, response.status, secondsOf(response.headers.get("retry-after")));
}

/** Returns the seconds of a Retry-After header, which holds a number or a date (RFC 9110, 10.2.3). */
export function secondsOf(header: string | null, now = Date.now()): number | undefined {
  if (!header) return undefined;
  const seconds = /^\d+$/.test(header.trim()) ? Number(header) : (Date.parse(header) - now) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, Math.ceil(seconds)) : undefined;
}
