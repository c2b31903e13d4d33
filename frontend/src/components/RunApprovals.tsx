import { lazy, Suspense, type ComponentProps } from "react";
import type { ApprovalPart, Part } from "@/chat/exchange";
import { Fallback } from "@/components/Fallback";
import { useApproval, useOtherApprovals } from "@/hooks/approvals";

const ApprovalCard = lazy(() => import("@/components/ApprovalCard"));

/** What the run waits for at this place of its answer. */
export function ApprovalView({ part }: { part: ApprovalPart }) {
  const standing = useApproval(part.approval.id);
  return <LoadedCard approval={part.approval} standing={standing} decided={part.decided} />;
}

/** What was decided for an answer whose own events are not here any more. */
export function EarlierApprovals({ runId, parts }: { runId: string | null; parts: readonly Part[] }) {
  const ids = parts.flatMap((part) => (part.kind === "approval" ? [part.approval.id] : []));
  return useOtherApprovals(runId, ids).map((approval) => (
    <LoadedCard key={approval.id} approval={approval} standing={approval} />
  ));
}

function LoadedCard(props: ComponentProps<typeof ApprovalCard>) {
  return (
    <Fallback instead={<p className="notice trouble">What waits here could not be shown. Reload the page.</p>}>
      <Suspense fallback={<p className="hint">Loading…</p>}>
        <ApprovalCard {...props} />
      </Suspense>
    </Fallback>
  );
}
