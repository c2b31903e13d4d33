import { describe, expect, it } from "vitest";
import { Problem, problemOf, secondsOf } from "@/api/problem";
import { problem } from "../server";

describe("a problem", () => {
  it("says what the server said, and when to try again", async () => {
    const error = await problemOf(problem(429, "rate-limited", "Too many requests.", { "retry-after": "7" }));
    expect(error).toMatchObject({ message: "Too many requests.", status: 429, kind: "rate-limited", retryAfter: 7 });
  });

  it("tells which fields are faulty", async () => {
    const errors = [
      { loc: ["input", "buyer", "age"], msg: "Input should be a valid integer" },
      { loc: ["query"], msg: "Give one of query and input" },
    ];
    const response = Response.json({ status: 422, detail: "The request has faulty fields.", errors }, { status: 422 });
    expect((await problemOf(response)).message).toBe(
      "The request has faulty fields. buyer age: Input should be a valid integer Give one of query and input",
    );
  });

  it("is made of a proxy's page, too", async () => {
    const error = await problemOf(new Response("<html>Bad gateway</html>", { status: 502 }));
    expect(error).toMatchObject({ message: "The server answered with 502.", kind: "unknown", passing: true });
  });

  it.each([
    [401, "unauthenticated", true, false],
    [503, "unavailable", false, true],
    [504, "deadline-exceeded", false, false],
    [404, "not-found", false, false],
  ])("with %i is told apart", (status, kind, signedOut, passing) => {
    const error = new Problem({ status, type: `urn:gatehouse:problem:${kind}` });
    expect([error.signedOut, error.passing]).toEqual([signedOut, passing]);
  });
});

describe("Retry-After", () => {
  it.each([
    ["120", 120],
    [" 3 ", 3],
    ["Sat, 21 Nov 2026 08:00:10 GMT", 10],
    ["Sat, 21 Nov 2026 07:00:00 GMT", 0],
    ["soon", undefined],
    ["", undefined],
    [null, undefined],
  ])("%j is %j seconds", (header, seconds) => {
    expect(secondsOf(header, Date.parse("2026-11-21T08:00:00Z"))).toBe(seconds);
  });
});
