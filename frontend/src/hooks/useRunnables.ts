import { useQuery } from "@tanstack/react-query";
import { useCallback, useMemo, useState } from "react";
import type { Runnable } from "@/api/events";
import { listRunnables } from "@/api/runnables";

const CHOICE = "runnable";

/** What the caller may use. */
export function useRunnables() {
  return useQuery({
    queryKey: ["runnables"],
    queryFn: ({ signal }) => listRunnables(signal),
    staleTime: Infinity,
  });
}

/** The runnable that answers, and how to choose another: `preferred` is taken before the last choice. */
export function useRunnableChoice(preferred: string | undefined) {
  const { data } = useRunnables();
  const [chosen, setChosen] = useState<string>();
  const items = useMemo(() => (data?.items ?? []).filter(({ input_field }) => input_field !== null), [data]);
  const wanted = chosen ?? preferred ?? localStorage.getItem(CHOICE);
  const runnable: Runnable | undefined =
    items.find(({ name }) => name === wanted) ?? items.find((item) => item.default) ?? items[0];
  const choose = useCallback((name: string) => {
    localStorage.setItem(CHOICE, name);
    setChosen(name);
  }, []);
  return { runnable, items, choose, model: data?.model };
}
