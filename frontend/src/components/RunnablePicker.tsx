import { memo } from "react";
import type { Runnable } from "@/api/events";

interface Props {
  items: Runnable[];
  chosen: Runnable | undefined;
  choose: (name: string) => void;
}

/** Which of the served runnables answers. */
export const RunnablePicker = memo(function RunnablePicker({ items, chosen, choose }: Props) {
  return (
    <label className="picker">
      <span className="unseen">Who answers</span>
      <select value={chosen?.name ?? ""} title={chosen?.description} onChange={(event) => choose(event.target.value)}>
        {items.map(({ name }) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
});
