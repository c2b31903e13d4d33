// @vitest-environment node
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { EVENT_TYPES } from "@/api/events";

const protocol = readFileSync(new URL("../../../docs/streaming.md", import.meta.url), "utf8");

describe("the events of a run", () => {
  it("are those of docs/streaming.md, but for the one that tells nothing more than the tool's start", () => {
    const documented = [...protocol.matchAll(/^\| `(\w+)` \|/gm)].map(([, type]) => type);
    expect(documented.filter((type) => type !== "agent_action").toSorted()).toEqual(EVENT_TYPES.toSorted());
  });
});
