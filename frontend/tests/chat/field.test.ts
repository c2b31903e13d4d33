import { describe, expect, it } from "vitest";
import { fieldOf, type Field, type JsonSchema } from "@/chat/field";
import { filled, read, type Filling } from "@/chat/filling";

const ORDER: JsonSchema = {
  type: "object",
  required: ["symbol", "quantity", "buyer"],
  properties: {
    symbol: { type: "string", pattern: "^[A-Z]+$", description: "As at the exchange." },
    quantity: { type: "integer", minimum: 1, maximum: 100 },
    kind: { enum: ["buy", "sell"], default: "buy" },
    limit: { anyOf: [{ type: "number" }, { type: "string", pattern: "^\\d+$" }, { type: "null" }], default: null },
    urgent: { type: "boolean", default: false },
    read_back: { type: "boolean" },
    tags: { type: "array", items: { type: "string" }, maxItems: 2 },
    buyer: { $ref: "#/$defs/Person" },
    seller: { anyOf: [{ $ref: "#/$defs/Person" }, { type: "null" }], default: null },
    extra: { anyOf: [{ type: "object" }, { type: "array" }] },
  },
  $defs: {
    Person: { type: "object", title: "Person", required: ["name"], properties: { name: { type: "string" } } },
  },
};
const order = fieldOf(ORDER);
const kinds = (field: Field) =>
  field.kind === "object" ? Object.fromEntries(field.fields.map(({ name, field: { kind } }) => [name, kind])) : {};
const filling = (changed: Record<string, Filling>) => ({
  ...(filled(order, { symbol: "AAPL", quantity: 2, buyer: { name: "Ann" } }) as object),
  ...changed,
});
const faultsOf = (changed: Record<string, Filling>) => Object.fromEntries(read(order, filling(changed)).faults);

describe("the field of a schema", () => {
  it("is of a kind that a person can fill in, and JSON as the last resort", () => {
    expect(kinds(order)).toEqual({
      symbol: "text",
      quantity: "number",
      kind: "choice",
      limit: "number",
      urgent: "switch",
      read_back: "choice",
      tags: "list",
      buyer: "object",
      seller: "object",
      extra: "json",
    });
  });

  it("is named by its title, or by its name in words", () => {
    expect(fieldOf({ type: "string", title: "Since when" }, "since").label).toBe("Since when");
    expect(fieldOf({ type: "string" }, "key_points").label).toBe("Key points");
  });

  it("ends where a schema refers to itself", () => {
    const tree = {
      $ref: "#/$defs/Node",
      $defs: { Node: { type: "object", properties: { next: { $ref: "#/$defs/Node" } } } },
    };
    expect(JSON.stringify(fieldOf(tree))).toContain('"json"');
    const circle = { $ref: "#/$defs/A", $defs: { A: { $ref: "#/$defs/A" } } };
    expect(fieldOf(circle).kind).toBe("json");
  });
});

describe("a form", () => {
  it("leaves out what nobody touched", () => {
    const { value, faults } = read(order, filling({}));
    expect(faults.size).toBe(0);
    expect(value).toEqual({ symbol: "AAPL", quantity: 2, kind: "buy", urgent: false, buyer: { name: "Ann" } });
  });

  it("gives what it was given", () => {
    const given = {
      symbol: "MSFT",
      quantity: 5,
      kind: "sell",
      limit: 1.5,
      urgent: true,
      read_back: false,
      tags: ["a", "b"],
      buyer: { name: "Ann" },
      seller: { name: "Bob" },
      extra: { a: [1] },
    };
    expect(read(order, filled(order, given)).value).toEqual(given);
  });

  it("says of each field what is wrong with it", () => {
    expect(faultsOf({ symbol: "", quantity: "", buyer: { name: "" } })).toEqual({
      symbol: "This is needed.",
      quantity: "This is needed.",
      "buyer.name": "This is needed.",
    });
    expect(faultsOf({ quantity: "1.5" }).quantity).toBe("A whole number is needed.");
    expect(faultsOf({ quantity: "0" }).quantity).toBe("At least 1.");
    expect(faultsOf({ quantity: "101" }).quantity).toBe("At most 100.");
    expect(faultsOf({ quantity: "two" }).quantity).toBe("This is no number.");
    expect(faultsOf({ symbol: "aapl" }).symbol).toBe("This is not of the expected form, ^[A-Z]+$");
    expect(faultsOf({ tags: ["a", "", "c"] })).toEqual({ tags: "At most 2 entries.", "tags.1": "This is needed." });
    expect(faultsOf({ extra: "{" }).extra).toBe("This is no JSON.");
    expect(faultsOf({ kind: "" })).toEqual({});
  });

  it.each([
    [{ type: "number", exclusiveMinimum: 0 }, "0", "More than 0."],
    [{ type: "number", exclusiveMaximum: 1 }, "1", "Less than 1."],
    [{ type: "string", minLength: 3 }, "ab", "At least 3 characters."],
    [{ type: "string", maxLength: 1 }, "ab", "At most 1 characters."],
  ])("keeps to the bounds of %o", (schema, text, fault) => {
    expect(read(fieldOf(schema), text).faults.get("")).toBe(fault);
  });

  it("leaves a pattern that only the server knows to the server", () => {
    expect(read(fieldOf({ type: "string", pattern: "(?P<x>a)" }), "a").value).toBe("a");
  });

  it("sends a default that was emptied as empty", () => {
    const field = fieldOf({ type: "object", properties: { note: { type: "string", default: "Hello" } } });
    expect(read(field, { note: "" }).value).toEqual({ note: "" });
  });
});
