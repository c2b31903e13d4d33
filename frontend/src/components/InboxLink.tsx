import { Link } from "wouter";
import { Icon } from "@/components/Icon";
import { usePendingCount } from "@/hooks/useApprovals";

/** The way to what waits for this person, and how much that is. */
export function InboxLink() {
  const count = usePendingCount();
  if (count === undefined) return null;
  return (
    <Link href="/approvals" className={(active) => (active ? "inbox-link open" : "inbox-link")}>
      <Icon name="inbox" /> Approvals
      {count > 0 && (
        <span className="badge">
          {count > 99 ? "99+" : count} <span className="unseen">waiting</span>
        </span>
      )}
    </Link>
  );
}
