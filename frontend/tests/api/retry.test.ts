import { describe, expect, it } from "vitest";
import { Problem } from "@/api/problem";
import { pauseBefore, readAgain } from "@/api/retry";

const limited = (seconds: number) => new Problem({}, 429, seconds);

describe("reading again", () => {
  it.each([
    ["a lost connection", new TypeError("lost"), true],
    ["a server that is away", new Problem({}, 503), true],
    ["a limit that is over soon", limited(5), true],
    ["a limit of a day", limited(40_000), false],
    ["a refusal", new Problem({}, 404), false],
  ])("after %s", (_name, error, again) => {
    expect(readAgain(0, error)).toBe(again);
    expect(readAgain(3, error)).toBe(false);
  });

  it("waits as long as the server says, else longer every time", () => {
    expect(pauseBefore(0, limited(5))).toBe(5000);
    expect([0, 1, 2].map((failures) => pauseBefore(failures, new TypeError("lost")))).toEqual([1000, 2000, 4000]);
    expect(pauseBefore(20, new Problem({}, 503))).toBe(30_000);
  });
});
