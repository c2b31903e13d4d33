import { memo } from "react";
import { Link, useLocation } from "wouter";
import { AccountMenu } from "@/components/AccountMenu";
import { EndOfList } from "@/components/EndOfList";
import { InboxLink } from "@/components/InboxLink";
import { Icon } from "@/components/Icon";
import { ThreadItem } from "@/components/ThreadItem";
import { useThreadChanges, useThreads } from "@/hooks/useThreads";

/** The caller's threads, and who they are. It stays as it is while an answer streams beside it. */
export const Sidebar = memo(function Sidebar({ threadId, close }: { threadId: string | undefined; close: () => void }) {
  const [, navigate] = useLocation();
  const { threads, isError, hasNextPage, isFetchingNextPage, fetchNextPage, refetch } = useThreads();
  const { rename, remove } = useThreadChanges();

  return (
    <aside className="sidebar" aria-label="Conversations">
      <div className="sidebar-head">
        <Link href="/" className="brand">
          <img src="/signin.svg" alt="" width="26" height="26" /> Gatehouse
        </Link>
        <button type="button" className="icon-button only-narrow" aria-label="Close the list" onClick={close}>
          <Icon name="close" />
        </button>
      </div>
      <Link href="/" className="new-thread">
        <Icon name="plus" /> New conversation
      </Link>
      <InboxLink />
      <nav className="threads" aria-label="Conversations">
        {threads?.map((thread) => (
          <ThreadItem
            key={thread.id}
            thread={thread}
            open={thread.id === threadId}
            rename={(title) => rename.mutate({ id: thread.id, title })}
            remove={() => {
              if (thread.id === threadId) navigate("/");
              remove.mutate(thread.id);
            }}
          />
        ))}
        {threads?.length === 0 && <p className="hint">Your conversations will be listed here.</p>}
        {isError && !threads && (
          <p className="hint">
            The list could not be read.{" "}
            <button type="button" className="quiet small" onClick={() => void refetch()}>
              Try again
            </button>
          </p>
        )}
        {hasNextPage && <EndOfList loading={isFetchingNextPage} more={() => void fetchNextPage()} />}
      </nav>
      <AccountMenu />
    </aside>
  );
});
