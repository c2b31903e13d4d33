import type { Approval } from "@/api/approvals";
import { RUN, THREAD } from "./server";

const ALICE = { user_id: "alice", name: "Alice" };
const SCHEMA = {
  type: "object",
  required: ["to", "amount"],
  properties: { to: { type: "string" }, amount: { type: "number", maximum: 1000 } },
};

/** An approval as the server has it: a transfer that waits for whoever asks. */
export const approval = (more: Partial<Approval> = {}): Approval => ({
  id: "01a1fd12-0000-7000-8000-000000000001",
  kind: "tool",
  run_id: RUN,
  thread_id: THREAD,
  runnable: "agent",
  tool: "transfer_money",
  args: { to: "Bob", amount: 100 },
  description: "Sends money.",
  allowed: ["approve", "edit", "reject", "respond"],
  schema: SCHEMA,
  digest: "d1",
  tool_call_id: "call-1",
  status: "pending",
  owner: ALICE,
  decided_by: null,
  decided_at: null,
  decision: null,
  created_at: "2026-11-30T10:00:00Z",
  expires_at: "2099-01-01T00:00:00Z",
  may_decide: true,
  same_as: null,
  ...more,
});

export const approved = (more: Partial<Approval> = {}) =>
  approval({ status: "approved", decided_by: ALICE, decided_at: "2026-11-30T10:05:00Z", decision: {}, ...more });
