import { Link } from "wouter";
import type { Approval } from "@/api/approvals";
import { Problem } from "@/api/problem";
import ApprovalCard from "@/components/ApprovalCard";
import { EndOfList } from "@/components/EndOfList";
import { Frame } from "@/components/Frame";
import { useSession } from "@/hooks/session";
import { usePending } from "@/hooks/useApprovals";

/** Everything that waits for this person's word. */
export default function ApprovalsPage() {
  const { approvals, error, hasNextPage, isFetchingNextPage, fetchNextPage } = usePending();
  const mine = approvals?.filter(({ may_decide }) => may_decide) ?? [];
  const others = approvals?.filter(({ may_decide }) => !may_decide) ?? [];
  return (
    <Frame title="Approvals">
      <div className="scroll" tabIndex={-1}>
        <div className="column inbox">
          {error && !approvals && <p className="notice trouble">{sentenceOf(error)}</p>}
          {approvals && !mine.length && <p className="hint">Nothing waits for you.</p>}
          <List approvals={mine} />
          {others.length > 0 && <h2>For somebody else to decide</h2>}
          <List approvals={others} />
          {hasNextPage && <EndOfList loading={isFetchingNextPage} more={() => void fetchNextPage()} />}
        </div>
      </div>
    </Frame>
  );
}

function List({ approvals }: { approvals: Approval[] }) {
  return (
    <ol>
      {approvals.map((approval) => (
        <li key={approval.id}>
          <About approval={approval} />
          <ApprovalCard approval={approval} standing={approval} />
        </li>
      ))}
    </ol>
  );
}

/** Whose run it is, of what, and since when. */
function About({ approval: { owner, runnable, thread_id, created_at } }: { approval: Approval }) {
  const { me } = useSession();
  const own = owner.user_id === me?.user_id;
  return (
    <p className="inbox-about">
      {own ? "You" : owner.name} asked {runnable.replace(/^\//, "")},{" "}
      <time dateTime={created_at}>
        {new Date(created_at).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" })}
      </time>
      {own && thread_id && <Link href={`/threads/${thread_id}`}>Open the conversation</Link>}
    </p>
  );
}

const sentenceOf = (error: Error) =>
  error instanceof Problem ? error.message : "The list could not be read. Reload to try again.";
