import { useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import { deleteThread, listThreads, renameThread } from "@/api/threads";

/** The caller's threads, that with the newest message first, page by page. */
export function useThreads() {
  const { data, ...query } = useInfiniteQuery({
    queryKey: ["threads"],
    queryFn: ({ pageParam, signal }) => listThreads(pageParam, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
  });
  return { threads: data?.pages.flatMap((page) => page.items), ...query };
}

/** Renames and deletes threads, and has the list follow. */
export function useThreadChanges() {
  const queries = useQueryClient();
  const onSuccess = () => queries.invalidateQueries({ queryKey: ["threads"] });
  const rename = useMutation({
    mutationFn: ({ id, title }: { id: string; title: string }) => renameThread(id, title),
    onSuccess: (thread) => {
      queries.setQueryData(["thread", thread.id], thread);
      return onSuccess();
    },
  });
  const remove = useMutation({
    mutationFn: deleteThread,
    onSuccess: (_nothing, id) => {
      queries.removeQueries({ queryKey: ["messages", id] });
      return onSuccess();
    },
  });
  return { rename, remove };
}
