import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test } from "vitest";
import type { Approval } from "@/api/approvals";
import ApprovalCard from "@/components/ApprovalCard";
import { approval, approved } from "../approvals";
import { at, http, problem, server } from "../server";

/** Shows a card, and returns what is sent to decide. */
function shown(of: Approval, answer = () => Response.json(approved())) {
  const sent: unknown[] = [];
  server.use(
    http.post(at(`/api/approvals/${of.id}/decision`), async ({ request }) => {
      sent.push(await request.json());
      return answer();
    }),
  );
  render(
    <QueryClientProvider client={new QueryClient()}>
      <ApprovalCard approval={of} standing={of} />
    </QueryClientProvider>,
  );
  return { sent, person: userEvent.setup() };
}
const press = (name: string) => screen.getByRole("button", { name });

test("says what would be done, in words and as a table", () => {
  shown(approval({ same_as: "another" }));
  expect(screen.getByRole("region", { name: "“Transfer money” waits for your word" })).toBeTruthy();
  expect(screen.getByText("Sends money.")).toBeTruthy();
  expect(screen.getAllByRole("row").map((row) => row.textContent)).toEqual(["ToBob", "Amount100"]);
  expect(screen.getByText(/looks like the same/)).toBeTruthy();
});

test("decides on what was shown", async () => {
  const { sent, person } = shown(approval());
  await person.click(press("Approve"));
  await waitFor(() => expect(sent).toEqual([{ decision: "approve", digest: "d1" }]));
});

test("changes arguments by the tool's schema", async () => {
  const { sent, person } = shown(approval());
  await person.click(press("Edit"));
  const amount = await screen.findByLabelText("Amount");
  await person.clear(amount);
  await person.type(amount, "5000");
  await person.click(press("Approve with these"));
  expect(screen.getByText("At most 1,000.")).toBeTruthy();
  await person.clear(amount);
  await person.type(amount, "50");
  await person.click(press("Approve with these"));
  await waitFor(() => expect(sent).toEqual([{ decision: "edit", digest: "d1", args: { to: "Bob", amount: 50 } }]));
});

test.each([
  ["Reject", "Reject", { decision: "reject", message: "Because." }],
  ["Answer in its place", "Answer", { decision: "respond", message: "Because." }],
])("takes what is said to %s", async (choice, button, decision) => {
  const { sent, person } = shown(approval());
  await person.click(press(choice));
  await person.keyboard("Because.");
  await person.click(press(button));
  await waitFor(() => expect(sent).toEqual([{ ...decision, digest: "d1" }]));
});

test("takes an answer by its schema, or as a text", async () => {
  const asked = approval({ kind: "input", tool: null, args: null, value: "How many?", allowed: ["respond"] });
  const { sent, person } = shown({ ...asked, schema: { type: "integer", title: "How many" } });
  expect(screen.getByText("How many?")).toBeTruthy();
  await person.click(press("Answer"));
  await person.type(await screen.findByLabelText("How many"), "3");
  await person.click(press("Answer"));
  await waitFor(() => expect(sent).toEqual([{ decision: "respond", digest: "d1", response: 3 }]));
});

test("asks what became of a call of which nobody knows", async () => {
  const unknown = approval({ kind: "effect", allowed: ["happened", "run_again", "give_up"], schema: null });
  const { sent, person } = shown(unknown);
  expect(screen.getByRole("region", { name: "Did “Transfer money” happen?" })).toBeTruthy();
  await person.click(press("It happened"));
  await person.keyboard("Sent.");
  await person.click(press("It happened"));
  await waitFor(() => expect(sent).toEqual([{ decision: "happened", digest: "d1", result: "Sent." }]));
});

test("keeps what is said of a call whose run has ended, and promises no model", async () => {
  const left = approval({ kind: "effect", allowed: ["happened", "give_up"], schema: null });
  const { sent, person } = shown(left);
  expect(screen.queryByRole("button", { name: /run it/ })).toBeNull();
  await person.click(press("It happened"));
  expect(document.body.textContent).not.toMatch(/model is told/);
  await person.type(screen.getByLabelText(/kept with your word/), "Sent.");
  await person.click(press("It happened"));
  await waitFor(() => expect(sent).toEqual([{ decision: "happened", digest: "d1", result: "Sent." }]));
});

test("says why a decision was not taken, and can be decided again", async () => {
  const { person } = shown(approval(), () => problem(422, "invalid-input", "These arguments do not fit."));
  await person.click(press("Approve"));
  expect((await screen.findByRole("alert")).textContent).toBe("These arguments do not fit.");
  expect(press("Approve").hasAttribute("disabled")).toBe(false);
});

test("leaves it to others where this person may not decide", () => {
  shown(approval({ may_decide: false }));
  expect(screen.queryByRole("button")).toBeNull();
  expect(screen.getByText(/Somebody else has to decide/)).toBeTruthy();
});

test.each([
  [approved(), /^Approved by Alice, /],
  [
    approved({ status: "edited", decision: { args: { amount: 50 } } }),
    /^Approved with other arguments by Alice.*Amount50$/,
  ],
  [approved({ status: "rejected", decision: { message: "No." } }), /^Rejected by Alice.*“No.”$/],
  [
    approved({ kind: "effect", status: "happened", decision: { result: "Sent." } }),
    /^It happened, according to Alice.*“Sent.”$/,
  ],
  [approval({ status: "expired" }), /^Nobody decided in time/],
  [approval({ status: "cancelled" }), /^The run was ended/],
  [approval({ kind: "effect", allowed: ["happened", "give_up"], status: "cancelled" }), /^It was found out before/],
])("tells what was decided, and offers nothing more (%#)", (of, outcome) => {
  shown(of);
  expect(screen.queryByRole("button")).toBeNull();
  expect(document.querySelector(".approval-outcome")?.textContent).toMatch(outcome);
});

test("draws a check for what was allowed, and for nothing else", () => {
  const drawn = (of: Approval) => {
    shown(of);
    const [path] = [...document.querySelectorAll(".approval h4 path")].slice(-1);
    return path?.getAttribute("d");
  };
  const check = drawn(approved());
  for (const status of ["expired", "cancelled", "rejected", "given_up"] as const)
    expect(drawn(approval({ status }))).not.toBe(check);
  expect(drawn(approved({ status: "edited" }))).toBe(check);
});

test("tells what the events say while the list is older than they are", () => {
  const of = approval();
  render(
    <QueryClientProvider client={new QueryClient()}>
      <ApprovalCard approval={of} standing={of} decided="Alice approved transfer_money." />
    </QueryClientProvider>,
  );
  expect(document.querySelector(".approval-outcome")?.textContent).toBe("Alice approved transfer_money.");
});
