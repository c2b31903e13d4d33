import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import SchemaForm from "@/components/SchemaForm";

const SCHEMA = {
  type: "object",
  required: ["to", "amount"],
  properties: {
    to: { type: "string", description: "Who gets it." },
    amount: { type: "number", exclusiveMinimum: 0 },
    currency: { enum: ["EUR", "USD"], default: "EUR" },
    urgent: { type: "boolean", default: false },
    notes: { type: "array", items: { type: "string", title: "Note" } },
  },
};

function shown(value?: unknown) {
  const send = vi.fn();
  render(<SchemaForm schema={SCHEMA} value={value} label="Send" ready send={send} />);
  return { send, person: userEvent.setup() };
}

test("gives what a person fills in", async () => {
  const { send, person } = shown();
  await person.type(screen.getByLabelText("To"), "Ann");
  await person.type(screen.getByLabelText("Amount"), "12.50");
  await person.selectOptions(screen.getByLabelText(/^Currency/), "USD");
  await person.click(screen.getByLabelText("Urgent"));
  await person.click(screen.getByRole("button", { name: "Add note" }));
  await person.click(screen.getByRole("button", { name: "Add note" }));
  await person.type(screen.getByLabelText("Note 1"), "Rent");
  await person.click(screen.getByRole("button", { name: "Remove note 2" }));
  await person.keyboard("{Enter}");
  await person.click(screen.getByRole("button", { name: "Send" }));
  expect(send).toHaveBeenLastCalledWith({ to: "Ann", amount: 12.5, currency: "USD", urgent: true, notes: ["Rent"] });
});

test("says what is wrong at the field, and puts the cursor there", async () => {
  const { send, person } = shown();
  await person.type(screen.getByLabelText("To"), "Ann");
  await person.type(screen.getByLabelText("Amount"), "-1{Enter}");
  const amount = screen.getByLabelText("Amount");
  expect(amount.getAttribute("aria-invalid")).toBe("true");
  expect(document.activeElement).toBe(amount);
  expect(document.getElementById(amount.getAttribute("aria-describedby") ?? "")?.textContent).toBe("More than 0.");
  expect(send).not.toHaveBeenCalled();
  await person.clear(amount);
  await person.type(amount, "1{Enter}");
  expect(send).toHaveBeenCalledWith({ to: "Ann", amount: 1, currency: "EUR", urgent: false });
});

test("begins with what it is given", async () => {
  const { send, person } = shown({ to: "Bob", amount: 3, currency: "USD" });
  await person.click(screen.getByRole("button", { name: "Send" }));
  expect(send).toHaveBeenCalledWith({ to: "Bob", amount: 3, currency: "USD", urgent: false });
});
