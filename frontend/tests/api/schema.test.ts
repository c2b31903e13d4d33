// @vitest-environment node
import { readFile } from "node:fs/promises";
import openapiTS, { astToString } from "openapi-typescript";
import { expect, it } from "vitest";

const here = (path: string) => new URL(`../../${path}`, import.meta.url);

it("the types of the API are those of its document (make types)", async () => {
  const fresh = astToString(await openapiTS(here("openapi.json")));
  const kept = await readFile(here("src/api/schema.d.ts"), "utf8");
  expect(kept.slice(kept.indexOf("export interface paths"))).toBe(fresh.slice(fresh.indexOf("export interface paths")));
});
